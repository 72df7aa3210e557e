//! The image files in a zip archive.

use super::archive::Archive;
use super::classes::Classes;
use super::picture::{self, is_image, read_square};
use super::{DataError, Dataset};
use crate::message::excerpt;
use std::io::Cursor;
use std::path::Path;

/// Every image file in a zip archive, in the order of their names; otherwise like [`Folder`](super::Folder).
pub struct Zip {
    archive: Archive,
    /// Number and name of each image's entry.
    entries: Vec<(usize, String)>,
    classes: Classes,
    size: usize,
}

impl Zip {
    /// Finds the image files in the archive at `path`.
    ///
    /// # Errors
    /// If it is no archive, or has no image file.
    pub fn open(path: &Path, size: usize) -> Result<Zip, DataError> {
        let archive = Archive::open(path)?;
        let mut entries: Vec<(usize, String)> = archive.names()?.into_iter().enumerate().collect();
        entries.retain(|(_, name)| is_image(Path::new(name)));
        if entries.is_empty() {
            return Err(DataError::Empty { path: path.into(), wanted: picture::KINDS });
        }
        entries.sort_by(|(_, a), (_, b)| a.cmp(b));
        let classes = Classes::of_paths(entries.iter().map(|(_, name)| Path::new(name)));
        Ok(Zip { archive, entries, classes, size })
    }
}

impl Dataset for Zip {
    fn len(&self) -> usize {
        self.entries.len()
    }

    fn size(&self) -> usize {
        self.size
    }

    fn channels(&self) -> usize {
        3
    }

    fn read(&self, index: usize, pixels: &mut [u8]) -> Result<(), DataError> {
        let (number, name) = &self.entries[index];
        let file = self.archive.read(*number)?;
        let image = read_square(Cursor::new(file), self.size)
            .map_err(|reason| DataError::Image { path: self.archive.path().join(excerpt(name)), reason })?;
        pixels.copy_from_slice(image.as_raw());
        Ok(())
    }

    fn classes(&self) -> &[String] {
        &self.classes.names
    }

    fn label(&self, index: usize) -> Option<u32> {
        self.classes.label(index)
    }
}
