//! Training images: where they come from, and the order in which they are shown.
//!
//! A [`Dataset`] is a numbered set of square 8-bit images. [`Source`] is what `--data` says; [`Loader`] reads
//! batches ahead of the training loop, in an [`Order`] that depends on nothing but the seed and the step.

mod archive;
mod cifar10;
mod classes;
mod folder;
mod loader;
#[cfg(feature = "lmdb")]
mod lsun;
mod npz;
mod picture;
mod shapes;
mod source;
mod zip;

pub use self::zip::Zip;
pub use cifar10::Cifar10;
pub use folder::Folder;
pub use loader::{Batch, Loader, Order};
#[cfg(feature = "lmdb")]
pub use lsun::Lsun;
pub use npz::Npz;
pub use picture::read_square;
pub use shapes::{Figure, Shapes};
pub use source::Source;

use crate::message::excerpt;
use std::path::PathBuf;

/// A numbered set of images of one size, 8 bits a channel.
pub trait Dataset: Send + Sync {
    /// Number of images; at least 1.
    fn len(&self) -> usize;

    /// Height and width of every image.
    fn size(&self) -> usize;

    /// Channels of every image.
    fn channels(&self) -> usize;

    /// Writes image `index`, row by row, channels innermost, to `pixels`, which has as many bytes as an image.
    ///
    /// # Errors
    /// If the image cannot be read.
    fn read(&self, index: usize, pixels: &mut [u8]) -> Result<(), DataError>;

    /// Names of the classes, in the order of their numbers; none if the images have no labels.
    fn classes(&self) -> &[String] {
        &[]
    }

    /// Class of image `index`, below the number of classes, if the images have labels.
    fn label(&self, index: usize) -> Option<u32> {
        let _ = index;
        None
    }

    /// Bytes of one image.
    fn image_bytes(&self) -> usize {
        self.size() * self.size() * self.channels()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What can be wrong with training images.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    #[error("{text:?} names no training images; use {}", source::FORMS)]
    Source { text: String },
    #[error("the folder {} cannot be read: {reason}", path.display())]
    Folder { path: PathBuf, reason: std::io::Error },
    #[error("{} holds no {wanted}", path.display())]
    Empty { path: PathBuf, wanted: &'static str },
    #[error("{} cannot be read: {reason}", path.display())]
    File { path: PathBuf, reason: std::io::Error },
    /// A file that is not what its name says.
    #[error("{} {reason}", path.display())]
    Malformed { path: PathBuf, reason: String },
    #[error("{} is not a readable image ({}); repair it or take it out of the folder", path.display(), excerpt(reason))]
    Image { path: PathBuf, reason: image::ImageError },
    #[error("{} is {bytes} bytes long, which is no whole number of CIFAR-10 records of {record} bytes; unpack the archive again", path.display())]
    Length { path: PathBuf, bytes: usize, record: usize },
    #[error("{} is no CIFAR-10 batch: {reason}; unpack the archive again", path.display())]
    Batch { path: PathBuf, reason: String },
    #[error("{source_name} images are {found}x{found}, not {wanted}x{wanted}; use --size {found}")]
    Size { source_name: &'static str, found: usize, wanted: usize },
    #[error(
        "this program was built without the feature lmdb, which reads LSUN; build it with --features lmdb"
    )]
    NoLmdb,
    #[error("images of {0}x{0} cannot be drawn; the size must be a power of two from 8 to 4096")]
    Shapes(usize),
}
