//! Sampling one batch: a program that begins it, one for each step, one that ends it.

use super::guidance::Guidance;
use crate::device::{Buffer, DType, Device, Result};
use crate::diffusion::{Reverse, Trajectory};
use crate::graph::{Program, Tape, Tensor};
use crate::nn::{Condition, Parameters, UNet};
use crate::ops::reverse_update::Memory;
use crate::ops::to_u8::to_u8;
use crate::picture::Pictures;
use std::sync::Arc;

/// Samples batches of a fixed number of images; fewer are sampled as a part of a whole batch.
pub struct BatchSampler {
    reverse: Reverse,
    begin: Program,
    step: Program,
    end: Program,
    /// Show what a step remembers, by its number modulo theirs.
    estimates: Option<Vec<Program>>,
    /// f32 `[batch, height, width, channels]`.
    images: Arc<Buffer>,
    /// u32 `[batch]`: the numbers of the images.
    numbers: Arc<Buffer>,
    /// What classes the images are to be of, and u32 labels as the network sees them.
    guidance: Option<(Guidance, Arc<Buffer>)>,
    /// u8 `[batch, height, width, channels]`.
    pixels: Arc<Buffer>,
    batch: usize,
    /// `[height, width, channels]`.
    shape: [usize; 3],
}

/// What images a [`BatchSampler`] samples.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchOptions {
    /// Images at once.
    pub batch: usize,
    /// `[height, width]`.
    pub size: [usize; 2],
    pub seed: u64,
    /// For a network that is told classes, and for no other.
    pub guidance: Option<Guidance>,
}

impl BatchSampler {
    /// Records the three programs. `weights` are read whenever a batch is sampled. Image i is a function of the seed, the
    /// guidance, the weights and i.
    ///
    /// # Errors
    /// If the device cannot hold it.
    pub fn new(
        device: &Device,
        unet: &UNet,
        weights: &Parameters,
        trajectory: &Trajectory,
        options: BatchOptions,
    ) -> Result<BatchSampler> {
        let BatchOptions { batch, size: [height, width], seed, guidance } = options;
        let shape = [height, width, unet.config().in_channels];
        let dims = [batch, shape[0], shape[1], shape[2]];
        let elements = dims.iter().product();
        let numbers = Arc::new(device.alloc_zeroed::<u32>(batch)?);
        let pixels = Arc::new(device.alloc::<u8>(elements)?);
        let images = Arc::new(device.alloc::<f32>(elements)?);
        let guidance = match guidance {
            Some(guidance) => {
                let labels = device.alloc_zeroed::<u32>(guidance.passes() * batch)?;
                Some((guidance, Arc::new(labels)))
            }
            None => None,
        };
        let mut reverse = Reverse::new(device, trajectory, seed)?;
        if let Some((guidance, _)) = &guidance
            && guidance.passes() == 2
        {
            reverse = reverse.guided(guidance.weight);
        }
        let memory = reverse.memory(device, &dims)?;
        let on_tape = |tape: &mut Tape| {
            let x = tape.resident(&images, 0, &dims, DType::F32);
            (x, tape.resident(&numbers, 0, &[batch], DType::U32))
        };

        let mut tape = Tape::inference();
        let (x, samples) = on_tape(&mut tape);
        reverse.begin(&mut tape, &x, &samples);
        weights.record_rounding(&mut tape);
        let begin = tape.compile(device)?;

        let mut tape = Tape::inference();
        let (x, samples) = on_tape(&mut tape);
        let bound = weights.bind();
        let output = match &guidance {
            None => {
                let t = reverse.timestep(&mut tape, batch);
                unet.forward(&mut tape, &bound, &x, &t, None)
            }
            Some((guidance, labels)) => {
                let rows = guidance.passes() * batch;
                let t = reverse.timestep(&mut tape, rows);
                let label = Some(tape.resident(labels, 0, &[rows], DType::U32));
                let x = guidance.seen(&mut tape, &x);
                unet.forward(&mut tape, &bound, &x, Condition { t, label }, None)
            }
        };
        reverse.update(&mut tape, &x, &output, &samples, memory.as_ref());
        let step = tape.compile(device)?;

        let show = |of: &dyn Fn(&mut Tape) -> Tensor| {
            let mut tape = Tape::inference();
            let x = of(&mut tape);
            let bytes = tape.resident(&pixels, 0, &dims, DType::U8);
            to_u8(&mut tape, &x, &bytes);
            tape.compile(device)
        };
        let end = show(&|tape| on_tape(tape).0)?;
        let remembered =
            |memory: &Memory| (0..Memory::STEPS).map(|slot| show(&|tape| memory.x_0(tape, slot))).collect();
        let estimates = memory.as_ref().map(remembered).transpose()?;
        Ok(BatchSampler {
            reverse,
            begin,
            step,
            end,
            estimates,
            images,
            numbers,
            guidance,
            pixels,
            batch,
            shape,
        })
    }

    /// Images of a batch.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Steps of a batch.
    pub fn steps(&self) -> usize {
        self.reverse.len()
    }

    /// Samples the images numbered `first..first + count`. `go_on` is asked after every step; `None` if it said no.
    ///
    /// # Panics
    /// If `count` is more than a batch.
    pub fn sample(
        &self,
        first: u32,
        count: usize,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Pictures>> {
        assert!(count <= self.batch, "{count} images in a batch of {}", self.batch);
        self.begin(&self.numbers_from(first))?;
        for _ in 0..self.steps() {
            self.step()?;
            if !go_on() {
                return Ok(None);
            }
        }
        let mut images = self.look()?;
        images.truncate(count);
        Ok(Some(images))
    }

    /// Numbers of a batch, from `first`. Those past the last image are sampled, too, and thrown away.
    pub fn numbers_from(&self, first: u32) -> Vec<u32> {
        (0..self.batch as u32).map(|place| first.wrapping_add(place)).collect()
    }

    /// Begins the images of these numbers, as many as a batch has, with their latents and classes.
    pub fn begin(&self, numbers: &[u32]) -> Result<()> {
        self.renumber(numbers)?;
        if let Some((guidance, labels)) = &self.guidance {
            labels.write(0, &guidance.labels(numbers))?;
        }
        self.reverse.rewind()?;
        self.begin.run()
    }

    /// From now on the noise is that of the images of these numbers.
    pub fn renumber(&self, numbers: &[u32]) -> Result<()> {
        self.numbers.write(0, numbers)
    }

    /// Takes the batch one step further.
    pub fn step(&self) -> Result<()> {
        self.step.run()
    }

    /// The batch as it is, f32 `[batch, height, width, channels]`.
    pub fn samples(&self) -> Result<Vec<f32>> {
        self.images.to_vec()
    }

    /// Goes on from other samples than those that are there, of the same shape.
    pub fn set_samples(&self, x: &[f32]) -> Result<()> {
        self.images.write(0, x)
    }

    /// The batch as it is, as pictures.
    pub fn look(&self) -> Result<Pictures> {
        self.end.run()?;
        Ok(Pictures::new(self.shape, self.pixels.to_vec()?))
    }

    /// The x_0 that step `step`, the last that was taken, predicted.
    ///
    /// # Panics
    /// If the trajectory remembers nothing.
    pub fn estimate(&self, step: usize) -> Result<Pictures> {
        let estimates = self.estimates.as_ref().expect("a trajectory that remembers what it predicted");
        estimates[step % estimates.len()].run()?;
        Ok(Pictures::new(self.shape, self.pixels.to_vec()?))
    }
}
