//! Pictures of the process: samples on their way from noise, and samples that part half-way.

use super::job::{Progress, Request};
use super::model::Model;
use crate::device::Device;
use crate::diffusion::Trajectory;
use crate::picture::Pictures;
use anyhow::{Result, ensure};
use std::sync::atomic::{AtomicBool, Ordering};

/// What is looked at on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// x_t, from noise to the image.
    Noisy,
    /// The x_0 that each step predicts (Figures 6 and 14 of the paper).
    Clean,
}

/// Samples the images that are asked for and looks at them at no more than `moments` moments, evenly spread over the steps.
/// Gives all images at each moment; those of the last are the samples. `None` if `stop` was set.
///
/// # Errors
/// If the request cannot be, or the device fails.
pub fn watch(
    device: &Device,
    model: &Model,
    request: &Request,
    view: View,
    moments: usize,
    stop: &AtomicBool,
    tell: &mut dyn FnMut(Progress),
) -> Result<Option<Vec<Pictures>>> {
    ensure!(moments >= 2, "--moments must be at least 2");
    let mut trajectory = request.trajectory(model)?;
    if view == View::Clean {
        trajectory.remember_all();
    }
    let steps = trajectory.steps.len();
    let sampler = request.sampler(device, model, &trajectory)?;
    let seen = spread(usize::from(view == View::Clean), steps, moments);
    let mut pictures: Vec<Option<Pictures>> = vec![None; seen.len()];
    let batches = request.count.div_ceil(request.batch);
    let mut clock = Clock::new(batches, steps, request.count);
    for batch in 0..batches {
        let now = request.batch.min(request.count - batch * request.batch);
        let first = request.first + (batch * request.batch) as u32;
        sampler.begin(&sampler.numbers_from(first))?;
        for step in 0..=steps {
            if step > 0 {
                sampler.step()?;
                tell(clock.tick());
                if stop.load(Ordering::Relaxed) && step < steps {
                    return Ok(None);
                }
            }
            let Some(moment) = seen.iter().position(|&at| at == step) else { continue };
            let is_estimate = view == View::Clean && step < steps;
            let mut images = if is_estimate { sampler.estimate(step - 1)? } else { sampler.look()? };
            images.truncate(now);
            match &mut pictures[moment] {
                Some(before) => before.append(&images),
                none => *none = Some(images),
            }
        }
    }
    Ok(Some(pictures.into_iter().flatten().collect()))
}

/// Images that are one as far as timestep t, for each `t` of `shared`, and go different ways from there (Figure 7). The first
/// of each is x_t, the others the samples, as many as the request asks for and all of one batch. `None` if `stop` was set.
///
/// # Errors
/// If the request cannot be, or no step draws noise, or the device fails.
pub fn share(
    device: &Device,
    model: &Model,
    request: &Request,
    shared: &[u32],
    stop: &AtomicBool,
    tell: &mut dyn FnMut(Progress),
) -> Result<Option<Vec<Pictures>>> {
    let trajectory = request.trajectory(model)?;
    let timesteps = model.diffusion.schedule()?.timesteps();
    ensure!(
        shared.iter().all(|&t| (t as usize) < timesteps),
        "--shared-latent is a list of timesteps, 0 to {}",
        timesteps - 1
    );
    ensure!(
        trajectory.steps.iter().any(|step| step.sigma > 0.0),
        "samples of one latent differ by the noise of the steps: use --sampler ddpm, sde-dpmsolver++, or ddim with --eta"
    );
    ensure!(request.count <= request.batch, "--shared-latent needs all images in one --batch");
    let steps = trajectory.steps.len();
    let partings: Vec<usize> = shared.iter().map(|&t| steps_to(&trajectory, t)).collect();
    let sampler = request.sampler(device, model, &trajectory)?;
    let mut clock = Clock::new(shared.len(), steps, shared.len() * request.count);
    let mut rows = vec![];
    for parting in partings {
        sampler.begin(&vec![request.first; request.batch])?;
        let mut row = None;
        for step in 0..=steps {
            if step == parting {
                let mut latent = sampler.look()?;
                latent.truncate(1);
                row = Some(latent);
                sampler.renumber(&sampler.numbers_from(request.first))?;
            }
            if step < steps {
                sampler.step()?;
                tell(clock.tick());
                if stop.load(Ordering::Relaxed) {
                    return Ok(None);
                }
            }
        }
        let mut row = row.expect("the parting is one of the steps, or their end");
        let mut images = sampler.look()?;
        images.truncate(request.count);
        row.append(&images);
        rows.push(row);
    }
    Ok(Some(rows))
}

/// Steps before the sample is at timestep t, or at the next below that the steps visit. As in the tables and the authors'
/// code, timestep 0 has a little noise: the paper calls it x_1.
pub(super) fn steps_to(trajectory: &Trajectory, t: u32) -> usize {
    trajectory.steps.iter().filter(|step| step.t > t).count()
}

/// No more than `count` whole numbers from `first` to `last`, both included, evenly spread.
fn spread(first: usize, last: usize, count: usize) -> Vec<usize> {
    let span = last - first;
    let count = count.min(span + 1);
    (0..count).map(|n| first + (n * span + (count - 1) / 2).checked_div(count - 1).unwrap_or(span)).collect()
}

/// Counts steps.
pub(super) struct Clock {
    step: u64,
    steps: u64,
    images: usize,
}

impl Clock {
    pub fn new(batches: usize, steps: usize, images: usize) -> Clock {
        Clock { step: 0, steps: (batches * steps) as u64, images }
    }

    pub fn tick(&mut self) -> Progress {
        self.step += 1;
        let images = self.images as f64 * self.step as f64 / self.steps as f64;
        Progress { step: self.step, steps: self.steps, images }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_spread_evenly_from_end_to_end() {
        assert_eq!(spread(0, 10, 3), [0, 5, 10]);
        assert_eq!(spread(1, 10, 4), [1, 4, 7, 10]);
        assert_eq!(spread(0, 3, 60), [0, 1, 2, 3]);
        assert_eq!(spread(1, 1, 9), [1]);
    }
}
