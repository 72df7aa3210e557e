//! Images with a few words under each.

use super::font::{FONT, register};
use super::{Pictures, write_png};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::io;
use std::path::Path;

/// Small images are magnified until their side has about this many pixels: as much as their captions take.
const VISIBLE: usize = 128;
const GAP: usize = 8;
const LINE_HEIGHT: usize = 18;
const FONT_SIZE: i32 = 14;

/// Draws rows of `columns` images, each with the lines of its caption centred under it.
///
/// # Panics
/// If there are not as many captions as images, or they are not grey or RGB.
///
/// # Errors
/// If the file cannot be written.
pub fn captioned(path: &Path, images: &Pictures, columns: usize, captions: &[Vec<String>]) -> io::Result<()> {
    assert_eq!(images.count(), captions.len(), "captions of images");
    let [height, width, _] = images.shape();
    let scale = (VISIBLE / height.max(width)).max(1);
    let lines = captions.iter().map(Vec::len).max().unwrap_or(0);
    let cell = [height * scale + lines * LINE_HEIGHT + GAP, (width * scale).max(VISIBLE) + GAP];
    let size = [images.count().div_ceil(columns) * cell[0] + GAP, columns * cell[1] + GAP];
    let mut pixels = vec![255; size[0] * size[1] * 3];
    let corner = |number: usize| [GAP + number / columns * cell[0], GAP + number % columns * cell[1]];
    for (number, image) in images.iter().enumerate() {
        let [top, left] = corner(number);
        let left = left + (cell[1] - GAP - width * scale) / 2;
        blit(&mut pixels, size[1], [top, left], images.shape(), image, scale);
    }
    let area = (size[1] as u32, size[0] as u32);
    let corners = captions.iter().enumerate().map(|(number, lines)| {
        let [top, left] = corner(number);
        ([top + height * scale, left + (cell[1] - GAP) / 2], lines)
    });
    write_lines(&mut pixels, area, corners).map_err(|error| io::Error::other(error.to_string()))?;
    write_png(path, [size[0], size[1], 3], &pixels)
}

/// Copies an image, magnified, into a picture of RGB rows of `stride` pixels.
fn blit(
    pixels: &mut [u8],
    stride: usize,
    [top, left]: [usize; 2],
    [height, width, channels]: [usize; 3],
    image: &[u8],
    scale: usize,
) {
    for y in 0..height * scale {
        for x in 0..width * scale {
            let from = (y / scale * width + x / scale) * channels;
            let to = ((top + y) * stride + left + x) * 3;
            for colour in 0..3 {
                pixels[to + colour] = image[from + if channels == 1 { 0 } else { colour }];
            }
        }
    }
}

fn write_lines<'a>(
    pixels: &mut [u8],
    area: (u32, u32),
    captions: impl Iterator<Item = ([usize; 2], &'a Vec<String>)>,
) -> Result<(), Box<dyn std::error::Error>> {
    register();
    let root = BitMapBackend::with_buffer(pixels, area).into_drawing_area();
    let style = (FONT, FONT_SIZE).into_font().color(&BLACK).pos(Pos::new(HPos::Center, VPos::Top));
    for ([top, middle], lines) in captions {
        for (number, line) in lines.iter().enumerate() {
            let place = (middle as i32, (top + 2 + number * LINE_HEIGHT) as i32);
            root.draw(&Text::new(line.as_str(), place, style.clone()))?;
        }
    }
    root.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captions_are_under_their_images() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("strip.png");
        let images = Pictures::new([8, 8, 1], vec![40; 3 * 64]);
        let captions = ["one", "two", "three"].map(|word| vec![word.to_string(), "and more".to_string()]);
        captioned(&path, &images, 3, &captions).unwrap();
        let image = image::open(&path).unwrap().to_rgb8();
        assert_eq!((image.width(), image.height()), (3 * 136 + 8, 128 + 36 + 16));
        assert_eq!(image.get_pixel(8 + 64, 8 + 64).0, [40; 3]);
        let below = |column: u32| {
            (8 + 128..8 + 128 + 36)
                .any(|y| (column * 136 + 8..(column + 1) * 136).any(|x| image.get_pixel(x, y).0[0] < 100))
        };
        assert!((0..3).all(below));
    }
}
