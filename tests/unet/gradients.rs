//! Gradients of the loss, and one step of Adam, against PyTorch.

use crate::common::compare::ROUNDING;
use crate::common::device::device;
use crate::common::goldens::{Goldens, path, text};
use crate::forward::golden_inputs;
use crate::network::Network;
use ddpm_ptx::device::Buffer;
use ddpm_ptx::graph::Tape;
use ddpm_ptx::optim::{AdamConfig, Optimizer};
use serde_json::Value;
use std::sync::Arc;

/// PyTorch's own f32 gradients are up to 1.1e-5 of a tensor's largest off its f64 ones.
const GRADIENT: f64 = 2e-5;

/// Of the loss, as a part of it.
const LOSS: f64 = 1e-5;

/// The network, and its gradients of the mean square of prediction minus noise; the loss may be off by a part of
/// `allowed`.
pub fn gradients(name: &str, network: Network, allowed: f64) -> (Network, Arc<Buffer>) {
    let io = Goldens::open(&format!("{name}/golden_io"));
    let (x, t) = golden_inputs(&io);
    let noise = io.array("noise").nhwc();
    let prediction = network.predict(&x, &t);
    let count = prediction.len() as f64;
    let error = |(&y, noise): (&f32, &f64)| f64::from(y) - noise;
    let errors: Vec<f64> = prediction.iter().zip(&noise.data).map(error).collect();

    let loss = errors.iter().map(|error| error * error).sum::<f64>() / count;
    let expected = io.array("loss_f64").data[0];
    assert!((loss / expected - 1.0).abs() < allowed, "{name}: loss {loss} instead of {expected}");

    let dy: Vec<f32> = errors.iter().map(|error| (2.0 * error / count) as f32).collect();
    let pass = network.training_pass(&x, &t, &dy, None);
    pass.run();
    (network, pass.gradients)
}

/// What the goldens say of each gradient.
pub struct Stats(Value);

impl Stats {
    pub fn open(name: &str) -> Stats {
        Stats(serde_json::from_str(&text(&format!("{name}/grad_stats.json"))).unwrap())
    }

    pub fn is_zero(&self, name: &str) -> bool {
        self.0["zero_grad_params"].as_array().unwrap().iter().any(|zero| zero == name)
    }

    /// The largest element.
    fn largest(&self, name: &str) -> f64 {
        self.0["per_param"][name]["max_abs_f64"].as_f64().unwrap()
    }

    /// How far from the f32 golden a correct gradient can be: PyTorch's error and ours.
    fn allowed(&self, name: &str) -> f64 {
        GRADIENT * self.largest(name) + self.0["per_param"][name]["max_abs_err_f32"].as_f64().unwrap()
    }
}

/// Compares every tensor, or its first elements where the golden has no more, by its largest element.
fn check(name: &str, file: &str) {
    let expected = Goldens::open(file);
    let stats = Stats::open(name);
    let (network, gradients) = gradients(name, Network::open(&path(name)), LOSS);
    let gradients: Vec<f32> = gradients.to_vec().unwrap();
    let layout = network.unet.layout();
    assert_eq!(expected.names().len(), layout.entries().len());
    let mut worst = (0.0, String::new());
    let mut wrong = vec![];
    for entry in layout.entries() {
        let got = layout.unpack(&gradients, entry);
        assert!(got.iter().all(|value| value.is_finite()), "{}: not every gradient was written", entry.name);
        let want = expected.array(&entry.name).data;
        let error =
            want.iter().zip(&got).map(|(want, &got)| (f64::from(got) - want).abs()).fold(0.0, f64::max);
        if stats.is_zero(&entry.name) {
            // Mathematically zero: both are the rounding noise of the sums that cancel.
            assert!(error < 1e-6, "{}: {error:.1e} instead of nothing", entry.name);
            continue;
        }
        let relative = error / stats.largest(&entry.name);
        if relative > worst.0 {
            worst = (relative, entry.name.clone());
        }
        if error > stats.allowed(&entry.name) {
            wrong.push(format!("{}: off by {relative:.1e} of its largest", entry.name));
        }
    }
    println!("{name}: worst gradient {:.2e} of its tensor's largest, {}", worst.0, worst.1);
    assert!(wrong.is_empty(), "{name}: {} tensors are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn tiny() {
    check("tiny", "tiny/grads");
}

#[test]
fn tiny2() {
    check("tiny2", "tiny2/grads_subset");
}

const RATE: f64 = 2e-4;
const EPSILON: f64 = 1e-8;

/// The first step of Adam: both corrected moments are those of one gradient.
fn first_step(gradient: f64) -> f64 {
    RATE * gradient / (gradient.abs() + EPSILON)
}

/// The first step grows with the gradient, so that a gradient within d of g gives a step between those of g - d and
/// g + d. The weight and the step are rounded, in PyTorch and here.
#[test]
fn tiny_after_one_step_of_adam() {
    let (expected, golden_gradients) = (Goldens::open("tiny/adam_after_subset"), Goldens::open("tiny/grads"));
    let stats = Stats::open("tiny");
    let (network, gradients) = gradients("tiny", Network::open(&path("tiny")), LOSS);
    let (layout, weights) = (network.unet.layout(), network.parameters.weights.clone());
    let config = AdamConfig {
        learning_rate: RATE,
        epsilon: EPSILON,
        warmup: 0,
        max_norm: None,
        ..AdamConfig::default()
    };
    let optimizer = Optimizer::new(&device(), weights, gradients, layout.len(), config).unwrap();
    let mut tape = Tape::training();
    optimizer.record(&mut tape);
    tape.compile(&device()).unwrap().run().unwrap();
    let after = network.parameters.download().unwrap();

    let (mut elements, mut sharp, mut worst) = (0, 0, 0.0f64);
    for entry in layout.entries() {
        if stats.is_zero(&entry.name) {
            continue;
        }
        let got = layout.unpack(&after, entry);
        let gradients = golden_gradients.numbers(&entry.name);
        let error = stats.allowed(&entry.name);
        for ((want, &got), gradient) in expected.numbers(&entry.name).iter().zip(&got).zip(gradients) {
            let range = first_step(gradient + error) - first_step(gradient - error);
            let allowed = range + 4.0 * ROUNDING * (want.abs() + RATE);
            let off = (f64::from(got) - want).abs();
            assert!(off <= allowed, "{}: {got} instead of {want}, within {allowed:.1e}", entry.name);
            elements += 1;
            sharp += usize::from(range < 0.01 * RATE);
            if range < 0.01 * RATE {
                worst = worst.max(off);
            }
        }
    }
    println!(
        "tiny after Adam: off by up to {worst:.1e} where the step is known to 1%, {sharp} of {elements} elements"
    );
    assert!(sharp * 10 > elements * 9, "only {sharp} of {elements} steps are known to 1%");
}
