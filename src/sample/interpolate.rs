//! Images between two images (Figures 8 and 9 of the paper), and between two latents.

use super::job::{Progress, Request};
use super::model::Model;
use super::process::{Clock, steps_to};
use crate::device::Device;
use crate::diffusion::{Sampler, Schedule, Trajectory};
use crate::picture::Pictures;
use crate::random::{Philox, Stream};
use anyhow::{Context, Result, ensure};
use std::sync::atomic::{AtomicBool, Ordering};

/// Where to look between two ends.
#[derive(Debug, Clone, Copy)]
pub struct Between<'a> {
    /// Places: 0 is the first end, 1 the second.
    pub lambdas: &'a [f64],
    pub stop: &'a AtomicBool,
}

/// Encodes two images of the model's size, u8 NHWC, as x_t ~ q(x_t | x_0) and x'_t, and decodes (1 - λ) x_t + λ x'_t, for each
/// timestep of `levels`, 0 to T - 1: a row of images, one for each λ. The noise of the encoder and of the decoder is the same
/// in all: it hangs on the seed and the request's first number. `None` if it was stopped.
///
/// This is what the authors' code does; the formula in the paper's text mixes x_0 and x'_0.
///
/// # Errors
/// If the request cannot be, the sampler looks back at steps that are not taken here, or the device fails.
pub fn interpolate(
    device: &Device,
    model: &Model,
    request: &Request,
    ends: [&[u8]; 2],
    levels: &[u32],
    between: &Between,
    tell: &mut dyn FnMut(Progress),
) -> Result<Option<Vec<Pictures>>> {
    ensure!(
        matches!(request.sampler, Sampler::Ancestral(_) | Sampler::Ddim(_)),
        "images are decoded from the middle of the way with --sampler ddpm or ddim; solvers look back at steps before it"
    );
    let whole = request.trajectory(model)?;
    let schedule = model.diffusion.schedule()?;
    let ways = levels.iter().map(|&t| way_from(&whole, &schedule, t)).collect::<Result<Vec<_>>>()?;
    let batch = between.lambdas.len();
    let request = Request { count: batch, batch, ..request.clone() };
    let mut clock = Clock::new(1, ways.iter().map(|way| way.steps.len()).sum(), levels.len() * batch);
    let mut rows = vec![];
    for way in ways {
        let t = way.steps[0].t;
        let [a, b] = [0, 1].map(|end| encode(&schedule, t, ends[end], request.seed, end as u32));
        let mixed = between
            .lambdas
            .iter()
            .flat_map(|&on_b| a.iter().zip(&b).map(move |(a, b)| (1.0 - on_b) * a + on_b * b));
        let x: Vec<f32> = mixed.map(|x| x as f32).collect();
        let Some(row) = decode(device, model, &request, &way, &x, between.stop, &mut || tell(clock.tick()))?
        else {
            return Ok(None);
        };
        rows.push(row);
    }
    Ok(Some(rows))
}

/// Samples from latents on the great circle through those of the images of two numbers: one image for each λ, of which 0
/// and 1 are those images. `None` if it was stopped.
///
/// # Errors
/// If the request cannot be, or the device fails.
pub fn between_latents(
    device: &Device,
    model: &Model,
    request: &Request,
    ends: [u32; 2],
    between: &Between,
    tell: &mut dyn FnMut(Progress),
) -> Result<Option<Pictures>> {
    let way = request.trajectory(model)?;
    let batch = between.lambdas.len();
    let two = Request { count: 2, batch: 2, ..request.clone() };
    let sampler = two.sampler(device, model, &way)?;
    sampler.begin(&ends)?;
    let latents = sampler.samples()?;
    drop(sampler);
    let (a, b) = latents.split_at(latents.len() / 2);
    let x: Vec<f32> = between.lambdas.iter().flat_map(|&on_b| slerp(a, b, on_b)).collect();
    let request = Request { first: ends[0], count: batch, batch, ..request.clone() };
    let mut clock = Clock::new(1, way.steps.len(), batch);
    decode(device, model, &request, &way, &x, between.stop, &mut || tell(clock.tick()))
}

/// The part of a way that begins at timestep `t`, or at the first below it that the way visits.
fn way_from(whole: &Trajectory, schedule: &Schedule, t: u32) -> Result<Trajectory> {
    let timesteps = schedule.timesteps();
    ensure!((t as usize) < timesteps, "--t {t} is no timestep of the model, 0 to {}", timesteps - 1);
    let steps = whole.steps[steps_to(whole, t)..].to_vec();
    steps
        .first()
        .with_context(|| format!("none of the {} steps begins at --t {t} or below", whole.steps.len()))?;
    Ok(Trajectory { steps })
}

/// x_t ~ q(x_t | x_0) at timestep `t` of the tables (equation 4).
fn encode(schedule: &Schedule, t: u32, image: &[u8], seed: u64, end: u32) -> Vec<f64> {
    let (signal, noise) =
        (schedule.sqrt_alphas_cumprod[t as usize], schedule.sqrt_one_minus_alphas_cumprod[t as usize]);
    let eps = Philox::new(seed).normals(Stream::ENCODE, end, t);
    let x_0 = image.iter().map(|&byte| f64::from(byte) / 127.5 - 1.0);
    x_0.zip(eps).map(|(x_0, eps)| signal * x_0 + noise * f64::from(eps)).collect()
}

/// Walks from `x` to images, all with the noise of the request's first number.
fn decode(
    device: &Device,
    model: &Model,
    request: &Request,
    way: &Trajectory,
    x: &[f32],
    stop: &AtomicBool,
    tick: &mut dyn FnMut(),
) -> Result<Option<Pictures>> {
    let sampler = request.sampler(device, model, way)?;
    sampler.begin(&vec![request.first; request.batch])?;
    sampler.set_samples(x)?;
    for _ in &way.steps {
        sampler.step()?;
        tick();
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
    }
    Ok(Some(sampler.look()?))
}

/// Along the great circle from `a` to `b`, `on_b` of the way: what keeps normals normal. Along the line where they are
/// (nearly) on one ray.
fn slerp(a: &[f32], b: &[f32], on_b: f64) -> Vec<f32> {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let cosine = (dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()).clamp(-1.0, 1.0);
    let angle = cosine.acos();
    let on = |part: f64| if angle.sin() < 1e-6 { part } else { (part * angle).sin() / angle.sin() };
    let (on_a, on_b) = (on(1.0 - on_b), on(on_b));
    a.iter().zip(b).map(|(a, b)| (on_a * f64::from(*a) + on_b * f64::from(*b)) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diffusion::SchedulerConfig;

    #[test]
    fn the_great_circle_keeps_lengths() {
        let (a, b) = ([3.0, 0.0, 4.0], [0.0, 5.0, 0.0]);
        assert_eq!(slerp(&a, &b, 0.0), a);
        assert_eq!(slerp(&a, &b, 1.0)[1], 5.0);
        let half = slerp(&a, &b, 0.5);
        let root = 0.5f32.sqrt();
        for (got, want) in half.iter().zip([3.0 * root, 5.0 * root, 4.0 * root]) {
            assert!((got - want).abs() < 1e-6, "{half:?}");
        }
        assert_eq!(slerp(&a, &a, 0.25), a);
    }

    /// The mean of an encoded grey image is sqrt(alpha_bar) of it, its variance 1 - alpha_bar: within five standard errors.
    #[test]
    fn the_encoder_is_the_forward_process() {
        let schedule = SchedulerConfig::default().schedule().unwrap();
        let count = 20_000;
        for t in [0, 300, 999] {
            let x = encode(&schedule, t, &vec![204; count], 5, 1);
            let alpha_bar = schedule.alphas_cumprod[t as usize];
            let mean = x.iter().sum::<f64>() / count as f64;
            let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count as f64;
            assert!((mean - 0.6 * alpha_bar.sqrt()).abs() < 5.0 * ((1.0 - alpha_bar) / count as f64).sqrt());
            assert!((variance / (1.0 - alpha_bar) - 1.0).abs() < 5.0 * (2.0 / count as f64).sqrt());
        }
    }
}
