//! Pictures for people and for evaluators: PNG files, grids, captions, `.npz`, films, charts, the loss curve.
//!
//! Every file is written whole or not at all, see [`crate::atomic`].

mod captions;
mod chart;
mod curve;
mod film;
mod font;
mod grid;
mod npz;
mod png;

pub use captions::captioned;
pub use chart::{Axis, Chart, Scale, charts};
pub use curve::{LossPoint, loss_curve};
pub use film::write_film;
pub use grid::{grid, rows};
pub use npz::NpzFile;
pub use png::write_png;

/// Images of one size, 8 bits a channel: `[count, height, width, channels]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pictures {
    shape: [usize; 3],
    pixels: Vec<u8>,
}

impl Pictures {
    /// Images of shape `[height, width, channels]`, one after the other in `pixels`.
    ///
    /// # Panics
    /// If `pixels` is no whole number of images.
    pub fn new(shape: [usize; 3], pixels: Vec<u8>) -> Pictures {
        let bytes: usize = shape.iter().product();
        assert!(
            bytes > 0 && pixels.len().is_multiple_of(bytes),
            "{} bytes of images {shape:?}",
            pixels.len()
        );
        Pictures { shape, pixels }
    }

    /// Number of images.
    pub fn count(&self) -> usize {
        self.pixels.len() / self.image_bytes()
    }

    /// `[height, width, channels]` of each.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// All images, one after the other.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// Each image in turn.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.pixels.chunks_exact(self.image_bytes())
    }

    /// Adds images of the same shape.
    ///
    /// # Panics
    /// If the shapes differ.
    pub fn append(&mut self, more: &Pictures) {
        assert_eq!(self.shape, more.shape, "images of different shapes");
        self.pixels.extend_from_slice(&more.pixels);
    }

    /// Keeps the first `count` images.
    pub fn truncate(&mut self, count: usize) {
        self.pixels.truncate(count * self.image_bytes());
    }

    fn image_bytes(&self) -> usize {
        self.shape.iter().product()
    }
}
