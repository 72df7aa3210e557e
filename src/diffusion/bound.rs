//! The variational bound (equation 5) as rows of coefficients, one for each timestep: what training minimises, and
//! what evaluation adds up.
//!
//! Both count a difference of means in standard deviations of the posterior q(x_{t-1} | x_t, x_0), and the model's
//! log variance from the posterior's, so that nothing large is subtracted from anything large:
//!
//! ```text
//! z     = (posterior's mean - model's) / posterior's standard deviation
//! delta = model's log variance - posterior's log variance
//! KL    = (delta - 1 + exp(-delta) + z² exp(-delta)) / 2
//! ```
//!
//! The first timestep's posterior is a point; its log variance is replaced by the second's, and its term is the
//! discretised decoder (equation 13), with the authors' Φ(u) = (1 + tanh(√(2/π) (u + 0.044715 u³))) / 2:
//!
//! ```text
//! -ln max(Φ((z + half_bin) exp(-delta / 2)) - Φ((z - half_bin) exp(-delta / 2)), 1e-12)
//! ```
//!
//! with 1 for the first Φ where the byte is 255, and 0 for the second where it is 0.

use super::ancestral::Variance;
use super::config::SchedulerConfig;
use super::prediction::PredictionType;
use super::schedule::Schedule;

/// The training objective at one timestep (`kernels/noise/objective.ptx`):
///
/// ```text
/// error = on_x0 · x_0 + on_eps · eps - output
/// z     = to_z · error        delta = log_variance + on_output · (second half of the output's channels)
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ObjectiveRow {
    pub on_x0: f64,
    pub on_eps: f64,
    pub to_z: f64,
    pub log_variance: f64,
    pub on_output: f64,
    /// 0 but for the first timestep.
    pub half_bin: f64,
}

/// The bound's term at one timestep (`kernels/noise/bound_terms.ptx`):
///
/// ```text
/// x0_hat = clamp(from_x · x_t + from_output · output, -limit, limit)
/// z      = to_z · (x_0 - x0_hat)        delta as in an [`ObjectiveRow`]
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TermRow {
    pub from_x: f64,
    pub from_output: f64,
    pub to_z: f64,
    pub log_variance: f64,
    pub on_output: f64,
    pub half_bin: f64,
    /// Infinite where the authors do not clip: without `clip_sample`, and for a predicted mean, which is used as it is.
    pub limit: f64,
    /// Bound of x0_hat where its distortion is told.
    pub picture_limit: f64,
}

/// delta as a function of the second half of the output's channels, and what makes differences of means z.
struct Scale {
    log_variance: f64,
    on_output: f64,
    /// 1 / posterior's standard deviation.
    precision: f64,
    half_bin: f64,
}

impl Scale {
    fn new(schedule: &Schedule, variance: Variance, t: usize) -> Scale {
        let posterior = schedule.posterior_log_variance_clipped[t];
        let half_range = (schedule.betas[t].ln() - posterior) / 2.0;
        let (log_variance, on_output) = match variance {
            Variance::FixedSmall => (0.0, 0.0),
            Variance::FixedLarge => (schedule.fixedlarge_log_variance[t] - posterior, 0.0),
            Variance::Learned => (-posterior, 1.0),
            Variance::LearnedRange => (half_range, half_range),
        };
        let precision = (-posterior / 2.0).exp();
        let half_bin = if t == 0 { precision / 255.0 } else { 0.0 };
        Scale { log_variance, on_output, precision, half_bin }
    }
}

/// The rows of the training objective.
pub fn objective_rows(
    schedule: &Schedule,
    prediction: PredictionType,
    variance: Variance,
) -> Vec<ObjectiveRow> {
    let row = |t: usize| {
        let scale = Scale::new(schedule, variance, t);
        let (signal, noise) = (schedule.sqrt_alphas_cumprod[t], schedule.sqrt_one_minus_alphas_cumprod[t]);
        let (on_x0, on_x) = (schedule.posterior_mean_coef1[t], schedule.posterior_mean_coef2[t]);
        let target = match prediction {
            PredictionType::Epsilon => [0.0, 1.0],
            PredictionType::Sample => [1.0, 0.0],
            PredictionType::VPrediction => [-noise, signal],
            PredictionType::Mean => [on_x0 + on_x * signal, on_x * noise],
        };
        ObjectiveRow {
            on_x0: target[0],
            on_eps: target[1],
            to_z: on_x0 * prediction.x0(schedule, t as u32).on_output * scale.precision,
            log_variance: scale.log_variance,
            on_output: scale.on_output,
            half_bin: scale.half_bin,
        }
    };
    (0..schedule.timesteps()).map(row).collect()
}

/// The rows of the bound's terms under the clipping, prediction and variance of `config`.
pub fn term_rows(schedule: &Schedule, config: &SchedulerConfig) -> Vec<TermRow> {
    let picture_limit = config.clip().unwrap_or(f64::INFINITY);
    let limit = match config.prediction_type {
        PredictionType::Mean => f64::INFINITY,
        _ => picture_limit,
    };
    let row = |t: usize| {
        let scale = Scale::new(schedule, config.variance_type, t);
        let x0 = config.prediction_type.x0(schedule, t as u32);
        TermRow {
            from_x: x0.on_x,
            from_output: x0.on_output,
            to_z: schedule.posterior_mean_coef1[t] * scale.precision,
            log_variance: scale.log_variance,
            on_output: scale.on_output,
            half_bin: scale.half_bin,
            limit,
            picture_limit,
        }
    };
    (0..schedule.timesteps()).map(row).collect()
}

impl ObjectiveRow {
    /// The row of the device's table.
    pub fn row(&self) -> [f32; 8] {
        let ObjectiveRow { on_x0, on_eps, to_z, log_variance, on_output, half_bin } = *self;
        [on_x0, on_eps, to_z, log_variance, on_output, half_bin, 0.0, 0.0].map(|number| number as f32)
    }
}

impl TermRow {
    /// The row of the device's table.
    pub fn row(&self) -> [f32; 8] {
        let TermRow { from_x, from_output, to_z, log_variance, on_output, half_bin, limit, picture_limit } =
            *self;
        [from_x, from_output, to_z, log_variance, on_output, half_bin, limit, picture_limit]
            .map(|number| number as f32)
    }
}
