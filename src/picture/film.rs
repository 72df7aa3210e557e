//! A film of pictures as an animated GIF.

use super::Pictures;
use crate::atomic;
use image::codecs::gif::{GifEncoder, Repeat};
use image::{Delay, Frame, ImageResult, RgbaImage};
use std::path::Path;
use std::time::Duration;

/// How long the last picture stays.
const END: Duration = Duration::from_secs(2);

/// Writes the pictures one after the other, each for a time of `each`, over and over. Pictures of 1 channel are grey,
/// those of 3 coloured.
///
/// # Errors
/// If the file cannot be written.
pub fn write_film(path: &Path, pictures: &Pictures, each: Duration) -> ImageResult<()> {
    let [height, width, channels] = pictures.shape();
    let mut file = atomic::File::create(path)?;
    {
        // 10 of 30: a palette for each picture, found by looking at every tenth pixel.
        let mut encoder = GifEncoder::new_with_speed(&mut file, 10);
        encoder.set_repeat(Repeat::Infinite)?;
        for (number, picture) in pictures.iter().enumerate() {
            let colours = picture.chunks_exact(channels);
            let rgba = colours.flat_map(|of| [of[0], of[channels / 2], of[channels - 1], u8::MAX]).collect();
            let buffer = RgbaImage::from_raw(width as u32, height as u32, rgba).expect("a picture's bytes");
            let last = number + 1 == pictures.count();
            let delay = Delay::from_saturating_duration(if last { END } else { each });
            encoder.encode_frame(Frame::from_parts(buffer, 0, 0, delay))?;
        }
    }
    Ok(file.commit()?)
}
