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
        self.check_classes(&model, dataset.as_ref())?;
        model.unet.config().check_precision(self.dtype())?;
        Ok((model, dataset))
    }

    /// A network that is told classes is told those of the images, so they must be the ones that it knows.
    fn check_classes(&self, model: &Model, dataset: &dyn Dataset) -> Result<()> {
        let Some(rows) = model.unet.config().num_class_embeds else { return Ok(()) };
        let classes = dataset.classes();
        ensure!(
            !classes.is_empty(),
            "the network is told the class of each image, and {} has none",
            self.data
        );
        let known = if model.classes.is_empty() { classes.len() <= rows } else { classes == model.classes };
        ensure!(known, "the classes of {} are not those that the network knows", self.data);
        Ok(())
    }

    fn dtype(&self) -> Precision {
        self.dtype.unwrap_or_default()
    }
}
