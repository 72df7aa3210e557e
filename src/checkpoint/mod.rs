//! Checkpoints: networks on disk.
//!
//! A network is a diffusers pipeline folder ([`pipeline`]), which diffusers loads and which loads from
//! diffusers. A checkpoint of training ([`training`]) is such a folder, with the averaged weights, plus what it
//! takes to go on; the checkpoints of one run are a [`series`]. The [`authors`]' checkpoints are
//! weights alone. Every folder is there whole or not at all.

pub mod authors;
mod error;
mod names;
pub mod pipeline;
pub mod series;
mod stored;
mod tensor_file;
mod torch_file;
pub mod training;

pub use error::CheckpointError;
pub use pipeline::Pipeline;
pub use training::TrainingState;

pub type Result<T> = std::result::Result<T, CheckpointError>;
