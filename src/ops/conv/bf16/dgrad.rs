//! Launching the kernel of an input's gradient.

use super::super::shape::{Shape, count};
use super::super::tiles::{Tile, choose};
use super::phases::Phases;
use crate::graph::{Contribution, Tape, Tensor};
use crate::kernels::conv as kernels;

const VARIANTS: [(Tile, kernels::Bf16Dgrad); 5] = [
    (Tile::new(128, 128, 100), kernels::bf16_dgrad_128x128),
    (Tile::new(128, 64, 110), kernels::bf16_dgrad_128x64),
    (Tile::new(128, 32, 130), kernels::bf16_dgrad_128x32),
    (Tile::new(64, 64, 140), kernels::bf16_dgrad_64x64),
    (Tile::new(32, 32, 200), kernels::bf16_dgrad_32x32),
];

/// dx = dy * w, turned round, for input number `input`.
pub fn launch(tape: &mut Tape, shape: &Shape, input: usize, weight: &Tensor, dy: &Tensor, dx: &Contribution) {
    let phases = Phases::of(&shape.geometry);
    let stride = shape.geometry.stride;
    let channels = shape.channels[input];
    let first_channel = if input == 0 { 0 } else { shape.channels[0] };
    // The largest class of pixels: those with even coordinates, if the stride is 2.
    let pixels = shape.images * shape.height.div_ceil(stride) * shape.width.div_ceil(stride);
    let (tile, launcher) = choose(&VARIANTS, pixels, channels, stride * stride);
    let call = launcher(
        dy.input(),
        weight.input(),
        dx.so_far.as_ref().map(Tensor::input),
        dx.total.output(),
        count(shape.images),
        count(shape.height),
        count(shape.width),
        count(channels),
        count(first_channel),
        count(shape.channels[0] + shape.channels[1]),
        count(shape.out_height),
        count(shape.out_width),
        count(shape.out_channels),
        count(phases.kernel),
        count(stride),
        count(phases.pad),
        shape.geometry.up(),
    );
    let (x, y) = tile.grid(pixels, channels);
    tape.launch(call.grid(x * y, 1, stride * stride));
}
