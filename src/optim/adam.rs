//! One optimiser step, recorded at the end of a training step.

use super::config::{AdamConfig, Decay};
use crate::device::{Buffer, DType, Device, Result};
use crate::graph::{Tape, Tensor};
use crate::history::History;
use crate::kernels::optim;
use crate::ops::advance::advance;
use std::sync::Arc;

/// Elements that one block of `gradient_squares` adds.
const NORM_CHUNK: usize = 16384;
/// Elements that one block of `adam` updates.
const ADAM_BLOCK: usize = 1024;
/// Steps whose gradient norm and learning rate stay readable.
const HISTORY: usize = 1024;

/// All that an optimiser carries from step to step besides the parameters: with these buffers, the parameters
/// and the configuration restored, a run goes on byte for byte.
pub struct State {
    /// Adam's m, f32, laid out as the parameters.
    pub first_moment: Arc<Buffer>,
    /// Adam's v, f32, laid out as the parameters.
    pub second_moment: Arc<Buffer>,
    /// The moving average of the parameters, f32, laid out as they are.
    pub ema: Arc<Buffer>,
    /// The number of training steps done, u64 `[1]`. Noise and dropout read it too; less `skipped`, it is the
    /// number of updates that the bias corrections need.
    pub step: Arc<Buffer>,
    /// Steps that were skipped for a gradient that was not finite, u64 `[1]`. They changed neither weights nor moments
    /// nor the moving average, but are counted in `step`: the next one draws other images, timesteps and noise.
    pub skipped: Arc<Buffer>,
}

impl State {
    /// Every buffer with its name and element type, for a checkpoint.
    pub fn buffers(&self) -> [(&'static str, DType, &Arc<Buffer>); 5] {
        [
            ("first_moment", DType::F32, &self.first_moment),
            ("second_moment", DType::F32, &self.second_moment),
            ("ema", DType::F32, &self.ema),
            ("step", DType::U64, &self.step),
            ("skipped", DType::U64, &self.skipped),
        ]
    }
}

/// Adam over one flat arena of parameters.
pub struct Optimizer {
    config: AdamConfig,
    parameters: Arc<Buffer>,
    copy: Option<Arc<Buffer>>,
    gradients: Arc<Buffer>,
    len: usize,
    state: State,
    norms: History,
    rates: History,
}

impl Optimizer {
    /// An optimiser at step 0 for the first `len` f32 of `parameters` and `gradients`. The moving average
    /// begins as the parameters are now.
    ///
    /// # Panics
    /// If `len` is no multiple of 4, to which arenas are padded, or 2^32 or more.
    pub fn new(
        device: &Device,
        parameters: Arc<Buffer>,
        gradients: Arc<Buffer>,
        len: usize,
        config: AdamConfig,
    ) -> Result<Optimizer> {
        assert!(u32::try_from(len).is_ok() && len.is_multiple_of(4), "an arena of {len} parameters");
        let mut weights = vec![0f32; len];
        parameters.read(0, &mut weights)?;
        let state = State {
            first_moment: Arc::new(device.alloc_zeroed::<f32>(len)?),
            second_moment: Arc::new(device.alloc_zeroed::<f32>(len)?),
            ema: Arc::new(device.upload(&weights)?),
            step: Arc::new(device.upload(&[0u64])?),
            skipped: Arc::new(device.upload(&[0u64])?),
        };
        let (norms, rates) = (History::new(device, HISTORY)?, History::new(device, HISTORY)?);
        Ok(Optimizer { config, parameters, copy: None, gradients, len, state, norms, rates })
    }

    /// Keeps `copy`, bf16, as the parameters are after every step, rounded. It begins as it is.
    ///
    /// # Panics
    /// If it is of another length.
    pub fn with_rounded(self, copy: Arc<Buffer>) -> Optimizer {
        assert_eq!(copy.bytes(), self.len * DType::BF16.bytes(), "a copy of {} parameters", self.len);
        Optimizer { copy: Some(copy), ..self }
    }

    /// Appends the update from the gradients that the tape has left in the arena, and moves the step counter
    /// on. It goes to the end of a training step.
    pub fn record(&self, tape: &mut Tape) {
        let AdamConfig { learning_rate, beta1, beta2, epsilon, warmup, decay, max_norm, ema_decay } =
            self.config;
        let decay_steps = match decay {
            Decay::Constant => 0,
            Decay::Linear { steps } => steps,
        };
        let count = self.len as u32;
        let flat = |tape: &mut Tape, buffer| tape.resident(buffer, 0, &[self.len], DType::F32);
        let gradients = flat(tape, &self.gradients);
        let parameters = flat(tape, &self.parameters);
        let first_moment = flat(tape, &self.state.first_moment);
        let second_moment = flat(tape, &self.state.second_moment);
        let ema = flat(tape, &self.state.ema);
        let copy = self.copy.as_ref().map(|copy| tape.resident(copy, 0, &[self.len], DType::BF16));
        let step = tape.resident(&self.state.step, 0, &[1], DType::U64);
        let skipped = tape.resident(&self.state.skipped, 0, &[1], DType::U64);
        let (norms, rates) = (self.norms.tensor(tape), self.rates.tensor(tape));

        let chunks = self.len.div_ceil(NORM_CHUNK);
        let partials = tape.scratch(&[chunks], DType::F32);
        let squares = optim::gradient_squares(gradients.input(), partials.output(), count);
        tape.launch(squares.grid(chunks, 1, 1));

        let hyper = tape.scratch(&[4], DType::F32);
        let call = optim::hyper(
            partials.input(),
            step.input(),
            skipped.in_out(),
            hyper.output(),
            norms.in_out(),
            rates.in_out(),
            chunks as u32,
            self.norms.mask(),
            max_norm.unwrap_or(f64::INFINITY) as f32,
            learning_rate as f32,
            warmup as f32,
            decay_steps as f32,
            beta1,
            beta2,
        );
        tape.launch(call.grid(1, 1, 1));

        let call = optim::adam(
            gradients.input(),
            hyper.input(),
            first_moment.in_out(),
            second_moment.in_out(),
            parameters.in_out(),
            ema.in_out(),
            copy.as_ref().map(Tensor::in_out),
            beta1 as f32,
            (1.0 - beta1) as f32,
            beta2 as f32,
            (1.0 - beta2) as f32,
            epsilon as f32,
            (1.0 - ema_decay) as f32,
            count,
        );
        tape.launch(call.grid(self.len.div_ceil(ADAM_BLOCK), 1, 1));
        advance(tape, &step);
    }

    pub fn config(&self) -> &AdamConfig {
        &self.config
    }

    /// What a checkpoint holds besides the parameters.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Norms of the gradient before clipping, of the last 1024 steps.
    pub fn gradient_norms(&self) -> &History {
        &self.norms
    }

    /// Learning rates of the last 1024 steps.
    pub fn learning_rates(&self) -> &History {
        &self.rates
    }

    /// The number of steps done, after all queued work.
    pub fn steps(&self) -> Result<u64> {
        Ok(self.state.step.to_vec::<u64>()?[0])
    }

    /// The number of those that were left out because the gradient was not finite, after all queued work.
    pub fn skipped(&self) -> Result<u64> {
        Ok(self.state.skipped.to_vec::<u64>()?[0])
    }
}
