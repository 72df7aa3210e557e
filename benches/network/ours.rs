//! This crate's passes.

use super::Pass;
use super::networks::Network;
use anyhow::Result;
use ddpm_ptx::device::{DType, Device};
use ddpm_ptx::diffusion::{Ddim, Sampler};
use ddpm_ptx::graph::Tape;
use ddpm_ptx::nn::{Parameters, Precision, UNet};
use ddpm_ptx::run::Settings;
use ddpm_ptx::sample::{BatchOptions, BatchSampler};
use ddpm_ptx::train::TrainingStep;
use std::sync::Arc;
use std::time::Instant;

/// Steps of DDIM.
pub const STEPS: usize = 50;

/// Prepares a pass, and runs it once to warm up; what is returned runs it and tells the seconds.
pub fn prepare(
    device: &Device,
    network: Network,
    pass: Pass,
    batch: usize,
    dtype: Precision,
) -> Result<Box<dyn FnMut() -> Result<f64>>> {
    let settings = Settings { batch, dtype, ..network.settings() };
    let unet = UNet::new(settings.network.unet()?)?;
    let run = match pass {
        Pass::Forward => forward(device, &settings, &unet)?,
        Pass::Train => train(device, &settings, unet)?,
        Pass::Sample => sample(device, &settings, &unet)?,
    };
    let device = device.clone();
    let timed = move || {
        let began = Instant::now();
        run()?;
        device.synchronize()?;
        Ok(began.elapsed().as_secs_f64())
    };
    timed()?;
    Ok(Box::new(timed))
}

type Run = Box<dyn Fn() -> Result<()>>;

fn parameters(device: &Device, settings: &Settings, unet: &UNet) -> Result<Parameters> {
    let parameters = Parameters::initialise(unet.layout().clone(), device, 0)?;
    let parameters = parameters.with_precision(device, settings.dtype)?;
    let mut tape = Tape::inference();
    parameters.record_rounding(&mut tape);
    tape.compile(device)?.run()?;
    Ok(parameters)
}

fn forward(device: &Device, settings: &Settings, unet: &UNet) -> Result<Run> {
    let size = settings.network.size;
    let shape = [settings.batch, size, size, unet.config().in_channels];
    let elements = shape.iter().product::<usize>();
    let values: Vec<f32> = (0..elements).map(|i| (i * 37 % 256) as f32 / 128.0 - 1.0).collect();
    let images = Arc::new(device.upload(&values)?);
    let times = Arc::new(device.upload(&vec![500_u32; settings.batch])?);
    let mut tape = Tape::inference();
    let x = tape.resident(&images, 0, &shape, DType::F32);
    let t = tape.resident(&times, 0, &[settings.batch], DType::U32);
    let eps = unet.forward(&mut tape, &parameters(device, settings, unet)?.bind(), &x, &t, None);
    tape.keep(&eps);
    let program = tape.compile(device)?;
    Ok(Box::new(move || Ok(program.run()?)))
}

fn train(device: &Device, settings: &Settings, unet: UNet) -> Result<Run> {
    let elements = settings.batch * settings.network.size.pow(2) * unet.config().in_channels;
    let pixels: Vec<u8> = (0..elements).map(|i| (i * 37 % 256) as u8).collect();
    let step = TrainingStep::new(device, settings, unet, None)?;
    Ok(Box::new(move || Ok(step.run(&pixels, &[])?)))
}

fn sample(device: &Device, settings: &Settings, unet: &UNet) -> Result<Run> {
    let trajectory = Sampler::Ddim(Ddim::default()).trajectory(&settings.diffusion, STEPS)?;
    let (weights, size) = (parameters(device, settings, unet)?, [settings.network.size; 2]);
    let options = BatchOptions { batch: settings.batch, size, seed: 0, guidance: None };
    let sampler = BatchSampler::new(device, unet, &weights, &trajectory, options)?;
    Ok(Box::new(move || {
        sampler.sample(0, sampler.batch(), &mut || true)?;
        Ok(())
    }))
}
