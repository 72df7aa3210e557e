//! The network in bf16, against diffusers in f64.

use crate::common::goldens::{Goldens, path};
use crate::forward::{golden_inputs, rms_error};
use crate::gradients::{Stats, gradients};
use crate::network::Network;

/// PyTorch's own bf16 autocast is off by 1.6e-2 of the rms; half as much again is allowed.
const FORWARD: f64 = 2.4e-2;

/// Cosines of the tensors' gradients with those in f64.
struct Cosines {
    least: f64,
    median: f64,
}

/// What PyTorch 2.15 comes to under bf16 autocast on a CPU; where it does better than 0.999, that is enough.
const TINY: Cosines = Cosines { least: 0.999, median: 0.999 };
/// 40 convolutions in a row, weights without training, and two images: roundings add up.
const TINY2: Cosines = Cosines { least: 0.9913, median: 0.9987 };

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

fn check_gradients(name: &str, file: &str, allowed: &Cosines) {
    let expected = Goldens::open(file);
    let stats = Stats::open(name);
    let (network, gradients) = gradients(name, Network::open(&path(name)).in_bf16(), FORWARD);
    let gradients: Vec<f32> = gradients.to_vec().unwrap();
    let layout = network.unet.layout();
    let mut cosines: Vec<(f64, &str)> = vec![];
    for entry in layout.entries().iter().filter(|entry| !stats.is_zero(&entry.name)) {
        let got = layout.unpack(&gradients, entry);
        assert!(got.iter().all(|value| value.is_finite()), "{}: not every gradient was written", entry.name);
        // Where the golden has no more, the tensor's first elements.
        cosines.push((cosine(&got, &expected.array(&entry.name).data), &entry.name));
    }
    cosines.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (least, median) = (cosines[0], cosines[cosines.len() / 2].0);
    println!("{name} in bf16: cosines of gradients: least {:.5}, {}; median {median:.5}", least.0, least.1);
    assert!(least.0 >= allowed.least, "{name}: the gradient of {} has a cosine of {:.5}", least.1, least.0);
    assert!(median >= allowed.median, "{name}: the cosines of gradients have a median of {median:.5}");
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
    check_gradients("tiny", "tiny/grads", &TINY);
}

#[test]
fn tiny2_gradients() {
    check_gradients("tiny2", "tiny2/grads_subset", &TINY2);
}
