//! The diffusion process as a diffusers pipeline folder describes it: `scheduler_config.json`.

use super::ancestral::Variance;
use super::ddim::Ddim;
use super::prediction::PredictionType;
use super::sampler::Sampler;
use super::schedule::{BetaSchedule, Schedule, are_variances, zero_terminal_snr};
use super::solver::{DpmSolver, Node, UniPc};
use super::timesteps::{Spacing, karras};
use crate::message::excerpt;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Why a scheduler configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// No configuration at all, or an option with a value that is not supported, which the message names.
    #[error("scheduler configuration: {0}")]
    Json(String),
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
    /// Of the solvers.
    pub use_karras_sigmas: bool,
    pub solver_order: usize,
    pub algorithm_type: AlgorithmType,
}

/// Which equation DPM-Solver solves, named as in diffusers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum AlgorithmType {
    #[default]
    #[serde(rename = "dpmsolver++")]
    Ordinary,
    #[serde(rename = "sde-dpmsolver++")]
    Stochastic,
}

/// The schedulers of diffusers that there are samplers for.
const CLASSES: [&str; 5] = [
    "DDPMScheduler",
    "DDIMScheduler",
    "DPMSolverMultistepScheduler",
    "UniPCMultistepScheduler",
    "HeunDiscreteScheduler",
];

/// More than any process has.
const MOST_TIMESTEPS: usize = 1 << 16;

/// What diffusers puts in place of an alpha_bar of 0, which has no logarithm.
const LEAST_ALPHA_BAR: f64 = 1.0 / (1 << 24) as f64;

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
            use_karras_sigmas: false,
            solver_order: 2,
            algorithm_type: AlgorithmType::Ordinary,
        }
    }
}

impl SchedulerConfig {
    /// Reads and checks the text of a `scheduler_config.json`.
    ///
    /// # Errors
    /// If it is no JSON, or an option has a value that is not supported.
    pub fn from_json(text: &str) -> Result<SchedulerConfig, ConfigError> {
        let wrong = |error| ConfigError::Json(excerpt(error));
        // A list would be taken for the options in their order.
        let options: Map<String, Value> = serde_json::from_str(text).map_err(wrong)?;
        let config = SchedulerConfig::deserialize(Value::Object(options)).map_err(wrong)?;
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

    /// The sampler of diffusers' class of that name.
    pub fn sampler(&self) -> Sampler {
        match self.class_name.as_str() {
            "DDIMScheduler" => Sampler::Ddim(Ddim::default()),
            "DPMSolverMultistepScheduler" => Sampler::DpmSolver(DpmSolver {
                order: self.solver_order,
                stochastic: self.algorithm_type == AlgorithmType::Stochastic,
            }),
            "UniPCMultistepScheduler" => {
                Sampler::UniPc(UniPc { order: self.solver_order, ..UniPc::default() })
            }
            "HeunDiscreteScheduler" => Sampler::Heun,
            _ => Sampler::Ancestral(self.variance_type),
        }
    }

    /// How steps are spread.
    pub fn spacing(&self) -> Spacing {
        if self.use_karras_sigmas { Spacing::Karras } else { self.timestep_spacing }
    }

    /// The timesteps that `steps` sampling steps visit, falling.
    ///
    /// # Errors
    /// If there are not so many, or `steps_offset` leads past the last.
    pub fn sampling_timesteps(&self, steps: usize) -> Result<Vec<u32>, ConfigError> {
        Ok(self.plain_nodes(steps)?.iter().map(|node| node.t).collect())
    }

    /// Their noise levels.
    pub(super) fn plain_nodes(&self, steps: usize) -> Result<Vec<Node>, ConfigError> {
        self.nodes(steps, Spacing::timesteps, |timesteps, offset| {
            (steps - 1) * (timesteps / steps) + offset < timesteps
        })
    }

    /// Those of solvers: see [`Spacing::solver_timesteps`].
    pub(super) fn solver_nodes(&self, steps: usize) -> Result<Vec<Node>, ConfigError> {
        self.nodes(steps, Spacing::solver_timesteps, |timesteps, offset| {
            steps * (timesteps / (steps + 1)) + offset < timesteps
        })
    }

    /// Noise levels, all different; `fits` says whether leading spacing does with its offset.
    fn nodes(
        &self,
        steps: usize,
        spread: impl Fn(Spacing, usize, usize, usize) -> Vec<u32>,
        fits: impl Fn(usize, usize) -> bool,
    ) -> Result<Vec<Node>, ConfigError> {
        let schedule = self.schedule()?;
        let (timesteps, spacing) = (self.timesteps(), self.spacing());
        let offset = if spacing == Spacing::Leading { self.steps_offset } else { 0 };
        let refused = ConfigError::Steps { steps, timesteps, offset };
        if !(1..=timesteps).contains(&steps) || spacing == Spacing::Leading && !fits(timesteps, offset) {
            return Err(refused);
        }
        let ratio = |alpha_bar: &f64| (1.0 / alpha_bar.max(LEAST_ALPHA_BAR) - 1.0).sqrt();
        let ratios: Vec<f64> = schedule.alphas_cumprod.iter().map(ratio).collect();
        let nodes: Vec<Node> = match spacing {
            Spacing::Karras => {
                karras(&ratios, steps).into_iter().map(|(t, ratio)| Node::at(t, ratio)).collect()
            }
            _ => {
                let visited = spread(spacing, timesteps, steps, offset);
                visited.into_iter().map(|t| Node::at(t, ratios[t as usize])).collect()
            }
        };
        let falls = nodes.windows(2).all(|pair| pair[0].sigma > pair[1].sigma);
        if falls { Ok(nodes) } else { Err(refused) }
    }

    /// Whether the prediction says at every timestep what the image is: noise alone says nothing of it, where the last
    /// timestep has no signal left.
    pub fn is_sampled(&self) -> bool {
        let by_noise = matches!(self.prediction_type, PredictionType::Epsilon | PredictionType::Mean);
        !by_noise || !self.schedule().is_ok_and(|schedule| schedule.alphas_cumprod.ends_with(&[0.0]))
    }

    /// Refuses what no sampler takes yet.
    pub(super) fn check_sampling(&self, sampler: Sampler) -> Result<(), ConfigError> {
        let refuse =
            |option, value: String, instead| Err(ConfigError::Unsupported { option, value, instead });
        let prediction = self.prediction_type;
        if !self.is_sampled() {
            let instead = "of noise alone it says nothing; use sample or v_prediction";
            return refuse("prediction_type", format!("{prediction:?}"), instead);
        }
        if prediction == PredictionType::Mean && (sampler.is_solver() || self.use_karras_sigmas) {
            let instead = "a mean belongs to a timestep; sample with ddpm or ddim";
            return refuse("prediction_type", "mean".into(), instead);
        }
        match sampler {
            Sampler::DpmSolver(DpmSolver { order, .. }) | Sampler::UniPc(UniPc { order, .. })
                if !(1..=3).contains(&order) =>
            {
                refuse("solver_order", order.to_string(), "it is 1, 2 or 3")
            }
            _ => Ok(()),
        }
    }

    fn timesteps(&self) -> usize {
        self.trained_betas.as_ref().map_or(self.num_train_timesteps, Vec::len)
    }

    fn betas(&self) -> Vec<f64> {
        let betas = match &self.trained_betas {
            Some(betas) => betas.clone(),
            None => self.beta_schedule.betas(self.beta_start, self.beta_end, self.num_train_timesteps),
        };
        if self.rescale_betas_zero_snr { zero_terminal_snr(&betas) } else { betas }
    }

    fn check(&self) -> Result<(), ConfigError> {
        let refuse =
            |option, value: String, instead| Err(ConfigError::Unsupported { option, value, instead });
        if !CLASSES.contains(&self.class_name.as_str()) {
            let instead = "use DDPM, DDIM, DPMSolverMultistep, UniPCMultistep or HeunDiscreteScheduler";
            return refuse("_class_name", excerpt(&self.class_name), instead);
        }
        if self.thresholding {
            return refuse("thresholding", "true".into(), "use clip_sample");
        }
        if !(2..=MOST_TIMESTEPS).contains(&self.timesteps()) {
            let value = self.timesteps().to_string();
            return refuse("num_train_timesteps", value, "it takes 2 to 65536 timesteps");
        }
        if self.timestep_spacing == Spacing::Karras {
            return refuse("timestep_spacing", "karras".into(), "that is use_karras_sigmas");
        }
        let betas = self.betas();
        if !are_variances(&betas) {
            let wrong = betas.into_iter().find(|beta| !(0.0 < *beta && *beta < 1.0)).unwrap_or(f64::NAN);
            return refuse("beta", wrong.to_string(), "every variance is above 0 and below 1");
        }
        Ok(())
    }
}
