//! `ddpm import`.

use super::Outcome;
use super::progress::say;
use crate::interchange::import;
use anyhow::Result;
use std::path::PathBuf;

/// Read a network of diffusers, or of the paper's authors, and write it as a folder to sample from
#[derive(clap::Args)]
#[command(allow_negative_numbers = true, args_override_self = true)]
pub struct Args {
    /// Folder of diffusers, or a PyTorch conversion of an authors' checkpoint (.ckpt, .pt, .safetensors)
    source: PathBuf,
    /// Folder to write
    dest: PathBuf,
    /// Height and width of the images, if the network does not say it
    #[arg(long, value_name = "PIXELS")]
    size: Option<usize>,
}

pub fn run(args: Args) -> Result<Outcome> {
    let done = import(&args.source, &args.dest, args.size)?;
    let size = match done.config.sample_size {
        Some([height, width]) => format!("images of {height}x{width}"),
        None => "images of a size that it does not say".into(),
    };
    say(&format!("imported a network of {} parameters, {size}, to {}", done.parameters, args.dest.display()));
    if done.assumed_scheduler {
        say("it came without a schedule: it is taken to have the paper's, with the posterior's variance");
    }
    Ok(Outcome::Done)
}
