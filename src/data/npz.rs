//! The images of an `.npz` file, as sample batches and many data sets have them.

use super::archive::Archive;
use super::classes::Classes;
use super::{DataError, Dataset};
use crate::message::excerpt;
use crate::npy;
use std::path::Path;

/// Classes beyond this number are none.
const MOST_CLASSES: i64 = 1 << 16;

/// Array `arr_0`, u8 `[N, height, width, 3]`, of an `.npz` file, held in memory. `arr_1`, if it is there, has the class of
/// each image.
pub struct Npz {
    pixels: Vec<u8>,
    classes: Classes,
    size: usize,
}

impl Npz {
    /// Reads the file.
    ///
    /// # Errors
    /// If it is no such file, or the images are not of this size.
    pub fn open(path: &Path, size: usize) -> Result<Npz, DataError> {
        let archive = Archive::open(path)?;
        let names = archive.names()?;
        let entry = |array: &str| names.iter().position(|name| name.strip_suffix(".npy") == Some(array));
        let wanted = "array arr_0 of images";
        let images = entry("arr_0").ok_or(DataError::Empty { path: path.into(), wanted })?;
        let (pixels, count) = images_of(&archive, archive.read(images)?, size)?;
        let classes = match entry("arr_1") {
            Some(labels) => Classes::of_numbers(labels_of(&archive, &archive.read(labels)?, count)?),
            None => Classes::default(),
        };
        Ok(Npz { pixels, classes, size })
    }
}

/// The pixels of all images, and their number.
fn images_of(archive: &Archive, mut file: Vec<u8>, size: usize) -> Result<(Vec<u8>, usize), DataError> {
    let array =
        npy::parse(&file).map_err(|reason| archive.malformed(format!("has no images in arr_0: {reason}")))?;
    let &[count, height, width, 3] = array.shape.as_slice() else {
        let shape = excerpt(format!("{:?}", array.shape));
        return Err(archive.malformed(format!("has an arr_0 of shape {shape}, not [N, H, W, 3]")));
    };
    if count == 0 {
        return Err(archive.malformed("has no image in arr_0".into()));
    }
    if !["|u1", "u1", "<u1"].contains(&array.dtype) {
        let dtype = excerpt(array.dtype);
        let reason = format!("has an arr_0 of {count} images of {dtype}, not of bytes (|u1)");
        return Err(archive.malformed(reason));
    }
    if height != width {
        return Err(archive.malformed(format!("has images of {height}x{width}, which are not square")));
    }
    if height != size {
        return Err(DataError::Size { source_name: ".npz", found: height, wanted: size });
    }
    let first = file.len() - array.data.len();
    file.drain(..first);
    Ok((file, count))
}

fn labels_of(archive: &Archive, file: &[u8], count: usize) -> Result<Vec<u32>, DataError> {
    let wrong = |reason: String| archive.malformed(format!("has no labels in arr_1: {reason}"));
    let array = npy::parse(file).map_err(wrong)?;
    let numbers: Vec<i64> = match array.dtype {
        "<i8" | "<u8" => array.data.as_chunks().0.iter().map(|&bytes| i64::from_le_bytes(bytes)).collect(),
        "<i4" => array.data.as_chunks().0.iter().map(|&bytes| i32::from_le_bytes(bytes).into()).collect(),
        "|u1" => array.data.iter().map(|&byte| byte.into()).collect(),
        other => return Err(wrong(format!("they are of {}", excerpt(other)))),
    };
    if numbers.len() != count {
        return Err(wrong(format!("they are {} for {count} images", numbers.len())));
    }
    let label = |number: i64| (0..MOST_CLASSES).contains(&number).then_some(number as u32);
    let labels = numbers.into_iter().map(label).collect::<Option<Vec<u32>>>();
    labels.ok_or_else(|| wrong(format!("one of them is not from 0 to {}", MOST_CLASSES - 1)))
}

impl Dataset for Npz {
    fn len(&self) -> usize {
        self.pixels.len() / self.image_bytes()
    }

    fn size(&self) -> usize {
        self.size
    }

    fn channels(&self) -> usize {
        3
    }

    fn read(&self, index: usize, pixels: &mut [u8]) -> Result<(), DataError> {
        let image = self.image_bytes();
        pixels.copy_from_slice(&self.pixels[index * image..][..image]);
        Ok(())
    }

    fn classes(&self) -> &[String] {
        &self.classes.names
    }

    fn label(&self, index: usize) -> Option<u32> {
        self.classes.label(index)
    }
}
