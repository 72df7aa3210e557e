//! Launching the kernel of the weights' gradient, and sums of gradients.

use super::shape::{Shape, count};
use super::tiles::{Tile, choose, fitting};
use crate::device::DType;
use crate::graph::{Tape, Tensor};
use crate::kernels::conv as kernels;

/// Input and output channels by fours.
const BY_FOURS: [(Tile, kernels::Wgrad); 5] = [
    (Tile::new(128, 128, 100), kernels::wgrad_128x128),
    (Tile::new(64, 128, 100), kernels::wgrad_64x128),
    (Tile::new(32, 128, 110), kernels::wgrad_32x128),
    (Tile::new(32, 64, 140), kernels::wgrad_32x64),
    (Tile::new(32, 32, 145), kernels::wgrad_32x32),
];

/// Input channels by fours: the last layer, with few output channels.
const NARROW: (Tile, kernels::Wgrad) = (Tile::new(4, 128, 230), kernels::wgrad_4x128);

/// Any numbers of channels: the first layer.
const ANY: [(Tile, kernels::Wgrad); 2] =
    [(Tile::new(64, 32, 180), kernels::wgrad_any_64x32), (Tile::new(32, 32, 200), kernels::wgrad_any_32x32)];

/// Blocks that a launch is cut into parts for, if there are pixels enough, with tiles of `WHOLE` weights.
const BLOCKS: usize = 256;
const WHOLE: (usize, usize) = (64, 128);
/// Pixels of a part at least, and what their number is a multiple of: the parts' sums are written and read again.
const PART: usize = 1024;
const PART_STEP: usize = 64;

/// Pixels of a part. It fixes the order of the sums, so it depends on the shape alone.
fn part(shape: &Shape) -> usize {
    let pixels = shape.out_pixels();
    let tiles = shape.out_channels.div_ceil(WHOLE.0) * shape.weights().div_ceil(WHOLE.1);
    let parts = (BLOCKS / tiles).min(pixels / PART).max(1);
    pixels.div_ceil(parts).next_multiple_of(PART_STEP)
}

/// dw = the products of dy and x, summed over the output pixels.
pub(super) fn launch(tape: &mut Tape, shape: &Shape, inputs: &[&Tensor], dy: &Tensor, dw: &Tensor) {
    let pixels = shape.out_pixels();
    let part = part(shape);
    let parts = pixels.div_ceil(part);
    let sums = if parts == 1 { dw.clone() } else { tape.scratch(&[parts, dw.len()], DType::F32) };
    let (tile, launcher) =
        choose(&fitting(shape, &ANY, NARROW, &BY_FOURS), shape.out_channels, shape.weights(), parts);
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
    let (x, y) = tile.grid(shape.out_channels, shape.weights());
    tape.launch(call.grid(x, y, parts));
    if parts > 1 {
        sum_slices(tape, &sums, parts, dw);
    }
}

/// y = the sum of the `slices` slices of `x`, in their order.
pub(super) fn sum_slices(tape: &mut Tape, x: &Tensor, slices: usize, y: &Tensor) {
    let width = if y.len().is_multiple_of(4) { 4 } else { 1 };
    let kernel = if width == 4 { kernels::sum_slices_4 } else { kernels::sum_slices_1 };
    let call = kernel(x.input(), y.output(), count(y.len()), count(slices));
    tape.launch(call.grid(y.len().div_ceil(256 * width), 1, 1));
}

/// The sums `[N,K]` over the pixels of each image of `dy`, `[N,P,Q,K]` of f32 or bf16; f32.
pub(super) fn image_sums(tape: &mut Tape, dy: &Tensor) -> Tensor {
    let [images, height, width, channels] = dy.dims();
    if height * width == 1 && dy.dtype() == DType::F32 {
        return dy.reshape(&[images, channels]);
    }
    let sums = tape.scratch(&[images, channels], DType::F32);
    let (pixels, slab) = (height * width, channels.min(256));
    let by_fours = channels.is_multiple_of(4);
    let [c, p, s] = [channels, pixels, slab].map(count);
    let call = match dy.dtype() {
        DType::BF16 => {
            let kernel = if by_fours { kernels::image_sums_bf16_4 } else { kernels::image_sums_bf16_1 };
            kernel(dy.input(), sums.output(), c, c, p, s, p)
        }
        _ => {
            let kernel = if by_fours { kernels::image_sums_f32_4 } else { kernels::image_sums_f32_1 };
            kernel(dy.input(), sums.output(), c, c, p, s, p)
        }
    };
    tape.launch(call.grid(1, channels.div_ceil(slab), images));
    sums
}
