//! Launching the kernel of the weights' gradient.

use super::super::shape::{Shape, count};
use super::super::tiles::{Tile, choose};
use super::super::wgrad::sum_slices;
use crate::device::{Call, DType, In, Out};
use crate::graph::{Tape, Tensor};
use crate::kernels::conv as kernels;
use half::bf16;

type Launcher = fn(
    In<bf16>,
    Option<In<bf16>>,
    In<bf16>,
    Out<f32>,
    u32,
    u32,
    u32,
    u32,
    u32,
    u32,
    u32,
    u32,
    u32,
    u32,
    u32,
    u32,
    u32,
) -> Call;

const VARIANTS: [(Tile, Launcher); 4] = [
    (Tile::new(128, 128, 100), kernels::bf16_wgrad_128x128),
    (Tile::new(128, 64, 110), kernels::bf16_wgrad_128x64),
    (Tile::new(64, 64, 140), kernels::bf16_wgrad_64x64),
    (Tile::new(32, 32, 200), kernels::bf16_wgrad_32x32),
];

/// Blocks that a launch is cut into parts for, if there are pixels enough, with tiles of `WHOLE` weights: two for
/// each multiprocessor of the largest cards.
const BLOCKS: usize = 264;
const WHOLE: (usize, usize) = (128, 128);
/// Pixels of a part at least, and what their number is a multiple of: the parts' sums are written and read again.
const PART: usize = 1024;
const PART_STEP: usize = 64;

/// Pixels of a part. It fixes the order of the sums, so it depends on the shape alone.
fn part(shape: &Shape) -> usize {
    let pixels = shape.out_pixels();
    let tiles = shape.out_channels.div_ceil(WHOLE.0) * columns(shape, WHOLE.1);
    let parts = (BLOCKS / tiles).min(pixels / PART).max(1);
    pixels.div_ceil(parts).next_multiple_of(PART_STEP)
}

/// Tiles, `width` input channels wide, of the weights of an output channel: each lies in one input and one tap.
fn columns(shape: &Shape, width: usize) -> usize {
    let taps = shape.geometry.kernel * shape.geometry.kernel;
    taps * shape.channels.iter().map(|channels| channels.div_ceil(width)).sum::<usize>()
}

/// dw = the products of dy and x, summed over the output pixels; f32.
pub fn launch(tape: &mut Tape, shape: &Shape, inputs: &[&Tensor], dy: &Tensor, dw: &Tensor) {
    let pixels = shape.out_pixels();
    let part = part(shape);
    let parts = pixels.div_ceil(part);
    let sums = if parts == 1 { dw.clone() } else { tape.scratch(&[parts, dw.len()], DType::F32) };
    let taps = shape.geometry.kernel * shape.geometry.kernel;
    let (tile, launcher) =
        choose(&VARIANTS, shape.out_channels, shape.channels[0].max(shape.channels[1]), taps * parts);
    let call = launcher(
        inputs[0].input(),
        inputs.get(1).map(|second| second.input()),
        dy.input(),
        sums.output(),
        count(pixels),
        count(part),
        count(shape.height),
        count(shape.width),
        count(shape.channels[0]),
        count(shape.channels[1]),
        count(shape.out_height),
        count(shape.out_width),
        count(shape.out_channels),
        count(shape.geometry.kernel),
        count(shape.geometry.stride),
        count(shape.geometry.pad.before()),
        shape.geometry.up(),
    );
    let rows = shape.out_channels.div_ceil(tile.rows());
    tape.launch(call.grid(rows * columns(shape, tile.columns()), 1, parts));
    if parts > 1 {
        sum_slices(tape, &sums, parts, dw);
    }
}
