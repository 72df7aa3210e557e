//! Training images and pictures.

mod cifar10;
mod folder;
mod formats;
mod order;
mod pictures;
mod shapes;

use ddpm_ptx::data::Dataset;

/// Image `index`, in a buffer that was not clean before.
fn read(dataset: &dyn Dataset, index: usize) -> Vec<u8> {
    let mut pixels = vec![0xAA; dataset.image_bytes()];
    dataset.read(index, &mut pixels).unwrap();
    pixels
}
