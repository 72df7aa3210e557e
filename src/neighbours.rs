//! The training images that are most like given ones, by the squares of the differences of their pixels: whether a
//! network has learned pictures by heart (Figures 13 and 15 of the paper).

use crate::data::{DataError, Dataset};
use rayon::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};

/// Training images that are read and compared between two looks at `stop`.
const CHUNK: usize = 1024;

/// A training image beside another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Neighbour {
    /// Sum of the squared differences of all bytes.
    pub squares: u64,
    /// Number of the training image.
    pub index: usize,
}

impl Neighbour {
    /// Root of the mean squared difference of images of so many bytes, in parts of the range of a byte.
    pub fn rmse(&self, bytes: usize) -> f64 {
        (self.squares as f64 / bytes as f64).sqrt() / 255.0
    }
}

/// For each of `images`, of the data set's shape, the `count` images of `data` that are nearest to it, the nearest first;
/// of equally near ones the first. `done` is told how many images have been looked at. `None` if `stop` was set.
///
/// # Errors
/// If an image cannot be read.
pub fn nearest(
    images: &[&[u8]],
    data: &dyn Dataset,
    count: usize,
    stop: &AtomicBool,
    done: &mut dyn FnMut(usize),
) -> Result<Option<Vec<Vec<Neighbour>>>, DataError> {
    let mut nearest: Vec<Vec<Neighbour>> = vec![vec![]; images.len()];
    for first in (0..data.len()).step_by(CHUNK) {
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let end = (first + CHUNK).min(data.len());
        let squares: Vec<Vec<u64>> = (first..end)
            .into_par_iter()
            .map(|index| {
                let mut candidate = vec![0; data.image_bytes()];
                data.read(index, &mut candidate)?;
                Ok(images.iter().map(|image| squared_distance(image, &candidate)).collect())
            })
            .collect::<Result<_, DataError>>()?;
        for (place, nearest) in nearest.iter_mut().enumerate() {
            let found = squares
                .iter()
                .zip(first..)
                .map(|(squares, index)| Neighbour { squares: squares[place], index });
            nearest.extend(found);
            nearest.sort_unstable();
            nearest.truncate(count);
        }
        done(end);
    }
    Ok(Some(nearest))
}

fn squared_distance(a: &[u8], b: &[u8]) -> u64 {
    assert_eq!(a.len(), b.len(), "bytes of two images of one shape");
    a.iter().zip(b).map(|(&a, &b)| u64::from(a.abs_diff(b)).pow(2)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Images of one pixel and one channel.
    struct Bytes(Vec<u8>);

    impl Dataset for Bytes {
        fn len(&self) -> usize {
            self.0.len()
        }

        fn size(&self) -> usize {
            1
        }

        fn channels(&self) -> usize {
            1
        }

        fn read(&self, index: usize, pixels: &mut [u8]) -> Result<(), DataError> {
            pixels[0] = self.0[index];
            Ok(())
        }
    }

    fn find(image: u8, data: Vec<u8>, count: usize) -> Vec<(u64, usize)> {
        let stop = AtomicBool::new(false);
        let found = nearest(&[&[image]], &Bytes(data), count, &stop, &mut |_| ()).unwrap().unwrap();
        found[0].iter().map(|neighbour| (neighbour.squares, neighbour.index)).collect()
    }

    #[test]
    fn the_nearest_come_first_and_of_equals_the_first() {
        assert_eq!(find(100, vec![0, 103, 98, 102, 255], 3), [(4, 2), (4, 3), (9, 1)]);
        assert_eq!(find(0, vec![255], 3), [(255 * 255, 0)]);
    }

    /// More than one chunk, the nearest in the last.
    #[test]
    fn all_images_are_looked_at() {
        let mut data = vec![0; 3 * CHUNK];
        data.push(199);
        assert_eq!(find(200, data, 2), [(1, 3 * CHUNK), (40_000, 0)]);
    }

    #[test]
    fn an_error_of_half_the_range() {
        assert!((Neighbour { squares: 4 * 51 * 51, index: 0 }.rmse(4) - 0.2).abs() < 1e-12);
    }
}
