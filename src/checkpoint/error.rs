//! What can be wrong with a checkpoint.

use crate::message::excerpt;
use crate::nn::ConfigError;
use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    #[error("{}: {reason}", path.display())]
    Io { path: PathBuf, reason: io::Error },
    /// A folder without what makes it a checkpoint.
    #[error("{} holds no {what}", folder.display())]
    Missing { folder: PathBuf, what: String },
    #[error("{}: {reason}", file.display())]
    Config { file: PathBuf, reason: ConfigError },
    /// A file that is not what its name says.
    #[error("{} {reason}", file.display())]
    Malformed { file: PathBuf, reason: String },
    /// A tensor that does not fit the network.
    #[error("{}: tensor {tensor} {reason}", file.display())]
    Tensor { file: PathBuf, tensor: String, reason: String },
}

impl CheckpointError {
    /// For `map_err`: an error of the system at `path`.
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> CheckpointError {
        move |reason| CheckpointError::Io { path: path.to_path_buf(), reason }
    }

    pub(super) fn malformed(file: &Path, reason: impl Into<String>) -> CheckpointError {
        CheckpointError::Malformed { file: file.to_path_buf(), reason: reason.into() }
    }

    pub(super) fn tensor(file: &Path, tensor: &str, reason: impl Into<String>) -> CheckpointError {
        let (file, tensor, reason) = (file.to_path_buf(), excerpt(tensor), reason.into());
        CheckpointError::Tensor { file, tensor, reason }
    }
}
