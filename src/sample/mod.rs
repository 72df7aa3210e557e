//! The job of sampling: a model and a seed in, images out.

mod batch;
mod guidance;
mod interpolate;
mod job;
mod model;
mod output;
mod process;
mod raw;

pub use batch::{BatchOptions, BatchSampler};
pub use guidance::Guidance;
pub use interpolate::{Between, between_latents, interpolate};
pub use job::{Progress, Request, Sampled, sample};
pub use model::Model;
pub use output::{Output, write_grid};
pub use process::{View, share, watch};
