//! One training step as a program: noise, network, loss, gradient, Adam.

use crate::checkpoint::TrainingState;
use crate::device::{self, Buffer, DType, Device, Kernel};
use crate::diffusion::{Objective, Sampler, Variance};
use crate::graph::{Program, Tape};
use crate::history::History;
use crate::nn::{Condition, DropoutKey, Parameters, UNet};
use crate::optim::Optimizer;
use crate::run::Settings;
use crate::sample::{BatchOptions, BatchSampler, Guidance};
use anyhow::Result;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// Steps whose losses stay readable: as many as the optimiser's norms.
const HISTORY: usize = 1024;

/// A network in training on a device. A run of the program is a step; nothing but the images comes from the host.
pub struct TrainingStep {
    unet: UNet,
    program: Program,
    /// u8 `[batch, size, size, channels]`.
    images: Arc<Buffer>,
    /// u32 `[batch]`, if the network is told classes.
    labels: Option<Arc<Buffer>>,
    weights: Parameters,
    optimizer: Optimizer,
    losses: History,
}

/// What the device noted of one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    pub loss: f32,
    /// Before clipping.
    pub grad_norm: f32,
    pub learning_rate: f32,
}

impl Reading {
    /// Whether the step changed nothing, because its gradient was not finite; the loss may not be either.
    pub fn skipped(&self) -> bool {
        !self.grad_norm.is_finite()
    }
}

impl TrainingStep {
    /// Prepares training by `settings` from initial weights, or from the state of a checkpoint.
    ///
    /// # Errors
    /// If the device cannot hold it.
    pub fn new(
        device: &Device,
        settings: &Settings,
        unet: UNet,
        state: Option<&TrainingState>,
    ) -> Result<TrainingStep> {
        let layout = unet.layout().clone();
        let weights = match state {
            None => Parameters::initialise(layout.clone(), device, settings.seed)?,
            Some(state) => Parameters::upload(layout.clone(), device, &state.weights)?,
        };
        let weights = weights.with_precision(device, settings.dtype)?;
        let mut tape = Tape::inference();
        weights.record_rounding(&mut tape);
        tape.compile(device)?.run()?;
        let gradients = Arc::new(device.alloc_zeroed::<f32>(layout.len())?);
        let arena = weights.weights.clone();
        let mut optimizer = Optimizer::new(device, arena, gradients.clone(), layout.len(), settings.adam)?;
        if let Some(rounded) = &weights.rounded {
            optimizer = optimizer.with_rounded(rounded.clone());
        }
        if let Some(state) = state {
            restore(&optimizer, state)?;
        }
        let losses = History::new(device, HISTORY)?;
        let size = settings.network.size;
        let shape = [settings.batch, size, size, unet.config().in_channels];
        let images = Arc::new(device.alloc_zeroed::<u8>(shape.iter().product())?);

        let labels = match unet.config().num_class_embeds {
            Some(_) => Some(Arc::new(device.alloc_zeroed::<u32>(settings.batch)?)),
            None => None,
        };

        let step = optimizer.state().step.clone();
        let Settings { diffusion, seed, flip, .. } = settings;
        let objective = Objective::new(device, diffusion, settings.objective, step.clone(), *seed, *flip)?;
        let mut tape = Tape::training();
        let batch = tape.resident(&images, 0, &shape, DType::U8);
        let noised = objective.noised(&mut tape, &batch, settings.dtype.activations());
        let dropout = DropoutKey { seed: settings.seed, step: tape.resident(&step, 0, &[1], DType::U64) };
        let bound = weights.bind_training(&gradients);
        let label = labels.as_ref().map(|labels| tape.resident(labels, 0, &[settings.batch], DType::U32));
        let condition = Condition { t: noised.t.clone(), label };
        let prediction = unet.forward(&mut tape, &bound, &noised.x_t, condition, Some(dropout));
        let gradient = settings.dtype.activations();
        let loss = objective.loss(&mut tape, &prediction, &batch, &noised, &losses, gradient);
        tape.backward(&prediction, &loss.gradient);
        optimizer.record(&mut tape);
        let program = tape.compile(device)?;
        Ok(TrainingStep { unet, program, images, labels, weights, optimizer, losses })
    }

    /// Queues a step on a batch of images, with their labels if the network is told classes.
    pub fn run(&self, pixels: &[u8], labels: &[u32]) -> device::Result<()> {
        self.images.write(0, pixels)?;
        if let Some(buffer) = &self.labels {
            buffer.write(0, labels)?;
        }
        self.program.run()
    }

    /// Runs a step on the images of the last one, and gives the device time of each launch.
    pub fn profile(&self) -> device::Result<Vec<(&'static Kernel, Duration)>> {
        let times = self.program.profile()?;
        Ok(self.program.launches().iter().map(|launch| launch.kernel).zip(times).collect())
    }

    pub fn unet(&self) -> &UNet {
        &self.unet
    }

    /// What was noted of the steps, at most the last 1024; waits for the device.
    pub fn readings(&self, steps: Range<u64>) -> device::Result<Vec<Reading>> {
        let losses = self.losses.read(steps.clone())?;
        let norms = self.optimizer.gradient_norms().read(steps.clone())?;
        let rates = self.optimizer.learning_rates().read(steps)?;
        let readings = losses.into_iter().zip(norms).zip(rates);
        Ok(readings
            .map(|((loss, grad_norm), learning_rate)| Reading { loss, grad_norm, learning_rate })
            .collect())
    }

    /// Steps of the whole run that were skipped; waits for the device.
    pub fn skipped(&self) -> device::Result<u64> {
        self.optimizer.skipped()
    }

    /// All it takes to go on after the steps so far; waits for the device. The run's settings are the caller's to
    /// add.
    pub fn state(&self) -> device::Result<TrainingState> {
        let state = self.optimizer.state();
        let count = |buffer: &Buffer| -> device::Result<u64> { Ok(buffer.to_vec::<u64>()?[0]) };
        Ok(TrainingState {
            weights: self.weights.download()?,
            first_moment: state.first_moment.to_vec()?,
            second_moment: state.second_moment.to_vec()?,
            ema: state.ema.to_vec()?,
            step: count(&state.step)?,
            skipped: count(&state.skipped)?,
            run: serde_json::Value::Null,
        })
    }

    /// A sampler of the averaged weights, as they are when it is run: ancestral sampling in `steps` steps, `batch`
    /// images at once. Its noise mends what a network that has not learned much gets wrong, which DDIM keeps; the
    /// variance is the learned one or the posterior's, which goes with few steps.
    pub fn sampler(
        &self,
        device: &Device,
        settings: &Settings,
        batch: usize,
        steps: usize,
    ) -> Result<BatchSampler> {
        let (layout, weights) = (self.unet.layout().clone(), self.optimizer.state().ema.clone());
        let averaged =
            Parameters { layout, weights, rounded: None }.with_precision(device, settings.dtype)?;
        let variance = match settings.diffusion.variance_type {
            Variance::FixedLarge => Variance::FixedSmall,
            other => other,
        };
        let trajectory = Sampler::Ancestral(variance).trajectory(&settings.diffusion, steps)?;
        let size = [settings.network.size; 2];
        let every_class = settings.labels.as_ref().map(|labels| Guidance {
            classes: (0..labels.none()).collect(),
            none: labels.none(),
            weight: 0.0,
        });
        let options = BatchOptions { batch, size, seed: settings.seed, guidance: every_class };
        Ok(BatchSampler::new(device, &self.unet, &averaged, &trajectory, options)?)
    }
}

fn restore(optimizer: &Optimizer, state: &TrainingState) -> device::Result<()> {
    let buffers = optimizer.state();
    buffers.first_moment.write(0, &state.first_moment)?;
    buffers.second_moment.write(0, &state.second_moment)?;
    buffers.ema.write(0, &state.ema)?;
    buffers.step.write(0, &[state.step])?;
    buffers.skipped.write(0, &[state.skipped])
}
