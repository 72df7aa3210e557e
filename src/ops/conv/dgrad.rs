//! Launching the kernel of an input's gradient.

use super::shape::{Shape, count};
use super::tiles::{Tile, choose};
use crate::graph::{Contribution, Tape, Tensor};
use crate::kernels::conv as kernels;

/// All numbers of channels multiples of 4.
const BY_FOURS: [(Tile, kernels::Dgrad); 6] = [
    (Tile::new(128, 128, 100), kernels::dgrad_128x128),
    (Tile::new(128, 64, 100), kernels::dgrad_128x64),
    (Tile::new(128, 32, 110), kernels::dgrad_128x32),
    (Tile::new(64, 64, 135), kernels::dgrad_64x64),
    (Tile::new(64, 32, 140), kernels::dgrad_64x32),
    (Tile::new(32, 32, 145), kernels::dgrad_32x32),
];

/// Any numbers of channels.
const ANY: [(Tile, kernels::Dgrad); 3] = [
    (Tile::new(128, 64, 115), kernels::dgrad_any_128x64),
    (Tile::new(128, 32, 125), kernels::dgrad_any_128x32),
    (Tile::new(32, 32, 160), kernels::dgrad_any_32x32),
];

/// dx = dy * w, turned round, for input number `input`.
pub(super) fn launch(
    tape: &mut Tape,
    shape: &Shape,
    input: usize,
    weight: &Tensor,
    dy: &Tensor,
    dx: &Contribution,
) {
    let stride = shape.geometry.stride;
    let channels = shape.channels[input];
    let first_channel = if input == 0 { 0 } else { shape.channels[0] };
    // The largest class of pixels: those with even coordinates, if the stride is 2.
    let pixels = shape.images * shape.height.div_ceil(stride) * shape.width.div_ceil(stride);
    let by_fours = shape.in_fours() && shape.out_channels.is_multiple_of(4);
    let variants: &[(Tile, kernels::Dgrad)] = if by_fours { &BY_FOURS } else { &ANY };
    let (tile, launcher) = choose(variants, pixels, channels, stride * stride);
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
        count(shape.geometry.kernel),
        count(stride),
        count(shape.geometry.pad.before()),
        shape.geometry.up(),
    );
    let (x, y) = tile.grid(pixels, channels);
    tape.launch(call.grid(x, y, stride * stride));
}
