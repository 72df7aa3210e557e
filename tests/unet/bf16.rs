//! The network in bf16, against diffusers in f64.

use crate::common::goldens::{Goldens, path};
use crate::forward::{golden_inputs, rms_error};
use crate::gradients::{Stats, gradients};
use crate::network::Network;

/// PyTorch's own bf16 autocast is off by 1.6e-2 of the rms; half as much again is allowed.
const FORWARD: f64 = 2.4e-2;

/// Least cosine of a tensor's gradient with the one in f64.
const COSINE: f64 = 0.999;

fn check_forward(name: &str) {
    let io = Goldens::open(&format!("{name}/golden_io"));
    let (x, t) = golden_inputs(&io);
    let network = Network::open(&path(name)).in_bf16();
    let error = rms_error(&network.predict(&x, &t), &io.array("eps_f64").nhwc().data);
    println!("{name} in bf16: rms error {error:.2e} of rms");
    assert!(error <= FORWARD, "{name}: rms error {error:.2e} of rms, where {FORWARD:.1e} is allowed");
    assert!(error > 1e-4, "{name}: an error of {error:.2e} is too good for bf16");
}

#[test]
fn tiny_forward() {
    check_forward("tiny");
}

#[test]
fn tiny2_forward() {
    check_forward("tiny2");
}

fn check_gradients(name: &str, file: &str) {
    let expected = Goldens::open(file);
    let stats = Stats::open(name);
    let (network, gradients) = gradients(name, Network::open(&path(name)).in_bf16(), FORWARD);
    let gradients: Vec<f32> = gradients.to_vec().unwrap();
    let layout = network.unet.layout();
    let mut wrong = vec![];
    let mut worst = (1.0, String::new());
    for entry in layout.entries().iter().filter(|entry| !stats.is_zero(&entry.name)) {
        let got = layout.unpack(&gradients, entry);
        assert!(got.iter().all(|value| value.is_finite()), "{}: not every gradient was written", entry.name);
        // Where the golden has no more, the tensor's first elements.
        let cosine = cosine(&got, &expected.array(&entry.name).data);
        if cosine < worst.0 {
            worst = (cosine, entry.name.clone());
        }
        if cosine < COSINE {
            wrong.push(format!("{}: {cosine:.5}", entry.name));
        }
    }
    println!("{name} in bf16: least cosine of a gradient {:.5}, {}", worst.0, worst.1);
    assert!(wrong.is_empty(), "{name}: {} gradients point elsewhere:\n{}", wrong.len(), wrong.join("\n"));
}

fn cosine(got: &[f32], want: &[f64]) -> f64 {
    let got = got.iter().map(|&got| f64::from(got));
    let (mut product, mut square, mut wanted) = (0.0, 0.0, 0.0);
    for (got, want) in got.zip(want) {
        product += got * want;
        square += got * got;
        wanted += want * want;
    }
    product / (square * wanted).sqrt()
}

#[test]
fn tiny_gradients() {
    check_gradients("tiny", "tiny/grads");
}

#[test]
fn tiny2_gradients() {
    check_gradients("tiny2", "tiny2/grads_subset");
}
