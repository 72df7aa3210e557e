//! The training objective: noise a batch, and compare the prediction with the noise.

use super::schedule::Schedule;
use crate::device::{Buffer, DType, Device, Result};
use crate::graph::{Tape, Tensor};
use crate::history::History;
use crate::ops::eps_loss::{Loss, eps_loss};
use crate::ops::q_sample::{NoiseSource, Noised, q_sample};
use std::sync::Arc;

/// L_simple (equation 14), with the noise of each training step drawn on the device.
pub struct Objective {
    table: Arc<Buffer>,
    timesteps: usize,
    step: Arc<Buffer>,
    seed: u64,
    flip: bool,
}

impl Objective {
    /// The objective under `schedule`. Its draws hang on `seed` and on `step`, the u64 training step counter
    /// in device memory. `flip`: mirror each image with probability 1/2.
    pub fn new(
        device: &Device,
        schedule: &Schedule,
        step: Arc<Buffer>,
        seed: u64,
        flip: bool,
    ) -> Result<Objective> {
        let table = Arc::new(device.upload(&schedule.noise_table())?);
        Ok(Objective { table, timesteps: schedule.timesteps(), step, seed, flip })
    }

    /// Noised images and their timesteps from `images`, u8 `[B,H,W,C]`.
    pub fn noised(&self, tape: &mut Tape, images: &Tensor) -> Noised {
        let table = tape.resident(&self.table, 0, &[self.timesteps, 2], DType::F32);
        let source = self.source(tape);
        q_sample(tape, images, &table, &source, self.flip)
    }

    /// The loss of the network's `prediction` for the batch that [`Objective::noised`] gave on the same tape.
    /// It goes to `losses`; the caller begins the backward pass with its gradient, of type `gradient`.
    pub fn loss(&self, tape: &mut Tape, prediction: &Tensor, losses: &History, gradient: DType) -> Loss {
        let source = self.source(tape);
        eps_loss(tape, prediction, &source, losses, gradient)
    }

    fn source(&self, tape: &mut Tape) -> NoiseSource {
        let step = tape.resident(&self.step, 0, &[1], DType::U64);
        NoiseSource { seed: self.seed, first_sample: 0, step }
    }
}
