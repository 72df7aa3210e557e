//! Programs: record once, plan once, replay many.
//!
//! A training step and a sampling step are fixed lists of kernel launches. A [`Tape`] records them over
//! symbolic [`Tensor`]s; [`Tape::backward`] extends the list with the gradient's launches;
//! [`Tape::compile`] gives every temporary a place in one arena by its lifetime and binds the launches to
//! addresses. The resulting [`Program`] is replayed with no argument and no synchronisation: what changes
//! from step to step (the step counter, the batch) is in device memory.

mod plan;
mod program;
mod tape;
mod temporaries;
mod tensor;

pub use plan::Plan;
pub use program::Program;
pub use tape::{Contribution, Tape};
pub use tensor::Tensor;
