//! Launching the kernel of the weights' gradient.

use super::super::shape::{Shape, count};
use super::super::tiles::{Tile, choose};
use super::parts::Parts;
use super::phases::Phases;
use crate::graph::{Tape, Tensor};
use crate::kernels::conv as kernels;

const VARIANTS: [(Tile, kernels::Bf16Wgrad); 4] = [
    (Tile::new(128, 128, 100), kernels::bf16_wgrad_128x128),
    (Tile::new(128, 64, 110), kernels::bf16_wgrad_128x64),
    (Tile::new(64, 64, 140), kernels::bf16_wgrad_64x64),
    (Tile::new(32, 32, 200), kernels::bf16_wgrad_32x32),
];

/// The tile that the number of parts is reckoned with.
const WHOLE: (usize, usize) = (128, 128);

/// Tiles, `width` input channels wide, of the weights of an output channel: each lies in one input and one tap.
fn columns(shape: &Shape, width: usize) -> usize {
    let taps = Phases::of(&shape.geometry).taps();
    taps * shape.channels.iter().map(|channels| channels.div_ceil(width)).sum::<usize>()
}

/// dw = the products of dy and x, summed over the output pixels; f32.
pub fn launch(tape: &mut Tape, shape: &Shape, inputs: &[&Tensor], dy: &Tensor, dw: &Tensor) {
    let parts = Parts::new(shape, shape.out_channels.div_ceil(WHOLE.0) * columns(shape, WHOLE.1));
    let phases = Phases::of(&shape.geometry);
    let up = shape.geometry.up();
    let channels = shape.channels[0].max(shape.channels[1]);
    let (tile, launcher) = choose(&VARIANTS, shape.out_channels, channels, phases.taps() * parts.count);
    let blocks = shape.out_channels.div_ceil(tile.rows()) * columns(shape, tile.columns());
    parts.sum(tape, shape, dw, |tape, sums| {
        let call = launcher(
            inputs[0].input(),
            inputs.get(1).map(|second| second.input()),
            dy.input(),
            sums.output(),
            count(shape.out_pixels() / phases.count),
            count(parts.pixels),
            count(shape.height),
            count(shape.width),
            count(shape.channels[0]),
            count(shape.channels[1]),
            count(shape.out_height >> up),
            count(shape.out_width >> up),
            count(shape.out_channels),
            count(phases.kernel),
            count(shape.geometry.stride),
            count(phases.pad),
            up,
        );
        tape.launch(call.grid(blocks, 1, parts.count));
    });
}
