//! Solvers of the differential equation whose solutions lead from noise to images, all by their prediction of x_0.
//!
//! With x_t = alpha x_0 + sigma eps and lambda = ln(alpha / sigma), half the logarithm of the signal-to-noise ratio, a step
//! goes from one [`Node`] to the next; h is how much lambda grows. The last one ends at clean images, where lambda is
//! infinite, and is the prediction itself.

mod dpm;
mod heun;
mod unipc;

pub use dpm::DpmSolver;
pub use heun::heun;
pub use unipc::{Bh, UniPc};

use super::prediction::PredictionType;
use super::sampler::Step;

/// A noise level on the way, and the timestep by which the network knows it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Node {
    pub t: u32,
    /// sqrt(alpha_bar)
    pub alpha: f64,
    /// sqrt(1 - alpha_bar)
    pub sigma: f64,
}

impl Node {
    /// Clean images.
    pub const CLEAN: Node = Node { t: 0, alpha: 1.0, sigma: 0.0 };

    /// The node of noise that is `ratio` times the signal: sigma of EDM, and diffusers.
    pub fn at(t: u32, ratio: f64) -> Node {
        let alpha = 1.0 / (1.0 + ratio * ratio).sqrt();
        Node { t, alpha, sigma: ratio * alpha }
    }

    fn lambda(&self) -> f64 {
        self.alpha.ln() - self.sigma.ln()
    }

    fn ratio(&self) -> f64 {
        self.sigma / self.alpha
    }

    /// A step from here that does nothing yet.
    fn step(&self, prediction: PredictionType, clip: Option<f64>) -> Step {
        Step::predicting(self.t, prediction.x0_at(self.alpha, self.sigma), clip)
    }
}

/// Adds `weight` times `terms` to `sum`.
fn add<const N: usize>(sum: &mut [f64; N], weight: f64, terms: [f64; N]) {
    for (sum, term) in sum.iter_mut().zip(terms) {
        *sum += weight * term;
    }
}
