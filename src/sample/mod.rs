//! The job of sampling: a model and a seed in, images out.

mod batch;
mod job;
mod model;
mod output;

pub use batch::BatchSampler;
pub use job::{Progress, Request, sample};
pub use model::Model;
pub use output::{Output, write_grid};
