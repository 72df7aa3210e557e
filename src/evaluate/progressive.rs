//! Progressive lossy coding (Algorithms 3 and 4), counted but not coded: what each step would cost, and what the
//! receiver has by then.
//!
//! The sender draws x_T ~ q(x_T | x_0), then x_{t-1} ~ q(x_{t-1} | x_t, x_0) step by step, and sends each by a code
//! for p(x_T) or p_θ(x_{t-1} | x_t), which the receiver has too. A code that sends a sample of q by one for p at about
//! KL(q || p) bits exists in theory (minimal random coding); its cost grows exponentially with the bits, and the paper
//! gives no practical one. So the rates here are the Kullback-Leibler divergences along one draw of the chain.

use super::likelihood::prior;
use super::report::rmse;
use super::terms::{Example, Pair, TermPass};
use crate::diffusion::Schedule;
use crate::random::{Philox, Stream};
use anyhow::Result;
use std::sync::atomic::{AtomicBool, Ordering};

/// An image on its way to the receiver.
#[derive(Debug, Clone, PartialEq)]
pub struct Coded {
    /// Number of the image.
    pub image: u32,
    /// In the order in which they are sent: t falls from T - 1 to 0.
    pub steps: Vec<Sent>,
    /// The receiver's estimates at the rates that were asked for, and of all of x_T, …, x_1 at last.
    pub estimates: Vec<Estimate>,
}

/// The receiver has x_t (the paper's x_{t+1}), and gets the next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sent {
    pub t: u32,
    /// Bits a dimension so far.
    pub rate: f64,
    /// Mean squared error of the x_0 that the receiver estimates.
    pub error: f64,
    /// Bits a dimension of the next.
    pub bits: f64,
}

/// The receiver's x_0 at a rate.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// Bits a dimension so far.
    pub rate: f64,
    /// Root mean squared error on the scale of bytes.
    pub rmse: f64,
    /// Bytes `[height, width, channels]`.
    pub pixels: Vec<u8>,
}

/// Sends `images`, at most a batch, numbered from 0. For each of `rates`, in bits a dimension, the last estimate that
/// costs no more is kept; of rates below the first, the first. `tell` hears of every step; `None` if `stop` was set.
///
/// # Errors
/// If the device fails.
pub fn progressive(
    pass: &TermPass,
    schedule: &Schedule,
    images: &[Example],
    rates: &[f64],
    seed: u64,
    stop: &AtomicBool,
    tell: &mut dyn FnMut(u64),
) -> Result<Option<Vec<Coded>>> {
    let timesteps = schedule.timesteps();
    let log_noise = schedule.log_one_minus_alphas_cumprod[timesteps - 1];
    let mut chains: Vec<Chain> = (0..)
        .zip(images)
        .map(|(number, image)| Chain::begin(schedule, number, &image.pixels, seed))
        .collect();
    let mut coded: Vec<Coded> =
        (0..chains.len()).map(|n| Coded { image: n as u32, steps: vec![], estimates: vec![] }).collect();
    let mut spent: Vec<f64> = images.iter().map(|image| prior(log_noise, &image.pixels)).collect();
    for t in (0..timesteps as u32).rev() {
        let pairs: Vec<Pair> =
            (0..).zip(images).map(|(number, example)| Pair { example, number, t }).collect();
        let x_t: Vec<f32> = chains.iter().flat_map(|chain| &chain.x).map(|&x| x as f32).collect();
        let terms = pass.terms_of(&pairs, &x_t)?;
        let estimates = pass.estimates(&pairs, &x_t)?;
        for (n, term) in terms.iter().enumerate() {
            let estimate = &estimates[n * pass.elements()..][..pass.elements()];
            let now = Estimate { rate: spent[n], rmse: rmse(term.error), pixels: bytes(estimate) };
            coded[n].keep(rates, now);
            coded[n].steps.push(Sent { t, rate: spent[n], error: term.error, bits: term.bits });
            spent[n] += term.bits;
            chains[n].step(schedule, t as usize);
        }
        tell((timesteps - t as usize) as u64);
        if stop.load(Ordering::Relaxed) && t > 0 {
            return Ok(None);
        }
    }
    Ok(Some(coded))
}

impl Coded {
    /// Keeps an estimate where it is the best so far that a rate affords; the last place affords all.
    fn keep(&mut self, rates: &[f64], now: Estimate) {
        let first = self.estimates.is_empty();
        if first {
            self.estimates = vec![now.clone(); rates.len() + 1];
        }
        let unbounded = rates.iter().copied().chain([f64::INFINITY]);
        for (kept, rate) in self.estimates.iter_mut().zip(unbounded) {
            if now.rate <= rate {
                *kept = now.clone();
            }
        }
    }

    /// Bits a dimension of the lossless image: all steps, and x_0 by the discretised decoder.
    pub fn total(&self) -> f64 {
        self.steps.last().map_or(0.0, |last| last.rate + last.bits)
    }
}

/// The sender's x_t, in f64.
struct Chain {
    philox: Philox,
    number: u32,
    clean: Vec<f64>,
    x: Vec<f64>,
}

impl Chain {
    /// x_T ~ q(x_T | x_0).
    fn begin(schedule: &Schedule, number: u32, pixels: &[u8], seed: u64) -> Chain {
        let clean: Vec<f64> = pixels.iter().map(|&byte| f64::from(byte) / 127.5 - 1.0).collect();
        let mut chain = Chain { philox: Philox::new(seed), number, x: clean.clone(), clean };
        let last = schedule.timesteps() - 1;
        let (signal, noise) =
            (schedule.sqrt_alphas_cumprod[last], schedule.sqrt_one_minus_alphas_cumprod[last]);
        chain.draw(schedule.timesteps(), 0.0, signal, noise);
        chain
    }

    /// x_{t-1} ~ q(x_{t-1} | x_t, x_0); after the first timestep there is nothing to draw.
    fn step(&mut self, schedule: &Schedule, t: usize) {
        if t > 0 {
            let deviation = schedule.posterior_variance[t].sqrt();
            let (on_x0, on_x) = (schedule.posterior_mean_coef1[t], schedule.posterior_mean_coef2[t]);
            self.draw(t, on_x, on_x0, deviation);
        }
    }

    fn draw(&mut self, step: usize, on_x: f64, on_x0: f64, deviation: f64) {
        let normals = self.philox.normals(Stream::CODE, self.number, step as u32);
        for ((x, clean), z) in self.x.iter_mut().zip(&self.clean).zip(normals) {
            *x = on_x * *x + on_x0 * clean + deviation * f64::from(z);
        }
    }
}

/// Rounded to bytes as samples are.
fn bytes(x: &[f32]) -> Vec<u8> {
    x.iter().map(|x| ((x + 1.0) * 127.5).round_ties_even().clamp(0.0, 255.0) as u8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diffusion::SchedulerConfig;

    /// The chain keeps the marginals: x_t has mean sqrt(alpha_bar) x_0 and variance 1 - alpha_bar, at every t.
    #[test]
    fn the_chain_is_the_forward_process() {
        let config = SchedulerConfig { num_train_timesteps: 40, beta_end: 0.3, ..SchedulerConfig::default() };
        let schedule = config.schedule().unwrap();
        let count = 20_000;
        let mut chain = Chain::begin(&schedule, 3, &vec![204; count], 9);
        for t in (0..40).rev() {
            let alpha_bar = schedule.alphas_cumprod[t];
            let mean = chain.x.iter().sum::<f64>() / count as f64;
            let variance = chain.x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count as f64;
            // Five standard errors.
            let deviation = (1.0 - alpha_bar).sqrt();
            assert!((mean - alpha_bar.sqrt() * 0.6).abs() < 5.0 * deviation / 141.0, "mean {mean} at {t}");
            assert!((variance / (1.0 - alpha_bar) - 1.0).abs() < 5.0 / 100.0, "variance {variance} at {t}");
            chain.step(&schedule, t);
        }
    }

    #[test]
    fn estimates_are_the_last_that_a_rate_affords() {
        let mut coded = Coded { image: 0, steps: vec![], estimates: vec![] };
        for rate in [0.1, 0.2, 0.4, 0.9] {
            coded.keep(&[0.05, 0.3], Estimate { rate, rmse: 0.0, pixels: vec![] });
        }
        let rates: Vec<f64> = coded.estimates.iter().map(|estimate| estimate.rate).collect();
        assert_eq!(rates, [0.1, 0.2, 0.9]);
    }
}
