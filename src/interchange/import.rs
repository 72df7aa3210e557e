//! `ddpm import`: a network of others as a pipeline folder.

use super::ensure_free;
use crate::checkpoint::{Pipeline, authors, pipeline};
use crate::diffusion::SchedulerConfig;
use crate::nn::{UNet, UNetConfig};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::path::Path;

/// What was imported.
#[derive(Debug, Clone, PartialEq)]
pub struct Import {
    pub parameters: usize,
    pub config: UNetConfig,
    /// The source said nothing of the diffusion process: it is taken to be the paper's.
    pub assumed_scheduler: bool,
}

/// Writes the network of `source` as a pipeline folder at `dest`, in F32 and in the names of today. `source` is a folder
/// of diffusers, new or old, or a file of weights under the authors' names; `size` is the height and width of the
/// images, for networks that do not say it.
///
/// # Errors
/// If the source is not read, see [`pipeline::read`] and [`authors::read`]; if its scheduler is not supported; if
/// `dest` cannot be written or holds files.
pub fn import(source: &Path, dest: &Path, size: Option<usize>) -> Result<Import> {
    ensure!(source.exists(), "{} does not exist", source.display());
    ensure_free(dest)?;
    let Pipeline { unet, weights, scheduler } =
        if source.is_dir() { pipeline::read(source)? } else { authors::read(source, size)? };
    let unet = with_size(unet, size)?;
    let (scheduler, assumed_scheduler) = match scheduler {
        Some(scheduler) => (scheduler, false),
        None => (serde_json::to_value(SchedulerConfig::default())?, true),
    };
    check(&scheduler).with_context(|| format!("{} cannot be imported", source.display()))?;
    pipeline::write(dest, &unet, &weights, &scheduler)?;
    let (parameters, config) = (unet.layout().parameters(), unet.config().clone());
    Ok(Import { parameters, config, assumed_scheduler })
}

/// The network, saying that its images are of this size.
fn with_size(unet: UNet, size: Option<usize>) -> Result<UNet> {
    let Some(side) = size else { return Ok(unet) };
    unet.config().check_size([side; 2])?;
    Ok(UNet::new(UNetConfig { sample_size: Some([side; 2]), ..unet.config().clone() })?)
}

fn check(scheduler: &Value) -> Result<()> {
    SchedulerConfig::from_json(&scheduler.to_string())?;
    Ok(())
}
