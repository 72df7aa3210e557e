//! Denoising diffusion implicit models (Song, Meng, Ermon 2020).

use super::config::SchedulerConfig;
use super::sampler::Step;
use super::schedule::Schedule;

/// The choices of a DDIM sampler.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Ddim {
    /// 0 is deterministic, 1 has the variance of ancestral sampling.
    pub eta: f64,
    /// Derive eps again from the clipped x_0, as improved-diffusion does; otherwise the network's own is
    /// used, the default of diffusers. Makes no difference without clipping.
    pub use_clipped_model_output: bool,
}

impl Ddim {
    /// Equation 12 over falling `timesteps` out of T, N of them. As in diffusers, a step goes from t to
    /// p = t - floor(T / N) whatever the spacing; below 0, alpha_bar is 1, or alpha_bar_0 unless
    /// `set_alpha_to_one`.
    ///
    /// ```text
    /// sigma² = eta² (1 - alpha_bar_p) / (1 - alpha_bar_t) (1 - alpha_bar_t / alpha_bar_p)
    /// x ← sqrt(alpha_bar_p) x0 + sqrt(1 - alpha_bar_p - sigma²) eps + sigma z
    /// eps = (x - sqrt(alpha_bar_t) x0) / sqrt(1 - alpha_bar_t)   if derived again
    /// ```
    pub(super) fn steps(self, schedule: &Schedule, timesteps: &[u32], config: &SchedulerConfig) -> Vec<Step> {
        let stride = (schedule.timesteps() / timesteps.len()) as u32;
        let last = if config.set_alpha_to_one { None } else { Some(0) };
        let prediction = config.prediction_type;
        timesteps
            .iter()
            .map(|&t| {
                let alpha_bar = schedule.alpha_bar(Some(t));
                let previous = schedule.alpha_bar(t.checked_sub(stride).or(last));
                let variance = (1.0 - previous) / (1.0 - alpha_bar) * (1.0 - alpha_bar / previous);
                let sigma = self.eta * variance.max(0.0).sqrt();
                let direction = (1.0 - previous - sigma * sigma).max(0.0).sqrt();
                let predicting = Step::predicting(t, prediction.x0(schedule, t), config.clip());
                let step = Step { sigma, ..predicting };
                if self.use_clipped_model_output {
                    let on_x = direction / (1.0 - alpha_bar).sqrt();
                    Step { on_x0: previous.sqrt() - on_x * alpha_bar.sqrt(), on_x, ..step }
                } else {
                    let eps = prediction.eps(schedule, t);
                    let (on_x, on_output) = (direction * eps.on_x, direction * eps.on_output);
                    Step { on_x0: previous.sqrt(), on_x, on_output, ..step }
                }
            })
            .collect()
    }
}
