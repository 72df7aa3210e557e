//! `.npz` sample batches, as the evaluators of diffusion models read them.

use super::Pictures;
use crate::atomic;
use npyz::zip::write::FileOptions;
use npyz::zip::{CompressionMethod, DateTime};
use npyz::{AutoSerialize, WriteOptions, WriterBuilder, npz};
use std::io::{self, Write};
use std::path::Path;

/// A `.npz` file with one array `arr_0` of bytes `[N, height, width, channels]`, uncompressed, written batch by
/// batch. It appears when it is finished.
pub struct NpzFile {
    archive: npz::NpzWriter<atomic::File>,
    shape: [usize; 3],
    missing: usize,
}

/// Zip entries of this size or more need 64-bit sizes; the header before the images is well below the rest.
const LARGE: u64 = (1 << 32) - (1 << 16);

impl NpzFile {
    /// Begins a file for `count` images of shape `[height, width, channels]`.
    pub fn create(path: &Path, count: usize, shape: [usize; 3]) -> io::Result<NpzFile> {
        let mut archive = npz::NpzWriter::new(atomic::File::create(path)?);
        let dims = [count, shape[0], shape[1], shape[2]].map(|extent| extent as u64);
        // A fixed date: the same images are the same file.
        let entry = FileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(DateTime::default())
            .large_file(dims.iter().product::<u64>() >= LARGE);
        archive.zip_writer().start_file(npz::file_name_from_index(0), entry)?;
        WriteOptions::new_header_only()
            .dtype(u8::default_dtype())
            .shape(&dims)
            .writer(archive.zip_writer())
            .write_header_only()?;
        Ok(NpzFile { archive, shape, missing: count })
    }

    /// Adds images.
    ///
    /// # Panics
    /// If they have another shape, or are more than were announced.
    pub fn push(&mut self, images: &Pictures) -> io::Result<()> {
        assert_eq!(self.shape, images.shape(), "images of different shapes in one file");
        self.missing = self.missing.checked_sub(images.count()).expect("no more images than announced");
        self.archive.zip_writer().write_all(images.pixels())
    }

    /// Completes the file.
    ///
    /// # Panics
    /// If there were fewer images than announced.
    pub fn finish(mut self) -> io::Result<()> {
        assert_eq!(self.missing, 0, "images that were announced are missing");
        self.archive.zip_writer().finish()?.commit()
    }
}
