//! Sampling many images, batch by batch.

use super::batch::{BatchOptions, BatchSampler};
use super::guidance::Guidance;
use super::model::Model;
use crate::device::{self, Device};
use crate::diffusion::{Sampler, SchedulerConfig, Trajectory};
use crate::nn::{Parameters, Precision};
use crate::picture::Pictures;
use anyhow::{Result, ensure};
use std::sync::atomic::{AtomicBool, Ordering};

/// Which images to sample, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Number of the first image.
    pub first: u32,
    pub count: usize,
    /// Images that are sampled at once; it changes none of them.
    pub batch: usize,
    /// Steps of the sampler.
    pub steps: usize,
    pub sampler: Sampler,
    /// The model's process, with what the sampler is to do otherwise.
    pub diffusion: SchedulerConfig,
    pub seed: u64,
    /// What the network computes in.
    pub dtype: Precision,
    /// For a network that is told classes.
    pub guidance: Option<Guidance>,
}

/// How far sampling has come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Steps taken, of all batches.
    pub step: u64,
    /// Steps of all batches.
    pub steps: u64,
    /// Images so far, with the part of the current batch that its steps are.
    pub images: f64,
}

/// A batch that is done.
pub struct Sampled<'a> {
    pub pictures: Pictures,
    sampler: &'a BatchSampler,
}

impl Sampled<'_> {
    /// What the pictures were rounded from, f32 `[n, height, width, channels]`, about -1 to 1.
    ///
    /// # Errors
    /// If the device fails.
    pub fn samples(&self) -> device::Result<Vec<f32>> {
        let mut samples = self.sampler.samples()?;
        samples.truncate(self.pictures.pixels().len());
        Ok(samples)
    }
}

impl Request {
    /// The steps of one image.
    ///
    /// # Errors
    /// If the request asks for what cannot be, by the name of its flag.
    pub fn trajectory(&self, model: &Model) -> Result<Trajectory> {
        let timesteps = model.diffusion.schedule()?.timesteps();
        ensure!(
            (1..=timesteps).contains(&self.steps),
            "--steps {} is not from 1 to the {timesteps} timesteps of the model",
            self.steps
        );
        if let Sampler::Ddim(ddim) = self.sampler {
            ensure!((0.0..=1.0).contains(&ddim.eta), "--eta must be from 0 to 1");
        }
        let numbers = u64::from(u32::MAX) + 1 - u64::from(self.first);
        ensure!(self.count as u64 <= numbers, "--first {} leaves numbers for {numbers} images", self.first);
        let passes = self.guidance.as_ref().map_or(1, Guidance::passes);
        model.unet.config().check_batch(passes * self.batch, model.size)?;
        model.unet.config().check_precision(self.dtype)?;
        Ok(self.sampler.trajectory(&self.diffusion, self.steps)?)
    }

    /// A sampler of its batches along a trajectory.
    pub(super) fn sampler(
        &self,
        device: &Device,
        model: &Model,
        trajectory: &Trajectory,
    ) -> device::Result<BatchSampler> {
        let weights = Parameters::upload(model.unet.layout().clone(), device, &model.weights)?
            .with_precision(device, self.dtype)?;
        let options = BatchOptions {
            batch: self.batch,
            size: model.size,
            seed: self.seed,
            guidance: self.guidance.clone(),
        };
        BatchSampler::new(device, &model.unet, &weights, trajectory, options)
    }
}

/// Samples the images that are asked for, in order. `tell` hears of every step; `take` gets every batch. Gives the
/// number of images, which is less than was asked for if `stop` was set.
///
/// # Errors
/// If the request cannot be, the device fails, or `take` does.
pub fn sample(
    device: &Device,
    model: &Model,
    request: &Request,
    stop: &AtomicBool,
    tell: &mut dyn FnMut(Progress),
    take: &mut dyn FnMut(Sampled) -> Result<()>,
) -> Result<usize> {
    let trajectory = request.trajectory(model)?;
    let Request { first, count, batch, .. } = *request;
    let sampler = request.sampler(device, model, &trajectory)?;
    let each = sampler.steps() as u64;
    let steps = each * count.div_ceil(batch) as u64;
    let mut step = 0;
    let mut done = 0;
    while done < count {
        let now = batch.min(count - done);
        let before = step;
        let images = sampler.sample(first + done as u32, now, &mut || {
            step += 1;
            let part = (step - before) as f64 / each as f64;
            tell(Progress { step, steps, images: done as f64 + part * now as f64 });
            !stop.load(Ordering::Relaxed)
        })?;
        let Some(pictures) = images else { break };
        take(Sampled { pictures, sampler: &sampler })?;
        done += now;
    }
    Ok(done)
}
