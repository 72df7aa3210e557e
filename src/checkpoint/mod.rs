//! Checkpoints: networks on disk.
//!
//! A network is a diffusers pipeline folder ([`pipeline`]), which diffusers loads and which loads from
//! diffusers. A checkpoint of training ([`training`]) is such a folder, with the averaged weights, plus what it
//! takes to go on; the checkpoints of one run are a [`series`]. Every folder is there whole or not at all.

mod error;
pub mod pipeline;
pub mod series;
mod tensor_file;
pub mod training;

pub use error::CheckpointError;
pub use pipeline::Pipeline;
pub use training::TrainingState;

pub type Result<T> = std::result::Result<T, CheckpointError>;
