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
}

impl Spacing {
    /// The `steps` timesteps to visit out of `timesteps`, falling; a tie in rounding goes to the even number.
    /// `offset` is added to those of leading spacing (`steps_offset`).
    ///
    /// # Panics
    /// If `steps` is not in `1..=timesteps`, or the offset leads past the last timestep.
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
        }
    }
}
