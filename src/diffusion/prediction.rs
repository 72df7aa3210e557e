//! What the network predicts, and how the others follow from it.

use super::schedule::Schedule;
use serde::{Deserialize, Serialize};

/// What the network predicts; the names in files are diffusers', but `mean`, which diffusers does not know.
///
/// Each is a linear function of x_t and of any other of them, at a given timestep. So one prediction gives them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PredictionType {
    /// The noise: the paper's choice.
    #[default]
    Epsilon,
    /// The clean image x_0.
    Sample,
    /// v = sqrt(alpha_bar_t) eps - sqrt(1 - alpha_bar_t) x_0 (Salimans, Ho 2022).
    VPrediction,
    /// The mean of q(x_{t-1} | x_t, x_0), the other row of the paper's Table 2.
    Mean,
}

/// A linear function of the noised image x_t and of what the network says of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Linear {
    pub on_x: f64,
    pub on_output: f64,
}

impl PredictionType {
    /// The x_0 that the network's output stands for, not clipped (equation 15 for the noise).
    ///
    /// # Panics
    /// If the schedule does not have timestep `t`.
    pub fn x0(self, schedule: &Schedule, t: u32) -> Linear {
        let t = t as usize;
        match self {
            PredictionType::Epsilon => Linear {
                on_x: schedule.sqrt_recip_alphas_cumprod[t],
                on_output: -schedule.sqrt_recipm1_alphas_cumprod[t],
            },
            PredictionType::Sample => Linear { on_x: 0.0, on_output: 1.0 },
            PredictionType::VPrediction => Linear {
                on_x: schedule.sqrt_alphas_cumprod[t],
                on_output: -schedule.sqrt_one_minus_alphas_cumprod[t],
            },
            PredictionType::Mean => Linear {
                on_x: -schedule.posterior_mean_coef2[t] / schedule.posterior_mean_coef1[t],
                on_output: 1.0 / schedule.posterior_mean_coef1[t],
            },
        }
    }

    /// The same where x = alpha x_0 + sigma eps, at a noise level that need not be a timestep's.
    ///
    /// # Panics
    /// For the mean, which there is of timesteps alone.
    pub fn x0_at(self, alpha: f64, sigma: f64) -> Linear {
        match self {
            PredictionType::Epsilon => Linear { on_x: 1.0 / alpha, on_output: -sigma / alpha },
            PredictionType::Sample => Linear { on_x: 0.0, on_output: 1.0 },
            PredictionType::VPrediction => Linear { on_x: alpha, on_output: -sigma },
            PredictionType::Mean => panic!("a mean belongs to a timestep"),
        }
    }

    /// The noise that the network's output stands for at timestep `t`, by the x_0 that it does.
    pub(super) fn eps(self, schedule: &Schedule, t: u32) -> Linear {
        if self == PredictionType::Epsilon {
            return Linear { on_x: 0.0, on_output: 1.0 };
        }
        let x0 = self.x0(schedule, t);
        let signal = schedule.sqrt_alphas_cumprod[t as usize];
        let noise = schedule.sqrt_one_minus_alphas_cumprod[t as usize];
        Linear { on_x: (1.0 - signal * x0.on_x) / noise, on_output: -signal * x0.on_output / noise }
    }
}
