//! The training images of CIFAR-10, from either of the two archives of its authors.

mod python;

use super::{DataError, Dataset};
use std::fs;
use std::path::{Path, PathBuf};

const SIZE: usize = 32;
const CHANNELS: usize = 3;
const PIXELS: usize = SIZE * SIZE;
const IMAGE: usize = PIXELS * CHANNELS;
/// A record of a binary batch is one byte of label before the image.
const RECORD: usize = 1 + IMAGE;
/// What the archives unpack to, looked for below the folder that was named.
const SUBFOLDERS: [&str; 3] = ["", "cifar-10-batches-bin", "cifar-10-batches-py"];

/// Names of the classes, in the order of their labels.
const CLASSES: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// The images of every `data_batch_*`, held in memory as the files hold them: one plane for each channel.
pub struct Cifar10 {
    planes: Vec<u8>,
    labels: Vec<u8>,
    classes: Vec<String>,
}

impl Cifar10 {
    /// Reads the training batches, `data_batch_*.bin` (binary) or `data_batch_*` (python), in the folder or in
    /// the sub-folder that the archive makes.
    ///
    /// # Errors
    /// If there are none, if a file is not a whole batch, or if `size` is not 32.
    pub fn open(path: &Path, size: usize) -> Result<Cifar10, DataError> {
        if size != SIZE {
            return Err(DataError::Size { source_name: "CIFAR-10", found: SIZE, wanted: size });
        }
        let mut images =
            Cifar10 { planes: vec![], labels: vec![], classes: CLASSES.map(String::from).to_vec() };
        for batch in find_batches(path)? {
            let bytes = fs::read(&batch).map_err(|reason| DataError::File { path: batch.clone(), reason })?;
            if is_binary(&batch) {
                images.append_binary(&batch, &bytes)?;
            } else {
                let read = python::batch(&bytes, IMAGE);
                let (planes, labels) =
                    read.map_err(|reason| DataError::Batch { path: batch.clone(), reason })?;
                images.planes.extend_from_slice(planes);
                images.append_labels(&batch, labels)?;
            }
        }
        Ok(images)
    }

    fn append_binary(&mut self, path: &Path, bytes: &[u8]) -> Result<(), DataError> {
        if bytes.is_empty() || !bytes.len().is_multiple_of(RECORD) {
            return Err(DataError::Length { path: path.into(), bytes: bytes.len(), record: RECORD });
        }
        let records = bytes.chunks_exact(RECORD);
        records.clone().for_each(|record| self.planes.extend_from_slice(&record[1..]));
        self.append_labels(path, records.map(|record| record[0]))
    }

    fn append_labels(&mut self, path: &Path, labels: impl IntoIterator<Item = u8>) -> Result<(), DataError> {
        for label in labels {
            if usize::from(label) >= CLASSES.len() {
                let reason = format!("an image has class {label}, and there are {}", CLASSES.len());
                return Err(DataError::Batch { path: path.into(), reason });
            }
            self.labels.push(label);
        }
        Ok(())
    }
}

impl Dataset for Cifar10 {
    fn len(&self) -> usize {
        self.planes.len() / IMAGE
    }

    fn size(&self) -> usize {
        SIZE
    }

    fn channels(&self) -> usize {
        CHANNELS
    }

    fn read(&self, index: usize, pixels: &mut [u8]) -> Result<(), DataError> {
        let planes = &self.planes[index * IMAGE..][..IMAGE];
        for (place, pixel) in pixels.chunks_exact_mut(CHANNELS).enumerate() {
            for (channel, value) in pixel.iter_mut().enumerate() {
                *value = planes[channel * PIXELS + place];
            }
        }
        Ok(())
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn label(&self, index: usize) -> Option<u32> {
        self.labels.get(index).map(|&label| label.into())
    }
}

fn find_batches(path: &Path) -> Result<Vec<PathBuf>, DataError> {
    for folder in SUBFOLDERS.map(|name| path.join(name)) {
        if folder != path && !folder.is_dir() {
            continue;
        }
        let failed = |reason| DataError::Folder { path: folder.clone(), reason };
        let mut batches = vec![];
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_name().to_string_lossy().starts_with("data_batch_") {
                batches.push(entry.path());
            }
        }
        // Both archives in one folder are the same images twice.
        if batches.iter().any(|batch| is_binary(batch)) {
            batches.retain(|batch| is_binary(batch));
        }
        if !batches.is_empty() {
            batches.sort();
            return Ok(batches);
        }
    }
    Err(DataError::Empty { path: path.into(), wanted: "CIFAR-10 batch (data_batch_1 or data_batch_1.bin)" })
}

fn is_binary(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "bin")
}
