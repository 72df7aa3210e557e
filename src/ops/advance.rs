//! The step counter.

use crate::graph::{Tape, Tensor};
use crate::kernels::noise;

/// Adds 1 to `step`, u64 `[1]`. Goes to the end of a step: all that is recorded before reads the old value.
pub fn advance(tape: &mut Tape, step: &Tensor) {
    assert_eq!(step.len(), 1, "a step counter of shape {:?}", step.shape());
    tape.launch(noise::advance(step.in_out()).grid(1, 1, 1));
}
