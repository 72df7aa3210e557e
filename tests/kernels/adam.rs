//! Adam, its learning rates and the moving average.

use crate::common::compare::{Expected, ROUNDING, assert_close};
use crate::common::device::device;
use crate::common::random::Random;
use ddpm_ptx::device::{Buffer, DType};
use ddpm_ptx::graph::{Program, Tape};
use ddpm_ptx::optim::{AdamConfig, Decay, Optimizer};
use half::bf16;
use std::sync::Arc;

/// Parameters whose gradients the test chooses.
pub struct Training {
    pub optimizer: Optimizer,
    parameters: Arc<Buffer>,
    gradients: Arc<Buffer>,
    copy: Arc<Buffer>,
    program: Program,
}

impl Training {
    pub fn new(start: Vec<f32>, config: AdamConfig) -> Training {
        let device = device();
        let parameters = Arc::new(device.upload(&start).unwrap());
        let gradients = Arc::new(device.alloc_zeroed::<f32>(start.len()).unwrap());
        let copy = Arc::new(device.alloc::<bf16>(start.len()).unwrap());
        let optimizer = Optimizer::new(&device, parameters.clone(), gradients.clone(), start.len(), config)
            .unwrap()
            .with_rounded(copy.clone());
        let mut tape = Tape::inference();
        optimizer.record(&mut tape);
        let program = tape.compile(&device).unwrap();
        program.poison().unwrap();
        Training { optimizer, parameters, gradients, copy, program }
    }

    pub fn step(&mut self, gradients: &[f32]) {
        self.gradients.write(0, gradients).unwrap();
        self.program.run().unwrap();
    }

    pub fn parameters(&self) -> Vec<f32> {
        self.parameters.to_vec().unwrap()
    }

    pub fn ema(&self) -> Vec<f32> {
        self.optimizer.state().ema.to_vec().unwrap()
    }

    fn copy(&self) -> Vec<bf16> {
        self.copy.to_vec().unwrap()
    }

    fn bytes(&self) -> Vec<Vec<u8>> {
        let buffers = self.optimizer.state().buffers();
        buffers.iter().map(|(_, _, buffer)| buffer.to_vec::<u8>().unwrap()).collect()
    }
}

/// One parameter in f64, as PyTorch's `Adam` describes itself, with bounds on its f32 errors.
#[derive(Clone, Copy, Default)]
struct Reference {
    m: f64,
    v: f64,
    /// The moving average of |g| by which m's error is bounded.
    magnitude: f64,
    w: f64,
    w_off: f64,
    ema: f64,
    ema_off: f64,
}

impl Reference {
    fn step(&mut self, g: f64, rate: f64, update: i32, config: &AdamConfig) {
        let AdamConfig { beta1, beta2, epsilon, ema_decay, .. } = *config;
        self.m = beta1 * self.m + (1.0 - beta1) * g;
        self.v = beta2 * self.v + (1.0 - beta2) * g * g;
        self.magnitude = beta1 * self.magnitude + (1.0 - beta1) * g.abs();
        let denominator = (self.v / (1.0 - beta2.powi(update))).sqrt() + epsilon;
        let size = rate / (1.0 - beta1.powi(update));
        self.w -= size * self.m / denominator;
        // The clip scale errs by 60 roundings and enters m and the root of v; each step adds less than 10 to
        // m and to v; the quotient adds 10 with the approximate root and division; the sum one of w.
        let roundings = 2.0 * 60.0 + 20.0 * f64::from(update) + 10.0;
        self.w_off += roundings * ROUNDING * size * self.magnitude / denominator + ROUNDING * self.w.abs();
        self.ema = ema_decay * self.ema + (1.0 - ema_decay) * self.w;
        self.ema_off += (1.0 - ema_decay) * self.w_off + 3.0 * ROUNDING * self.ema.abs();
    }
}

/// Steps of each configuration against f64, on arenas of ragged and round sizes.
#[test]
fn adam_against_f64() {
    let paper = AdamConfig { warmup: 3, ..AdamConfig::default() };
    let bold = AdamConfig {
        learning_rate: 0.1,
        beta1: 0.5,
        beta2: 0.9,
        epsilon: 1e-3,
        warmup: 0,
        decay: Decay::Linear { steps: 6 },
        max_norm: None,
        ema_decay: 0.6,
    };
    let mut random = Random::new(14);
    for config in [paper, bold] {
        for len in [4, 8, 1024, 2044, 17000] {
            let start = random.normals(len);
            let mut reference: Vec<Reference> = start
                .iter()
                .map(|&w| Reference { w: f64::from(w), ema: f64::from(w), ..Reference::default() })
                .collect();
            let mut training = Training::new(start, config);
            for step in 0..5 {
                // Small enough, at times, not to be clipped.
                let size = 0.5 * 10f32.powi(step - 3);
                let gradients: Vec<f32> = random.normals(len).iter().map(|g| g * size).collect();
                training.step(&gradients);

                let norm = gradients.iter().map(|&g| f64::from(g).powi(2)).sum::<f64>().sqrt();
                let scale = config.max_norm.map_or(1.0, |max_norm| (max_norm / norm).min(1.0));
                let rate = learning_rate(&config, step);
                for (reference, &g) in reference.iter_mut().zip(&gradients) {
                    reference.step(scale * f64::from(g), rate, step + 1, &config);
                }
            }
            let what = |array| format!("{array} after 5 steps of {len}, base {}", config.learning_rate);
            let w: Vec<Expected> =
                reference.iter().map(|r| Expected { value: r.w, allowed: r.w_off }).collect();
            let ema: Vec<Expected> =
                reference.iter().map(|r| Expected { value: r.ema, allowed: r.ema_off }).collect();
            assert_close(&what("weights"), &[len], &training.parameters(), &w);
            assert_close(&what("moving average"), &[len], &training.ema(), &ema);
        }
    }
}

/// The copy is the parameters to nearest even, as the `half` crate rounds.
#[test]
fn the_copy_is_rounded() {
    let mut random = Random::new(17);
    let mut training = Training::new(random.normals(2044), AdamConfig { warmup: 0, ..AdamConfig::default() });
    for _ in 0..2 {
        training.step(&random.normals(2044));
        let want: Vec<bf16> = training.parameters().into_iter().map(bf16::from_f32).collect();
        assert_eq!(training.copy(), want);
    }
}

fn learning_rate(config: &AdamConfig, step: i32) -> f64 {
    let step = f64::from(step);
    let rise = if config.warmup == 0 { 1.0 } else { (step / config.warmup as f64).min(1.0) };
    let fall = match config.decay {
        Decay::Constant => 1.0,
        Decay::Linear { steps } => (1.0 - step / steps as f64).max(0.0),
    };
    config.learning_rate * rise * fall
}

#[test]
fn learning_rates() {
    let flat = AdamConfig { warmup: 0, ..AdamConfig::default() };
    let rising = AdamConfig { warmup: 4, ..flat };
    let both = AdamConfig { warmup: 2, decay: Decay::Linear { steps: 5 }, ..flat };
    for config in [flat, rising, both] {
        let mut training = Training::new(vec![1.0; 4], config);
        for _ in 0..7 {
            training.step(&[0.1; 4]);
        }
        let got = training.optimizer.learning_rates().read(0..7).unwrap();
        // One rounding of the base, and two for each factor.
        let want: Vec<Expected> =
            (0..7).map(|step| Expected::rounded(learning_rate(&config, step), 6.0)).collect();
        assert_close("learning rates", &[7], &got, &want);
    }
}

/// The first step of a warm-up has rate 0: the moments move, the weights do not.
#[test]
fn the_first_step_of_a_warm_up_moves_no_weight() {
    let mut training = Training::new(vec![0.25, -3.0, 7.0, 0.0], AdamConfig::default());
    training.step(&[1.0, 2.0, -1.0, 5.0]);
    assert_eq!(training.parameters(), [0.25, -3.0, 7.0, 0.0]);
    assert_eq!(training.ema(), [0.25, -3.0, 7.0, 0.0]);
    assert!(training.optimizer.state().first_moment.to_vec::<f32>().unwrap().iter().all(|&m| m != 0.0));
}

/// A run goes on byte for byte in a new optimiser that was given the state and the parameters of another.
#[test]
fn a_restored_state_goes_on_byte_for_byte() {
    let config = AdamConfig { warmup: 10, ..AdamConfig::default() };
    let mut random = Random::new(15);
    let steps: Vec<Vec<f32>> = (0..6).map(|_| random.normals(780)).collect();
    let mut first = Training::new(random.normals(780), config);
    steps[..3].iter().for_each(|gradients| first.step(gradients));

    let mut second = Training::new(first.parameters(), config);
    let targets = second.optimizer.state().buffers();
    for ((_, _, target), bytes) in targets.iter().zip(first.bytes()) {
        target.write(0, &bytes).unwrap();
    }
    for gradients in &steps[3..] {
        first.step(gradients);
        second.step(gradients);
    }
    assert_eq!(first.parameters(), second.parameters());
    assert_eq!(first.bytes(), second.bytes());
}

#[test]
fn the_state_says_what_it_holds() {
    let training = Training::new(vec![0.0; 12], AdamConfig::default());
    for (name, dtype, buffer) in training.optimizer.state().buffers() {
        let elements = buffer.bytes() / dtype.bytes();
        let expected = match (name, dtype) {
            ("step" | "skipped", DType::U64) => 1,
            (_, DType::F32) => 12,
            other => panic!("{other:?}"),
        };
        assert_eq!(elements, expected, "{name}");
    }
}
