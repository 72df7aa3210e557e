//! Networks as diffusers pipeline folders.
//!
//! ```text
//! model_index.json
//! unet/config.json
//! unet/diffusion_pytorch_model.safetensors
//! scheduler/scheduler_config.json
//! ```
//!
//! Older folders have everything at the root, older names for the weights of attention, and weights in a pickle
//! (`diffusion_pytorch_model.bin`), which is read without being obeyed.

use super::tensor_file::{self, TensorFile};
use super::{CheckpointError, Result, names};
use crate::atomic;
use crate::message::excerpt;
use crate::nn::{DIFFUSERS_VERSION, UNet, UNetConfig};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// Files of weights that diffusers writes, the first of which is the one written here. Half precision has a name of
/// its own.
const WEIGHTS: [&str; 4] = [
    "diffusion_pytorch_model.safetensors",
    "diffusion_pytorch_model.bin",
    "diffusion_pytorch_model.fp16.safetensors",
    "diffusion_pytorch_model.fp16.bin",
];

/// Pipelines that are this network and a schedule, and nothing else.
const PIPELINES: [&str; 3] = ["DDPMPipeline", "DDIMPipeline", "PNDMPipeline"];

/// What a pipeline folder holds.
pub struct Pipeline {
    pub unet: UNet,
    /// An arena of the network's layout.
    pub weights: Vec<f32>,
    /// `scheduler_config.json`, if there is one.
    pub scheduler: Option<Value>,
}

/// Reads a pipeline folder, or a folder with a network's `config.json` and weights alone. Weights are F32, F16
/// or BF16.
///
/// # Errors
/// In one sentence, with the file and the tensor or field: what is missing, not supported, or malformed.
pub fn read(folder: &Path) -> Result<Pipeline> {
    check_index(folder)?;
    let unet_folder = subfolder(folder, "unet", "config.json").ok_or_else(|| CheckpointError::Missing {
        folder: folder.to_path_buf(),
        what: "network: neither unet/config.json nor config.json is there".into(),
    })?;
    let unet = read_config(&unet_folder.join("config.json"))?;
    let weights = read_weights(&unet_folder, &unet)?;
    let scheduler = subfolder(folder, "scheduler", "scheduler_config.json")
        .map(|folder| read_json(&folder.join("scheduler_config.json")))
        .transpose()?;
    Ok(Pipeline { unet, weights, scheduler })
}

/// Writes a pipeline folder at `path`, in place of one that is there.
///
/// `weights`: an arena of the network's layout. `scheduler`: what `scheduler_config.json` is to say.
pub fn write(path: &Path, unet: &UNet, weights: &[f32], scheduler: &Value) -> Result<()> {
    let folder = atomic::Folder::create(path).map_err(CheckpointError::io(path))?;
    fill(folder.path(), unet, weights, scheduler)?;
    folder.commit().map_err(CheckpointError::io(path))
}

/// Writes a pipeline's files into a folder that is there.
pub(super) fn fill(folder: &Path, unet: &UNet, weights: &[f32], scheduler: &Value) -> Result<()> {
    let scheduler_class = scheduler.get("_class_name").and_then(Value::as_str).unwrap_or("DDPMScheduler");
    let index = json!({
        "_class_name": "DDPMPipeline",
        "_diffusers_version": DIFFUSERS_VERSION,
        "scheduler": ["diffusers", scheduler_class],
        "unet": ["diffusers", "UNet2DModel"],
    });
    write_json(&folder.join("model_index.json"), &index)?;
    let unet_folder = folder.join("unet");
    for subfolder in [&unet_folder, &folder.join("scheduler")] {
        fs::create_dir(subfolder).map_err(CheckpointError::io(subfolder))?;
    }
    let config = unet_folder.join("config.json");
    fs::write(&config, unet.config().to_json()).map_err(CheckpointError::io(&config))?;
    tensor_file::write(&unet_folder.join(WEIGHTS[0]), tensor_file::arena("", unet.layout(), weights))?;
    write_json(&folder.join("scheduler/scheduler_config.json"), scheduler)
}

/// The sub-folder with the file, or the folder itself, if the file is in one of them.
fn subfolder(folder: &Path, name: &str, file: &str) -> Option<PathBuf> {
    [folder.join(name), folder.to_path_buf()].into_iter().find(|place| place.join(file).is_file())
}

/// Refuses pipelines that have more than a network and a schedule: an autoencoder, say.
fn check_index(folder: &Path) -> Result<()> {
    let file = folder.join("model_index.json");
    if !file.is_file() {
        return Ok(());
    }
    let index = read_json(&file)?;
    match index.get("_class_name").and_then(Value::as_str) {
        Some(class) if !PIPELINES.contains(&class) => {
            let reason = format!("is of a {}; only a {} is read", excerpt(class), PIPELINES.join(" or "));
            Err(CheckpointError::malformed(&file, reason))
        }
        _ => Ok(()),
    }
}

fn read_config(file: &Path) -> Result<UNet> {
    let text = read_text(file)?;
    UNetConfig::from_json(&text)
        .and_then(UNet::new)
        .map_err(|reason| CheckpointError::Config { file: file.to_path_buf(), reason })
}

fn read_weights(folder: &Path, unet: &UNet) -> Result<Vec<f32>> {
    let path = WEIGHTS.iter().map(|name| folder.join(name)).find(|path| path.is_file());
    let path = path.ok_or_else(|| {
        let what = format!("weights: none of {} is there", WEIGHTS.join(", "));
        CheckpointError::Missing { folder: folder.to_path_buf(), what }
    })?;
    let file = TensorFile::open(&path)?;
    let mut tensors = file.tensors()?;
    tensors.rename(names::of_old_diffusers)?;
    let weights = tensors.take_arena(unet.layout(), "")?;
    tensors.nothing_left()?;
    Ok(weights)
}

fn read_text(file: &Path) -> Result<String> {
    fs::read_to_string(file).map_err(CheckpointError::io(file))
}

pub(super) fn read_json(file: &Path) -> Result<Value> {
    serde_json::from_str(&read_text(file)?)
        .map_err(|error| CheckpointError::malformed(file, format!("is not JSON: {}", excerpt(error))))
}

pub(super) fn write_json(file: &Path, value: &Value) -> Result<()> {
    let text = serde_json::to_string_pretty(value).expect("a JSON value is always JSON");
    fs::write(file, text + "\n").map_err(CheckpointError::io(file))
}
