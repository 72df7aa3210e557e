//! The checkpoints of one run: folders `checkpoint-STEP` side by side.

use super::{CheckpointError, Result};
use crate::atomic;
use std::fs;
use std::path::{Path, PathBuf};

const PREFIX: &str = "checkpoint-";

/// The checkpoint of a step.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Checkpoint {
    pub step: u64,
    pub folder: PathBuf,
}

/// Where the checkpoint of `step` is or will be.
pub fn folder(root: &Path, step: u64) -> PathBuf {
    root.join(format!("{PREFIX}{step}"))
}

/// The checkpoints in `root`, the first step first; none if there is no such folder.
pub fn list(root: &Path) -> Result<Vec<Checkpoint>> {
    if !root.exists() {
        return Ok(vec![]);
    }
    let mut checkpoints = vec![];
    for entry in fs::read_dir(root).map_err(CheckpointError::io(root))? {
        let path = entry.map_err(CheckpointError::io(root))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let step = name.strip_prefix(PREFIX).and_then(|step| step.parse().ok());
        if let Some(step) = step
            && path.is_dir()
        {
            checkpoints.push(Checkpoint { step, folder: path });
        }
    }
    checkpoints.sort();
    Ok(checkpoints)
}

/// The checkpoint of the last step.
pub fn latest(root: &Path) -> Result<Option<Checkpoint>> {
    Ok(list(root)?.pop())
}

/// Removes all but the last `keep` checkpoints and gives the removed ones.
pub fn prune(root: &Path, keep: usize) -> Result<Vec<Checkpoint>> {
    let mut old = list(root)?;
    old.truncate(old.len().saturating_sub(keep));
    for checkpoint in &old {
        atomic::remove_folder(&checkpoint.folder).map_err(CheckpointError::io(&checkpoint.folder))?;
    }
    Ok(old)
}
