//! `ddpm interpolate`.

use super::Outcome;
use super::device::{DeviceArg, tell_lints};
use super::guidance::GuidanceOptions;
use super::interrupt::on_interrupt;
use super::process::{is_a, not_written};
use super::progress::say;
use super::sample::SamplingBar;
use super::sampler::SamplerOptions;
use crate::data::read_square;
use crate::nn::Precision;
use crate::picture::{Pictures, captioned};
use crate::sample::{Between, Model, Request, between_latents, interpolate};
use anyhow::{Context, Result, ensure};
use clap::ArgAction;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// Go from one image to another through the latents of a model, or from one sample to another
///
/// Two images are noised as far as timestep t, mixed there, and denoised: the less noise, the closer to the two. Without
/// images, the latents of two samples are mixed along the great circle, which makes most sense with --sampler ddim.
#[derive(clap::Args)]
#[command(allow_negative_numbers = true, args_override_self = true)]
pub struct Args {
    /// Run folder, checkpoint, or diffusers pipeline folder
    model: PathBuf,
    /// The two images; the largest centred square of each is used
    #[arg(num_args = 2, value_names = ["A", "B"], conflicts_with = "samples", required_unless_present = "samples")]
    images: Vec<PathBuf>,
    /// Numbers of two samples of the seed, in place of images
    #[arg(long, value_name = "I,J", value_delimiter = ',', num_args = 1, action = ArgAction::Set, conflicts_with = "t")]
    samples: Option<Vec<u32>>,
    /// Timesteps as far as which the images are noised, a row for each [default: the middle one]
    #[arg(long, value_name = "T,T,...", value_delimiter = ',', action = ArgAction::Set)]
    t: Option<Vec<u32>>,
    /// Places between the two, 0 at the first and 1 at the second
    #[arg(long, value_name = "L,L,...", value_delimiter = ',', action = ArgAction::Set,
        default_value = "0,0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,1")]
    lambdas: Vec<f64>,
    /// Height and width of the images, if not those that the model was trained on
    #[arg(long, value_name = "PIXELS")]
    size: Option<usize>,
    /// What the network computes in: bf16 on tensor cores, or f32 [default: bf16 if it can]
    #[arg(long)]
    dtype: Option<Precision>,
    /// Seed of latents and noise
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Picture to write
    #[arg(short, long, value_name = "FILE.png", default_value = "interpolation.png")]
    out: PathBuf,
    #[command(flatten)]
    device: DeviceArg,
    #[command(flatten)]
    options: SamplerOptions,
    #[command(flatten)]
    guidance: GuidanceOptions,
}

pub fn run(args: &Args) -> Result<Outcome> {
    ensure!(is_a(&args.out, "png"), "{} is no name of a picture; it ends in .png", args.out.display());
    ensure!(args.lambdas.iter().all(|lambda| lambda.is_finite()), "--lambdas must be numbers");
    let model = Model::open(&args.model, args.size)?;
    let request = args.request(&model)?;
    request.trajectory(&model)?;
    let stop = on_interrupt()?;
    let between = Between { lambdas: &args.lambdas, stop: &stop };
    let mut bar = SamplingBar::new();
    let mut tell = |progress| bar.tell(progress);
    let device = args.device.open()?;
    let rows = match &args.samples {
        Some(samples) => {
            let ends: [u32; 2] = samples
                .as_slice()
                .try_into()
                .ok()
                .context("--samples takes two numbers, as in --samples 0,1")?;
            between_latents(&device, &model, &request, ends, &between, &mut tell)?.map(|row| vec![row])
        }
        None => {
            let images = [read(&args.images[0], &model)?, read(&args.images[1], &model)?];
            let ends = [images[0].as_slice(), images[1].as_slice()];
            let rows =
                interpolate(&device, &model, &request, ends, &args.levels(&model)?, &between, &mut tell)?;
            rows.map(|rows| rows.iter().map(|row| beside(ends, row)).collect::<Vec<Pictures>>())
        }
    };
    tell_lints(&device);
    let seconds = bar.finish();
    let Some(rows) = rows else { return Ok(Outcome::Interrupted) };
    args.write(&rows, &model)?;
    say(&format!("wrote {} images to {} in {seconds}", rows.len() * args.lambdas.len(), args.out.display()));
    Ok(Outcome::Done)
}

impl Args {
    fn request(&self, model: &Model) -> Result<Request> {
        let sampler = self.options.sampler(&model.diffusion)?;
        Ok(Request {
            first: 0,
            count: self.lambdas.len(),
            batch: self.lambdas.len(),
            steps: self.options.steps(sampler, &model.diffusion)?,
            sampler,
            diffusion: self.options.diffusion(sampler, &model.diffusion),
            seed: self.seed,
            dtype: self.dtype.unwrap_or_else(|| model.unet.config().fastest_precision()),
            guidance: self.guidance.guidance(model)?,
        })
    }

    fn levels(&self, model: &Model) -> Result<Vec<u32>> {
        let middle = model.diffusion.schedule()?.timesteps() as u32 / 2;
        Ok(self.t.clone().unwrap_or_else(|| vec![middle]))
    }

    fn write(&self, rows: &[Pictures], model: &Model) -> Result<()> {
        let columns = rows[0].count();
        let mut all = rows[0].clone();
        rows[1..].iter().for_each(|row| all.append(row));
        let mut captions: Vec<Vec<String>> = vec![];
        for row in 0..rows.len() {
            let places = self.lambdas.iter().map(|lambda| format!("{lambda}"));
            if self.samples.is_some() {
                captions.extend(places.map(|place| vec![place]));
            } else {
                captions.push(vec![format!("t = {}", self.levels(model)?[row])]);
                captions.extend(places.map(|place| vec![place]));
                captions.push(vec![]);
            }
        }
        captioned(&self.out, &all, columns, &captions).with_context(not_written(&self.out))
    }
}

/// A row with the images that it lies between at its ends.
fn beside([a, b]: [&[u8]; 2], row: &Pictures) -> Pictures {
    Pictures::new(row.shape(), [a, row.pixels(), b].concat())
}

/// An image as the model has them, `[height, width, channels]`.
fn read(path: &Path, model: &Model) -> Result<Vec<u8>> {
    let [height, width, channels] = model.shape();
    ensure!(
        height == width && channels == 3,
        "images of {height}x{width} with {channels} channels cannot be read from picture files; the model must have square RGB ones"
    );
    let not_read = || format!("{} cannot be read as an image", path.display());
    let file = BufReader::new(File::open(path).with_context(not_read)?);
    Ok(read_square(file, height).with_context(not_read)?.into_raw())
}
