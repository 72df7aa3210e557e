//! Sampling one batch: a program that begins it, one for each step, one that ends it.

use crate::device::{Buffer, DType, Device, Result};
use crate::diffusion::{Reverse, Trajectory};
use crate::graph::{Program, Tape};
use crate::nn::{Parameters, UNet};
use crate::ops::to_u8::to_u8;
use crate::picture::Pictures;
use std::sync::Arc;

/// Samples batches of a fixed number of images; fewer are sampled as a part of a whole batch.
pub struct BatchSampler {
    reverse: Reverse,
    begin: Program,
    step: Program,
    end: Program,
    /// u32 `[batch]`: the numbers of the images.
    numbers: Arc<Buffer>,
    /// u8 `[batch, height, width, channels]`.
    pixels: Arc<Buffer>,
    batch: usize,
    /// `[height, width, channels]`.
    shape: [usize; 3],
}

impl BatchSampler {
    /// Records the three programs. `weights` are read whenever a batch is sampled. Image i is a function of `seed`,
    /// the weights and i.
    ///
    /// # Errors
    /// If the device cannot hold it.
    pub fn new(
        device: &Device,
        unet: &UNet,
        weights: &Parameters,
        trajectory: &Trajectory,
        batch: usize,
        [height, width]: [usize; 2],
        seed: u64,
    ) -> Result<BatchSampler> {
        let shape = [height, width, unet.config().in_channels];
        let dims = [batch, shape[0], shape[1], shape[2]];
        let elements = dims.iter().product();
        let numbers = Arc::new(device.alloc_zeroed::<u32>(batch)?);
        let pixels = Arc::new(device.alloc::<u8>(elements)?);
        let images = Arc::new(device.alloc::<f32>(elements)?);
        let reverse = Reverse::new(device, trajectory, seed)?;
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
        let t = reverse.timestep(&mut tape, batch);
        let output = unet.forward(&mut tape, &weights.bind(), &x, &t, None);
        reverse.update(&mut tape, &x, &output, &samples, memory.as_ref());
        let step = tape.compile(device)?;

        let mut tape = Tape::inference();
        let (x, _) = on_tape(&mut tape);
        let bytes = tape.resident(&pixels, 0, &dims, DType::U8);
        to_u8(&mut tape, &x, &bytes);
        let end = tape.compile(device)?;
        Ok(BatchSampler { reverse, begin, step, end, numbers, pixels, batch, shape })
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
        // Numbers past the last image are sampled, too, and thrown away.
        let numbers: Vec<u32> = (0..self.batch as u32).map(|place| first.wrapping_add(place)).collect();
        self.numbers.write(0, &numbers)?;
        self.reverse.rewind()?;
        self.begin.run()?;
        for _ in 0..self.steps() {
            self.step.run()?;
            if !go_on() {
                return Ok(None);
            }
        }
        self.end.run()?;
        let mut images = Pictures::new(self.shape, self.pixels.to_vec()?);
        images.truncate(count);
        Ok(Some(images))
    }
}
