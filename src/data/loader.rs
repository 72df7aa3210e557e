//! Batches in a fixed order, read ahead.

use super::{DataError, Dataset};
use crate::random::Permutation;
use rayon::prelude::*;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

/// Batches that wait, read, for the training loop.
const AHEAD: usize = 4;

/// Which images make up the batch of a step: a function of the step alone, so that there is no position to save
/// and a resumed run goes on exactly. Epochs follow each other without a gap, each in an order of its own.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    images: u64,
    batch: u64,
    seed: u64,
}

impl Order {
    /// The order of `images` images in batches of `batch` under `seed`.
    ///
    /// # Panics
    /// If there are no images.
    pub fn new(images: usize, batch: usize, seed: u64) -> Order {
        assert!(images > 0, "an order of no images");
        Order { images: images as u64, batch: batch as u64, seed }
    }

    /// Image numbers of the batch of step `step`, counted from 0.
    pub fn batch(&self, step: u64) -> Vec<usize> {
        let first = step * self.batch;
        let mut epoch = first / self.images;
        let mut order = Permutation::new(self.images, self.seed, epoch);
        let mut indices = Vec::with_capacity(self.batch as usize);
        for place in first..first + self.batch {
            if place / self.images != epoch {
                epoch = place / self.images;
                order = Permutation::new(self.images, self.seed, epoch);
            }
            indices.push(order.index(place % self.images) as usize);
        }
        indices
    }
}

/// The images of one step, one after the other.
pub struct Batch {
    pub step: u64,
    /// `[batch, size, size, channels]`.
    pub pixels: Vec<u8>,
    /// The class of each image; none if the images have no labels.
    pub labels: Vec<u32>,
}

/// Reads batches on a thread of its own, a few steps ahead. Dropping it ends the thread.
pub struct Loader {
    batches: Receiver<Result<Batch, DataError>>,
}

impl Loader {
    /// Begins to read the batches of steps `first..end`.
    pub fn new(dataset: Arc<dyn Dataset>, order: Order, first: u64, end: u64) -> Loader {
        let (sender, batches) = sync_channel(AHEAD);
        thread::spawn(move || {
            for step in first..end {
                let batch = read(dataset.as_ref(), &order, step);
                let failed = batch.is_err();
                // Nobody listens any more: the loader was dropped.
                if sender.send(batch).is_err() || failed {
                    return;
                }
            }
        });
        Loader { batches }
    }
}

/// The batches in order, to the last step or the first image that cannot be read.
impl Iterator for Loader {
    type Item = Result<Batch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batches.recv().ok()
    }
}

fn read(dataset: &dyn Dataset, order: &Order, step: u64) -> Result<Batch, DataError> {
    let indices = order.batch(step);
    let mut pixels = vec![0; indices.len() * dataset.image_bytes()];
    let images = pixels.par_chunks_exact_mut(dataset.image_bytes());
    images.zip(&indices).try_for_each(|(image, &index)| dataset.read(index, image))?;
    let labels = indices.iter().filter_map(|&index| dataset.label(index)).collect();
    Ok(Batch { step, pixels, labels })
}
