//! `ddpm evaluate nll`.

use super::Subject;
use crate::cli::Outcome;
use crate::cli::device::tell_lints;
use crate::cli::interrupt::on_interrupt;
use crate::cli::progress::{Progress, duration, say};
use crate::evaluate::{Report, Request, Spread, likelihood};
use crate::picture::{Axis, Chart, Scale, charts};
use anyhow::{Context, Result, ensure};
use clap::value_parser;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Bits a dimension of images: every term of the variational bound, and the rate-distortion curve
#[derive(clap::Args)]
#[command(args_override_self = true)]
pub struct Args {
    #[command(flatten)]
    subject: Subject,
    /// Evaluate the first N images [default: 64, or all if there are fewer]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..))]
    images: Option<u32>,
    /// Terms that are computed at once
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = value_parser!(u32).range(1..=65_535))]
    batch: u32,
    /// Estimate from one timestep of every S, drawn anew for each image; 1 evaluates them all
    #[arg(long, value_name = "S", default_value_t = 1, value_parser = value_parser!(u32).range(1..))]
    stride: u32,
    /// Folder of tables and charts
    #[arg(short, long, value_name = "DIR", default_value = "nll")]
    out: PathBuf,
}

/// Images that are evaluated if nobody says how many.
const IMAGES: u32 = 64;

pub fn run(args: &Args) -> Result<Outcome> {
    let (model, dataset) = args.subject.open()?;
    let images = args.images.unwrap_or(IMAGES.min(dataset.len() as u32)) as usize;
    ensure!(
        images <= dataset.len(),
        "--images {images} is more than the {} of {}",
        dataset.len(),
        args.subject.data
    );
    let request = Request {
        images,
        batch: args.batch as usize,
        stride: args.stride as usize,
        seed: args.subject.seed,
        dtype: args.subject.dtype(),
    };
    model.unet.config().check_batch(request.batch, model.size)?;
    make_empty_folder(&args.out)?;
    let device = args.subject.device.open()?;
    let stop = on_interrupt()?;

    let began = Instant::now();
    let mut bar: Option<Progress> = None;
    let report = likelihood(&device, &model, dataset.as_ref(), &request, &stop, &mut |at| {
        let bar = bar.get_or_insert_with(|| Progress::new("term", 0, at.of));
        bar.advance(at.terms);
        let rate = at.terms as f64 / began.elapsed().as_secs_f64();
        let bits = at.bits.map_or(String::new(), |bits| format!(" · {bits:.4} bits/dim"));
        bar.tell(at.terms, format!("{rate:.1} terms/s{bits}"));
    })?;
    drop(bar);
    tell_lints(&device);
    let done = report.images.len();
    if done > 0 {
        tell(&report, &request, model.diffusion.variance_type.words());
        write(&report, &args.out)?;
        let seconds = duration(began.elapsed().as_secs_f64());
        say(&format!("wrote tables and charts to {} in {seconds}", args.out.display()));
    }
    if done < images {
        say(&format!("stopped after {done} of {images} images"));
        return Ok(Outcome::Interrupted);
    }
    Ok(Outcome::Done)
}

fn tell(report: &Report, request: &Request, variance: &str) {
    let spread = |spread: Option<Spread>| match spread {
        Some(Spread { mean, error: Some(error) }) => format!("{mean:.5} ± {error:.5}"),
        Some(Spread { mean, error: None }) => format!("{mean:.5}"),
        None => "nothing".into(),
    };
    let (images, timesteps) = (report.images.len(), report.timesteps.len());
    say(&format!("{images} images, {timesteps} timesteps, averaged weights, variance {variance}"));
    if request.stride > 1 {
        say(&format!(
            "an estimate: each image has one timestep of every {}, which stands for all of them",
            request.stride
        ));
    }
    say(&format!("bits/dim           {}", spread(report.total())));
    say(&format!("  L_T              {}", spread(report.spread(|image| image.prior))));
    say(&format!("  L_1 … L_T-1      {}", spread(report.spread(|image| image.rate))));
    say(&format!("  L_0              {}", spread(report.spread(|image| image.decoder))));
    if let Some(rmse) = report.rmse() {
        say(&format!("distortion         {rmse:.4} of 255"));
    }
}

fn write(report: &Report, folder: &Path) -> Result<()> {
    let path = |name: &str| folder.join(name);
    let written = report
        .write_images(&path("images.csv"))
        .and_then(|()| report.write_timesteps(&path("timesteps.csv")))
        .and_then(|()| report.write_rates(&path("rates.csv")))
        .and_then(|()| charts(&path("terms.png"), &[terms(report)]))
        .and_then(|()| charts(&path("rates.png"), &rates(report)));
    written.with_context(|| format!("{} cannot be written", folder.display()))
}

/// The terms over timesteps, both by their logarithms.
fn terms(report: &Report) -> Chart<'static> {
    let points = report.timesteps.iter().enumerate();
    Chart {
        x: Axis { label: "t, from 1", scale: Scale::Logarithmic },
        y: Axis { label: "bits/dim", scale: Scale::Logarithmic },
        points: points.filter_map(|(t, at)| Some((t as f64 + 1.0, at.term()?.mean))).collect(),
    }
}

/// Figure 5: distortion and rate over the steps that were received, and one against the other.
fn rates(report: &Report) -> [Chart<'static>; 3] {
    let axis = |label| Axis { label, scale: Scale::Linear };
    let (steps, rate, distortion) =
        (axis("steps received"), axis("rate, bits/dim"), axis("distortion, RMSE of 0 to 255"));
    let points = report.rates();
    let steps_of = |y: fn(&crate::evaluate::RatePoint) -> f64| -> Vec<(f64, f64)> {
        points.iter().map(|point| (point.received as f64, y(point))).collect()
    };
    [
        Chart { x: steps, y: distortion, points: steps_of(|point| point.rmse) },
        Chart { x: steps, y: rate, points: steps_of(|point| point.rate) },
        Chart {
            x: rate,
            y: distortion,
            points: points.iter().map(|point| (point.rate, point.rmse)).collect(),
        },
    ]
}

/// Tables of another evaluation would be mixed up with these.
fn make_empty_folder(path: &Path) -> Result<()> {
    let not_written = || format!("{} cannot be written", path.display());
    fs::create_dir_all(path).with_context(not_written)?;
    let mut files = fs::read_dir(path).with_context(not_written)?;
    ensure!(files.next().is_none(), "{} already holds files; name a new folder with --out", path.display());
    Ok(())
}
