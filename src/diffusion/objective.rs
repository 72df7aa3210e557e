//! Training objectives: noise a batch, and compare what the network says of it with what it should say.

use super::bound::objective_rows;
use super::config::SchedulerConfig;
use super::prediction::PredictionType;
use crate::device::{Buffer, DType, Device};
use crate::graph::{Tape, Tensor};
use crate::history::History;
use crate::ops::eps_loss::eps_loss;
use crate::ops::mean_loss::Loss;
use crate::ops::objective::{Factors, objective};
use crate::ops::q_sample::{NoiseSource, Noised, q_sample};
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::f64::consts::LN_2;
use std::sync::Arc;

/// lambda of the hybrid objective: how much of the whole bound, of T terms, goes with the simple objective.
const LAMBDA: f64 = 0.001;

/// What training minimises, at the timestep that is drawn for an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossType {
    /// The mean squared error of the prediction (equation 14, if it is the noise).
    #[default]
    Simple,
    /// The bound's term in bits a dimension (equation 5), as in the authors' code: not times T.
    Vlb,
    /// The simple objective for the mean, and for the learned variance 0.001 of the whole bound, in bits a dimension
    /// (Nichol, Dhariwal 2021). The bound's gradient does not reach the mean.
    Hybrid,
}

/// What is trained for: the loss of a run's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ObjectiveConfig {
    pub loss: LossType,
}

impl LossType {
    fn factors(self, timesteps: usize) -> Factors {
        match self {
            LossType::Simple => Factors { on_error: 1.0, on_bound: 0.0, on_mean: 0.0 },
            LossType::Vlb => Factors { on_error: 0.0, on_bound: 1.0 / LN_2, on_mean: 1.0 / LN_2 },
            LossType::Hybrid => {
                Factors { on_error: 1.0, on_bound: LAMBDA * timesteps as f64 / LN_2, on_mean: 0.0 }
            }
        }
    }
}

/// An objective, with the noise of each training step drawn on the device.
pub struct Objective {
    noise: Arc<Buffer>,
    timesteps: usize,
    /// The rows and factors of the loss; `None` for L_simple on the noise, which needs neither.
    bound: Option<(Arc<Buffer>, Factors)>,
    step: Arc<Buffer>,
    seed: u64,
    flip: bool,
}

impl Objective {
    /// The objective of `config` for the process of `diffusion`. Its draws hang on `seed` and on `step`, the u64
    /// training step counter in device memory. `flip`: mirror each image with probability 1/2.
    pub fn new(
        device: &Device,
        diffusion: &SchedulerConfig,
        config: ObjectiveConfig,
        step: Arc<Buffer>,
        seed: u64,
        flip: bool,
    ) -> Result<Objective> {
        let schedule = diffusion.schedule()?;
        let timesteps = schedule.timesteps();
        let simple = (config.loss, diffusion.prediction_type) == (LossType::Simple, PredictionType::Epsilon);
        let bound = if simple {
            None
        } else {
            let rows = objective_rows(&schedule, diffusion.prediction_type, diffusion.variance_type);
            let table: Vec<f32> = rows.iter().flat_map(|row| row.row()).collect();
            Some((Arc::new(device.upload(&table)?), config.loss.factors(timesteps)))
        };
        let noise = Arc::new(device.upload(&schedule.noise_table())?);
        Ok(Objective { noise, timesteps, bound, step, seed, flip })
    }

    /// Noised images, of type `dtype`, and their timesteps from `images`, u8 `[B,H,W,C]`.
    pub fn noised(&self, tape: &mut Tape, images: &Tensor, dtype: DType) -> Noised {
        let table = tape.resident(&self.noise, 0, &[self.timesteps, 2], DType::F32);
        let source = self.source(tape);
        q_sample(tape, images, &table, &source, self.flip, dtype)
    }

    /// The loss of the network's `prediction` for `images`, which [`Objective::noised`] made `noised` of on the same
    /// tape. It goes to `losses`; the caller begins the backward pass with its gradient, of type `gradient`.
    pub fn loss(
        &self,
        tape: &mut Tape,
        prediction: &Tensor,
        images: &Tensor,
        noised: &Noised,
        losses: &History,
        gradient: DType,
    ) -> Loss {
        let source = self.source(tape);
        let Some((rows, factors)) = &self.bound else {
            return eps_loss(tape, prediction, &source, losses, gradient);
        };
        let table = tape.resident(rows, 0, &[self.timesteps, 8], DType::F32);
        let (factors, weights) = (*factors, None);
        objective(tape, prediction, images, noised, weights, &table, factors, &source, losses, gradient)
    }

    fn source(&self, tape: &mut Tape) -> NoiseSource {
        let step = tape.resident(&self.step, 0, &[1], DType::U64);
        NoiseSource { seed: self.seed, first_sample: 0, step }
    }
}
