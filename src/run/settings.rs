//! Everything that decides what a training run computes.

use super::labels::Labels;
use crate::data::Source;
use crate::diffusion::{LossType, ObjectiveConfig, SchedulerConfig};
use crate::nn::{Precision, UNetConfig};
use crate::optim::AdamConfig;
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

/// The device remembers the numbers of 1024 steps, and there may be skipped ones that were left for the next entry.
const LOG_MOST: u64 = 1000;

/// The settings of a run. A run folder holds them as `run.json`; no command asks for them again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub data: Source,
    pub network: Network,
    /// Of a network that is told classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Labels>,
    pub diffusion: SchedulerConfig,
    #[serde(default)]
    pub objective: ObjectiveConfig,
    pub adam: AdamConfig,
    /// Steps of the run.
    pub steps: u64,
    /// Images of a step.
    pub batch: usize,
    /// Whether images are mirrored at random.
    pub flip: bool,
    /// What the network computes in.
    #[serde(default)]
    pub dtype: Precision,
    pub reporting: Reporting,
    /// Decides initial weights, the order of images, timesteps, flips, noise, dropout and samples.
    pub seed: u64,
}

/// The U-Net: the authors' architecture in some size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Height and width of the images.
    pub size: usize,
    /// Channels at each resolution, full resolution first.
    pub channels: Vec<usize>,
    /// Resolutions that have self-attention.
    pub attention: Vec<usize>,
    /// Residual blocks at each resolution on the way down.
    pub layers: usize,
    /// Groups of the group norms.
    pub groups: usize,
    pub dropout: f64,
}

/// What a run tells and keeps on its way, in steps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reporting {
    pub log_every: u64,
    /// 0 is never but at the end.
    pub sample_every: u64,
    /// 0 is never but at the end.
    pub checkpoint_every: u64,
    /// Checkpoints that are kept.
    pub keep_last: usize,
}

impl Settings {
    /// Checks every number against its range.
    ///
    /// # Errors
    /// The first that is wrong, by the name of its flag.
    pub fn check(&self) -> Result<()> {
        let Settings { diffusion, adam, reporting, .. } = self;
        let unet = self.unet()?;
        self.check_objective()?;
        ensure!((2..=65_536).contains(&diffusion.num_train_timesteps), "--timesteps must be from 2 to 65536");
        let betas = 0.0 < diffusion.beta_start && diffusion.beta_start <= diffusion.beta_end;
        ensure!(
            betas && diffusion.beta_end < 1.0,
            "--beta-start and --beta-end must be above 0, below 1 and in this order"
        );
        diffusion.schedule()?;
        ensure!(
            diffusion.is_sampled(),
            "the last timestep of this schedule is noise alone, of which noise says nothing; use --predict x0 or v"
        );
        if let Some(labels) = &self.labels {
            ensure!((0.0..=1.0).contains(&labels.dropout), "--label-dropout must be from 0 to 1");
        }
        ensure!(self.steps > 0, "--steps must be at least 1");
        ensure!((1..=65_535).contains(&self.batch), "--batch must be from 1 to 65535");
        unet.check_batch(self.batch, [self.network.size; 2])?;
        unet.check_precision(self.dtype)?;
        ensure!(adam.learning_rate > 0.0 && adam.learning_rate.is_finite(), "--lr must be a number above 0");
        ensure!((0.0..1.0).contains(&adam.ema_decay), "--ema must be at least 0 and below 1");
        ensure!(adam.max_norm.is_none_or(|norm| norm > 0.0), "--clip must be at least 0");
        ensure!((1..=LOG_MOST).contains(&reporting.log_every), "--log-every must be from 1 to {LOG_MOST}");
        ensure!(reporting.keep_last > 0, "--keep-last must be at least 1");
        Ok(())
    }

    /// The network, with twice as many channels at its end as images have where it learns the variance, and a row for each
    /// class.
    ///
    /// # Errors
    /// If there is no such network.
    pub fn unet(&self) -> Result<UNetConfig> {
        let mut config = self.network.unet()?;
        config.num_class_embeds = self.labels.as_ref().map(Labels::rows);
        if self.diffusion.variance_type.is_learned() {
            config.out_channels = 2 * config.in_channels;
        }
        Ok(config)
    }

    /// Refuses a variance that nothing trains, and a loss for a variance that is not there.
    fn check_objective(&self) -> Result<()> {
        let learned = self.diffusion.variance_type.is_learned();
        match self.objective.loss {
            LossType::Simple => ensure!(
                !learned,
                "--loss simple does not train a learned variance; take --loss hybrid or --loss vlb"
            ),
            LossType::Hybrid => ensure!(
                learned,
                "--loss hybrid trains a learned variance beside the mean; take --variance learned-range with it, or --loss simple"
            ),
            LossType::Vlb => {}
        }
        Ok(())
    }
}

impl Network {
    /// The same as diffusers says it.
    ///
    /// # Errors
    /// If there is no such network.
    pub fn unet(&self) -> Result<UNetConfig> {
        let resolution = |level: usize| self.size >> level;
        let levels = self.channels.len();
        for &wanted in &self.attention {
            ensure!(
                (0..levels).any(|level| resolution(level) == wanted),
                "--attention {wanted} is no resolution of this network, which halves {} {} times",
                self.size,
                levels.saturating_sub(1)
            );
        }
        let attention: Vec<bool> =
            (0..levels).map(|level| self.attention.contains(&resolution(level))).collect();
        let config = UNetConfig {
            layers_per_block: self.layers,
            norm_num_groups: self.groups,
            dropout: self.dropout,
            ..UNetConfig::authors(self.size, &self.channels, &attention)
        };
        config.check().context("there is no such network")?;
        Ok(config)
    }
}
