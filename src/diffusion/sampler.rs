//! Samplers as tables of coefficients.

use super::ancestral::{self, Variance};
use super::config::{ConfigError, SchedulerConfig};
use super::ddim::Ddim;

/// A way from noise to images.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sampler {
    /// The paper's reverse process (Algorithm 2), on all timesteps or some.
    Ancestral(Variance),
    /// Denoising diffusion implicit models (Song, Meng, Ermon 2020).
    Ddim(Ddim),
}

impl Sampler {
    /// The steps of the sampler in `steps` network calls.
    ///
    /// # Errors
    /// If the configuration has an option that is not supported, or `steps` does not fit its timesteps.
    pub fn trajectory(self, config: &SchedulerConfig, steps: usize) -> Result<Trajectory, ConfigError> {
        config.check_sampling(self)?;
        let schedule = config.schedule()?;
        let timesteps = config.sampling_timesteps(steps)?;
        let clip = config.clip();
        let steps = match self {
            Sampler::Ancestral(variance) => ancestral::steps(&schedule, &timesteps, variance, clip),
            Sampler::Ddim(ddim) => ddim.steps(&schedule, &timesteps, clip, config.set_alpha_to_one),
        };
        Ok(Trajectory { steps })
    }
}

/// One step of a sampler that looks at the current sample and the current prediction alone:
///
/// ```text
/// x0 = clamp(from_x · x + from_eps · eps, -limit, limit)
/// x  ← on_x0 · x0 + on_x · x + on_eps · eps + sigma · z
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The timestep that the step leaves: what the network is told.
    pub t: u32,
    pub from_x: f64,
    pub from_eps: f64,
    /// Infinite if x0 is not clipped.
    pub limit: f64,
    pub on_x0: f64,
    pub on_x: f64,
    pub on_eps: f64,
    /// Standard deviation of the fresh noise z; 0 for none.
    pub sigma: f64,
}

impl Step {
    /// A step from `t` that predicts x0 = (x - sqrt(1 - alpha_bar) eps) / sqrt(alpha_bar) (equation 15) and
    /// does nothing with it yet.
    pub(super) fn predicting(t: u32, alpha_bar: f64, clip: Option<f64>) -> Step {
        Step {
            t,
            from_x: (1.0 / alpha_bar).sqrt(),
            from_eps: -(1.0 / alpha_bar - 1.0).sqrt(),
            limit: clip.unwrap_or(f64::INFINITY),
            on_x0: 0.0,
            on_x: 0.0,
            on_eps: 0.0,
            sigma: 0.0,
        }
    }

    /// The row of the device's table (`kernels/noise/reverse_update.ptx`).
    pub fn row(&self) -> [f32; 8] {
        let Step { t: _, from_x, from_eps, limit, on_x0, on_x, on_eps, sigma } = *self;
        [from_x, from_eps, limit, on_x0, on_x, on_eps, sigma, 0.0].map(|coefficient| coefficient as f32)
    }
}

/// The steps of a sampler, in the order in which they are taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Trajectory {
    pub steps: Vec<Step>,
}
