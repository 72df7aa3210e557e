//! Checkpoints of training: all it takes to go on as if nothing had happened.
//!
//! ```text
//! model_index.json, unet/, scheduler/      a pipeline folder with the averaged weights
//! training/state.safetensors               raw weights, Adam's moments and counters
//! training/run.json                        the run's settings
//! ```
//!
//! So a checkpoint of training samples as it is, here and in diffusers. The state's tensors are named
//! `weights.conv_in.weight`, `first_moment.…`, `second_moment.…`, and `step`, `skipped`.

use super::pipeline::{self, Pipeline, read_json, write_json};
use super::tensor_file::{self, TensorFile, Written};
use super::{CheckpointError, Result};
use crate::atomic;
use crate::nn::UNet;
use serde_json::Value;
use std::fs;
use std::path::Path;

const STATE: &str = "training/state.safetensors";
const RUN: &str = "training/run.json";

const WEIGHTS: &str = "weights.";
const FIRST_MOMENT: &str = "first_moment.";
const SECOND_MOMENT: &str = "second_moment.";
const STEP: &str = "step";
const SKIPPED: &str = "skipped";

/// The state of a training run between two steps: that of [`optim::State`](crate::optim::State), and the weights.
/// Arenas are of the network's layout.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingState {
    pub weights: Vec<f32>,
    /// Adam's averages of the gradients.
    pub first_moment: Vec<f32>,
    /// Adam's averages of their squares.
    pub second_moment: Vec<f32>,
    /// Averaged weights, which are what samples.
    pub ema: Vec<f32>,
    /// Steps done.
    pub step: u64,
    /// Steps that were left out for a gradient that was not finite.
    pub skipped: u64,
    /// The run's settings, as the job keeps them.
    pub run: Value,
}

/// Whether the folder is a checkpoint of training rather than a network alone.
pub fn is_training(folder: &Path) -> bool {
    folder.join(STATE).is_file()
}

/// Writes a checkpoint folder at `path`, in place of one that is there.
pub fn write(path: &Path, unet: &UNet, scheduler: &Value, state: &TrainingState) -> Result<()> {
    let folder = atomic::Folder::create(path).map_err(CheckpointError::io(path))?;
    pipeline::fill(folder.path(), unet, &state.ema, scheduler)?;
    let training = folder.path().join("training");
    fs::create_dir(&training).map_err(CheckpointError::io(&training))?;
    let mut tensors = vec![];
    for (prefix, arena) in [
        (WEIGHTS, &state.weights),
        (FIRST_MOMENT, &state.first_moment),
        (SECOND_MOMENT, &state.second_moment),
    ] {
        tensors.extend(tensor_file::arena(prefix, unet.layout(), arena));
    }
    for (name, count) in [(STEP, state.step), (SKIPPED, state.skipped)] {
        tensors.push((name.into(), Written::Counter(count)));
    }
    tensor_file::write(&folder.path().join(STATE), tensors)?;
    write_json(&folder.path().join(RUN), &state.run)?;
    folder.commit().map_err(CheckpointError::io(path))
}

/// Reads a checkpoint folder; the pipeline's weights are the averaged ones and are in the state.
///
/// # Errors
/// As [`pipeline::read`], and if the folder is a network alone.
pub fn read(folder: &Path) -> Result<(Pipeline, TrainingState)> {
    if !is_training(folder) {
        let what = format!("state of training: {STATE} is not there");
        return Err(CheckpointError::Missing { folder: folder.to_path_buf(), what });
    }
    let pipeline = pipeline::read(folder)?;
    let layout = pipeline.unet.layout();
    let file = TensorFile::open(&folder.join(STATE))?;
    let mut tensors = file.tensors()?;
    let state = TrainingState {
        weights: tensors.take_arena(layout, WEIGHTS)?,
        first_moment: tensors.take_arena(layout, FIRST_MOMENT)?,
        second_moment: tensors.take_arena(layout, SECOND_MOMENT)?,
        ema: pipeline.weights.clone(),
        step: tensors.take_counter(STEP)?,
        skipped: tensors.take_counter(SKIPPED)?,
        run: read_json(&folder.join(RUN))?,
    };
    tensors.nothing_left()?;
    Ok((pipeline, state))
}
