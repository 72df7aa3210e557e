//! Whole samplers on a problem whose noise prediction is exact: pixels of N(0.3, 0.25), from
//! x_T = (-1.5, -0.25, 0.5, 2). The expected ends were computed by other code, checked against diffusers.

use crate::samplers::apply;
use ddpm_ptx::diffusion::{Ddim, Sampler, SchedulerConfig, Spacing, Variance};

const START: [f64; 4] = [-1.5, -0.25, 0.5, 2.0];

fn config(clip_sample: bool) -> SchedulerConfig {
    SchedulerConfig { clip_sample, ..SchedulerConfig::default() }
}

fn run(sampler: Sampler, config: &SchedulerConfig, count: usize, z: impl Fn(u32) -> f64) -> [f64; 4] {
    let schedule = config.schedule().unwrap();
    let trajectory = sampler.trajectory(config, count).unwrap();
    let mut x = START;
    for step in &trajectory.steps {
        let alpha_bar = schedule.alpha_bar(Some(step.t));
        for x in &mut x {
            let eps = (1.0 - alpha_bar).sqrt() * (*x - alpha_bar.sqrt() * 0.3) / (1.0 - 0.75 * alpha_bar);
            *x = apply(step, *x, eps, z(step.t));
        }
    }
    x
}

#[track_caller]
fn assert_ends(what: &str, got: [f64; 4], want: [f64; 4], tolerance: f64) {
    for (got, want) in got.iter().zip(want) {
        assert!((got - want).abs() <= tolerance, "{what}: {got} instead of {want}");
    }
}

fn ddim(eta: f64) -> Sampler {
    Sampler::Ddim(Ddim { eta, use_clipped_model_output: false })
}

/// Half of the last digit that the expected numbers have.
const NINE_DIGITS: f64 = 6e-10;
const SEVEN_DIGITS: f64 = 6e-8;

#[test]
fn ddim_in_10_and_50_steps() {
    let ten = [-0.263_037_843, 0.204_622_774, 0.485_219_144];
    let fifty = [-0.409_747_678, 0.180_801_214, 0.535_130_548];
    let with = |[a, b, c]: [f64; 3], last| [a, b, c, last];
    let silent = |_| 0.0;
    assert_ends("10 clip", run(ddim(0.0), &config(true), 10, silent), with(ten, 1.0), NINE_DIGITS);
    assert_ends("10", run(ddim(0.0), &config(false), 10, silent), with(ten, 1.046_411_885), NINE_DIGITS);
    assert_ends("50 clip", run(ddim(0.0), &config(true), 50, silent), with(fifty, 1.0), NINE_DIGITS);
    assert_ends("50", run(ddim(0.0), &config(false), 50, silent), with(fifty, 1.243_789_218), NINE_DIGITS);
}

/// diffusers in f32: hence 2e-6.
#[test]
fn ddim_with_trailing_timesteps() {
    let config = SchedulerConfig { timestep_spacing: Spacing::Trailing, ..config(false) };
    let want = [-0.2556374, 0.2068062, 0.4842724, 1.0392047];
    assert_ends("trailing", run(ddim(0.0), &config, 10, |_| 0.0), want, 2e-6);
}

#[test]
fn ddim_with_noise() {
    let want = [0.6721738, 0.6773121, 0.6803950, 0.6865609];
    assert_ends("eta 1", run(ddim(1.0), &config(false), 10, |_| 0.5), want, SEVEN_DIGITS);
}

#[test]
fn ancestral_in_1000_and_50_steps() {
    let cosine = |t: u32| f64::from(t).cos();
    for (variance, count, want) in [
        (Variance::FixedLarge, 1000, [0.2916638, 0.2936491, 0.2948403, 0.2972227]),
        (Variance::FixedSmall, 1000, [0.2924122, 0.2943975, 0.2955887, 0.2979711]),
        (Variance::FixedLarge, 50, [0.2324990, 0.2349002, 0.2363409, 0.2392224]),
        (Variance::FixedSmall, 50, [0.2557077, 0.2581090, 0.2595497, 0.2624312]),
    ] {
        let got = run(Sampler::Ancestral(variance), &config(true), count, cosine);
        assert_ends(&format!("{variance:?} {count}"), got, want, SEVEN_DIGITS);
    }
}
