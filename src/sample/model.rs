//! A trained network with its diffusion process, from a folder.

use crate::checkpoint::{Pipeline, pipeline};
use crate::diffusion::SchedulerConfig;
use crate::nn::UNet;
use crate::run::RunFolder;
use anyhow::{Context, Result, ensure};
use std::path::Path;

/// A network that can be sampled from.
pub struct Model {
    pub unet: UNet,
    /// An arena of the network's layout.
    pub weights: Vec<f32>,
    pub diffusion: SchedulerConfig,
    /// `[height, width]` of the images.
    pub size: [usize; 2],
    /// Names of the classes that a run's network is told; none of other networks' are known.
    pub classes: Vec<String>,
}

impl Model {
    /// Reads the last checkpoint of a run folder, or a checkpoint, or any diffusers pipeline folder. `size` stands
    /// in for the size that the network was trained at.
    ///
    /// # Errors
    /// If there is no model, or it is not one that can be sampled from here.
    pub fn open(path: &Path, size: Option<usize>) -> Result<Model> {
        ensure!(path.exists(), "{} does not exist", path.display());
        let (folder, classes) = if RunFolder::is_run(path) {
            let (run, settings) = RunFolder::open(path)?;
            (run.latest_checkpoint()?.folder, settings.labels.map_or(vec![], |labels| labels.classes))
        } else {
            (path.to_path_buf(), vec![])
        };
        let Pipeline { unet, weights, scheduler } = pipeline::read(&folder)?;
        let diffusion = match scheduler {
            Some(config) => SchedulerConfig::from_json(&config.to_string())
                .with_context(|| format!("{} cannot be sampled from", folder.display()))?,
            None => SchedulerConfig::default(),
        };
        let config = unet.config();
        let learned = diffusion.variance_type.is_learned();
        ensure!(
            config.out_channels == if learned { 2 } else { 1 } * config.in_channels,
            "the network of {} gives {} channels for images of {}, which does not go with a variance that is {}",
            folder.display(),
            config.out_channels,
            config.in_channels,
            if learned { "learned" } else { "fixed" }
        );
        let size = size.map(|side| [side; 2]).or(config.sample_size).with_context(|| {
            format!("the network of {} does not say how large its images are; say --size", folder.display())
        })?;
        config.check_size(size)?;
        Ok(Model { unet, weights, diffusion, size, classes })
    }

    /// `[height, width, channels]` of its images.
    pub fn shape(&self) -> [usize; 3] {
        [self.size[0], self.size[1], self.unet.config().in_channels]
    }
}
