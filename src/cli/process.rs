//! The flags of `ddpm sample` that show the process.

use super::Outcome;
use super::interrupt::on_interrupt;
use super::progress::say;
use super::sample::SamplingBar;
use crate::device::Device;
use crate::picture::{Pictures, captioned, grid, rows, write_film, write_png};
use crate::sample::{Model, Request, View, share, watch};
use anyhow::{Context, Result, ensure};
use clap::ArgAction;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Columns of a strip, if nobody says how many.
const STRIP: usize = 10;
/// Pictures of a film.
const FILM: usize = 60;
/// How long each of them is there.
const FRAME: Duration = Duration::from_millis(80);

#[derive(clap::Args)]
#[command(next_help_heading = "The process")]
pub struct ProcessOptions {
    /// Show the images that the steps predict, a row for each sample: --out is a PNG
    #[arg(long)]
    progressive: bool,
    /// Film the samples on their way from noise, or with --progressive what the steps predict
    #[arg(long, value_name = "FILE.gif")]
    film: Option<PathBuf>,
    /// Moments that are shown [default: 10 in a row, 60 in a film]
    #[arg(long, value_name = "N")]
    moments: Option<usize>,
    /// Samples that share all noise as far as timestep t, a row for each t with x_t first: --out is a PNG
    #[arg(long, value_name = "T,T,...", value_delimiter = ',', action = ArgAction::Set,
        conflicts_with_all = ["progressive", "film", "moments"])]
    shared_latent: Option<Vec<u32>>,
}

impl ProcessOptions {
    /// Whether anything is asked for that plain sampling does not do.
    pub fn is_asked(&self) -> bool {
        self.progressive || self.film.is_some() || self.moments.is_some() || self.shared_latent.is_some()
    }

    /// Samples, and writes the pictures.
    pub fn run(&self, device: &Device, model: &Model, request: &Request, out: &Path) -> Result<Outcome> {
        ensure!(is_a(out, "png"), "{} cannot show the process; name a .png with --out", out.display());
        match &self.shared_latent {
            Some(levels) => share_latents(device, model, request, levels, out),
            None => self.watch(device, model, request, out),
        }
    }

    fn watch(&self, device: &Device, model: &Model, request: &Request, out: &Path) -> Result<Outcome> {
        ensure!(self.progressive || self.film.is_some(), "--moments are those of --progressive or --film");
        if let Some(film) = &self.film {
            ensure!(is_a(film, "gif"), "{} is no name of a film; it ends in .gif", film.display());
        }
        let view = if self.progressive { View::Clean } else { View::Noisy };
        let moments = self.moments.unwrap_or(if self.film.is_some() { FILM } else { STRIP });
        let stop = on_interrupt()?;
        let mut bar = SamplingBar::new();
        let seen = watch(device, model, request, view, moments, &stop, &mut |progress| bar.tell(progress))?;
        let seconds = bar.finish();
        let Some(seen) = seen else { return Ok(Outcome::Interrupted) };

        let samples = seen.last().expect("at least the last moment");
        let still = if self.progressive { rows(&by_sample(&seen), seen.len()) } else { grid(samples) };
        write_png(out, still.shape(), still.pixels()).with_context(not_written(out))?;
        let mut written = out.display().to_string();
        if let Some(film) = &self.film {
            let mut frames = seen.iter().map(grid);
            let mut pictures = frames.next().expect("at least one moment");
            frames.for_each(|frame| pictures.append(&frame));
            write_film(film, &pictures, FRAME).with_context(not_written(film))?;
            written = format!("{written} and {}", film.display());
        }
        let count = samples.count();
        say(&format!("wrote {count} images at {} moments to {written} in {seconds}", seen.len()));
        Ok(Outcome::Done)
    }
}

fn share_latents(
    device: &Device,
    model: &Model,
    request: &Request,
    levels: &[u32],
    out: &Path,
) -> Result<Outcome> {
    let stop = on_interrupt()?;
    let mut bar = SamplingBar::new();
    let seen = share(device, model, request, levels, &stop, &mut |progress| bar.tell(progress))?;
    let seconds = bar.finish();
    let Some(seen) = seen else { return Ok(Outcome::Interrupted) };
    let columns = seen[0].count();
    let mut all = seen[0].clone();
    seen[1..].iter().for_each(|row| all.append(row));
    let caption = |t: &u32| {
        let mut row = vec![vec![String::new()]; columns];
        row[0] = vec![format!("t = {t}")];
        row
    };
    let captions: Vec<Vec<String>> = levels.iter().flat_map(caption).collect();
    captioned(out, &all, columns, &captions).with_context(not_written(out))?;
    say(&format!(
        "wrote {} rows of samples that share a latent to {} in {seconds}",
        levels.len(),
        out.display()
    ));
    Ok(Outcome::Done)
}

/// All moments of the first sample, then all of the second, and so on.
fn by_sample(moments: &[Pictures]) -> Pictures {
    let bytes = moments[0].shape().iter().product();
    let images = 0..moments[0].count();
    let row = |image: usize| moments.iter().flat_map(move |of| &of.pixels()[image * bytes..][..bytes]);
    Pictures::new(moments[0].shape(), images.flat_map(row).copied().collect())
}

pub fn is_a(path: &Path, ending: &str) -> bool {
    path.extension().is_some_and(|of| of.eq_ignore_ascii_case(ending))
}

pub fn not_written(path: &Path) -> impl FnOnce() -> String {
    move || format!("{} cannot be written", path.display())
}
