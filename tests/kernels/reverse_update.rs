//! Reverse steps: single ones against f64, whole trajectories against those of numpy.

use crate::common::compare::{Expected, ROUNDING, assert_close, assert_same_bits};
use crate::common::device::device;
use crate::common::goldens::Goldens;
use crate::common::philox::normals;
use crate::common::random::Random;
use crate::common::recording::Recording;
use ddpm_ptx::device::DType;
use ddpm_ptx::diffusion::{
    Correction, Ddim, DpmSolver, Reverse, Sampler, SchedulerConfig, Spacing, Step, Trajectory, UniPc,
    Variance,
};
use ddpm_ptx::random::Stream;

const SEED: u64 = 0xfeed_5eed_0123_4567;

/// One batch on its way through a trajectory.
struct Walk {
    shape: [usize; 4],
    trajectory: Trajectory,
    samples: Vec<u32>,
    x: Vec<f32>,
}

impl Walk {
    /// Where `x` is after each run of the program of one step, given the noise prediction for (x, t).
    /// `begun`: from the sampler's own latents instead of `x`.
    fn run(
        &self,
        begun: bool,
        runs: usize,
        mut predict: impl FnMut(&[f32], u32) -> Vec<f32>,
    ) -> Vec<Vec<f32>> {
        let device = device();
        let reverse = Reverse::new(&device, &self.trajectory, SEED).unwrap();
        let len = self.x.len();
        let x_buffer = std::sync::Arc::new(device.upload(&self.x).unwrap());
        let eps_buffer = std::sync::Arc::new(device.alloc_zeroed::<f32>(len).unwrap());

        if begun {
            let mut recording = Recording::inference();
            let samples = recording.input(&[self.samples.len()], &self.samples);
            let x = recording.tape.resident(&x_buffer, 0, &self.shape, DType::F32);
            reverse.begin(&mut recording.tape, &x, &samples);
            recording.program(&[]).run().unwrap();
        }

        let mut recording = Recording::inference();
        let samples = recording.input(&[self.samples.len()], &self.samples);
        let x = recording.tape.resident(&x_buffer, 0, &self.shape, DType::F32);
        let eps = recording.tape.resident(&eps_buffer, 0, &self.shape, DType::F32);
        let t = reverse.timestep(&mut recording.tape, self.shape[0]);
        let memory = reverse.memory(&device, &self.shape).unwrap();
        reverse.update(&mut recording.tape, &x, &eps, &samples, memory.as_ref());
        let program = recording.program(&[&t]);

        let mut points = vec![x_buffer.to_vec::<f32>().unwrap()];
        for run in 0..runs {
            let planned = self.trajectory.steps[run.min(self.trajectory.steps.len() - 1)].t;
            eps_buffer.write(0, &predict(points.last().unwrap(), planned)).unwrap();
            program.run().unwrap();
            assert_eq!(
                program.read::<u32>(&t).unwrap(),
                vec![planned; self.shape[0]],
                "timestep of run {run}"
            );
            points.push(x_buffer.to_vec::<f32>().unwrap());
        }
        points
    }
}

/// What is kept of one element.
#[derive(Clone, Copy)]
struct Kept {
    anchor: Expected,
    /// The last first.
    past: [Expected; 3],
}

impl Kept {
    const NOTHING: Kept = Kept { anchor: Expected { value: 0.0, allowed: 0.0 }, past: [NOTHING; 3] };
}

const NOTHING: Expected = Expected { value: 0.0, allowed: 0.0 };

/// A sum of weighted numbers: each weight is rounded to f32, each product once, each partial sum once.
fn weighted(terms: &[(f64, Expected)]) -> Expected {
    let magnitude: f64 = terms.iter().map(|(weight, term)| (weight * term.value).abs()).sum();
    let inherited: f64 = terms.iter().map(|(weight, term)| weight.abs() * term.allowed).sum();
    Expected {
        value: terms.iter().map(|(weight, term)| weight * term.value).sum(),
        allowed: inherited + (terms.len() + 2) as f64 * ROUNDING * magnitude,
    }
}

fn exact(value: f32) -> Expected {
    Expected::exact(f64::from(value))
}

/// One element of one step in f64, with the error of f32.
fn expected(step: &Step, x: f32, output: Expected, z: Expected, kept: &mut Kept) -> Expected {
    let x = Expected::exact(f64::from(x));
    let clean = weighted(&[(step.from_x, x), (step.from_output, output)]);
    let clean = Expected { value: clean.value.clamp(-step.limit, step.limit), ..clean };
    let with_past = |mut terms: Vec<(f64, Expected)>, weights: &[f64]| {
        terms.extend(weights.iter().copied().zip(kept.past));
        weighted(&terms)
    };
    let corrected = match &step.correction {
        None => x,
        Some(by) => {
            let terms = vec![(by.on_x, x), (by.on_anchor, kept.anchor), (by.on_x0, clean)];
            with_past(terms, &by.on_past)
        }
    };
    let terms = vec![(step.on_x0, clean), (step.on_x, corrected), (step.on_output, output), (step.sigma, z)];
    let result = with_past(terms, &step.on_past);
    if step.remember {
        *kept = Kept { anchor: corrected, past: [clean, kept.past[0], kept.past[1]] };
    }
    result
}

/// A step that uses everything, but what the `before` steps in front of it cannot have kept.
fn random_step(random: &mut Random, t: u32, before: usize) -> Step {
    let mut coefficient = || 2.0 * random.uniform() - 1.0;
    let mut past = |back: usize| if back <= before { coefficient() } else { 0.0 };
    let on_past = [past(1), past(2)];
    let corrected_past = [past(1), past(2), past(3)];
    let on_anchor = past(1);
    let correction =
        Correction { on_x: coefficient(), on_anchor, on_x0: coefficient(), on_past: corrected_past };
    Step {
        t,
        from_x: 3.0 * coefficient(),
        from_output: 3.0 * coefficient(),
        limit: 1.0,
        correction: Some(correction),
        on_x0: coefficient(),
        on_x: coefficient(),
        on_output: coefficient(),
        on_past,
        sigma: coefficient().abs(),
        log_variance: [0.0; 2],
        remember: true,
    }
}

/// Every coefficient, more steps than there are slots for what is kept, and steps that lack one thing or another.
#[test]
fn steps_of_a_table() {
    let mut random = Random::new(10);
    for shape in [[1, 1, 1, 1], [3, 5, 7, 3], [2, 8, 8, 3], [4, 1, 13, 1]] {
        let timesteps = [900, 700, 500, 20, 7, 3, 0];
        let mut steps: Vec<Step> =
            timesteps.iter().enumerate().map(|(i, &t)| random_step(&mut random, t, i)).collect();
        steps[1].sigma = 0.0;
        steps[2].limit = f64::INFINITY;
        steps[4].correction = None;
        steps[5].on_past = [0.0; 2];
        steps[6].remember = false;
        let len: usize = shape.iter().product();
        let elements = len / shape[0];
        let samples: Vec<u32> = (0..shape[0]).map(|_| random.bits() as u32).collect();
        let walk = Walk {
            shape,
            trajectory: Trajectory { steps: steps.clone() },
            samples: samples.clone(),
            x: random.normals(len),
        };
        let mut predictions = vec![];
        let points = walk.run(false, steps.len(), |_, _| {
            predictions.push(random.normals(len));
            predictions.last().unwrap().clone()
        });
        let mut kept = vec![Kept::NOTHING; len];
        for (i, step) in steps.iter().enumerate() {
            let z =
                samples.iter().flat_map(|&sample| normals(SEED, Stream::REVERSE.0, sample, step.t, elements));
            let want: Vec<Expected> = kept
                .iter_mut()
                .zip(z)
                .enumerate()
                .map(|(at, (kept, z))| expected(step, points[i][at], exact(predictions[i][at]), z, kept))
                .collect();
            assert_close(&format!("step {i}"), &shape, &points[i + 1], &want);
        }
    }
}

#[test]
fn nothing_happens_past_the_last_step() {
    let mut random = Random::new(11);
    let trajectory = Trajectory { steps: vec![random_step(&mut random, 7, 0)] };
    let walk = Walk { shape: [1, 2, 3, 1], trajectory, samples: vec![5], x: random.normals(6) };
    let points = walk.run(false, 3, |x, _| x.to_vec());
    assert_ne!(points[0], points[1]);
    assert_eq!(points[1], points[3]);
}

/// Clipping would hide what is not a number.
#[test]
fn a_prediction_that_is_not_a_number_is_seen() {
    let config = SchedulerConfig::default();
    let trajectory = Sampler::Ancestral(Variance::FixedLarge).trajectory(&config, 1000).unwrap();
    let walk = Walk { shape: [1, 1, 4, 1], trajectory, samples: vec![0], x: vec![0.5; 4] };
    let points = walk.run(false, 1, |_, _| vec![0.1, f32::NAN, 0.1, f32::INFINITY]);
    let finite: Vec<bool> = points[1].iter().map(|x| x.is_finite()).collect();
    assert_eq!(finite, [true, false, true, false]);
}

/// A sample has the same bits in any batch, from its latent to its end.
#[test]
fn a_sample_hangs_on_its_number_alone() {
    let trajectory =
        Sampler::Ancestral(Variance::FixedLarge).trajectory(&SchedulerConfig::default(), 10).unwrap();
    let walk = |samples: &[u32]| {
        let shape = [samples.len(), 5, 3, 3];
        let x = vec![f32::NAN; samples.len() * 45];
        let walk = Walk { shape, trajectory: trajectory.clone(), samples: samples.to_vec(), x };
        walk.run(true, 10, |x, _| x.iter().map(|x| x / 2.0).collect()).pop().unwrap()
    };
    let together = walk(&[3, 17, 4]);
    assert_same_bits("sample 17", &[5, 3, 3], &together[45..90], &walk(&[17]));
}

/// Golden single steps of ancestral sampling, with the kernel's noise in place of the golden's.
#[test]
fn golden_ancestral_steps() {
    let goldens = Goldens::open("sched/ddpm_steps");
    for (prefix, count, timesteps) in
        [("", 1000, [0u32, 1, 500, 999].as_slice()), ("respaced50.", 50, &[0, 20, 980])]
    {
        for (name, variance) in [("fixed_small", Variance::FixedSmall), ("fixed_large", Variance::FixedLarge)]
        {
            let trajectory =
                Sampler::Ancestral(variance).trajectory(&SchedulerConfig::default(), count).unwrap();
            for &t in timesteps {
                let get = |key: &str| goldens.numbers(&format!("{prefix}t{t}.{key}"));
                let narrow = |key: &str| -> Vec<f32> { get(key).iter().map(|&x| x as f32).collect() };
                let (x, eps, golden_z) = (narrow("x_t"), narrow("eps"), get("z"));
                let step = *trajectory.steps.iter().find(|step| step.t == t).unwrap();
                let walk = Walk {
                    shape: [2, 3, 4, 4],
                    trajectory: Trajectory { steps: vec![step] },
                    samples: vec![0, 1],
                    x: x.clone(),
                };
                let got = walk.run(false, 1, |_, _| eps.clone()).pop().unwrap();
                let z = [0, 1].map(|sample| normals(SEED, Stream::REVERSE.0, sample, t, 48)).concat();
                let golden = get(&format!("{name}.prev_f64"));
                let want: Vec<Expected> = (0..96)
                    .map(|at| Expected {
                        value: golden[at] + step.sigma * (z[at].value - golden_z[at]),
                        allowed: expected(&step, x[at], exact(eps[at]), z[at], &mut Kept::NOTHING.clone())
                            .allowed
                            + 1e-9,
                    })
                    .collect();
                assert_close(&format!("{prefix}{name} t {t}"), &walk.shape, &got, &want);
            }
        }
    }
}

/// Golden trajectories of 50 deterministic DDIM steps, where the noise prediction is exact for pixels of
/// N(mu, s²). Errors of f32 do not grow: the exact prediction pulls a trajectory back. The largest is made at
/// the first steps, where x0 is predicted with coefficients of 130: 3 roundings of 130 |x|, times the weight
/// of x0, under 0.01.
#[test]
fn golden_ddim_trajectories() {
    let goldens = Goldens::open("sched/ddim_traj");
    let (mu, s) = (goldens.numbers("mu"), goldens.numbers("s"));
    let start: Vec<f32> = goldens.numbers("x_T").iter().map(|&x| x as f32).collect();
    for (name, clip_sample, use_clipped_model_output) in
        [("eta0.clip0", false, false), ("eta0.clip1", true, false), ("eta0.clip1.reclip", true, true)]
    {
        let config = SchedulerConfig { clip_sample, ..SchedulerConfig::default() };
        let schedule = config.schedule().unwrap();
        let sampler = Sampler::Ddim(Ddim { eta: 0.0, use_clipped_model_output });
        let trajectory = sampler.trajectory(&config, 50).unwrap();
        let walk = Walk { shape: [2, 3, 4, 4], trajectory, samples: vec![0, 1], x: start.clone() };
        let points = walk.run(false, 50, |x, t| {
            let ab = schedule.alpha_bar(Some(t));
            let exact = |(at, &x): (usize, &f32)| {
                let (mu, s) = (mu[at % mu.len()], s[at % s.len()]);
                ((1.0 - ab).sqrt() * (f64::from(x) - ab.sqrt() * mu) / (ab * s * s + 1.0 - ab)) as f32
            };
            x.iter().enumerate().map(exact).collect()
        });
        let last = goldens.numbers(&format!("{name}.final_f64"));
        let want: Vec<Expected> = last.iter().map(|&value| Expected { value, allowed: 5e-6 }).collect();
        assert_close(name, &walk.shape, &points[50], &want);
    }
}

/// A step with an output of `passes` batches of `[H,W,outputs]`; gives where x is then.
fn step_by(
    step: Step,
    shape: [usize; 4],
    x: &[f32],
    samples: &[u32],
    output: &[f32],
    guidance: Option<f32>,
) -> Vec<f32> {
    let [batch, height, width, _] = shape;
    let passes = if guidance.is_some() { 2 } else { 1 };
    let outputs = output.len() / (passes * batch * height * width);
    let device = device();
    let reverse = Reverse::new(&device, &Trajectory { steps: vec![step] }, SEED).unwrap();
    let reverse = match guidance {
        Some(weight) => reverse.guided(weight),
        None => reverse,
    };
    let memory = reverse.memory(&device, &shape).unwrap();
    let x_buffer = std::sync::Arc::new(device.upload(x).unwrap());
    let mut recording = Recording::inference();
    let numbers = recording.input(&[batch], samples);
    let y = recording.input(&[passes * batch, height, width, outputs], output);
    let on_tape = recording.tape.resident(&x_buffer, 0, &shape, DType::F32);
    reverse.update(&mut recording.tape, &on_tape, &y, &numbers, memory.as_ref());
    recording.program(&[]).run().unwrap();
    x_buffer.to_vec().unwrap()
}

/// A network that gives the variance, too: `[.., 2C]`, a pixel's prediction and then its v. With guidance the variance is that
/// with the class.
#[test]
fn learned_variances() {
    let mut random = Random::new(12);
    for ([batch, height, width, channels], guidance) in
        [([1, 1, 1, 1], None), ([3, 5, 7, 3], None), ([2, 4, 4, 2], None), ([3, 5, 7, 3], Some(1.5))]
    {
        let (shape, outputs) = ([batch, height, width, channels], 2 * channels);
        let step = Step { log_variance: [1.5, -2.0], ..random_step(&mut random, 600, 0) };
        let len = batch * height * width * channels;
        let passes = if guidance.is_some() { 2 } else { 1 };
        let (x, output) = (random.normals(len), random.normals(passes * 2 * len));
        let samples: Vec<u32> = (0..batch as u32).map(|n| 40 + n).collect();
        let got = step_by(step, shape, &x, &samples, &output, guidance);

        let z: Vec<Expected> = samples
            .iter()
            .flat_map(|&sample| normals(SEED, Stream::REVERSE.0, sample, step.t, len / batch))
            .collect();
        let want: Vec<Expected> = (0..len)
            .map(|at| {
                let first = at / channels * outputs + at % channels;
                let v = f64::from(output[first + channels]);
                let log = step.log_variance[0] * v + step.log_variance[1];
                // ex2.approx is good to 2^-22, and the exponent's error of four roundings is one of the power.
                let deviation = (log / 2.0).exp();
                let off = deviation * (4.0 + 4.0 * log.abs() * 2.0) * ROUNDING;
                let noise = Expected {
                    value: z[at].value * deviation,
                    allowed: z[at].allowed * deviation + z[at].value.abs() * off,
                };
                let said = match guidance {
                    Some(weight) => guided(output[first], output[2 * len + first], weight),
                    None => exact(output[first]),
                };
                expected(&step, x[at], said, noise, &mut Kept::NOTHING.clone())
            })
            .collect();
        assert_close("learned", &shape, &got, &want);
    }
}

/// (1 + w) y_with - w y_without: their difference is rounded once, the fused product and sum once.
fn guided(with: f32, without: f32, weight: f32) -> Expected {
    let [with, without, weight] = [with, without, weight].map(f64::from);
    let moved = weight * (with - without);
    Expected {
        value: (1.0 + weight) * with - weight * without,
        allowed: ROUNDING * (moved.abs() + (with + moved).abs()),
    }
}

#[test]
fn outputs_with_and_without_classes() {
    let mut random = Random::new(13);
    for (shape, weight) in
        [([1, 1, 1, 1], 0.0), ([3, 5, 7, 3], 1.5), ([2, 8, 8, 3], 4.0), ([4, 1, 13, 1], -1.0)]
    {
        let step = random_step(&mut random, 300, 0);
        let len: usize = shape.iter().product();
        let (x, output) = (random.normals(len), random.normals(2 * len));
        let samples: Vec<u32> = (0..shape[0] as u32).map(|n| 7 * n).collect();
        let got = step_by(step, shape, &x, &samples, &output, Some(weight));
        let z = samples
            .iter()
            .flat_map(|&sample| normals(SEED, Stream::REVERSE.0, sample, step.t, len / shape[0]));
        let want: Vec<Expected> = z
            .enumerate()
            .map(|(at, z)| {
                let said = guided(output[at], output[len + at], weight);
                expected(&step, x[at], said, z, &mut Kept::NOTHING.clone())
            })
            .collect();
        assert_close(&format!("guidance of {weight}"), &shape, &got, &want);
    }
}

/// The ends of diffusers' solvers. As with DDIM, errors of f32 do not grow; weights of predictions are up to 5 in steps of order 3,
/// and their sum is below 1.
#[test]
fn golden_ends_of_solvers() {
    let goldens = Goldens::open("sched/solvers");
    let (mu, s) = (goldens.numbers("mu"), goldens.numbers("s"));
    let start: Vec<f32> = goldens.numbers("x_T").iter().map(|&x| x as f32).collect();
    let config = SchedulerConfig {
        clip_sample: false,
        timestep_spacing: Spacing::Trailing,
        ..SchedulerConfig::default()
    };
    let schedule = config.schedule().unwrap();
    for (name, sampler) in [
        ("dpmsolver++.trailing.10.2", Sampler::DpmSolver(DpmSolver { order: 2, stochastic: false })),
        ("dpmsolver++.trailing.10.3", Sampler::DpmSolver(DpmSolver { order: 3, stochastic: false })),
        ("unipc.trailing.10.2", Sampler::UniPc(UniPc::default())),
        ("unipc.trailing.10.3", Sampler::UniPc(UniPc { order: 3, ..UniPc::default() })),
        ("heun.trailing.10", Sampler::Heun),
    ] {
        let trajectory = sampler.trajectory(&config, 10).unwrap();
        let runs = trajectory.steps.len();
        let walk = Walk { shape: [2, 3, 2, 2], trajectory, samples: vec![0, 1], x: start.clone() };
        let points = walk.run(false, runs, |x, t| {
            let ab = schedule.alpha_bar(Some(t));
            let exact = |(at, &x): (usize, &f32)| {
                let (mu, s) = (mu[at % mu.len()], s[at % s.len()]);
                ((1.0 - ab).sqrt() * (f64::from(x) - ab.sqrt() * mu) / (ab * s * s + 1.0 - ab)) as f32
            };
            x.iter().enumerate().map(exact).collect()
        });
        let last = goldens.numbers(&format!("{name}.final"));
        let want: Vec<Expected> = last.iter().map(|&value| Expected { value, allowed: 2e-5 }).collect();
        assert_close(name, &walk.shape, &points[runs], &want);
    }
}
