//! `.npz` sample batches, as the evaluators of diffusion models read them.

use super::Pictures;
use crate::atomic;
use crate::npy;
use std::io::{self, Write};
use std::path::Path;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// A `.npz` file with one array `arr_0` of bytes `[N, height, width, channels]`, uncompressed, written batch by
/// batch. It appears when it is finished.
pub struct NpzFile {
    archive: ZipWriter<atomic::File>,
    shape: [usize; 3],
    missing: usize,
}

/// Zip entries of this size or more need 64-bit sizes; the header before the images is well below the rest.
const LARGE: u64 = (1 << 32) - (1 << 16);

impl NpzFile {
    /// Begins a file for `count` images of shape `[height, width, channels]`.
    pub fn create(path: &Path, count: usize, shape: [usize; 3]) -> io::Result<NpzFile> {
        let mut archive = ZipWriter::new(atomic::File::create(path)?);
        let dims = [count, shape[0], shape[1], shape[2]];
        // A fixed date: the same images are the same file.
        let entry = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(DateTime::default())
            .large_file(dims.iter().map(|&extent| extent as u64).product::<u64>() >= LARGE);
        archive.start_file("arr_0.npy", entry)?;
        archive.write_all(&npy::preamble("|u1", &dims))?;
        Ok(NpzFile { archive, shape, missing: count })
    }

    /// Adds images.
    ///
    /// # Panics
    /// If they have another shape, or are more than were announced.
    pub fn push(&mut self, images: &Pictures) -> io::Result<()> {
        assert_eq!(self.shape, images.shape(), "images of different shapes in one file");
        self.missing = self.missing.checked_sub(images.count()).expect("no more images than announced");
        self.archive.write_all(images.pixels())
    }

    /// Completes the file.
    ///
    /// # Panics
    /// If there were fewer images than announced.
    pub fn finish(self) -> io::Result<()> {
        assert_eq!(self.missing, 0, "images that were announced are missing");
        self.archive.finish()?.commit()
    }
}
