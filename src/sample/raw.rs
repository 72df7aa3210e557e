//! Samples as numbers, in a safetensors file.

use crate::atomic;
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use std::collections::HashMap;
use std::io::{self, Write};
use std::path::Path;

/// Name of the tensor.
const NAME: &str = "samples";

/// A file with one tensor `samples`, F32 `[N, channels, height, width]`: what the sampler arrived at, about -1 to 1, neither
/// rounded nor clamped. Written batch by batch; it appears when it is finished.
pub struct RawFile {
    file: atomic::File,
    /// `[height, width, channels]`.
    shape: [usize; 3],
    missing: usize,
}

impl RawFile {
    /// Begins a file for `count` samples of shape `[height, width, channels]`.
    pub fn create(path: &Path, count: usize, shape: [usize; 3]) -> io::Result<RawFile> {
        let [height, width, channels] = shape;
        let bytes = count * shape.iter().product::<usize>() * size_of::<f32>();
        let tensor = TensorInfo {
            dtype: Dtype::F32,
            shape: vec![count, channels, height, width],
            data_offsets: (0, bytes),
        };
        let format = HashMap::from([("format".to_string(), "pt".to_string())]);
        let header =
            Metadata::new(Some(format), vec![(NAME.to_string(), tensor)]).map_err(io::Error::other)?;
        let mut header = serde_json::to_vec(&header)?;
        // Data begins at a multiple of eight, as everywhere in this format.
        header.resize(header.len().next_multiple_of(8), b' ');
        let mut file = atomic::File::create(path)?;
        file.write_all(&(header.len() as u64).to_le_bytes())?;
        file.write_all(&header)?;
        Ok(RawFile { file, shape, missing: count })
    }

    /// Adds samples `[n, height, width, channels]`.
    ///
    /// # Panics
    /// If they are no whole number, or more than were announced.
    pub fn push(&mut self, samples: &[f32]) -> io::Result<()> {
        let elements: usize = self.shape.iter().product();
        let channels = self.shape[2];
        assert!(samples.len().is_multiple_of(elements), "a part of a sample");
        self.missing = self.missing.checked_sub(samples.len() / elements).expect("no more than announced");
        for sample in samples.chunks_exact(elements) {
            let planes = (0..channels).flat_map(|channel| sample[channel..].iter().step_by(channels));
            let bytes: Vec<u8> = planes.flat_map(|value| value.to_le_bytes()).collect();
            self.file.write_all(&bytes)?;
        }
        Ok(())
    }

    /// Completes the file.
    ///
    /// # Panics
    /// If there were fewer samples than announced.
    pub fn finish(self) -> io::Result<()> {
        assert_eq!(self.missing, 0, "samples that were announced are missing");
        self.file.commit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::SafeTensors;

    #[test]
    fn planes_of_all_batches() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("samples.safetensors");
        let mut file = RawFile::create(&path, 3, [1, 2, 3]).unwrap();
        let samples: Vec<f32> = (0..18).map(|number| number as f32).collect();
        file.push(&samples[..12]).unwrap();
        file.push(&samples[12..]).unwrap();
        assert!(!path.exists());
        file.finish().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let tensor = file.tensor(NAME).unwrap();
        assert_eq!((tensor.dtype(), tensor.shape()), (Dtype::F32, &[3, 3, 1, 2][..]));
        let values: Vec<f32> =
            tensor.data().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
        assert_eq!(values[..6], [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        assert_eq!(values[12..], [12.0, 15.0, 13.0, 16.0, 14.0, 17.0]);
    }
}
