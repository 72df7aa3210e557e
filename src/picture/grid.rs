//! Many small images in one big one.

use super::Pictures;

/// Width of the lines between images, relative to an image's side; at least one pixel.
const GAP: f32 = 1.0 / 16.0;
const GAP_COLOUR: u8 = 255;
/// Small images are magnified until their side has about this many pixels, so that people can see them.
const VISIBLE: usize = 64;

/// Lays the images out row by row in a grid that is as square as their number allows, with white lines
/// between. Each pixel of a small image becomes a square of pixels.
///
/// # Panics
/// If there is no image.
pub fn grid(images: &Pictures) -> Pictures {
    rows(images, columns(images.count()))
}

/// The same in rows of so many images.
///
/// # Panics
/// If there is no image or no column.
pub fn rows(images: &Pictures, columns: usize) -> Pictures {
    let [height, width, channels] = images.shape();
    let rows = images.count().div_ceil(columns);
    let scale = (VISIBLE / height.max(width)).max(1);
    let gap = ((height.max(width) * scale) as f32 * GAP).ceil() as usize;
    let (cell_height, cell_width) = (height * scale + gap, width * scale + gap);
    let (grid_height, grid_width) = (rows * cell_height + gap, columns * cell_width + gap);

    let mut pixels = vec![GAP_COLOUR; grid_height * grid_width * channels];
    for (number, image) in images.iter().enumerate() {
        let top = gap + number / columns * cell_height;
        let left = gap + number % columns * cell_width;
        for y in 0..height * scale {
            for x in 0..width * scale {
                let from = (y / scale * width + x / scale) * channels;
                let to = ((top + y) * grid_width + left + x) * channels;
                pixels[to..to + channels].copy_from_slice(&image[from..from + channels]);
            }
        }
    }
    Pictures::new([grid_height, grid_width, channels], pixels)
}

/// The square root of the number of images, rounded up.
fn columns(count: usize) -> usize {
    assert!(count > 0, "a grid of no images");
    (1..).find(|side| side * side >= count).expect("a square above any number")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_laid_out_row_by_row() {
        let images = Pictures::new([64, 64, 1], (1..=5u8).flat_map(|value| vec![value; 64 * 64]).collect());
        let grid = grid(&images);
        let [height, width, _] = grid.shape();
        assert_eq!([height, width], [2 * 68 + 4, 3 * 68 + 4]);
        let middle_of = |row: usize, column: usize| grid.pixels()[(row * 68 + 36) * width + column * 68 + 36];
        assert_eq!([middle_of(0, 0), middle_of(0, 1), middle_of(0, 2)], [1, 2, 3]);
        assert_eq!([middle_of(1, 0), middle_of(1, 1), middle_of(1, 2)], [4, 5, GAP_COLOUR]);
    }

    #[test]
    fn small_images_are_magnified() {
        let images = Pictures::new([16, 16, 3], vec![0; 16 * 16 * 3]);
        assert_eq!(grid(&images).shape(), [64 + 8, 64 + 8, 3]);
    }
}
