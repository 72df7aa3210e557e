//! Sampler steps in f64 against diffusers and numpy.

use crate::common::goldens::Goldens;
use ddpm_ptx::diffusion::{Ddim, Sampler, SchedulerConfig, Step, Variance};

/// One element of one step, by the equations of [`Step`].
pub fn apply(step: &Step, x: f64, eps: f64, z: f64) -> f64 {
    let x0 = (step.from_x * x + step.from_output * eps).clamp(-step.limit, step.limit);
    step.on_x0 * x0 + step.on_x * x + step.on_output * eps + step.sigma * z
}

fn config(clip_sample: bool) -> SchedulerConfig {
    SchedulerConfig { clip_sample, ..SchedulerConfig::default() }
}

/// Single steps: to 1e-9 of numpy in f64. (diffusers' own results differ by up to 8e-5 at t = 1 and 2, where
/// it forms 1 - alpha_bar in f32.)
#[test]
fn ancestral_steps() {
    let goldens = Goldens::open("sched/ddpm_steps");
    let variances = [("fixed_small", Variance::FixedSmall), ("fixed_large", Variance::FixedLarge)];
    for (prefix, count, timesteps) in
        [("", 1000, [0u32, 1, 500, 999].as_slice()), ("respaced50.", 50, &[0, 20, 980])]
    {
        for (name, variance) in variances {
            let trajectory = Sampler::Ancestral(variance).trajectory(&config(true), count).unwrap();
            for &t in timesteps {
                let step = trajectory.steps.iter().find(|step| step.t == t).unwrap();
                let get = |key: &str| goldens.numbers(&format!("{prefix}t{t}.{key}"));
                let (x, eps, z) = (get("x_t"), get("eps"), get("z"));
                let (want, diffusers) = (get(&format!("{name}.prev_f64")), get(&format!("{name}.prev")));
                for i in 0..want.len() {
                    let got = apply(step, x[i], eps[i], z[i]);
                    let place = format!("{prefix}{name} t {t} element {i}");
                    assert!((got - want[i]).abs() < 1e-9, "{place}: {got} instead of {}", want[i]);
                    assert!((got - diffusers[i]).abs() < 3e-4, "{place}: diffusers has {}", diffusers[i]);
                }
            }
        }
    }
}

/// The noise prediction that is exact for pixels of N(mu, s²).
fn exact_eps(x: f64, alpha_bar: f64, mu: f64, s: f64) -> f64 {
    (1.0 - alpha_bar).sqrt() * (x - alpha_bar.sqrt() * mu) / (alpha_bar * s * s + 1.0 - alpha_bar)
}

/// Whole DDIM trajectories of 50 steps: the end to 1e-9 of numpy in f64, every point to 2e-5 of diffusers in
/// f32.
#[test]
fn ddim_trajectories() {
    let goldens = Goldens::open("sched/ddim_traj");
    let (mu, s, noise) = (goldens.numbers("mu"), goldens.numbers("s"), goldens.numbers("noise"));
    let start = goldens.numbers("x_T");
    let schedule = config(true).schedule().unwrap();
    for (name, eta, clip, reclip) in [
        ("eta0.clip0", 0.0, false, false),
        ("eta0.clip1", 0.0, true, false),
        ("eta0.clip1.reclip", 0.0, true, true),
        ("eta1.clip0", 1.0, false, false),
        ("eta1.clip1", 1.0, true, false),
        ("eta1.clip1.reclip", 1.0, true, true),
    ] {
        let sampler = Sampler::Ddim(Ddim { eta, use_clipped_model_output: reclip });
        let trajectory = sampler.trajectory(&config(clip), 50).unwrap();
        let timesteps: Vec<f64> = trajectory.steps.iter().map(|step| f64::from(step.t)).collect();
        assert_eq!(timesteps, goldens.numbers("timesteps"));

        let points = goldens.numbers(&format!("{name}.traj"));
        let mut x = start.clone();
        for (i, step) in trajectory.steps.iter().enumerate() {
            let alpha_bar = schedule.alpha_bar(Some(step.t));
            for (at, x) in x.iter_mut().enumerate() {
                let eps = exact_eps(*x, alpha_bar, mu[at % mu.len()], s[at % s.len()]);
                *x = apply(step, *x, eps, noise[i * start.len() + at]);
                let want = points[(i + 1) * start.len() + at];
                assert!((*x - want).abs() < 2e-5, "{name} step {i} element {at}: {x} instead of {want}");
            }
        }
        for (at, want) in goldens.numbers(&format!("{name}.final_f64")).into_iter().enumerate() {
            assert!((x[at] - want).abs() < 1e-9, "{name} element {at}: {} instead of {want}", x[at]);
        }
    }
}

/// Without clipping, deriving eps again changes nothing.
#[test]
fn deriving_eps_again_matters_only_with_clipping() {
    let steps = |use_clipped_model_output| {
        let sampler = Sampler::Ddim(Ddim { eta: 0.5, use_clipped_model_output });
        sampler.trajectory(&config(false), 20).unwrap().steps
    };
    for (kept, derived) in steps(false).iter().zip(&steps(true)) {
        let (a, b) = (apply(kept, 0.7, -1.1, 0.3), apply(derived, 0.7, -1.1, 0.3));
        assert!((a - b).abs() < 1e-11, "t {}: {a} and {b}", kept.t);
    }
}

/// The last step of a sampler ends at clean images: no noise, and with the paper's sampler x0 itself.
#[test]
fn the_last_step_is_the_clipped_prediction() {
    for variance in [Variance::FixedSmall, Variance::FixedLarge] {
        let trajectory = Sampler::Ancestral(variance).trajectory(&config(true), 1000).unwrap();
        let last = trajectory.steps.last().unwrap();
        assert_eq!((last.t, last.sigma, last.on_x, last.on_output), (0, 0.0, 0.0, 0.0));
        assert!((last.on_x0 - 1.0).abs() < 1e-12);
        assert_eq!(apply(last, 3.0, -5.0, 1.0), last.on_x0);
    }
}

/// set_alpha_to_one = false ends at alpha_bar_0.
#[test]
fn ddim_may_end_at_the_first_timestep() {
    let config = SchedulerConfig { set_alpha_to_one: false, ..config(true) };
    let trajectory = Sampler::Ddim(Ddim::default()).trajectory(&config, 10).unwrap();
    let last = trajectory.steps.last().unwrap();
    assert!((last.on_x0 - 0.9999f64.sqrt()).abs() < 1e-12 && (last.on_output - 0.01).abs() < 1e-12);
}
