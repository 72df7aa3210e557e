//! The image files below a folder.

use super::classes::Classes;
use super::picture::{self, is_image, read_square};
use super::{DataError, Dataset};
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// Every image file below a folder, in the order of their paths, decoded as RGB when it is asked for; see
/// `read_square`. The folders in it are the classes, see `Classes::of_paths`.
pub struct Folder {
    paths: Vec<PathBuf>,
    classes: Classes,
    size: usize,
}

impl Folder {
    /// Finds the image files below `path`.
    ///
    /// # Errors
    /// If a folder cannot be listed, or none has an image file.
    pub fn open(path: &Path, size: usize) -> Result<Folder, DataError> {
        let mut paths = vec![];
        collect(path, &mut paths)?;
        if paths.is_empty() {
            return Err(DataError::Empty { path: path.into(), wanted: picture::KINDS });
        }
        paths.sort();
        let classes = Classes::of_paths(paths.iter().map(PathBuf::as_path));
        Ok(Folder { paths, classes, size })
    }

    /// Path of image `index`.
    pub fn path(&self, index: usize) -> &Path {
        &self.paths[index]
    }
}

impl Dataset for Folder {
    fn len(&self) -> usize {
        self.paths.len()
    }

    fn size(&self) -> usize {
        self.size
    }

    fn channels(&self) -> usize {
        3
    }

    fn read(&self, index: usize, pixels: &mut [u8]) -> Result<(), DataError> {
        let path = &self.paths[index];
        let file = File::open(path).map_err(|reason| DataError::File { path: path.clone(), reason })?;
        let image = read_square(BufReader::new(file), self.size)
            .map_err(|reason| DataError::Image { path: path.clone(), reason })?;
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

/// Adds the image files below `folder`. A link to a folder is not followed: it could lead in a circle.
fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<(), DataError> {
    let failed = |reason| DataError::Folder { path: folder.into(), reason };
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        if entry.file_type().map_err(failed)?.is_dir() {
            collect(&path, paths)?;
        } else if is_image(&path) {
            paths.push(path);
        }
    }
    Ok(())
}
