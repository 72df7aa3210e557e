//! Noise schedules and the tables that follow from them, in f64.

use serde::{Deserialize, Serialize};
use std::f64::consts::FRAC_PI_2;

/// How the variances beta_t run from `beta_start` to `beta_end`; names as in diffusers, and `const` of the
/// paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BetaSchedule {
    /// Evenly spaced: the paper's.
    #[default]
    Linear,
    /// Their square roots evenly spaced (`quad` in the authors' code).
    ScaledLinear,
    /// `beta_end` throughout.
    #[serde(rename = "const")]
    Constant,
    /// alpha_bar(u) = cos²((u + 0.008) / 1.008 · π/2) for u = t / T, every beta at most 0.999 (Nichol,
    /// Dhariwal 2021). The two ends do not matter.
    #[serde(rename = "squaredcos_cap_v2")]
    Cosine,
    /// Along the logistic function from -6 to 6.
    Sigmoid,
    /// Evenly spaced over the first tenth, then `beta_end` (the authors' code, like the next two).
    Warmup10,
    /// The same over the first half.
    Warmup50,
    /// 1/T, 1/(T-1), …, 1: the last step leaves nothing of the image. The two ends do not matter.
    Jsd,
}

impl BetaSchedule {
    /// beta_t for t in `0..timesteps`.
    pub fn betas(self, start: f64, end: f64, timesteps: usize) -> Vec<f64> {
        match self {
            BetaSchedule::Linear => linspace(start, end, timesteps),
            BetaSchedule::ScaledLinear => {
                linspace(start.sqrt(), end.sqrt(), timesteps).iter().map(|root| root * root).collect()
            }
            BetaSchedule::Constant => vec![end; timesteps],
            BetaSchedule::Cosine => (0..timesteps).map(|t| cosine_beta(t, timesteps)).collect(),
            BetaSchedule::Sigmoid => linspace(-6.0, 6.0, timesteps)
                .iter()
                .map(|u| (end - start) / (1.0 + (-u).exp()) + start)
                .collect(),
            BetaSchedule::Warmup10 => warm_up(start, end, timesteps, timesteps / 10),
            BetaSchedule::Warmup50 => warm_up(start, end, timesteps, timesteps / 2),
            BetaSchedule::Jsd => (1..=timesteps).rev().map(|left| 1.0 / left as f64).collect(),
        }
    }
}

fn warm_up(start: f64, end: f64, timesteps: usize, rising: usize) -> Vec<f64> {
    let mut betas = linspace(start, end, rising);
    betas.resize(timesteps, end);
    betas
}

/// The variances whose sqrt(alpha_bar) is that of `betas` moved and stretched so that it begins where it did and ends at 0: the
/// last timestep is noise alone (Lin et al. 2024, Algorithm 1).
pub(super) fn zero_terminal_snr(betas: &[f64]) -> Vec<f64> {
    let roots: Vec<f64> = betas
        .iter()
        .scan(1.0, |product, beta| {
            *product *= 1.0 - beta;
            Some(f64::sqrt(*product))
        })
        .collect();
    let (first, last) = (roots[0], roots[roots.len() - 1]);
    let alpha_bars: Vec<f64> =
        roots.iter().map(|root| ((root - last) * first / (first - last)).powi(2)).collect();
    let before = std::iter::once(&1.0).chain(&alpha_bars);
    alpha_bars.iter().zip(before).map(|(alpha_bar, before)| 1.0 - alpha_bar / before).collect()
}

fn cosine_beta(t: usize, timesteps: usize) -> f64 {
    let alpha_bar = |t: usize| {
        let u = t as f64 / timesteps as f64;
        ((u + 0.008) / 1.008 * FRAC_PI_2).cos().powi(2)
    };
    (1.0 - alpha_bar(t + 1) / alpha_bar(t)).min(0.999)
}

/// `count` numbers from `start` to `end`, both included, as numpy spaces them.
pub(super) fn linspace(start: f64, end: f64, count: usize) -> Vec<f64> {
    let step = if count > 1 { (end - start) / (count - 1) as f64 } else { 0.0 };
    (0..count).map(|i| if i > 0 && i + 1 == count { end } else { start + step * i as f64 }).collect()
}

/// The tables of a diffusion process, by timestep. Names and definitions are those of `GaussianDiffusion2` in
/// the authors' code.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// beta_t
    pub betas: Vec<f64>,
    /// alpha_t = 1 - beta_t
    pub alphas: Vec<f64>,
    /// alpha_bar_t, the product of the alphas up to t
    pub alphas_cumprod: Vec<f64>,
    /// alpha_bar_{t-1}, 1 at the first
    pub alphas_cumprod_prev: Vec<f64>,
    pub sqrt_alphas_cumprod: Vec<f64>,
    pub sqrt_one_minus_alphas_cumprod: Vec<f64>,
    pub log_one_minus_alphas_cumprod: Vec<f64>,
    pub sqrt_recip_alphas_cumprod: Vec<f64>,
    /// sqrt(1 / alpha_bar_t - 1)
    pub sqrt_recipm1_alphas_cumprod: Vec<f64>,
    /// The variance of q(x_{t-1} | x_t, x_0): beta_t (1 - alpha_bar_{t-1}) / (1 - alpha_bar_t) (equation 7)
    pub posterior_variance: Vec<f64>,
    /// Its logarithm, with the second entry in place of the first, which is log 0
    pub posterior_log_variance_clipped: Vec<f64>,
    /// sqrt(alpha_bar_{t-1}) beta_t / (1 - alpha_bar_t), the weight of x_0 in the posterior mean
    pub posterior_mean_coef1: Vec<f64>,
    /// sqrt(alpha_t) (1 - alpha_bar_{t-1}) / (1 - alpha_bar_t), the weight of x_t
    pub posterior_mean_coef2: Vec<f64>,
    /// log beta_t, with the posterior's second entry in place of the first
    pub fixedlarge_log_variance: Vec<f64>,
}

/// Whether all are above 0 and below 1, but for the last, which may be 1.
pub(super) fn are_variances(betas: &[f64]) -> bool {
    let [before @ .., last] = betas else { return false };
    before.iter().all(|beta| 0.0 < *beta && *beta < 1.0) && 0.0 < *last && *last <= 1.0
}

impl Schedule {
    /// The tables for the variances `betas`.
    ///
    /// # Panics
    /// If there are fewer than two, or one is not between 0 and 1; the last may be 1.
    pub fn new(betas: Vec<f64>) -> Schedule {
        assert!(betas.len() >= 2, "a schedule of {} timesteps", betas.len());
        assert!(are_variances(&betas), "a beta is not between 0 and 1");
        let timesteps = betas.len();
        let alphas: Vec<f64> = betas.iter().map(|beta| 1.0 - beta).collect();
        let alphas_cumprod: Vec<f64> = alphas
            .iter()
            .scan(1.0, |product, alpha| {
                *product *= alpha;
                Some(*product)
            })
            .collect();
        let alphas_cumprod_prev = [&[1.0], &alphas_cumprod[..timesteps - 1]].concat();
        let of_alpha_bar = |f: fn(f64) -> f64| alphas_cumprod.iter().map(|&alpha_bar| f(alpha_bar)).collect();
        let by_timestep = |f: &dyn Fn(usize) -> f64| (0..timesteps).map(f).collect::<Vec<f64>>();

        let posterior_variance =
            by_timestep(&|t| betas[t] * (1.0 - alphas_cumprod_prev[t]) / (1.0 - alphas_cumprod[t]));
        let log_with_second_first = |variances: &[f64]| -> Vec<f64> {
            let first = posterior_variance[1].ln();
            std::iter::once(first).chain(variances[1..].iter().map(|variance| variance.ln())).collect()
        };
        Schedule {
            sqrt_alphas_cumprod: of_alpha_bar(f64::sqrt),
            sqrt_one_minus_alphas_cumprod: of_alpha_bar(|alpha_bar| (1.0 - alpha_bar).sqrt()),
            log_one_minus_alphas_cumprod: of_alpha_bar(|alpha_bar| (1.0 - alpha_bar).ln()),
            sqrt_recip_alphas_cumprod: of_alpha_bar(|alpha_bar| (1.0 / alpha_bar).sqrt()),
            sqrt_recipm1_alphas_cumprod: of_alpha_bar(|alpha_bar| (1.0 / alpha_bar - 1.0).sqrt()),
            posterior_log_variance_clipped: log_with_second_first(&posterior_variance),
            posterior_mean_coef1: by_timestep(&|t| {
                betas[t] * alphas_cumprod_prev[t].sqrt() / (1.0 - alphas_cumprod[t])
            }),
            posterior_mean_coef2: by_timestep(&|t| {
                (1.0 - alphas_cumprod_prev[t]) * alphas[t].sqrt() / (1.0 - alphas_cumprod[t])
            }),
            fixedlarge_log_variance: log_with_second_first(&betas),
            posterior_variance,
            betas,
            alphas,
            alphas_cumprod,
            alphas_cumprod_prev,
        }
    }

    /// T.
    pub fn timesteps(&self) -> usize {
        self.betas.len()
    }

    /// alpha_bar at a timestep, 1 for clean images.
    pub fn alpha_bar(&self, t: Option<u32>) -> f64 {
        t.map_or(1.0, |t| self.alphas_cumprod[t as usize])
    }

    /// sqrt(alpha_bar_t) and sqrt(1 - alpha_bar_t) in turn, `[T,2]`: what
    /// [`q_sample`](crate::ops::q_sample::q_sample) reads.
    pub fn noise_table(&self) -> Vec<f32> {
        let pairs = self.sqrt_alphas_cumprod.iter().zip(&self.sqrt_one_minus_alphas_cumprod);
        pairs.flat_map(|(&signal, &noise)| [signal as f32, noise as f32]).collect()
    }
}
