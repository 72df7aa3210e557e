//! Solvers in f64 against diffusers in f64.

use crate::common::goldens::Goldens;
use crate::common::walk::Element;
use ddpm_ptx::diffusion::{
    Bh, DpmSolver, PredictionType, Sampler, SchedulerConfig, Spacing, Trajectory, UniPc,
};

/// What f64 loses where 1 - exp(-h) and its like are divided by h and h² again.
const ALLOWED: f64 = 1e-8;

fn config(spacing: &str) -> SchedulerConfig {
    let timestep_spacing = match spacing {
        "leading" => Spacing::Leading,
        "trailing" => Spacing::Trailing,
        _ => Spacing::Linspace,
    };
    SchedulerConfig {
        timestep_spacing,
        use_karras_sigmas: spacing == "karras",
        clip_sample: false,
        ..SchedulerConfig::default()
    }
}

/// Walks the way with a prediction that is exact for pixels of N(mu, s²), and gives the end.
fn walk(goldens: &Goldens, trajectory: &Trajectory, prediction: PredictionType) -> Vec<f64> {
    let (mu, s, noise) = (goldens.numbers("mu"), goldens.numbers("s"), goldens.numbers("noise"));
    let schedule = SchedulerConfig::default().schedule().unwrap();
    let mut elements: Vec<Element> = goldens.numbers("x_T").into_iter().map(Element::new).collect();
    let count = elements.len();
    for (i, step) in trajectory.steps.iter().enumerate() {
        let alpha_bar = schedule.alpha_bar(Some(step.t));
        for (at, element) in elements.iter_mut().enumerate() {
            let (mu, s) = (mu[at % mu.len()], s[at % s.len()]);
            let variance = alpha_bar * s * s + 1.0 - alpha_bar;
            let eps = (1.0 - alpha_bar).sqrt() * (element.x - alpha_bar.sqrt() * mu) / variance;
            let x0 = (element.x - (1.0 - alpha_bar).sqrt() * eps) / alpha_bar.sqrt();
            let output = match prediction {
                PredictionType::Epsilon => eps,
                PredictionType::Sample => x0,
                _ => alpha_bar.sqrt() * eps - (1.0 - alpha_bar).sqrt() * x0,
            };
            let z = noise.get(i * count + at).copied().unwrap_or(f64::NAN);
            element.take(step, output, if step.sigma == 0.0 { 0.0 } else { z });
        }
    }
    elements.iter().map(|element| element.x).collect()
}

#[track_caller]
fn check(goldens: &Goldens, name: &str, sampler: Sampler, config: &SchedulerConfig, steps: usize) {
    let trajectory = sampler.trajectory(config, steps).unwrap();
    let timesteps: Vec<f64> = trajectory.steps.iter().map(|step| f64::from(step.t)).collect();
    assert_eq!(timesteps, goldens.numbers(&format!("{name}.timesteps")), "{name}");
    let got = walk(goldens, &trajectory, config.prediction_type);
    for (got, want) in got.iter().zip(goldens.numbers(&format!("{name}.final"))) {
        assert!((got - want).abs() < ALLOWED, "{name}: {got} instead of {want}");
    }
}

#[test]
fn multistep_solvers() {
    let goldens = Goldens::open("sched/solvers");
    for spacing in ["linspace", "leading", "trailing", "karras"] {
        for steps in [3, 10, 20] {
            for order in [1, 2, 3] {
                for (name, sampler) in [
                    ("dpmsolver++", Sampler::DpmSolver(DpmSolver { order, stochastic: false })),
                    ("sde-dpmsolver++", Sampler::DpmSolver(DpmSolver { order, stochastic: true })),
                    ("unipc", Sampler::UniPc(UniPc { order, ..UniPc::default() })),
                ] {
                    let name = format!("{name}.{spacing}.{steps}.{order}");
                    check(&goldens, &name, sampler, &config(spacing), steps);
                }
            }
        }
    }
}

#[test]
fn heun() {
    let goldens = Goldens::open("sched/solvers");
    for spacing in ["leading", "trailing"] {
        for steps in [1, 3, 10] {
            let name = format!("heun.{spacing}.{steps}");
            check(&goldens, &name, Sampler::Heun, &config(spacing), steps);
        }
    }
}

/// What the network predicts makes no difference to a perfect one. Karras' noise levels are not those of the timesteps.
#[test]
fn any_prediction_leads_to_the_same() {
    let goldens = Goldens::open("sched/solvers");
    let solvers = [
        Sampler::DpmSolver(DpmSolver { order: 3, stochastic: true }),
        Sampler::UniPc(UniPc { order: 3, bh: Bh::Bh1 }),
        Sampler::Heun,
    ];
    for sampler in solvers {
        let end = |prediction_type| {
            let config = SchedulerConfig { prediction_type, ..config("trailing") };
            walk(&goldens, &sampler.trajectory(&config, 10).unwrap(), prediction_type)
        };
        let expected = end(PredictionType::Epsilon);
        for prediction in [PredictionType::Sample, PredictionType::VPrediction] {
            for (got, want) in end(prediction).iter().zip(&expected) {
                assert!((got - want).abs() < 1e-9, "{sampler:?}, {prediction:?}: {got} instead of {want}");
            }
        }
    }
}

/// The other B(h) is as good as that which diffusers' numbers are of: both meet the exact solution, from 20 steps on closely.
/// (diffusers itself gives NaN with bh1 where the way ends at clean images.)
#[test]
fn both_functions_of_h_meet_the_exact_end() {
    let goldens = Goldens::open("sched/solvers");
    let (mu, s, start) = (goldens.numbers("mu"), goldens.numbers("s"), goldens.numbers("x_T"));
    let schedule = SchedulerConfig::default().schedule().unwrap();
    let alpha_bar = schedule.alpha_bar(Some(999));
    for bh in [Bh::Bh1, Bh::Bh2] {
        let sampler = Sampler::UniPc(UniPc { order: 2, bh });
        let end =
            walk(&goldens, &sampler.trajectory(&config("karras"), 40).unwrap(), PredictionType::Epsilon);
        for (at, got) in end.iter().enumerate() {
            let (mu, s) = (mu[at % mu.len()], s[at % s.len()]);
            // The flow keeps how many standard deviations a pixel is from its mean.
            let deviations =
                (start[at] - alpha_bar.sqrt() * mu) / (alpha_bar * s * s + 1.0 - alpha_bar).sqrt();
            let want = mu + s * deviations;
            assert!((got - want).abs() < 2e-2, "{bh:?}: {got} instead of {want}");
        }
    }
}

#[test]
fn solvers_refuse_what_they_cannot_do() {
    let solver = |order| Sampler::DpmSolver(DpmSolver { order, stochastic: false });
    let refusal = |sampler: Sampler, config: &SchedulerConfig, steps| {
        sampler.trajectory(config, steps).unwrap_err().to_string()
    };
    assert!(refusal(solver(4), &config("linspace"), 10).contains("solver_order"));
    assert!(refusal(solver(2), &config("linspace"), 1000).contains("1000"), "t = 1 would be visited twice");
    let mean = SchedulerConfig { prediction_type: PredictionType::Mean, ..config("linspace") };
    assert!(refusal(solver(2), &mean, 10).contains("mean"));
    let no_signal = SchedulerConfig { rescale_betas_zero_snr: true, ..config("trailing") };
    assert!(refusal(solver(2), &no_signal, 10).contains("v_prediction"));
}
