//! Backward against differences of forward, through the whole network with dropout.

use crate::common::goldens::Array;
use crate::common::random::Random;
use crate::network::Network;
use ddpm_ptx::nn::{UNet, UNetConfig};

/// Relative rms error of a prediction; see the forward tests.
const FORWARD: f64 = 1e-5;

fn network(random: &mut Random) -> Network {
    let config = UNetConfig {
        in_channels: 2,
        out_channels: 2,
        layers_per_block: 1,
        norm_num_groups: 4,
        attention_head_dim: Some(4),
        dropout: 0.3,
        ..UNetConfig::authors(8, &[8, 12], &[false, true])
    };
    let unet = UNet::new(config).unwrap();
    let weights = unet.layout().pack(|entry| {
        let mean = if entry.name.contains("norm") && entry.name.ends_with("weight") { 1.0 } else { 0.0 };
        let values = (0..entry.slot.len()).map(|_| mean + 0.15 * random.normal() as f32).collect();
        Ok::<_, std::convert::Infallible>(values)
    });
    Network::new(unet, &weights.unwrap())
}

/// For L = <dy, prediction>, along random directions d of each tensor and of all: the backward pass's <g, d>
/// against D(h) = (L(w + h d) - L(w - h d)) / 2 h.
///
/// D(h) - D(h/2) is three quarters of D(h)'s leading error in h². A prediction whose elements err
/// independently by e of the rms r moves L by e r |dy|, and D(h/2) by no more than twice that over h.
#[test]
fn every_tensor_along_a_random_direction() {
    let mut random = Random::new(11);
    let network = network(&mut random);
    let layout = network.unet.layout().clone();
    let shape = vec![2, 8, 8, 2];
    let x = Array { shape, data: random.normals(256).into_iter().map(f64::from).collect() };
    let dy = random.normals(256);
    let pass = network.training_pass(&x, &[10, 700], &dy, Some(99));
    let (prediction, gradients) = pass.run();
    let weights = network.parameters.download().unwrap();
    let rms = (square_sum(&prediction) / 256.0).sqrt();
    let noise = FORWARD * rms * square_sum(&dy).sqrt();

    let value = |direction: &[f32], step: f32| -> f64 {
        let moved: Vec<f32> = weights.iter().zip(direction).map(|(w, d)| step.mul_add(*d, *w)).collect();
        network.parameters.weights.write(0, &moved).unwrap();
        pass.run().0.iter().zip(&dy).map(|(&y, &dy)| f64::from(y) * f64::from(dy)).sum()
    };
    let difference = |direction: &[f32], step: f32| {
        (value(direction, step) - value(direction, -step)) / (2.0 * f64::from(step))
    };

    let everywhere = (0..layout.len()).map(|_| random.normal() as f32 / 16.0).collect();
    let mut directions: Vec<(String, Vec<f32>)> = vec![("all".into(), everywhere)];
    for entry in layout.entries() {
        let mut direction = vec![0.0; layout.len()];
        direction[entry.slot.first..][..entry.slot.len()].copy_from_slice(&random.normals(entry.slot.len()));
        directions.push((entry.name.clone(), direction));
    }
    let mut informative = 0;
    for (name, direction) in directions {
        let step = 0.02 / (square_sum(&direction) / 64.0).sqrt().max(1.0) as f32;
        let (coarse, fine) = (difference(&direction, step), difference(&direction, step / 2.0));
        let allowed = (coarse - fine).abs() + 2.0 * noise / f64::from(step);
        let products =
            layout.entries().iter().flat_map(|entry| entry.slot.first..entry.slot.first + entry.slot.len());
        let slope: f64 = products.map(|i| f64::from(gradients[i]) * f64::from(direction[i])).sum();
        assert!(
            (slope - fine).abs() <= allowed,
            "{name}: {slope:.6} instead of {fine:.6}, within {allowed:.1e}"
        );
        informative += usize::from(slope.abs() > 20.0 * allowed);
    }
    // The test says something where the slope is much larger than what is allowed.
    let tensors = layout.entries().len();
    assert!(informative * 4 > tensors * 3, "only {informative} of {tensors} directions have a clear slope");
}

fn square_sum(values: &[f32]) -> f64 {
    values.iter().map(|&value| f64::from(value).powi(2)).sum()
}
