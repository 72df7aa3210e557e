//! The convolution's kernels on tensor cores: bf16 tensors, f32 sums.
//!
//! Copies to shared memory go by 16 bytes, so numbers of channels are multiples of 8. The network's first layer has
//! fewer in and its last one fewer out; both have kernels of their own.

mod dgrad;
mod few_in;
mod few_out;
mod fprop;
mod parts;
mod phases;
mod wgrad;

use super::Epilogue;
use super::geometry::Geometry;
use super::shape::Shape;
use crate::device::DType;
use crate::graph::{Contribution, Tape, Tensor};

/// Elements of 16 bytes.
const PIECE: usize = 8;

/// Which kernels serve a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kernels {
    /// All numbers of channels are multiples of 8.
    Many,
    /// Fewer than 8 channels of the input.
    FewIn,
    /// Fewer than 8 channels of the output.
    FewOut,
}

impl Kernels {
    /// # Panics
    /// If there are none for such a shape.
    fn of(shape: &Shape) -> Kernels {
        let [c0, c1] = shape.channels;
        let whole = |channels: usize| channels.is_multiple_of(PIECE);
        // One input, as large as the output.
        let plain = c1 == 0 && shape.geometry.keeps_extent();
        match (c0, shape.out_channels) {
            (c, k) if whole(c) && whole(c1) && whole(k) => Kernels::Many,
            (c, k) if plain && c < PIECE && whole(k) => Kernels::FewIn,
            (c, k) if plain && whole(c) && k < PIECE => Kernels::FewOut,
            (c, k) => panic!(
                "no bf16 convolution of {c} + {c1} to {k} channels, {:?}: multiples of {PIECE}, or fewer in or out of \
                 one input that keeps its height and width",
                shape.geometry
            ),
        }
    }
}

/// The weights that the kernels multiply with: the f32 ones of an upsampled input's convolution folded, all others as
/// they are, in bf16.
///
/// # Panics
/// If they are of another type.
pub(super) fn factor(tape: &mut Tape, geometry: &Geometry, weight: &Tensor) -> Tensor {
    let dtype = if geometry.upsample { DType::F32 } else { DType::BF16 };
    assert_eq!(weight.dtype(), dtype, "the weights of a bf16 convolution, {geometry:?}");
    if geometry.upsample { phases::fold(tape, weight) } else { weight.clone() }
}

/// y = x * w + epilogue.
///
/// # Panics
/// If there are no kernels for such a shape; so do the other two.
pub(super) fn fprop(
    tape: &mut Tape,
    shape: &Shape,
    inputs: &[&Tensor],
    weight: &Tensor,
    epilogue: &Epilogue,
    y: &Tensor,
) {
    match Kernels::of(shape) {
        Kernels::Many => fprop::launch(tape, shape, inputs, weight, epilogue, y),
        Kernels::FewIn => few_in::fprop(tape, shape, inputs[0], weight, epilogue, y),
        Kernels::FewOut => few_out::fprop(tape, shape, inputs[0], weight, epilogue, y),
    }
}

/// dx = dy * w, turned round, for input number `input`; bf16.
///
/// # Panics
/// Also for an input of few channels: the network's, which needs no gradient.
pub(super) fn dgrad(
    tape: &mut Tape,
    shape: &Shape,
    input: usize,
    weight: &Tensor,
    dy: &Tensor,
    dx: &Contribution,
) {
    match Kernels::of(shape) {
        Kernels::Many => dgrad::launch(tape, shape, input, weight, dy, dx),
        Kernels::FewIn => panic!("no gradient of the {} channels of a bf16 input", shape.channels[0]),
        Kernels::FewOut => few_out::dgrad(tape, shape, weight, dy, dx),
    }
}

/// dw = the products of dy and x, summed over the output pixels; f32.
pub(super) fn wgrad(tape: &mut Tape, shape: &Shape, inputs: &[&Tensor], dy: &Tensor, dw: &Tensor) {
    match Kernels::of(shape) {
        Kernels::Many => wgrad::launch(tape, shape, inputs, dy, dw),
        Kernels::FewIn => few_in::wgrad(tape, shape, inputs[0], dy, dw),
        Kernels::FewOut => few_out::wgrad(tape, shape, inputs[0], dy, dw),
    }
}
