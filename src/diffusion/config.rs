//! The diffusion process as a diffusers pipeline folder describes it: `scheduler_config.json`.

use super::ancestral::Variance;
use super::prediction::PredictionType;
use super::sampler::Sampler;
use super::schedule::{BetaSchedule, Schedule};
use super::timesteps::Spacing;
use serde::{Deserialize, Serialize};

/// Why a scheduler configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// No configuration at all, or an option with a value that is not supported, which the message names.
    #[error("scheduler configuration: {0}")]
    Json(#[from] serde_json::Error),
    #[error("scheduler configuration: {option} = {value} is not supported; {instead}")]
    Unsupported { option: &'static str, value: String, instead: &'static str },
    #[error("{steps} sampling steps do not fit {timesteps} timesteps with an offset of {offset}")]
    Steps { steps: usize, timesteps: usize, offset: usize },
}

/// The options of diffusers' DDPM and DDIM schedulers that matter here; the defaults are theirs. Values that
/// are not supported are refused by name, unknown options are passed over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SchedulerConfig {
    #[serde(rename = "_class_name")]
    pub class_name: String,
    pub num_train_timesteps: usize,
    pub beta_start: f64,
    pub beta_end: f64,
    pub beta_schedule: BetaSchedule,
    /// Takes the place of the schedule and its ends.
    pub trained_betas: Option<Vec<f64>>,
    pub variance_type: Variance,
    pub prediction_type: PredictionType,
    pub clip_sample: bool,
    pub clip_sample_range: f64,
    pub timestep_spacing: Spacing,
    pub steps_offset: usize,
    /// DDIM's last step ends at alpha_bar = 1, otherwise at alpha_bar_0.
    pub set_alpha_to_one: bool,
    pub thresholding: bool,
    pub rescale_betas_zero_snr: bool,
}

impl Default for SchedulerConfig {
    fn default() -> SchedulerConfig {
        SchedulerConfig {
            class_name: "DDPMScheduler".into(),
            num_train_timesteps: 1000,
            beta_start: 1e-4,
            beta_end: 0.02,
            beta_schedule: BetaSchedule::Linear,
            trained_betas: None,
            variance_type: Variance::FixedSmall,
            prediction_type: PredictionType::Epsilon,
            clip_sample: true,
            clip_sample_range: 1.0,
            timestep_spacing: Spacing::Leading,
            steps_offset: 0,
            set_alpha_to_one: true,
            thresholding: false,
            rescale_betas_zero_snr: false,
        }
    }
}

impl SchedulerConfig {
    /// Reads and checks the text of a `scheduler_config.json`.
    ///
    /// # Errors
    /// If it is no JSON, or an option has a value that is not supported.
    pub fn from_json(text: &str) -> Result<SchedulerConfig, ConfigError> {
        let config: SchedulerConfig = serde_json::from_str(text)?;
        config.schedule()?;
        Ok(config)
    }

    /// The tables of the process.
    ///
    /// # Errors
    /// If an option has a value that is not supported, or the variances are not between 0 and 1.
    pub fn schedule(&self) -> Result<Schedule, ConfigError> {
        self.check()?;
        Ok(Schedule::new(self.betas()))
    }

    /// Bound of the predicted x_0 in sampling, `None` for none.
    pub fn clip(&self) -> Option<f64> {
        self.clip_sample.then_some(self.clip_sample_range)
    }

    /// The timesteps that `steps` sampling steps visit, falling.
    ///
    /// # Errors
    /// If there are not so many, or `steps_offset` leads past the last.
    pub fn sampling_timesteps(&self, steps: usize) -> Result<Vec<u32>, ConfigError> {
        let timesteps = self.timesteps();
        let offset = if self.timestep_spacing == Spacing::Leading { self.steps_offset } else { 0 };
        let fits = (1..=timesteps).contains(&steps) && (steps - 1) * (timesteps / steps) + offset < timesteps;
        if !fits {
            return Err(ConfigError::Steps { steps, timesteps, offset });
        }
        Ok(self.timestep_spacing.timesteps(timesteps, steps, offset))
    }

    /// Whether samplers take what the network gives.
    pub fn is_sampled(&self) -> bool {
        self.prediction_type == PredictionType::Epsilon && !self.variance_type.is_learned()
    }

    /// Refuses what no sampler takes yet.
    pub(super) fn check_sampling(&self, sampler: Sampler) -> Result<(), ConfigError> {
        let refuse =
            |option, value: String, instead| Err(ConfigError::Unsupported { option, value, instead });
        if self.prediction_type != PredictionType::Epsilon {
            let value = format!("{:?}", self.prediction_type);
            return refuse("prediction_type", value, "samplers take epsilon");
        }
        let asked = match sampler {
            Sampler::Ancestral(variance) => variance,
            Sampler::Ddim(_) => self.variance_type,
        };
        match [asked, self.variance_type].into_iter().find(|variance| variance.is_learned()) {
            Some(variance) => {
                refuse("variance_type", format!("{variance:?}"), "samplers take a fixed variance")
            }
            None => Ok(()),
        }
    }

    fn timesteps(&self) -> usize {
        self.trained_betas.as_ref().map_or(self.num_train_timesteps, Vec::len)
    }

    fn betas(&self) -> Vec<f64> {
        match &self.trained_betas {
            Some(betas) => betas.clone(),
            None => self.beta_schedule.betas(self.beta_start, self.beta_end, self.num_train_timesteps),
        }
    }

    fn check(&self) -> Result<(), ConfigError> {
        let refuse =
            |option, value: String, instead| Err(ConfigError::Unsupported { option, value, instead });
        if !["DDPMScheduler", "DDIMScheduler"].contains(&self.class_name.as_str()) {
            return refuse("_class_name", self.class_name.clone(), "use DDPMScheduler or DDIMScheduler");
        }
        if self.thresholding {
            return refuse("thresholding", "true".into(), "use clip_sample");
        }
        if self.rescale_betas_zero_snr {
            return refuse("rescale_betas_zero_snr", "true".into(), "it does not go with predicted noise");
        }
        if !(2..=1 << 24).contains(&self.timesteps()) {
            let value = self.timesteps().to_string();
            return refuse("num_train_timesteps", value, "it takes at least 2 timesteps, and at most 2^24");
        }
        if let Some(beta) = self.betas().into_iter().find(|beta| !(0.0 < *beta && *beta < 1.0)) {
            return refuse("beta", beta.to_string(), "every variance is above 0 and below 1");
        }
        Ok(())
    }
}
