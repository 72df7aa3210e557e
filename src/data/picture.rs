//! Image files in memory or on disk, as squares of RGB.

use image::error::{LimitError, LimitErrorKind};
use image::imageops::{self, FilterType};
use image::{DynamicImage, ImageDecoder, ImageError, ImageReader, ImageResult, Limits, RgbImage};
use std::io::{BufRead, Seek, SeekFrom};
use std::path::Path;

const ENDINGS: [&str; 8] = ["jpg", "jpeg", "png", "webp", "bmp", "gif", "tif", "tiff"];

/// Every file may claim to be an image of so many bytes, ...
const BELIEVED: u64 = 1 << 24;
/// ... or of so many for each byte of the file, which is what deflate makes of a plain one at most, ...
const FOR_A_BYTE: u64 = 1032;
/// ... but not of more than so many. Larger claims have no chance to ask for memory.
const LARGEST: u64 = 1 << 29;

/// What [`is_image`] takes, for people.
pub const KINDS: &str = "image file (.jpg .jpeg .png .webp .bmp .gif .tif .tiff)";

/// Whether a file's name is that of an image.
pub fn is_image(path: &Path) -> bool {
    // The shadows that some systems leave beside files are named ._NAME.
    let shadow = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("._"));
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    !shadow && ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
}

/// Reads an image the right way up; of it, the largest centred square is resized to `size` (bilinear, averaging where
/// it shrinks). The format is that of the content.
///
/// # Errors
/// If it cannot be read, or claims to be larger than a file of its size can be.
pub fn read_square(mut file: impl BufRead + Seek, size: usize) -> ImageResult<RgbImage> {
    let length = file.seek(SeekFrom::End(0))?;
    file.rewind()?;
    let most = length.saturating_mul(FOR_A_BYTE).clamp(BELIEVED, LARGEST);
    let mut reader = ImageReader::new(file).with_guessed_format()?;
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(2 * most);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    if decoder.total_bytes() > most {
        return Err(ImageError::Limits(LimitError::from_kind(LimitErrorKind::InsufficientMemory)));
    }
    let orientation = decoder.orientation()?;
    let mut image = DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(orientation);
    Ok(square(&image.into_rgb8(), size as u32))
}

fn square(image: &RgbImage, size: u32) -> RgbImage {
    let (width, height) = image.dimensions();
    let side = width.min(height);
    let middle = imageops::crop_imm(image, (width - side) / 2, (height - side) / 2, side, side);
    if side == size {
        middle.to_image()
    } else {
        imageops::resize(&*middle, size, size, FilterType::Triangle)
    }
}
