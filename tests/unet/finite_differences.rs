//! Backward against differences of forward, through the whole network with dropout.

use crate::common::goldens::Array;
use crate::common::random::Random;
use crate::network::Network;
use ddpm_ptx::nn::{DownsamplePadding, UNet, UNetConfig};

/// Relative rms error of a prediction; see the forward tests.
const FORWARD: f64 = 1e-5;

/// Two levels, heads within the channels, groups that straddle concatenations.
#[test]
fn two_levels() {
    let config = UNetConfig {
        in_channels: 2,
        out_channels: 2,
        layers_per_block: 1,
        norm_num_groups: 4,
        attention_head_dim: Some(4),
        dropout: 0.3,
        ..UNetConfig::authors(8, &[8, 12], &[false, true])
    };
    check(config, [2, 8, 8]);
}

/// Nothing is a multiple of four, sides differ, attention is on one way only, the widths are unusual.
#[test]
fn three_ragged_levels() {
    let config = UNetConfig {
        sample_size: None,
        in_channels: 1,
        out_channels: 3,
        down_attention: vec![true, false, false],
        up_attention: vec![true, false, false],
        layers_per_block: 1,
        norm_num_groups: 2,
        downsample_padding: DownsamplePadding::Same,
        flip_sin_to_cos: true,
        freq_shift: 0.0,
        time_embedding_dim: Some(7),
        dropout: 0.1,
        ..UNetConfig::authors(4, &[6, 10, 6], &[false; 3])
    };
    check(config, [2, 4, 8]);
}

/// One level: the least that a U-Net can be.
#[test]
fn one_level() {
    let config = UNetConfig {
        layers_per_block: 1,
        norm_num_groups: 2,
        add_attention: false,
        ..UNetConfig::authors(3, &[4], &[true])
    };
    check(config, [1, 3, 5]);
}

fn network(config: UNetConfig, random: &mut Random) -> Network {
    let unet = UNet::new(config).unwrap();
    let weights = unet.layout().pack(|entry| {
        let mean = if entry.name.contains("norm") && entry.name.ends_with("weight") { 1.0 } else { 0.0 };
        let values = (0..entry.slot.len()).map(|_| mean + 0.15 * random.normal() as f32).collect();
        Ok::<_, std::convert::Infallible>(values)
    });
    Network::new(unet, &weights.unwrap())
}

/// The network of the paper's CIFAR-10 results, along one direction.
#[test]
fn cifar10() {
    check_directions(UNetConfig::cifar10(), [1, 32, 32], false);
}

fn check(config: UNetConfig, shape: [usize; 3]) {
    check_directions(config, shape, true);
}

/// For L = <dy, prediction>, along random directions d of each tensor and of all: the backward pass's <g, d>
/// against D(h) = (L(w + h d) - L(w - h d)) / 2 h.
///
/// D(h) - D(h/2) is three quarters of D(h)'s leading error in h². A prediction whose elements err
/// independently by e of the rms r moves L by e r |dy|, and D(h/2) by no more than twice that over h.
fn check_directions(config: UNetConfig, [images, height, width]: [usize; 3], every_tensor: bool) {
    let mut random = Random::new(11);
    let (inputs, outputs) = (config.in_channels, config.out_channels);
    let network = network(UNetConfig { sample_size: None, ..config }, &mut random);
    let layout = network.unet.layout().clone();
    let shape = vec![images, height, width, inputs];
    let x =
        Array { data: random.normals(shape.iter().product()).into_iter().map(f64::from).collect(), shape };
    let dy = random.normals(images * height * width * outputs);
    let t: Vec<u32> = (0..images).map(|image| 10 + 300 * image as u32).collect();
    let pass = network.training_pass(&x, &t, &dy, Some(99));
    let (prediction, gradients) = pass.run();
    let forward = network.forward_pass(&x, &t, Some(99));
    assert_eq!(forward.run(), prediction);
    let weights = network.parameters.download().unwrap();
    let rms = (square_sum(&prediction) / dy.len() as f64).sqrt();
    let noise = FORWARD * rms * square_sum(&dy).sqrt();

    let value = |direction: &[f32], step: f32| -> f64 {
        let moved: Vec<f32> = weights.iter().zip(direction).map(|(w, d)| step.mul_add(*d, *w)).collect();
        network.parameters.weights.write(0, &moved).unwrap();
        forward.run().iter().zip(&dy).map(|(&y, &dy)| f64::from(y) * f64::from(dy)).sum()
    };
    let difference = |direction: &[f32], step: f32| {
        (value(direction, step) - value(direction, -step)) / (2.0 * f64::from(step))
    };

    let everywhere = (0..layout.len()).map(|_| random.normal() as f32 / 16.0).collect();
    let mut directions: Vec<(String, Vec<f32>)> = vec![("all".into(), everywhere)];
    for entry in layout.entries().iter().filter(|_| every_tensor) {
        let mut direction = vec![0.0; layout.len()];
        direction[entry.slot.first..][..entry.slot.len()].copy_from_slice(&random.normals(entry.slot.len()));
        directions.push((entry.name.clone(), direction));
    }
    let (mut clear, count) = (0, directions.len());
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
        clear += usize::from(slope.abs() > 10.0 * allowed);
    }
    println!("{clear} of {} directions have a clear slope", count);
    // The test says something where the slope is much larger than what is allowed.
    assert!(clear * 2 > count, "only {clear} of {count} directions have a clear slope");
}

fn square_sum(values: &[f32]) -> f64 {
    values.iter().map(|&value| f64::from(value).powi(2)).sum()
}
