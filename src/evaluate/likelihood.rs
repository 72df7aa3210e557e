//! The variational bound of images: every term of equation 5.

use super::report::{BoundOf, Report};
use super::terms::{Example, Pair, Term, TermPass};
use crate::data::Dataset;
use crate::device::Device;
use crate::nn::Precision;
use crate::random::{Philox, Stream, below};
use crate::sample::Model;
use anyhow::{Result, ensure};
use std::sync::atomic::{AtomicBool, Ordering};

/// Which images to evaluate, and how.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Request {
    /// The first so many images.
    pub images: usize,
    /// Pairs of an image and a timestep in one network pass; it changes no number.
    pub batch: usize,
    /// 1 evaluates every timestep. With S, each image has one timestep, drawn at random, of every S in a row, which
    /// stands for all of them: an estimate without bias. The first timestep is always evaluated.
    pub stride: usize,
    pub seed: u64,
    /// What the network computes in.
    pub dtype: Precision,
}

/// How far an evaluation has come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Likelihood {
    /// Terms so far, and in all.
    pub terms: u64,
    pub of: u64,
    /// Mean bits a dimension of the images so far, if one is finished.
    pub bits: Option<f64>,
}

/// A timestep that is evaluated, and how many it stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Drawn {
    t: u32,
    weight: f64,
}

/// Evaluates images in order. `tell` hears of every pass. If `stop` is set, the report is of the images that are
/// finished.
///
/// # Errors
/// If the request cannot be, an image cannot be read, or the device fails.
pub fn likelihood(
    device: &Device,
    model: &Model,
    dataset: &dyn Dataset,
    request: &Request,
    stop: &AtomicBool,
    tell: &mut dyn FnMut(Likelihood),
) -> Result<Report> {
    let schedule = model.diffusion.schedule()?;
    let timesteps = schedule.timesteps();
    let Request { images, batch, stride, seed, dtype } = *request;
    ensure!((1..timesteps).contains(&stride), "--stride {stride} is not from 1 to {}", timesteps - 1);
    let pass = TermPass::new(device, model, &schedule, dtype, batch, seed)?;
    let mut report = Report::new(timesteps);
    let each = drawn(timesteps, stride, seed, 0).len();
    let of = (images * each) as u64;
    let mut terms = 0;
    let mut waiting = Waiting::default();
    let (mut image, mut place) = (0, 0);
    while report.images.len() < images {
        // The next pairs, image by image.
        let mut shown = vec![];
        while shown.len() < batch && image < images {
            if place == 0 {
                waiting.open(dataset, image, drawn(timesteps, stride, seed, image as u32))?;
            }
            shown.push((image, place));
            place += 1;
            if place == each {
                (image, place) = (image + 1, 0);
            }
        }
        let pairs: Vec<Pair> = shown.iter().map(|&(image, place)| waiting.pair(image, place)).collect();
        let said = pass.terms(&pairs)?;
        terms += said.len() as u64;
        for ((image, _), term) in shown.iter().zip(said) {
            let open = waiting.get(*image);
            open.terms.push(term);
            if open.terms.len() == each {
                let open = waiting.close();
                let prior = prior(schedule.log_one_minus_alphas_cumprod[timesteps - 1], &open.example.pixels);
                let weighted = open.drawn.iter().map(|drawn| (drawn.t, drawn.weight)).zip(open.terms);
                report.add(BoundOf::new(*image, prior), weighted);
            }
        }
        tell(Likelihood { terms, of, bits: report.total().map(|total| total.mean) });
        if stop.load(Ordering::Relaxed) {
            break;
        }
    }
    Ok(report)
}

/// Images whose terms are not all there yet, in order.
#[derive(Default)]
struct Waiting {
    /// Number of the first.
    first: usize,
    images: std::collections::VecDeque<Open>,
}

struct Open {
    example: Example,
    drawn: Vec<Drawn>,
    terms: Vec<Term>,
}

impl Waiting {
    fn open(&mut self, dataset: &dyn Dataset, image: usize, drawn: Vec<Drawn>) -> Result<()> {
        let example = Example::read(dataset, image)?;
        self.images.push_back(Open { example, drawn, terms: vec![] });
        Ok(())
    }

    fn get(&mut self, image: usize) -> &mut Open {
        &mut self.images[image - self.first]
    }

    fn pair(&self, image: usize, place: usize) -> Pair<'_> {
        let open = &self.images[image - self.first];
        Pair { example: &open.example, number: image as u32, t: open.drawn[place].t }
    }

    fn close(&mut self) -> Open {
        self.first += 1;
        self.images.pop_front().expect("the first of the images is there")
    }
}

/// The timesteps of an image, falling: one of each `stride` in a row, and the first.
fn drawn(timesteps: usize, stride: usize, seed: u64, image: u32) -> Vec<Drawn> {
    let philox = Philox::new(seed);
    let mut drawn = vec![Drawn { t: 0, weight: 1.0 }];
    for first in (1..timesteps).step_by(stride) {
        let length = stride.min(timesteps - first) as u32;
        let [word, ..] = philox.words(Stream::STRATUM, image, first as u32, 0);
        drawn.push(Drawn { t: first as u32 + below(word, length), weight: f64::from(length) });
    }
    drawn.reverse();
    drawn
}

/// L_T, the Kullback-Leibler divergence of q(x_T | x_0) from a standard normal, in bits a dimension;
/// `log_noise` is log(1 - alpha_bar) at the last timestep.
pub(super) fn prior(log_noise: f64, pixels: &[u8]) -> f64 {
    let squares: f64 = pixels.iter().map(|&byte| (f64::from(byte) / 127.5 - 1.0).powi(2)).sum();
    let variance = log_noise.exp();
    let moved = (1.0 - variance) * squares / pixels.len() as f64;
    (variance - 1.0 - log_noise + moved) / 2.0 / std::f64::consts::LN_2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_timestep_is_stood_for() {
        for (timesteps, stride) in [(1000, 1), (1000, 7), (10, 9), (2, 1)] {
            let drawn = drawn(timesteps, stride, 3, 5);
            assert!(drawn.is_sorted_by(|a, b| a.t > b.t));
            assert_eq!(drawn.last(), Some(&Drawn { t: 0, weight: 1.0 }));
            let weight: f64 = drawn.iter().map(|drawn| drawn.weight).sum();
            assert_eq!(weight, timesteps as f64);
        }
    }

    /// The noise of the linear schedule of 1000 timesteps; values of the fact that images of second moment 1 cost
    /// 2.9e-5 bits, and of 1/4 7.28e-6.
    #[test]
    fn the_prior_costs_next_to_nothing() {
        let log_noise = (1.0 - 4.035829765375694e-5f64).ln();
        assert!((prior(log_noise, &[0, 255]) / 2.9116e-5 - 1.0).abs() < 1e-3);
    }
}
