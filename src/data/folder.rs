//! The image files below a folder.

use super::{DataError, Dataset};
use image::imageops::{self, FilterType};
use image::{DynamicImage, ImageDecoder, ImageReader, ImageResult, RgbImage};
use std::fs;
use std::path::{Path, PathBuf};

const ENDINGS: [&str; 8] = ["jpg", "jpeg", "png", "webp", "bmp", "gif", "tif", "tiff"];

/// Every image file below a folder, in the order of their paths, decoded as RGB when it is asked for. Of each,
/// the largest centred square is resized (bilinear, averaging where it shrinks).
pub struct Folder {
    paths: Vec<PathBuf>,
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
            let wanted = "image file (.jpg .jpeg .png .webp .bmp .gif .tif .tiff)";
            return Err(DataError::Empty { path: path.into(), wanted });
        }
        paths.sort();
        Ok(Folder { paths, size })
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
        let image = decode(path).map_err(|reason| DataError::Image { path: path.clone(), reason })?;
        pixels.copy_from_slice(square(&image, self.size as u32).as_raw());
        Ok(())
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

fn is_image(path: &Path) -> bool {
    // The shadows that some systems leave beside files are named ._NAME.
    let shadow = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("._"));
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    !shadow && ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
}

/// Reads an image the right way up. The format is that of the content, whatever the name says.
fn decode(path: &Path) -> ImageResult<RgbImage> {
    let mut decoder = ImageReader::open(path)?.with_guessed_format()?.into_decoder()?;
    let orientation = decoder.orientation()?;
    let mut image = DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(orientation);
    Ok(image.into_rgb8())
}

fn square(image: &RgbImage, size: u32) -> RgbImage {
    let (width, height) = image.dimensions();
    let side = width.min(height);
    let middle = imageops::crop_imm(image, (width - side) / 2, (height - side) / 2, side, side);
    if side == size {
        middle.to_image()
    } else {
        imageops::resize(&*middle, size, size, FilterType::Triangle)
    }
}
