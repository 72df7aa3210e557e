//! Launching the kernels of a convolution to few channels: the network's last layer.

use super::super::Epilogue;
use super::super::shape::{Shape, count};
use super::few_in;
use super::parts::Parts;
use crate::device::DType;
use crate::graph::{Contribution, Tape, Tensor};
use crate::kernels::conv as kernels;

/// Pixels of a block of the forward kernel; input channels of one of the weights' gradient.
const PIXELS: usize = 64;
const CHANNELS: usize = 64;

/// y = x * w + epilogue.
///
/// # Panics
/// If the epilogue has more than a bias.
pub fn fprop(tape: &mut Tape, shape: &Shape, x: &Tensor, weight: &Tensor, epilogue: &Epilogue, y: &Tensor) {
    let other = epilogue.per_image.is_some() || epilogue.residual.is_some() || epilogue.shortcut.is_some();
    assert!(!other, "a bf16 convolution to {} channels adds a bias alone", shape.out_channels);
    let in_bf16 = y.dtype() == DType::BF16;
    let call = kernels::bf16_few_out(
        x.input(),
        weight.input(),
        epilogue.bias.map(Tensor::input),
        in_bf16.then(|| y.output()),
        (!in_bf16).then(|| y.output()),
        count(shape.out_pixels()),
        count(shape.height),
        count(shape.width),
        count(shape.channels[0]),
        count(shape.out_channels),
        count(shape.geometry.kernel),
    );
    tape.launch(call.grid(shape.out_pixels().div_ceil(PIXELS), 1, 1));
}

/// dx = dy * w, turned round: a convolution of few channels.
pub fn dgrad(tape: &mut Tape, shape: &Shape, weight: &Tensor, dy: &Tensor, dx: &Contribution) {
    let call = few_in::kernel(shape.out_channels, shape)(
        dy.input(),
        weight.input(),
        None,
        dx.so_far.as_ref().map(Tensor::input),
        dx.total.output(),
        None,
        count(shape.out_pixels()),
        count(shape.height),
        count(shape.width),
        count(shape.out_channels),
        count(shape.channels[0]),
        count(shape.geometry.kernel),
        1,
    );
    let (x, y) = few_in::grid(shape.out_pixels(), shape.channels[0]);
    tape.launch(call.grid(x, y, 1));
}

/// dw = the products of dy and x, summed over the pixels.
pub fn wgrad(tape: &mut Tape, shape: &Shape, x: &Tensor, dy: &Tensor, dw: &Tensor) {
    let blocks = shape.channels[0].div_ceil(CHANNELS);
    let parts = Parts::new(shape, blocks);
    parts.sum(tape, shape, dw, |tape, sums| {
        let call = kernels::bf16_few_out_wgrad(
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
        tape.launch(call.grid(blocks, 1, parts.count));
    });
}
