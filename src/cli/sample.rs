//! `ddpm sample`.

use super::Outcome;
use super::device::{DeviceArg, tell_lints};
use super::interrupt::on_interrupt;
use super::progress::{Progress, duration, say};
use crate::diffusion::{Ddim, Sampler};
use crate::nn::Precision;
use crate::sample::{self, Model, Output, Request};
use anyhow::{Result, ensure};
use clap::ValueEnum;
use std::path::PathBuf;
use std::time::Instant;

/// Steps of ddim, if nobody says how many.
const DDIM_STEPS: usize = 50;

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
    /// Steps of the sampler [default: all timesteps for ddpm, 50 for ddim]
    #[arg(long, value_name = "N")]
    steps: Option<usize>,
    /// ddpm: ancestral sampling, as in the paper; ddim: fewer steps, no noise by default
    #[arg(long, value_enum, default_value_t = SamplerName::Ddpm)]
    sampler: SamplerName,
    /// Noise of ddim: 0 is none, 1 as much as ancestral sampling [default: 0]
    #[arg(long, value_name = "ETA")]
    eta: Option<f64>,
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

#[derive(Clone, Copy, ValueEnum)]
enum SamplerName {
    Ddpm,
    Ddim,
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
        let (sampler, steps) = match self.sampler {
            SamplerName::Ddpm => {
                ensure!(self.eta.is_none(), "--eta is for --sampler ddim");
                (Sampler::Ancestral(model.diffusion.variance_type), model.diffusion.schedule()?.timesteps())
            }
            SamplerName::Ddim => {
                let ddim = Ddim { eta: self.eta.unwrap_or(0.0), ..Ddim::default() };
                (Sampler::Ddim(ddim), DDIM_STEPS.min(model.diffusion.schedule()?.timesteps()))
            }
        };
        let count = self.number as usize;
        Ok(Request {
            first: self.first,
            count,
            batch: (self.batch as usize).min(count),
            steps: self.steps.unwrap_or(steps),
            sampler,
            seed: self.seed,
            dtype: self.dtype.unwrap_or_else(|| model.unet.config().fastest_precision()),
        })
    }
}
