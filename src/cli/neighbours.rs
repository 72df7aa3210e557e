//! `ddpm neighbours`.

use super::Outcome;
use super::interrupt::on_interrupt;
use super::progress::{Progress, say};
use crate::atomic;
use crate::data::{Dataset, Source};
use crate::neighbours::{Neighbour, nearest};
use crate::picture::{Pictures, rows, write_png};
use anyhow::{Context, Result};
use clap::value_parser;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Find the training images that samples are most like: a picture with a sample and its neighbours in each row
#[derive(clap::Args)]
#[command(args_override_self = true)]
pub struct Args {
    /// The samples, as --data names images: folder:DIR of `ddpm sample --out DIR`
    samples: Source,
    /// Training images
    #[arg(long, value_name = "IMAGES")]
    data: Source,
    /// Height and width at which images are compared
    #[arg(long, value_name = "PIXELS")]
    size: usize,
    /// Samples that are looked at
    #[arg(short, long, value_name = "N", default_value_t = 10, value_parser = value_parser!(u32).range(1..=1000))]
    number: u32,
    /// Neighbours of each
    #[arg(short, long, value_name = "K", default_value_t = 8, value_parser = value_parser!(u32).range(1..=100))]
    count: u32,
    /// Picture to write; a table of distances is written beside it, as .csv
    #[arg(short, long, value_name = "FILE", default_value = "neighbours.png")]
    out: PathBuf,
}

pub fn run(args: &Args) -> Result<Outcome> {
    let samples = args.samples.open(args.size, 0)?;
    let data = args.data.open(args.size, 0)?;
    let shown = samples.len().min(args.number as usize);
    let images = (0..shown).map(|index| read(samples.as_ref(), index)).collect::<Result<Vec<_>>>()?;
    let views: Vec<&[u8]> = images.iter().map(Vec::as_slice).collect();

    let stop = on_interrupt()?;
    let mut bar = Progress::new("image", 0, data.len() as u64);
    let mut done = |images: usize| {
        bar.advance(images as u64);
        bar.tell(images as u64, format!("compared with {shown} samples"));
    };
    let found = nearest(&views, data.as_ref(), args.count as usize, &stop, &mut done)?;
    drop(bar);
    let Some(found) = found else { return Ok(Outcome::Interrupted) };

    let mut pixels = vec![];
    for (image, neighbours) in images.iter().zip(&found) {
        pixels.extend_from_slice(image);
        for neighbour in neighbours {
            pixels.extend(read(data.as_ref(), neighbour.index)?);
        }
    }
    let pictures = Pictures::new([data.size(), data.size(), data.channels()], pixels);
    let grid = rows(&pictures, 1 + found[0].len());
    let not_written = |path: &Path| format!("{} cannot be written", path.display());
    write_png(&args.out, grid.shape(), grid.pixels()).with_context(|| not_written(&args.out))?;
    let table = args.out.with_extension("csv");
    write_table(&table, &found, data.image_bytes()).with_context(|| not_written(&table))?;
    say(&format!("wrote {shown} samples with their neighbours to {}", args.out.display()));
    Ok(Outcome::Done)
}

fn read(images: &dyn Dataset, index: usize) -> Result<Vec<u8>> {
    let mut pixels = vec![0; images.image_bytes()];
    images.read(index, &mut pixels)?;
    Ok(pixels)
}

fn write_table(path: &Path, found: &[Vec<Neighbour>], bytes: usize) -> std::io::Result<()> {
    let mut file = atomic::File::create(path)?;
    writeln!(file, "sample,rank,training_image,rmse")?;
    for (sample, neighbours) in found.iter().enumerate() {
        for (rank, neighbour) in neighbours.iter().enumerate() {
            writeln!(file, "{sample},{rank},{},{:.6}", neighbour.index, neighbour.rmse(bytes))?;
        }
    }
    file.commit()
}
