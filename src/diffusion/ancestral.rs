//! Ancestral sampling: the reverse process of the paper.

use super::prediction::PredictionType;
use super::sampler::Step;
use super::schedule::Schedule;
use serde::{Deserialize, Serialize};

/// The variance of the reverse process, named as in diffusers. The paper's CIFAR-10 samples are of
/// `FixedLarge`, those of 256 x 256 images of `FixedSmall`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Variance {
    /// That of the posterior q(x_prev | x_t, x_0), right for data that is one point.
    #[default]
    FixedSmall,
    /// That of the forward step, right for standard normal data. Bad with few steps.
    FixedLarge,
    /// The second half of the network's output channels is its logarithm (Table 2, "learned diagonal").
    Learned,
    /// The second half of the channels is v of log variance = (v + 1)/2 log beta + (1 - v)/2 log of the posterior's
    /// (Nichol, Dhariwal 2021).
    LearnedRange,
}

impl Variance {
    /// Whether the network has twice as many output channels as images have, the second half for the variance.
    pub fn is_learned(self) -> bool {
        matches!(self, Variance::Learned | Variance::LearnedRange)
    }

    /// As `--variance` says it.
    pub fn words(self) -> &'static str {
        match self {
            Variance::FixedSmall => "small",
            Variance::FixedLarge => "large",
            Variance::Learned => "learned",
            Variance::LearnedRange => "learned-range",
        }
    }
}

/// Algorithm 2 over falling `timesteps`, with x_0 clipped as in the authors' code. From t to the next
/// timestep p, with a = alpha_bar_t / alpha_bar_p and b = 1 - a (alpha_t and beta_t if p = t - 1):
///
/// ```text
/// x ← sqrt(alpha_bar_p) b / (1 - alpha_bar_t) · x0
///     + sqrt(a) (1 - alpha_bar_p) / (1 - alpha_bar_t) · x + sigma z
/// sigma² = b (1 - alpha_bar_p) / (1 - alpha_bar_t)   or   b   or what the network says
/// ```
///
/// The last step ends at clean images and adds no noise.
pub(super) fn steps(
    schedule: &Schedule,
    timesteps: &[u32],
    variance: Variance,
    prediction: PredictionType,
    clip: Option<f64>,
) -> Vec<Step> {
    let step = |(i, &t): (usize, &u32)| {
        let previous = timesteps.get(i + 1).copied();
        let (alpha_bar, alpha_bar_previous) = (schedule.alpha_bar(Some(t)), schedule.alpha_bar(previous));
        let a = alpha_bar / alpha_bar_previous;
        let b = 1.0 - a;
        let kept = (1.0 - alpha_bar_previous) / (1.0 - alpha_bar);
        let (small, large) = ((b * kept).ln(), b.ln());
        let (sigma, log_variance) = match (previous, variance) {
            (None, _) => (0.0, [0.0; 2]),
            (Some(_), Variance::FixedSmall) => ((b * kept).sqrt(), [0.0; 2]),
            (Some(_), Variance::FixedLarge) => (b.sqrt(), [0.0; 2]),
            (Some(_), Variance::Learned) => (1.0, [1.0, 0.0]),
            (Some(_), Variance::LearnedRange) => (1.0, [(large - small) / 2.0, (large + small) / 2.0]),
        };
        Step {
            on_x0: alpha_bar_previous.sqrt() * b / (1.0 - alpha_bar),
            on_x: a.sqrt() * kept,
            sigma,
            log_variance,
            ..Step::predicting(t, prediction.x0(schedule, t), clip)
        }
    };
    timesteps.iter().enumerate().map(step).collect()
}
