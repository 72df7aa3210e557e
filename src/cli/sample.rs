//! `ddpm sample`.

use super::Outcome;
use super::device::{DeviceArg, tell_lints};
use super::interrupt::on_interrupt;
use super::progress::{Progress, duration, say};
use super::sampler::{SamplerName, SamplerOptions};
use crate::diffusion::Sampler;
use crate::nn::Precision;
use crate::sample::{self, Model, Output, Request};
use anyhow::Result;
use std::path::PathBuf;
use std::time::Instant;

/// Steps of ddim, if nobody says how many.
const DDIM_STEPS: usize = 50;
/// Those of the solvers.
const SOLVER_STEPS: usize = 20;

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
    /// Steps of the sampler; one of heun calls the network twice [default: all timesteps for ddpm, 50 for ddim, else 20]
    #[arg(long, value_name = "N")]
    steps: Option<usize>,
    /// How noise becomes images [default: what the model's scheduler names; ddpm after training]
    #[arg(long, value_enum)]
    sampler: Option<SamplerName>,
    #[command(flatten)]
    options: SamplerOptions,
    /// Height and width of the images, if not those that the model was trained on
    #[arg(long, value_name = "PIXELS")]
    size: Option<usize>,
    /// What the network computes in: bf16 on tensor cores, or f32 [default: bf16 if it can]
    #[arg(long)]
    dtype: Option<Precision>,
    /// Seed of latents and noise
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// NAME.png for a grid, NAME.npz for an array, else a folder of PNGs
    #[arg(short, long, value_name = "PATH", default_value = "samples.png")]
    out: PathBuf,
    #[command(flatten)]
    device: DeviceArg,
}

pub fn run(args: Args) -> Result<Outcome> {
    let model = Model::open(&args.model, args.size)?;
    let request = args.request(&model)?;
    request.trajectory(&model)?;
    let device = args.device.open()?;
    let first = u64::from(request.first);
    let mut output = Output::create(&args.out, first, request.count, model.shape())?;
    let stop = on_interrupt()?;

    let began = Instant::now();
    let mut bar = None;
    let mut tell = |progress: sample::Progress| {
        let bar = bar.get_or_insert_with(|| Progress::new("step", 0, progress.steps));
        bar.advance(progress.step);
        bar.tell(progress.step, format!("{:.2} img/s", progress.images / began.elapsed().as_secs_f64()));
    };
    let done =
        sample::sample(&device, &model, &request, &stop, &mut tell, &mut |images| output.push(images))?;
    drop(bar);
    tell_lints(&device);
    if done < request.count {
        say(&format!("stopped after {done} of {} images", request.count));
        return Ok(Outcome::Interrupted);
    }
    output.finish()?;
    let seconds = duration(began.elapsed().as_secs_f64());
    say(&format!("wrote {done} images to {} in {seconds}", args.out.display()));
    Ok(Outcome::Done)
}

impl Args {
    fn request(&self, model: &Model) -> Result<Request> {
        let sampler = self.options.sampler(self.sampler, &model.diffusion)?;
        let diffusion = self.options.diffusion(sampler, &model.diffusion);
        let timesteps = model.diffusion.schedule()?.timesteps();
        let steps = match sampler {
            Sampler::Ancestral(_) => timesteps,
            Sampler::Ddim(_) => DDIM_STEPS.min(timesteps),
            _ => SOLVER_STEPS.min(timesteps - 1),
        };
        let count = self.number as usize;
        Ok(Request {
            first: self.first,
            count,
            batch: (self.batch as usize).min(count),
            steps: self.steps.unwrap_or(steps),
            sampler,
            diffusion,
            seed: self.seed,
            dtype: self.dtype.unwrap_or_else(|| model.unet.config().fastest_precision()),
        })
    }
}
