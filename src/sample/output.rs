//! Where samples go: a folder of PNGs, a grid, an `.npz`, or numbers, by the name of the output.

use super::job::Sampled;
use super::raw::RawFile;
use crate::picture::{NpzFile, Pictures, grid, write_png};
use anyhow::{Context, Result, bail, ensure};
use rayon::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};

/// An output that takes samples batch by batch. Files appear when they are finished.
pub struct Output {
    path: PathBuf,
    kind: Kind,
}

enum Kind {
    /// The number of the next image.
    Folder {
        next: u64,
    },
    /// The images so far.
    Grid(Option<Pictures>),
    Npz(Box<NpzFile>),
    Raw(Box<RawFile>),
}

/// More images make no grid that can be looked at.
const LARGEST_GRID: usize = 10_000;

impl Output {
    /// Begins an output for `count` images of `shape` `[height, width, channels]`, the first of which has number
    /// `first`: `NAME.png` is a grid, `NAME.npz` an array of bytes, `NAME.safetensors` a tensor of what is rounded to
    /// them, everything else a folder.
    ///
    /// # Errors
    /// If it cannot be written, or is a folder with files in it.
    pub fn create(path: &Path, first: u64, count: usize, shape: [usize; 3]) -> Result<Output> {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        let kind = match ending.as_deref() {
            Some("png") => {
                ensure!(
                    count <= LARGEST_GRID,
                    "a grid of {count} images is too large; name a folder or .npz"
                );
                Kind::Grid(None)
            }
            Some("npz") => {
                Kind::Npz(Box::new(NpzFile::create(path, count, shape).with_context(not_written(path))?))
            }
            Some("safetensors") => {
                Kind::Raw(Box::new(RawFile::create(path, count, shape).with_context(not_written(path))?))
            }
            Some("jpg" | "jpeg" | "gif" | "webp" | "bmp") => {
                bail!("{} cannot be written; a grid is a .png", path.display())
            }
            _ => {
                make_empty_folder(path)?;
                Kind::Folder { next: first }
            }
        };
        Ok(Output { path: path.to_path_buf(), kind })
    }

    /// Takes the next samples.
    ///
    /// # Errors
    /// If they cannot be written, or the device fails.
    pub fn push(&mut self, batch: Sampled) -> Result<()> {
        match &mut self.kind {
            Kind::Folder { next } => {
                let first = *next;
                *next += batch.pictures.count() as u64;
                write_all(&self.path, first, &batch.pictures)
            }
            Kind::Grid(None) => {
                self.kind = Kind::Grid(Some(batch.pictures));
                Ok(())
            }
            Kind::Grid(Some(before)) => {
                before.append(&batch.pictures);
                Ok(())
            }
            Kind::Npz(file) => file.push(&batch.pictures).with_context(not_written(&self.path)),
            Kind::Raw(file) => file.push(&batch.samples()?).with_context(not_written(&self.path)),
        }
    }

    /// Completes the output.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn finish(self) -> Result<()> {
        match self.kind {
            Kind::Folder { .. } | Kind::Grid(None) => Ok(()),
            Kind::Grid(Some(images)) => write_grid(&self.path, &images),
            Kind::Npz(file) => file.finish().with_context(not_written(&self.path)),
            Kind::Raw(file) => file.finish().with_context(not_written(&self.path)),
        }
    }
}

/// Writes images as one PNG.
///
/// # Errors
/// If the file cannot be written.
pub fn write_grid(path: &Path, images: &Pictures) -> Result<()> {
    let grid = grid(images);
    write_png(path, grid.shape(), grid.pixels()).with_context(not_written(path))
}

fn write_all(folder: &Path, first: u64, images: &Pictures) -> Result<()> {
    let numbered: Vec<(u64, &[u8])> = (first..).zip(images.iter()).collect();
    numbered.par_iter().try_for_each(|(number, image)| {
        let path = folder.join(format!("{number:06}.png"));
        write_png(&path, images.shape(), image).with_context(not_written(&path))
    })
}

/// A folder with other images in it would be evaluated together with them.
fn make_empty_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).with_context(not_written(path))?;
    let mut files = fs::read_dir(path).with_context(not_written(path))?;
    ensure!(files.next().is_none(), "{} already holds files; name a new folder", path.display());
    Ok(())
}

fn not_written(path: &Path) -> impl FnOnce() -> String {
    move || format!("{} cannot be written", path.display())
}
