//! A convolution of an upsampled image as four, one for each phase of the output's pixels.
//!
//! Nearest upsampling by 2 puts several taps of the 3 x 3 filter on one and the same input pixel, so that their weights
//! can be added up beforehand: an output pixel (2h + a, 2w + b) sees 2 x 2 input pixels through weights of its phase
//! (a, b). Of 9 multiplications 4 are left.
//!
//! The sums are of the f32 weights and rounded to bf16 once. Sums of weights that were rounded already would be rounded
//! twice.

use super::super::geometry::Geometry;
use super::super::shape::{Shape, count};
use crate::device::DType;
use crate::graph::{Tape, Tensor};
use crate::kernels::conv as kernels;

/// Weights of a block of the folding kernels.
const BLOCK: usize = 1024;

/// What the kernels take for the filter: 3 x 3 becomes 2 x 2 for an upsampled input.
#[derive(Debug, Clone, Copy)]
pub struct Phases {
    /// Phases of the output's pixels, each with weights of its own: 1 or 4.
    pub count: usize,
    /// Rows and columns of the filter of a phase.
    pub kernel: usize,
    /// Rows of zeros above the image, columns to its left, in the first phase.
    pub pad: usize,
}

impl Phases {
    pub fn of(geometry: &Geometry) -> Phases {
        if geometry.upsample {
            assert_eq!(*geometry, Geometry::UP_3X3, "the bf16 convolution of an upsampled input");
            return Phases { count: 4, kernel: 2, pad: 1 };
        }
        Phases { count: 1, kernel: geometry.kernel, pad: geometry.pad.before() }
    }

    /// Taps of all phases.
    pub fn taps(&self) -> usize {
        self.count * self.kernel * self.kernel
    }
}

/// The weights of the phases, `[K,2,2,2,2,C]` in bf16, from f32 ones `[K,3,3,C]`.
pub fn fold(tape: &mut Tape, weight: &Tensor) -> Tensor {
    let [out_channels, .., channels] = weight.dims::<4>();
    let folded = tape.scratch(&[out_channels, 4, 4, channels], DType::BF16);
    let quads = out_channels * channels / 4;
    let call = kernels::fold_phases(weight.input(), folded.output(), count(channels), count(quads));
    tape.launch(call.grid((4 * quads).div_ceil(BLOCK), 1, 1));
    folded
}

/// dw = the gradient of the weights from those of the phases, `[parts,K,2,2,2,2,C]`, whose sum is taken first.
pub fn unfold(tape: &mut Tape, shape: &Shape, gradients: &Tensor, parts: usize, dw: &Tensor) {
    let channels = shape.channels[0] + shape.channels[1];
    let quads = shape.out_channels * channels / 4;
    let call =
        kernels::unfold_phases(gradients.input(), dw.output(), count(channels), count(quads), count(parts));
    tape.launch(call.grid((4 * quads).div_ceil(BLOCK), 1, 1));
}
