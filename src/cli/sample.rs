//! `ddpm sample`.

use super::Outcome;
use super::device::{DeviceArg, tell_lints};
use super::guidance::GuidanceOptions;
use super::interrupt::on_interrupt;
use super::process::ProcessOptions;
use super::progress::{Progress, duration, say};
use super::sampler::SamplerOptions;
use crate::nn::Precision;
use crate::sample::{self, Model, Output, Request};
use anyhow::Result;
use std::path::PathBuf;
use std::time::Instant;

/// Sample images from a run, one of its checkpoints, or any diffusers folder
#[derive(clap::Args)]
#[command(allow_negative_numbers = true, args_override_self = true)]
pub struct Args {
    /// Run folder, checkpoint, or diffusers pipeline folder
    model: PathBuf,
    /// Images to sample
    #[arg(short, long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..))]
    number: u32,
    /// Number of the first image; image i depends on the seed and i alone
    #[arg(long, value_name = "I", default_value_t = 0)]
    first: u32,
    /// Images that are sampled at once
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=65_535))]
    batch: u32,
    /// Height and width of the images, if not those that the model was trained on
    #[arg(long, value_name = "PIXELS")]
    size: Option<usize>,
    /// What the network computes in: bf16 on tensor cores, or f32 [default: bf16 if it can]
    #[arg(long)]
    dtype: Option<Precision>,
    /// Seed of latents and noise
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// NAME.png for a grid, NAME.npz for bytes, NAME.safetensors for numbers, else a folder of PNGs
    #[arg(short, long, value_name = "PATH", default_value = "samples.png")]
    out: PathBuf,
    #[command(flatten)]
    device: DeviceArg,
    #[command(flatten)]
    options: SamplerOptions,
    #[command(flatten)]
    guidance: GuidanceOptions,
    #[command(flatten)]
    process: ProcessOptions,
}

pub fn run(args: Args) -> Result<Outcome> {
    let model = Model::open(&args.model, args.size)?;
    let request = args.request(&model)?;
    request.trajectory(&model)?;
    let device = args.device.open()?;
    if args.process.is_asked() {
        let outcome = args.process.run(&device, &model, &request, &args.out)?;
        tell_lints(&device);
        return Ok(outcome);
    }
    let first = u64::from(request.first);
    let mut output = Output::create(&args.out, first, request.count, model.shape())?;
    let stop = on_interrupt()?;
    let mut bar = SamplingBar::new();
    let done =
        sample::sample(&device, &model, &request, &stop, &mut |progress| bar.tell(progress), &mut |batch| {
            output.push(batch)
        })?;
    let seconds = bar.finish();
    tell_lints(&device);
    if done < request.count {
        say(&format!("stopped after {done} of {} images", request.count));
        return Ok(Outcome::Interrupted);
    }
    output.finish()?;
    say(&format!("wrote {done} images to {} in {seconds}", args.out.display()));
    Ok(Outcome::Done)
}

/// The progress of sampling, as a bar.
pub struct SamplingBar {
    bar: Option<Progress>,
    began: Instant,
}

impl SamplingBar {
    pub fn new() -> SamplingBar {
        SamplingBar { bar: None, began: Instant::now() }
    }

    pub fn tell(&mut self, progress: sample::Progress) {
        let bar = self.bar.get_or_insert_with(|| Progress::new("step", 0, progress.steps));
        bar.advance(progress.step);
        bar.tell(progress.step, format!("{:.2} img/s", progress.images / self.began.elapsed().as_secs_f64()));
    }

    /// Takes the bar away and says how long it was there.
    pub fn finish(self) -> String {
        duration(self.began.elapsed().as_secs_f64())
    }
}

impl Args {
    fn request(&self, model: &Model) -> Result<Request> {
        let sampler = self.options.sampler(&model.diffusion)?;
        let count = self.number as usize;
        Ok(Request {
            first: self.first,
            count,
            batch: (self.batch as usize).min(count),
            steps: self.options.steps(sampler, &model.diffusion)?,
            sampler,
            diffusion: self.options.diffusion(sampler, &model.diffusion),
            seed: self.seed,
            dtype: self.dtype.unwrap_or_else(|| model.unet.config().fastest_precision()),
            guidance: self.guidance.guidance(model)?,
        })
    }
}
