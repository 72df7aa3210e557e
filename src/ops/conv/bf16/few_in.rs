//! Launching the kernels of a convolution of few channels: the network's first layer.

use super::super::Epilogue;
use super::super::shape::{Shape, count};
use super::parts::Parts;
use crate::graph::{Tape, Tensor};
use crate::kernels::conv as kernels;
use crate::ops::moments;

/// Pixels of a tile, and output channels.
const TILE: (usize, usize) = (128, 64);
/// Blocks along the pixels at most: each keeps the weights for all its tiles.
const BLOCKS: usize = 1024;

/// y = x * w + epilogue.
///
/// # Panics
/// If the epilogue has more than a bias, or the result is wanted in f32.
pub fn fprop(tape: &mut Tape, shape: &Shape, x: &Tensor, weight: &Tensor, epilogue: &Epilogue, y: &Tensor) {
    let other = epilogue.per_image.is_some()
        || epilogue.residual.is_some()
        || epilogue.shortcut.is_some()
        || epilogue.f32_result;
    assert!(!other, "a bf16 convolution of {} channels adds a bias alone", shape.channels[0]);
    let moments = if epilogue.normalised { moments::attach(tape, y) } else { None };
    let call = kernel(shape.channels[0], shape)(
        x.input(),
        weight.input(),
        epilogue.bias.map(Tensor::input),
        None,
        y.output(),
        moments.as_ref().map(Tensor::output),
        count(shape.out_pixels()),
        count(shape.height),
        count(shape.width),
        count(shape.channels[0]),
        count(shape.out_channels),
        count(shape.geometry.kernel),
        0,
    );
    let (x, y) = grid(shape.out_pixels(), shape.out_channels);
    tape.launch(call.grid(x, y, 1));
}

/// The convolution of `few` channels, or its gradient.
pub fn kernel(few: usize, shape: &Shape) -> kernels::Bf16FewIn {
    if usual(few, shape) { kernels::bf16_few_in_3x3x3 } else { kernels::bf16_few_in_any }
}

/// Whether kernels made for it serve.
fn usual(few: usize, shape: &Shape) -> bool {
    few == 3 && shape.geometry.kernel == 3
}

/// Of that kernel for a result of `pixels` x `channels`.
pub fn grid(pixels: usize, channels: usize) -> (usize, usize) {
    (pixels.div_ceil(TILE.0).min(BLOCKS), channels.div_ceil(TILE.1))
}

/// dw = the products of dy and x, summed over the pixels.
pub fn wgrad(tape: &mut Tape, shape: &Shape, x: &Tensor, dy: &Tensor, dw: &Tensor) {
    let (rows, columns) = (shape.out_channels.div_ceil(64), shape.weights().div_ceil(32));
    let parts = Parts::new(shape, rows * columns);
    parts.sum(tape, shape, dw, |tape, sums| {
        let usual = usual(shape.channels[0], shape);
        let launcher = if usual { kernels::bf16_few_in_wgrad_3x3x3 } else { kernels::bf16_few_in_wgrad_any };
        let call = launcher(
            x.input(),
            dy.input(),
            sums.output(),
            count(shape.out_pixels()),
            count(parts.pixels),
            count(shape.height),
            count(shape.width),
            count(shape.channels[0]),
            count(shape.out_channels),
            count(shape.geometry.kernel),
        );
        tape.launch(call.grid(rows, columns, parts.count));
    });
}
