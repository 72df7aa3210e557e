//! The weights' gradient in parts: sums over some of the pixels each, added up in their order.

use super::super::shape::Shape;
use super::super::wgrad::sum_slices;
use super::phases::{Phases, unfold};
use crate::device::DType;
use crate::graph::{Tape, Tensor};

/// Blocks that a launch is cut into parts for, if there are pixels enough: two for each multiprocessor of the largest
/// cards.
const BLOCKS: usize = 264;
/// Pixels of a part at least, and what their number is a multiple of: the parts' sums are written and read again.
const PART: usize = 1024;
const PART_STEP: usize = 128;

/// How a launch is cut.
pub struct Parts {
    /// Pixels of a part, of one phase.
    pub pixels: usize,
    pub count: usize,
}

impl Parts {
    /// For a launch of `blocks` blocks a part. It fixes the order of the sums, so `blocks` depends on the shape alone.
    pub fn new(shape: &Shape, blocks: usize) -> Parts {
        let pixels = shape.out_pixels() / Phases::of(&shape.geometry).count;
        let count = (BLOCKS / blocks).min(pixels / PART).max(1);
        let part = pixels.div_ceil(count).next_multiple_of(PART_STEP);
        Parts { pixels: part, count: pixels.div_ceil(part) }
    }

    /// `write` puts the parts' sums, `[parts, weights]`, into the tensor that it is given; dw is their sum, taken back
    /// from the phases' weights where there are several.
    pub fn sum(&self, tape: &mut Tape, shape: &Shape, dw: &Tensor, write: impl FnOnce(&mut Tape, &Tensor)) {
        let phases = Phases::of(&shape.geometry);
        if phases.count > 1 {
            let channels = shape.channels[0] + shape.channels[1];
            let weights = shape.out_channels * phases.taps() * channels;
            let sums = tape.scratch(&[self.count, weights], DType::F32);
            write(tape, &sums);
            return unfold(tape, shape, &sums, self.count, dw);
        }
        if self.count == 1 {
            return write(tape, dw);
        }
        let sums = tape.scratch(&[self.count, dw.len()], DType::F32);
        write(tape, &sums);
        sum_slices(tape, &sums, self.count, dw);
    }
}
