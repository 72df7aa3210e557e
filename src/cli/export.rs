//! `ddpm export`.

use super::Outcome;
use super::progress::say;
use crate::interchange::export;
use anyhow::Result;
use clap::ValueEnum;
use std::path::PathBuf;

/// Write a network as a folder that diffusers' DDPMPipeline.from_pretrained loads
#[derive(clap::Args)]
#[command(args_override_self = true)]
pub struct Args {
    /// Run folder, checkpoint, or pipeline folder
    model: PathBuf,
    /// Folder to write
    dest: PathBuf,
    /// Averaged weights (ema), which sample better, or those that training goes on with (raw)
    #[arg(long, value_enum, default_value_t = Weights::Ema)]
    weights: Weights,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Weights {
    Ema,
    Raw,
}

pub fn run(args: Args) -> Result<Outcome> {
    let done = export(&args.model, &args.dest, args.weights == Weights::Raw)?;
    let (from, to) = (done.checkpoint.display(), args.dest.display());
    say(&format!("exported {} parameters of {from} to {to}", done.parameters));
    Ok(Outcome::Done)
}
