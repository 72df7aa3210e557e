//! Objectives of all parameterisations, variances and losses: their value against f64, their gradient against
//! differences of it.

use crate::common::compare::{Expected, ROUNDING, assert_close, assert_same_bits};
use crate::common::device::device;
use crate::common::likelihood::Process;
use crate::common::philox::{normals, words};
use crate::common::random::Random;
use crate::common::recording::Recording;
use ddpm_ptx::device::DType;
use ddpm_ptx::diffusion::{PredictionType, Schedule, Variance, objective_rows};
use ddpm_ptx::history::History;
use ddpm_ptx::ops::objective::{Factors, objective};
use ddpm_ptx::ops::q_sample::{NoiseSource, q_sample};
use ddpm_ptx::random::Stream;

const PREDICTIONS: [PredictionType; 4] =
    [PredictionType::Epsilon, PredictionType::Sample, PredictionType::VPrediction, PredictionType::Mean];

const VARIANCES: [Variance; 4] =
    [Variance::FixedSmall, Variance::FixedLarge, Variance::Learned, Variance::LearnedRange];

const SIMPLE: Factors = Factors { on_error: 1.0, on_bound: 0.0, on_mean: 0.0 };
const VLB: Factors = Factors { on_error: 0.0, on_bound: 1.4, on_mean: 1.4 };
const HYBRID: Factors = Factors { on_error: 1.0, on_bound: 0.7, on_mean: 0.0 };

struct Case {
    /// B, H, W, C
    shape: [usize; 4],
    schedule: Schedule,
    prediction: PredictionType,
    variance: Variance,
    factors: Factors,
    seed: u64,
    step: u64,
    images: Vec<u8>,
    weights: Option<Vec<f32>>,
    /// `[B,H,W,C]` or `[B,H,W,2C]`
    output: Vec<f32>,
}

struct Got {
    gradient: Vec<f32>,
    per_image: Vec<f32>,
    loss: f32,
}

impl Case {
    fn random(
        random: &mut Random,
        shape: [usize; 4],
        prediction: PredictionType,
        variance: Variance,
        factors: Factors,
    ) -> Case {
        let timesteps = random.between(2, 4);
        let betas = (0..timesteps).map(|t| 1e-4 + 0.02 * t as f64).collect();
        let len = shape.iter().product::<usize>();
        let channels = shape[3];
        // Predictions that miss by a little, and in places by a lot; variances about those of the schedule.
        let mut output = vec![];
        for _ in 0..len / channels {
            let size = random.pick(&[0.5, 1.0, 1.0, 8.0]);
            output.extend((0..channels).map(|_| (size * random.normal()) as f32));
            if variance.is_learned() {
                let (middle, spread) = if variance == Variance::Learned { (-7.0, 2.0) } else { (0.0, 1.5) };
                output
                    .extend((0..channels).map(|_| (middle + spread * (2.0 * random.uniform() - 1.0)) as f32));
            }
        }
        let edges = [0, 0, 255, 255, 128];
        Case {
            shape,
            schedule: Schedule::new(betas),
            prediction,
            variance,
            factors,
            seed: random.bits(),
            step: random.bits() >> 1,
            images: (0..len)
                .map(|i| if i % 3 == 0 { random.pick(&edges) } else { random.bits() as u8 })
                .collect(),
            weights: (random.bits().is_multiple_of(2)).then(|| random.uniforms(shape[0], 0.2, 3.0)),
            output,
        }
    }

    fn run(&self, gradient: DType) -> Got {
        let mut recording = Recording::inference();
        let [batch, height, width, channels] = self.shape;
        let timesteps = self.schedule.timesteps();
        let images = recording.input(&self.shape, &self.images);
        let noise = recording.input(&[timesteps, 2], &self.schedule.noise_table());
        let rows: Vec<f32> = objective_rows(&self.schedule, self.prediction, self.variance)
            .iter()
            .flat_map(|row| row.row())
            .collect();
        let table = recording.input(&[timesteps, 8], &rows);
        let step = recording.input(&[1], &[self.step]);
        let outputs = if self.variance.is_learned() { 2 * channels } else { channels };
        let prediction = recording.input(&[batch, height, width, outputs], &self.output);
        let weights = self.weights.as_ref().map(|weights| recording.input(&[batch], weights));
        let source = NoiseSource { seed: self.seed, first_sample: 0, step };
        let noised = q_sample(&mut recording.tape, &images, &noise, &source, true, DType::F32);
        let losses = History::new(&device(), 2).unwrap();
        let loss = objective(
            &mut recording.tape,
            &prediction,
            &images,
            &noised,
            weights.as_ref(),
            &table,
            self.factors,
            &source,
            &losses,
            gradient,
        );
        let [gradient, per_image] =
            <[_; 2]>::try_from(recording.run(&[&loss.gradient, &loss.per_image])).unwrap();
        Got { gradient, per_image, loss: losses.read(self.step..self.step + 1).unwrap()[0] }
    }

    /// Timestep of image n, and whether it is mirrored.
    fn draw(&self, n: usize) -> (usize, bool) {
        let [w0, w1, ..] = words(self.seed, Stream::IMAGE.0, n as u32, self.step as u32, 0);
        (((u64::from(w0) * self.schedule.timesteps() as u64) >> 32) as usize, w1 >= 1 << 31)
    }

    /// Losses of image n and gradients by the output, element by element.
    fn expected(&self, n: usize) -> (Expected, Vec<Expected>) {
        let [batch, height, width, channels] = self.shape;
        let elements = height * width * channels;
        let (t, mirrored) = self.draw(n);
        let eps = normals(self.seed, Stream::NOISE.0, n as u32, self.step as u32, elements);
        let outputs = self.output.len() / (batch * height * width);
        let scale =
            f64::from(self.weights.as_ref().map_or(1.0, |weights| weights[n])) / (batch * elements) as f64;
        let mut gradient = vec![Expected { value: 0.0, allowed: 0.0 }; height * width * outputs];
        let mut sum = Expected { value: 0.0, allowed: 0.0 };
        for (e, &eps) in eps.iter().enumerate() {
            let (pixel, c) = (e / channels, e % channels);
            let (h, w) = (pixel / width, pixel % width);
            let source = h * width + if mirrored { width - 1 - w } else { w };
            let byte = self.images[n * elements + source * channels + c];
            let at = pixel * outputs + c;
            let base = n * height * width * outputs;
            let output = f64::from(self.output[base + at]);
            let learned = outputs > channels;
            let second = if learned { f64::from(self.output[base + at + channels]) } else { 0.0 };
            let element = Element { case: self, t, byte, eps };
            let loss = element.estimate(output, second, |o, s| element.loss(self.factors.on_bound, o, s));
            sum.value += loss.value;
            sum.allowed += loss.allowed;
            let by_output = element
                .estimate(output, second, |o, s| difference(|o| element.loss(self.factors.on_mean, o, s), o));
            gradient[at] = scaled(by_output, scale);
            if learned {
                let by_second = element.estimate(output, second, |o, s| {
                    difference(|s| element.loss(self.factors.on_bound, o, s), s)
                });
                gradient[at + channels] = scaled(by_second, scale);
            }
        }
        let mean = scaled(sum, 1.0 / elements as f64);
        let adding = (elements + 2) as f64 * ROUNDING * mean.value.abs();
        (Expected { allowed: mean.allowed + adding, ..mean }, gradient)
    }
}

fn scaled(estimate: Expected, scale: f64) -> Expected {
    let Expected { value, allowed } = estimate;
    Expected { value: value * scale, allowed: (allowed + 4.0 * ROUNDING * value.abs()) * scale }
}

/// The derivative of a smooth function; it is off by less than 1e-7 of the third.
fn difference(f: impl Fn(f64) -> f64, x: f64) -> f64 {
    let step = 1e-4;
    (8.0 * (f(x + step) - f(x - step)) - (f(x + 2.0 * step) - f(x - 2.0 * step))) / (12.0 * step)
}

struct Element<'a> {
    case: &'a Case,
    t: usize,
    byte: u8,
    eps: Expected,
}

impl Element<'_> {
    fn process(&self) -> Process<'_> {
        let Case { schedule, prediction, variance, .. } = self.case;
        Process { schedule, prediction: *prediction, variance: *variance, limit: f64::INFINITY }
    }

    fn loss(&self, on_bound: f64, output: f64, second: f64) -> f64 {
        let process = self.process();
        let x0 = f64::from(self.byte) / 127.5 - 1.0;
        let alpha_bar = self.case.schedule.alphas_cumprod[self.t];
        let x = alpha_bar.sqrt() * x0 + (1.0 - alpha_bar).sqrt() * self.eps.value;
        let error = process.target(self.t, x0, self.eps.value) - output;
        let squared = self.case.factors.on_error * error * error;
        if on_bound == 0.0 {
            squared
        } else {
            squared + on_bound * process.term(self.t, self.byte, x, output, second)
        }
    }

    /// `f` of the two outputs, and how far it is from itself where they are off by what the kernel's arithmetic may be:
    /// the noise's error, some roundings of target and output, and some of the log variance; and some of the result,
    /// in units of a nat where exponentials and logarithms of about 1 are added.
    fn estimate(&self, output: f64, second: f64, f: impl Fn(f64, f64) -> f64) -> Expected {
        let value = f(output, second);
        let off = self.eps.allowed + 8.0 * ROUNDING * (output.abs() + self.eps.value.abs() + 1.0);
        let off_second = 16.0 * ROUNDING * (second.abs() + 10.0);
        let moved = [(off, 0.0), (-off, 0.0), (0.0, off_second), (0.0, -off_second)]
            .map(|(a, b)| (f(output + a, second + b) - value).abs());
        let near: f64 = moved.into_iter().sum();
        let nat = if self.t == 0 || self.case.variance.is_learned() { 1.0 } else { 0.0 };
        let bound = self.case.factors.on_bound;
        // A difference in f64 is itself off by a few 1e-10.
        Expected { value, allowed: near + 100.0 * ROUNDING * (value.abs() + bound * nat) + 1e-9 }
    }
}

fn check(case: &Case) {
    let shape = case.shape;
    let what = format!("{:?} {:?} {:?}", case.prediction, case.variance, case.factors);
    let got = case.run(DType::F32);
    let (mut gradient, mut per_image, mut mean, mut off) = (vec![], vec![], 0.0, 0.0);
    for n in 0..shape[0] {
        let (loss, by_output) = case.expected(n);
        let weight = f64::from(case.weights.as_ref().map_or(1.0, |weights| weights[n]));
        mean += weight * loss.value / shape[0] as f64;
        off += weight * loss.allowed / shape[0] as f64;
        per_image.push(loss);
        gradient.extend(by_output);
    }
    assert_close(&format!("{what}: loss"), &[shape[0]], &got.per_image, &per_image);
    let shape_out = [gradient.len()];
    assert_close(&format!("{what}: gradient"), &shape_out, &got.gradient, &gradient);
    let allowed = off + (shape[0] + 2) as f64 * ROUNDING * mean.abs();
    assert_close(&format!("{what}: mean"), &[1], &[got.loss], &[Expected { value: mean, allowed }]);

    let in_bf16 = case.run(DType::BF16);
    let rounded: Vec<Expected> = gradient.into_iter().map(Expected::in_bf16).collect();
    assert_close(&format!("{what}: gradient in bf16"), &shape_out, &in_bf16.gradient, &rounded);
    assert_same_bits("loss beside it", &[shape[0]], &in_bf16.per_image, &got.per_image);
}

#[test]
fn losses_and_gradients() {
    let mut random = Random::new(41);
    for prediction in PREDICTIONS {
        for variance in VARIANCES {
            for factors in [SIMPLE, VLB, HYBRID] {
                let shape = random.pick(&[[3, 5, 7, 3], [6, 4, 4, 3], [5, 1, 1, 1], [2, 3, 9, 2]]);
                check(&Case::random(&mut random, shape, prediction, variance, factors));
            }
        }
    }
}

/// More than one chunk of 2048 elements, whole and ragged.
#[test]
fn large_images() {
    let mut random = Random::new(42);
    for (shape, variance) in
        [([2, 30, 31, 3], Variance::LearnedRange), ([2, 32, 32, 3], Variance::FixedLarge)]
    {
        check(&Case::random(&mut random, shape, PredictionType::Epsilon, variance, VLB));
    }
}

/// The bound on fixed variances is a weight on the squared error of the noise (the equation before 14).
#[test]
fn the_bound_weighs_the_simple_objective() {
    let betas: Vec<f64> = (0..1000).map(|t| 1e-4 + (0.02 - 1e-4) * t as f64 / 999.0).collect();
    let schedule = Schedule::new(betas);
    let rows = objective_rows(&schedule, PredictionType::Epsilon, Variance::FixedLarge);
    // beta² / (2 sigma² alpha (1 - alpha_bar)) with sigma² = beta
    for (t, weight) in [(1, 0.2727), (9, 0.0737), (99, 0.01008), (499, 0.00550), (999, 0.01020)] {
        let got = rows[t].to_z.powi(2) * (-rows[t].log_variance).exp() / 2.0;
        assert!((got / weight - 1.0).abs() < 1e-3, "{got} is not {weight} at {t}");
    }
}
