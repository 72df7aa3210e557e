//! Which of the T timesteps a sampler with fewer steps visits.

use super::schedule::linspace;
use serde::{Deserialize, Serialize};

/// How N timesteps are spread over T, named as in diffusers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spacing {
    /// Multiples of floor(T / N), from 0: N = 50 of 1000 gives 980, 960, …, 0.
    #[default]
    Leading,
    /// Rounded, from T - 1 to 0, both included.
    Linspace,
    /// Rounded, from T - 1 down by T / N: N = 50 of 1000 gives 999, 979, …, 19.
    Trailing,
    /// Squares of evenly spaced numbers from 0 to sqrt(0.8 T), rounded down: `quad` of the DDIM authors, not known to
    /// diffusers.
    Quadratic,
    /// Seventh powers of evenly spaced numbers are the noise over the signal, from the first timestep's to the last's (Karras
    /// et al. 2022, equation 5); `use_karras_sigmas` of diffusers.
    Karras,
}

/// Exponent of [`Spacing::Karras`].
const RHO: f64 = 7.0;

impl Spacing {
    /// The `steps` timesteps to visit out of `timesteps`, falling; a tie in rounding goes to the even number.
    /// `offset` is added to those of leading spacing (`steps_offset`).
    ///
    /// # Panics
    /// If `steps` is not in `1..=timesteps`, or the offset leads past the last timestep, or for Karras' spacing, which hangs on
    /// the schedule: see `karras`.
    pub fn timesteps(self, timesteps: usize, steps: usize, offset: usize) -> Vec<u32> {
        assert!((1..=timesteps).contains(&steps), "{steps} sampling steps of {timesteps} timesteps");
        let rounded = |t: f64| t.round_ties_even() as u32;
        match self {
            Spacing::Leading => {
                let stride = timesteps / steps;
                assert!((steps - 1) * stride + offset < timesteps, "an offset of {offset} timesteps");
                (0..steps).rev().map(|i| (i * stride + offset) as u32).collect()
            }
            Spacing::Linspace => {
                linspace(0.0, (timesteps - 1) as f64, steps).into_iter().rev().map(rounded).collect()
            }
            Spacing::Trailing => {
                let stride = timesteps as f64 / steps as f64;
                (0..steps).map(|i| rounded(timesteps as f64 - i as f64 * stride) - 1).collect()
            }
            Spacing::Quadratic => {
                let roots = linspace(0.0, (0.8 * timesteps as f64).sqrt(), steps);
                roots.into_iter().rev().map(|root| (root * root) as u32).collect()
            }
            Spacing::Karras => panic!("Karras' spacing is of noise levels"),
        }
    }

    /// The same for solvers, as in diffusers: the way ends at clean images and not at the first timestep, so leading and
    /// linear spacing are of one step more, without the 0.
    pub fn solver_timesteps(self, timesteps: usize, steps: usize, offset: usize) -> Vec<u32> {
        match self {
            Spacing::Leading => {
                let stride = timesteps / (steps + 1);
                (1..=steps).rev().map(|i| (i * stride + offset) as u32).collect()
            }
            Spacing::Linspace => {
                let all = linspace(0.0, (timesteps - 1) as f64, steps + 1);
                all.into_iter().skip(1).rev().map(|t| t.round_ties_even() as u32).collect()
            }
            other => other.timesteps(timesteps, steps, offset),
        }
    }
}

/// `steps` falling noise levels in Karras' spacing, noise over signal, between the ends of the rising `ratios` of all timesteps,
/// each with the nearest timestep by the logarithm.
pub fn karras(ratios: &[f64], steps: usize) -> Vec<(u32, f64)> {
    let (low, high) = (ratios[0].powf(1.0 / RHO), ratios[ratios.len() - 1].powf(1.0 / RHO));
    let level = |part: f64| (high + part * (low - high)).powf(RHO);
    linspace(0.0, 1.0, steps).into_iter().map(|part| (nearest(ratios, level(part)), level(part))).collect()
}

/// The timestep whose noise over signal is nearest to `ratio`.
fn nearest(ratios: &[f64], ratio: f64) -> u32 {
    let above = ratios.partition_point(|&of| of <= ratio).clamp(1, ratios.len() - 1);
    let (low, high) = (ratios[above - 1].ln(), ratios[above].ln());
    let part = ((ratio.ln() - low) / (high - low)).clamp(0.0, 1.0);
    ((above - 1) as f64 + part).round_ties_even() as u32
}
