//! PNG files.

use crate::atomic;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use std::io;
use std::path::Path;

/// Writes an image of `[height, width, channels]`, grey (1 channel) or RGB (3 channels), to `path`.
///
/// # Errors
/// If the file cannot be written, or a PNG cannot have that many channels.
pub fn write_png(path: &Path, [height, width, channels]: [usize; 3], image: &[u8]) -> io::Result<()> {
    let colour = match channels {
        1 => ExtendedColorType::L8,
        3 => ExtendedColorType::Rgb8,
        other => {
            return Err(io::Error::other(format!("an image of {other} channels is neither grey nor RGB")));
        }
    };
    let mut file = vec![];
    PngEncoder::new(&mut file)
        .write_image(image, width as u32, height as u32, colour)
        .map_err(io::Error::other)?;
    atomic::write(path, &file)
}
