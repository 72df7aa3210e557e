//! The global gradient norm, and what hangs on it: clipping, and steps that are left out.

use super::adam::Training;
use crate::common::compare::{Expected, assert_close};
use crate::common::random::Random;
use ddpm_ptx::optim::AdamConfig;

/// Additions on the way of one element to the norm's square: 64 in a thread, 5 in a warp and 8 in a block,
/// then a few sums of chunks by thread, and again 5 and 8.
const ADDITIONS: f64 = 100.0;

#[test]
fn norms() {
    let mut random = Random::new(12);
    for len in [4, 8, 1020, 1024, 1028, 16384, 16388, 40004] {
        let gradients = random.normals(len);
        let mut training = Training::new(vec![0.0; len], AdamConfig::default());
        training.step(&gradients);
        let square: f64 = gradients.iter().map(|&g| f64::from(g).powi(2)).sum();
        let got = training.optimizer.gradient_norms().read(0..1).unwrap();
        let want = Expected::rounded(square.sqrt(), ADDITIONS / 2.0 + 2.0);
        assert_close(&format!("norm of {len}"), &[1], &got, &[want]);
    }
}

#[test]
fn a_norm_of_zero_clips_nothing() {
    let mut training = Training::new(vec![1.0; 8], AdamConfig { warmup: 0, ..AdamConfig::default() });
    training.step(&[0.0; 8]);
    assert_eq!(training.optimizer.skipped().unwrap(), 0);
    assert_eq!(training.parameters(), [1.0; 8]);
}

/// A gradient that is not finite changes nothing but the counters, and the next step is as if it had not
/// been.
#[test]
fn a_gradient_that_is_not_finite_is_left_out() {
    let config = AdamConfig { warmup: 0, ..AdamConfig::default() };
    let mut random = Random::new(13);
    let (start, good) = (random.normals(1500), random.normals(1500));
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30] {
        let mut with = Training::new(start.clone(), config);
        let mut without = Training::new(start.clone(), config);
        let mut spoiled = good.clone();
        spoiled[1234] = bad;
        with.step(&spoiled);
        assert_eq!(with.parameters(), start);
        with.step(&good);
        without.step(&good);
        assert_eq!(with.parameters(), without.parameters());
        assert_eq!(with.ema(), without.ema());
        assert_eq!((with.optimizer.steps().unwrap(), with.optimizer.skipped().unwrap()), (2, 1));
        let norms = with.optimizer.gradient_norms().read(0..2).unwrap();
        assert!(!norms[0].is_finite() && norms[1].is_finite(), "{norms:?}");
    }
}
