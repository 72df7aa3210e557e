//! The networks of the paper as PyTorch conversions of the authors' checkpoints hold them: weights alone, from which
//! the options of the network are read off.

use super::tensor_file::{TensorFile, Tensors};
use super::{CheckpointError, Pipeline, Result, names};
use crate::nn::{UNet, UNetConfig};
use serde_json::{Value, json};
use std::path::Path;

/// The resolution at which every network of the paper has attention.
const ATTENTION: usize = 16;

/// Reads a file of weights under the authors' names: safetensors, or what `torch.save` wrote of a `state_dict`.
/// `size` is the height and width of the images; without it, attention is taken to be at 16 x 16, as in the paper.
///
/// The variance of sampling is the one with which the paper's results were sampled: beta (`fixed_large`) for images of
/// 32 x 32, the posterior's (`fixed_small`) for larger ones.
///
/// # Errors
/// If it is no such file, or `size` is needed or wrong.
pub fn read(path: &Path, size: Option<usize>) -> Result<Pipeline> {
    let file = TensorFile::open(path)?;
    let mut tensors = file.tensors()?;
    let config = options(&tensors, size)?;
    let (levels, sides) = (config.levels(), config.sample_size);
    let wrong = |reason| CheckpointError::Config { file: path.to_path_buf(), reason };
    let unet = UNet::new(config).map_err(wrong)?;
    if let Some(sides) = sides {
        unet.config().check_size(sides).map_err(wrong)?;
    }
    tensors.rename(|name| names::of_authors(name, levels))?;
    let weights = tensors.take_arena(unet.layout(), "")?;
    tensors.nothing_left()?;
    let variance = if sides == Some([32; 2]) { "fixed_large" } else { "fixed_small" };
    Ok(Pipeline { unet, weights, scheduler: Some(scheduler(variance)) })
}

/// What the names and shapes of the tensors say of the network.
fn options(tensors: &Tensors, size: Option<usize>) -> Result<UNetConfig> {
    let dim = |name: &str, dim: usize| tensors.shape(name).and_then(|shape| shape.get(dim)).copied();
    let first = |level: usize| dim(&format!("down.{level}.block.0.conv1.weight"), 0);
    let has_attention = |level: usize| tensors.shape(&format!("down.{level}.attn.0.q.weight")).is_some();
    let channels: Vec<usize> = (0..).map_while(first).collect();
    let ends = dim("conv_in.weight", 1).zip(dim("conv_out.weight", 0));
    let (Some((in_channels, out_channels)), false) = (ends, channels.is_empty()) else {
        let reason = "holds no network under the authors' names (conv_in, down.0.block.0, ...); \
                      weights under diffusers' names are read from the folder that has their config.json";
        return Err(CheckpointError::malformed(tensors.path(), reason));
    };
    let layers = (0..).take_while(|block| dim(&format!("down.0.block.{block}.conv1.weight"), 0).is_some());
    let attention: Vec<bool> = (0..channels.len()).map(has_attention).collect();
    let of_attention =
        attention.iter().position(|&here| here).and_then(|level| ATTENTION.checked_shl(level as u32));
    let size = size.or(of_attention).ok_or_else(|| {
        let reason = "does not show how large its images are; say --size";
        CheckpointError::malformed(tensors.path(), reason)
    })?;
    Ok(UNetConfig {
        in_channels,
        out_channels,
        layers_per_block: layers.count(),
        ..UNetConfig::authors(size, &channels, &attention)
    })
}

/// The process of the paper.
fn scheduler(variance: &str) -> Value {
    json!({
        "_class_name": "DDPMScheduler",
        "num_train_timesteps": 1000,
        "beta_start": 0.0001,
        "beta_end": 0.02,
        "beta_schedule": "linear",
        "variance_type": variance,
        "clip_sample": true,
    })
}
