//! Samplers as tables of coefficients.

use super::ancestral::{self, Variance};
use super::config::{ConfigError, SchedulerConfig};
use super::ddim::Ddim;
use super::prediction::Linear;
use super::solver::{DpmSolver, UniPc, heun};

/// A way from noise to images.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sampler {
    /// The paper's reverse process (Algorithm 2), on all timesteps or some.
    Ancestral(Variance),
    /// Denoising diffusion implicit models (Song, Meng, Ermon 2020).
    Ddim(Ddim),
    /// DPM-Solver++ (Lu et al. 2022), a multistep solver of the differential equation or of the stochastic one.
    DpmSolver(DpmSolver),
    /// UniPC (Zhao et al. 2023), a multistep predictor with a corrector.
    UniPc(UniPc),
    /// Heun's method as in EDM (Karras et al. 2022): two network calls a step, but for the last.
    Heun,
}

impl Sampler {
    /// The way of the sampler in `steps` steps. Each is one call of the network, but Heun's are two.
    ///
    /// # Errors
    /// If the configuration has an option that is not supported, or `steps` does not fit its timesteps.
    pub fn trajectory(self, config: &SchedulerConfig, steps: usize) -> Result<Trajectory, ConfigError> {
        config.check_sampling(self)?;
        let schedule = config.schedule()?;
        let steps = match self {
            Sampler::Ancestral(variance) => {
                let timesteps = config.sampling_timesteps(steps)?;
                ancestral::steps(&schedule, &timesteps, variance, config.prediction_type, config.clip())
            }
            Sampler::Ddim(ddim) => ddim.steps(&schedule, &config.sampling_timesteps(steps)?, config),
            Sampler::DpmSolver(solver) => solver.steps(&config.solver_nodes(steps)?, config),
            Sampler::UniPc(solver) => solver.steps(&config.solver_nodes(steps)?, config),
            Sampler::Heun => heun(&config.plain_nodes(steps)?, config),
        };
        Ok(Trajectory { steps })
    }

    /// Whether steps are made for predictions that are not clipped, as in diffusers.
    pub fn is_solver(self) -> bool {
        !matches!(self, Sampler::Ancestral(_) | Sampler::Ddim(_))
    }
}

/// One step of a sampler. With y what the network says of x, a the sample and m_1, m_2, m_3 the x0 that earlier steps
/// remembered, the last first:
///
/// ```text
/// x0 = clamp(from_x · x + from_output · y, -limit, limit)
/// c  = x, or correction.on_x · x + correction.on_anchor · a + correction.on_x0 · x0 + Σ correction.on_past · m
/// x  ← on_x0 · x0 + on_x · c + on_output · y + Σ on_past · m + sigma · z
/// ```
///
/// Where the network has learned the variance, what it says of it is v, and sigma exp((on_v · v + log) / 2) stands for sigma.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The timestep that the step leaves: what the network is told.
    pub t: u32,
    pub from_x: f64,
    pub from_output: f64,
    /// Infinite if x0 is not clipped.
    pub limit: f64,
    pub correction: Option<Correction>,
    pub on_x0: f64,
    pub on_x: f64,
    pub on_output: f64,
    pub on_past: [f64; 2],
    /// Standard deviation of the fresh noise z; 0 for none.
    pub sigma: f64,
    /// `[on_v, log]`, the logarithm of the learned variance.
    pub log_variance: [f64; 2],
    /// Whether c and x0 are kept for the next steps.
    pub remember: bool,
}

/// What takes the place of the sample before a step goes on from it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Correction {
    pub on_x: f64,
    pub on_anchor: f64,
    pub on_x0: f64,
    pub on_past: [f64; 3],
}

impl Correction {
    /// The sample as it is.
    const NONE: Correction = Correction { on_x: 1.0, on_anchor: 0.0, on_x0: 0.0, on_past: [0.0; 3] };
}

impl Step {
    /// Coefficients of the device's table.
    pub const ROW: usize = 20;

    /// A step from `t` that knows how x0 follows from the prediction and does nothing with it yet.
    pub(super) fn predicting(t: u32, x0: Linear, clip: Option<f64>) -> Step {
        Step {
            t,
            from_x: x0.on_x,
            from_output: x0.on_output,
            limit: clip.unwrap_or(f64::INFINITY),
            correction: None,
            on_x0: 0.0,
            on_x: 0.0,
            on_output: 0.0,
            on_past: [0.0; 2],
            sigma: 0.0,
            log_variance: [0.0; 2],
            remember: false,
        }
    }

    /// The row of the device's table (`kernels/noise/reverse_update.ptx`).
    pub fn row(&self) -> [f32; Step::ROW] {
        let Step { t: _, from_x, from_output, limit, on_x0, on_x, on_output, sigma, .. } = *self;
        let [on_1, on_2] = self.on_past;
        let [on_v, log] = self.log_variance;
        let correction = self.correction.unwrap_or(Correction::NONE);
        let [correct_1, correct_2, correct_3] = correction.on_past;
        let keep = f64::from(u8::from(self.remember));
        [
            [from_x, from_output, limit, sigma],
            [on_x, on_x0, on_output, on_1],
            [on_2, correction.on_x, correction.on_anchor, correction.on_x0],
            [correct_1, correct_2, correct_3, keep],
            [on_v, log, 0.0, 0.0],
        ]
        .as_flattened()
        .iter()
        .map(|&coefficient| coefficient as f32)
        .collect::<Vec<f32>>()
        .try_into()
        .expect("five times four coefficients")
    }
}

/// The steps of a sampler, in the order in which they are taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Trajectory {
    pub steps: Vec<Step>,
}

impl Trajectory {
    /// Whether steps keep anything for later ones.
    pub fn remembers(&self) -> bool {
        self.steps.iter().any(|step| step.remember)
    }

    /// Lets every step keep the x_0 that it predicted, for those who look at it. It changes no sample.
    pub fn remember_all(&mut self) {
        for step in &mut self.steps {
            step.remember = true;
        }
    }
}
