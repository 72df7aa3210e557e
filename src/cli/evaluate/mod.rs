//! `ddpm evaluate`: what a model says of images.

mod nll;
mod progressive;

use super::Outcome;
use super::device::DeviceArg;
use crate::data::{Dataset, Source};
use crate::nn::Precision;
use crate::sample::Model;
use anyhow::{Result, ensure};
use clap::Subcommand;
use std::path::PathBuf;

/// Evaluate a run, one of its checkpoints, or any diffusers folder on images
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Nll(nll::Args),
    Progressive(progressive::Args),
}

pub fn run(args: Args) -> Result<Outcome> {
    match args.what {
        What::Nll(args) => nll::run(&args),
        What::Progressive(args) => progressive::run(&args),
    }
}

/// A model, images, and where to compute.
#[derive(clap::Args)]
struct Subject {
    /// Run folder, checkpoint, or diffusers pipeline folder
    model: PathBuf,
    /// Images: shapes, folder:DIR or cifar10:DIR
    #[arg(long, value_name = "IMAGES")]
    data: Source,
    /// What the network computes in: bf16 on tensor cores, or f32 [default: f32]
    #[arg(long)]
    dtype: Option<Precision>,
    /// Seed of the noise, and of images that are drawn
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    device: DeviceArg,
}

impl Subject {
    /// The model, and the images at its size.
    fn open(&self) -> Result<(Model, Box<dyn Dataset>)> {
        let model = Model::open(&self.model, None)?;
        let [height, width] = model.size;
        ensure!(height == width, "images of {height} x {width} cannot be evaluated; only square ones can");
        let dataset = self.data.open(height, self.seed)?;
        let channels = model.shape()[2];
        ensure!(
            dataset.channels() == channels,
            "the network takes images of {channels} channels, and {} has {}",
            self.data,
            dataset.channels()
        );
        model.unet.config().check_precision(self.dtype())?;
        Ok((model, dataset))
    }

    fn dtype(&self) -> Precision {
        self.dtype.unwrap_or_default()
    }
}
