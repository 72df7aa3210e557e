//! `ddpm evaluate progressive`.

use super::Subject;
use crate::cli::Outcome;
use crate::cli::device::tell_lints;
use crate::cli::interrupt::on_interrupt;
use crate::cli::progress::{Progress, say};
use crate::evaluate::{Coded, Example, TermPass, csv, progressive};
use crate::picture::{Pictures, captioned};
use anyhow::{Context, Result, ensure};
use clap::{ArgAction, value_parser};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Send images progressively: what each step would cost, and what the receiver sees at chosen rates. The costs are
/// those of an ideal code; there is no practical one
#[derive(clap::Args)]
#[command(args_override_self = true)]
pub struct Args {
    #[command(flatten)]
    subject: Subject,
    /// Send the first N images
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = value_parser!(u32).range(1..=256))]
    images: u32,
    /// Rates at which the receiver's estimate is shown, in bits a dimension
    #[arg(long, value_name = "LIST", value_delimiter = ',', action = ArgAction::Set,
        default_value = "0.0003,0.001,0.003,0.01,0.03,0.1,0.3")]
    rates: Vec<f64>,
    /// Picture to write; a table of all steps is written beside it, as .csv
    #[arg(short, long, value_name = "FILE", default_value = "progressive.png")]
    out: PathBuf,
}

pub fn run(args: &Args) -> Result<Outcome> {
    ensure!(
        args.rates.iter().all(|rate| *rate >= 0.0) && args.rates.is_sorted(),
        "--rates must be numbers of at least 0, the smallest first"
    );
    let (model, dataset) = args.subject.open()?;
    let count = (args.images as usize).min(dataset.len());
    let schedule = model.diffusion.schedule()?;
    model.unet.config().check_batch(count, model.size)?;
    let images: Vec<Example> =
        (0..count).map(|index| Example::read(dataset.as_ref(), index)).collect::<Result<_, _>>()?;
    let device = args.subject.device.open()?;
    let stop = on_interrupt()?;
    let seed = args.subject.seed;
    let pass = TermPass::new(&device, &model, &schedule, args.subject.dtype(), count, seed)?;

    let began = Instant::now();
    let mut bar = Progress::new("step", 0, schedule.timesteps() as u64);
    let coded = progressive(&pass, &schedule, &images, &args.rates, seed, &stop, &mut |step| {
        bar.advance(step);
        bar.tell(step, format!("{:.1} steps/s", step as f64 / began.elapsed().as_secs_f64()));
    })?;
    drop(bar);
    tell_lints(&device);
    let Some(coded) = coded else { return Ok(Outcome::Interrupted) };

    let not_written = |path: &Path| format!("{} cannot be written", path.display());
    let table = args.out.with_extension("csv");
    csv::write_coded(&table, &coded).with_context(|| not_written(&table))?;
    strip(&args.out, model.shape(), &images, &coded).with_context(|| not_written(&args.out))?;
    for image in &coded {
        let sent = image.steps.last().map_or(0.0, |last| last.rate);
        say(&format!("image {}: {sent:.4} bits/dim, lossless {:.4}", image.image, image.total()));
    }
    say(&format!("wrote {} and {}", args.out.display(), table.display()));
    Ok(Outcome::Done)
}

/// A row for each image: the estimates, and the image itself.
fn strip(path: &Path, shape: [usize; 3], images: &[Example], coded: &[Coded]) -> std::io::Result<()> {
    let (mut pixels, mut captions) = (vec![], vec![]);
    for (image, coded) in images.iter().zip(coded) {
        for estimate in &coded.estimates {
            pixels.extend_from_slice(&estimate.pixels);
            captions.push(vec![bits(estimate.rate), format!("RMSE {:.2}", estimate.rmse)]);
        }
        pixels.extend_from_slice(&image.pixels);
        captions.push(vec![bits(coded.total()), "lossless".into()]);
    }
    let columns = captions.len() / images.len();
    captioned(path, &Pictures::new(shape, pixels), columns, &captions)
}

fn bits(rate: f64) -> String {
    format!("{rate:.5} bits/dim")
}
