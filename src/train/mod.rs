//! The job of training: images in; checkpoints, log, samples and loss curve out.

mod job;
mod step;

pub use job::{End, Event, Start, train};
pub use step::{Reading, TrainingStep};
