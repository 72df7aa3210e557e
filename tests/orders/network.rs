//! A small network in each precision: a training step and a sampling step.

use crate::common::device::device;
use ddpm_ptx::data::Source;
use ddpm_ptx::nn::{Precision, UNet};
use ddpm_ptx::run::{Network, Preset, Settings};
use ddpm_ptx::train::TrainingStep;

#[test]
fn in_f32() {
    a_training_step_and_a_sampling_step(Precision::F32, 12);
}

#[test]
fn in_bf16() {
    a_training_step_and_a_sampling_step(Precision::Bf16, 16);
}

/// In a network whose lower level has so many channels.
fn a_training_step_and_a_sampling_step(dtype: Precision, channels: usize) {
    let network = Network {
        size: 8,
        channels: vec![8, channels],
        attention: vec![4],
        layers: 1,
        groups: 4,
        dropout: 0.2,
    };
    let settings = Settings { network, dtype, batch: 3, ..Preset::Shapes16.settings(Source::Shapes) };
    let unet = UNet::new(settings.unet().unwrap()).unwrap();
    let pixels: Vec<u8> =
        (0..settings.batch * 64 * unet.config().in_channels).map(|i| (i * 37 % 256) as u8).collect();
    let training = TrainingStep::new(&device(), &settings, unet, None).unwrap();
    training.run(&pixels, &[0, 1, 2]).unwrap();
    let sampler = training.sampler(&device(), &settings, 2, 1).unwrap();
    assert!(sampler.sample(0, 2, &mut || true).unwrap().is_some());
}
