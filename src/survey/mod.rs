//! What the kernels of a network do in one training step and one sampling step, counted on the software device
//! and costed for a chip.

mod row;
mod timing;

pub use row::{Row, rows};
pub use timing::{Timing, timings};

use crate::device::Device;
use crate::device::soft::count::KernelCounts;
use crate::device::soft::{Options, Soft};
use crate::nn::UNet;
use crate::run::Settings;
use crate::train::TrainingStep;
use anyhow::Result;

/// Counts every kernel in one training step of `settings` and one sampling step with the same batch: noise, network,
/// loss, gradients and Adam, then latents, network, update and pixels.
///
/// # Errors
/// If the network cannot be, or memory is short.
pub fn survey(settings: &Settings) -> Result<Vec<KernelCounts>> {
    let soft = Soft::with(Options { count: true, ..Options::default() });
    let device = Device::from(soft.clone());
    let unet = UNet::new(settings.unet()?)?;
    unet.config().check_batch(settings.batch, [settings.network.size; 2])?;
    let pixels = settings.batch * settings.network.size.pow(2) * unet.config().in_channels;
    let training = TrainingStep::new(&device, settings, unet, None)?;
    let sampler = training.sampler(&device, settings, settings.batch, 1)?;
    soft.take_counts();
    training.run(&gray(pixels), &vec![0; settings.batch])?;
    sampler.sample(0, settings.batch, &mut || true)?;
    Ok(soft.take_counts())
}

/// Images of all shades: what is counted does not depend on them.
fn gray(pixels: usize) -> Vec<u8> {
    (0..pixels).map(|i| (i * 37 % 256) as u8).collect()
}
