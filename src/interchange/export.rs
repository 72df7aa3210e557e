//! `ddpm export`: a network as a folder that diffusers' `DDPMPipeline.from_pretrained` loads.

use super::ensure_free;
use crate::checkpoint::{pipeline, training};
use crate::run::RunFolder;
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// The options of diffusers' `DDPMScheduler`; it warns of others.
const OPTIONS: [&str; 17] = [
    "_class_name",
    "_diffusers_version",
    "beta_end",
    "beta_schedule",
    "beta_start",
    "clip_sample",
    "clip_sample_range",
    "dynamic_thresholding_ratio",
    "num_train_timesteps",
    "prediction_type",
    "rescale_betas_zero_snr",
    "sample_max_value",
    "steps_offset",
    "thresholding",
    "timestep_spacing",
    "trained_betas",
    "variance_type",
];

/// What was exported.
#[derive(Debug, Clone, PartialEq)]
pub struct Export {
    pub parameters: usize,
    /// The checkpoint that it was.
    pub checkpoint: PathBuf,
}

/// Writes the network of a run (its last checkpoint), of a checkpoint, or of a pipeline folder at `dest`: the averaged
/// weights, or the weights themselves if `raw`.
///
/// # Errors
/// If there is none, if only a checkpoint of training would have the raw weights, or if `dest` cannot be written or
/// holds files.
pub fn export(model: &Path, dest: &Path, raw: bool) -> Result<Export> {
    ensure!(model.exists(), "{} does not exist", model.display());
    ensure_free(dest)?;
    let checkpoint = if RunFolder::is_run(model) {
        RunFolder::open(model)?.0.latest_checkpoint()?.folder
    } else {
        model.to_path_buf()
    };
    let (pipeline, weights) = if raw {
        ensure!(
            training::is_training(&checkpoint),
            "{} holds one set of weights; raw and averaged weights are in a checkpoint of training",
            checkpoint.display()
        );
        let (pipeline, state) = training::read(&checkpoint)?;
        (pipeline, state.weights)
    } else {
        let mut pipeline = pipeline::read(&checkpoint)?;
        let weights = std::mem::take(&mut pipeline.weights);
        (pipeline, weights)
    };
    let scheduler = pipeline.scheduler.context("the folder has no scheduler_config.json")?;
    pipeline::write(dest, &pipeline.unet, &weights, &for_diffusers(scheduler)?)?;
    Ok(Export { parameters: pipeline.unet.layout().parameters(), checkpoint })
}

/// The scheduler with the options that diffusers' class of that name has.
fn for_diffusers(scheduler: Value) -> Result<Value> {
    let Value::Object(options) = scheduler else { bail!("the scheduler's configuration is no JSON object") };
    let class = options.get("_class_name").and_then(Value::as_str).unwrap_or("DDPMScheduler");
    if class != "DDPMScheduler" {
        return Ok(Value::Object(options));
    }
    let known = options.into_iter().filter(|(name, _)| OPTIONS.contains(&name.as_str()));
    Ok(Value::Object(known.collect::<Map<String, Value>>()))
}
