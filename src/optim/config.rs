//! The constants of an optimisation.

use serde::{Deserialize, Serialize};

/// How the learning rate falls after its warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decay {
    /// It stays.
    #[default]
    Constant,
    /// It falls along max(1 - step / steps, 0).
    Linear { steps: u64 },
}

/// Adam with a learning-rate schedule, clipping and a moving average. The default is that of the paper for
/// CIFAR-10.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AdamConfig {
    /// Base of the learning rate; step s, counted from 0, has base · min(s / warmup, 1) · decay(s), so that
    /// the first update of a warm-up changes nothing but the moments.
    pub learning_rate: f64,
    pub beta1: f64,
    pub beta2: f64,
    /// Added to the root of the second moment after its bias is corrected.
    pub epsilon: f64,
    /// Steps over which the rate rises; 0 for none.
    pub warmup: u64,
    pub decay: Decay,
    /// Norm to which the gradient of all parameters together is scaled down; `None` for no bound.
    pub max_norm: Option<f64>,
    /// d in ema ← d · ema + (1 - d) · w, after each update.
    pub ema_decay: f64,
}

impl Default for AdamConfig {
    fn default() -> AdamConfig {
        AdamConfig {
            learning_rate: 2e-4,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            warmup: 5000,
            decay: Decay::Constant,
            max_norm: Some(1.0),
            ema_decay: 0.9999,
        }
    }
}
