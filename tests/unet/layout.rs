//! The parameters' names, shapes, places and first values.

use crate::common::device::device;
use crate::common::goldens;
use ddpm_ptx::nn::{Parameters, UNet, UNetConfig};
use std::collections::BTreeMap;

type Shapes = BTreeMap<String, Vec<usize>>;

fn shapes_of(config: UNetConfig) -> Shapes {
    let unet = UNet::new(config).unwrap();
    unet.layout().entries().iter().map(|entry| (entry.name.clone(), entry.checkpoint_shape())).collect()
}

/// `conv_in.weight [128, 3, 3, 3]` on each line.
fn listed(name: &str) -> Shapes {
    let parse = |line: &str| {
        let (name, shape) = line.split_once(' ').unwrap();
        (name.to_string(), serde_json::from_str(shape).unwrap())
    };
    goldens::text(name).lines().map(parse).collect()
}

#[test]
fn names_and_shapes_are_those_of_the_published_networks() {
    assert_eq!(shapes_of(UNetConfig::cifar10()), listed("diffusers-keys/cifar.txt"));
    assert_eq!(shapes_of(UNetConfig::resolution256()), listed("diffusers-keys/256.txt"));
}

/// Counts that diffusers gives for these networks.
#[test]
fn parameter_counts() {
    let count = |config: UNetConfig| UNet::new(config).unwrap().layout().parameters();
    assert_eq!(count(UNetConfig::cifar10()), 35_746_307);
    assert_eq!(count(UNetConfig { out_channels: 6, ..UNetConfig::cifar10() }), 35_749_766);
    assert_eq!(count(UNetConfig::resolution256()), 113_673_219);
    assert_eq!(count(UNetConfig::default()), 274_056_163);
    let celeba = UNetConfig::authors(64, &[128, 256, 256, 256, 512], &[false, false, true, false, false]);
    assert_eq!(count(celeba), 78_700_803);
}

/// No two tensors share an element, all begin at 128 bytes but the keys and values, which follow their queries
/// to be one matrix.
#[test]
fn places_are_apart_and_aligned() {
    for config in [
        UNetConfig::cifar10(),
        UNetConfig { norm_num_groups: 3, ..UNetConfig::authors(8, &[6, 18], &[true, true]) },
    ] {
        let unet = UNet::new(config).unwrap();
        let entries = unet.layout().entries();
        let mut end = 0;
        for (at, entry) in entries.iter().enumerate() {
            let follows = [".to_k.", ".to_v."].iter().any(|part| entry.name.contains(part));
            if follows {
                assert_eq!(entry.slot.first, end, "{}", entry.name);
                assert_eq!(entry.slot.shape, entries[at - 1].slot.shape);
            } else {
                assert!(entry.slot.first >= end && entry.slot.first.is_multiple_of(32), "{}", entry.name);
            }
            end = entry.slot.first + entry.slot.len();
        }
        assert!(unet.layout().len() >= end && unet.layout().len().is_multiple_of(32));
    }
}

/// A convolution's weight `[O, I, H, W]` of a checkpoint is `[O, H, W, I]` in the arena.
#[test]
fn convolutions_are_permuted_there_and_back() {
    let unet = UNet::new(UNetConfig { norm_num_groups: 2, ..UNetConfig::authors(8, &[4, 6], &[true, true]) })
        .unwrap();
    let layout = unet.layout();
    // Element i of tensor n in the checkpoint's order is 10000 n + i: no two are equal, all are exact.
    let mut number = -1.0;
    let mut tensors = vec![];
    let arena = layout.pack(|entry| {
        number += 1.0;
        let values: Vec<f32> = (0..entry.slot.len()).map(|i| 10_000.0 * number + i as f32).collect();
        tensors.push(values.clone());
        Ok::<_, std::convert::Infallible>(values)
    });
    let arena = arena.unwrap();
    for (entry, values) in layout.entries().iter().zip(&tensors) {
        assert_eq!(&layout.unpack(&arena, entry), values, "{}", entry.name);
        if let [out, inputs, height, width] = entry.checkpoint_shape()[..] {
            for o in 0..out {
                for i in 0..inputs {
                    for y in 0..height {
                        for x in 0..width {
                            let there = values[((o * inputs + i) * height + y) * width + x];
                            let here = arena[entry.slot.first + ((o * height + y) * width + x) * inputs + i];
                            assert_eq!(here, there, "{} [{o}, {i}, {y}, {x}]", entry.name);
                        }
                    }
                }
            }
        }
    }
}

/// The bounds and moments of the authors' initial weights.
#[test]
fn initial_weights() {
    let config = UNetConfig::authors(16, &[64, 128], &[false, true]);
    let unet = UNet::new(config).unwrap();
    let layout = unet.layout().clone();
    let draw = |seed| Parameters::initialise(layout.clone(), &device(), seed).unwrap().download().unwrap();
    let arena = draw(7);
    assert_eq!(arena, draw(7));
    assert_ne!(arena, draw(8));
    for entry in layout.entries() {
        let values = layout.unpack(&arena, entry);
        let name = entry.name.as_str();
        if name.ends_with(".bias") {
            assert!(values.iter().all(|&value| value == 0.0), "{name}");
            continue;
        }
        let [out, inputs, ref area @ ..] = entry.checkpoint_shape()[..] else {
            assert!(values.iter().all(|&value| value == 1.0), "{name}");
            continue;
        };
        let almost_zero =
            ["conv2.weight", "to_out.0.weight", "conv_out.weight"].iter().any(|end| name.ends_with(end));
        let scale = if almost_zero { 1e-10 } else { 1.0 };
        let fan = ((out + inputs) * area.iter().product::<usize>()) as f64 / 2.0;
        let bound = (3.0 * scale / fan).sqrt();
        let largest = values.iter().fold(0.0, |largest: f64, &value| largest.max(f64::from(value).abs()));
        assert!(largest <= bound * 1.000_001 && largest > 0.98 * bound, "{name}: {largest} of {bound}");
        // The mean of n uniforms on ±b has the deviation b / sqrt(3 n): five of them are not exceeded.
        let mean = values.iter().map(|&value| f64::from(value)).sum::<f64>() / values.len() as f64;
        assert!(mean.abs() < 5.0 * bound / (3.0 * values.len() as f64).sqrt(), "{name}: mean {mean}");
    }
}
