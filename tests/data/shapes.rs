use super::read;
use ddpm_ptx::data::{Figure, Shapes};

const SIZE: usize = 64;

#[test]
fn an_image_depends_on_the_seed_and_its_number_alone() {
    let (one, same, other) = (shapes(SIZE, 1), shapes(SIZE, 1), shapes(SIZE, 2));
    for index in [0, 1, 77, Shapes::LEN - 1] {
        assert_eq!(read(&one, index), read(&same, index));
        assert_ne!(read(&one, index), read(&other, index));
    }
    assert_ne!(read(&one, 0), read(&one, 1));
}

/// Areas are those of the figures: a circle fills pi/4 of its bounding box, a square all of it, an equilateral
/// triangle half. Anti-aliased edges move that by about a pixel along the outline.
#[test]
fn figures_have_the_shape_that_they_are_named_after() {
    let shapes = shapes(SIZE, 3);
    let mut seen = vec![];
    for index in 0..60 {
        let mask = mask(&read(&shapes, index));
        let columns = (0..SIZE).filter(|x| (0..SIZE).any(|y| mask[y * SIZE + x])).count();
        let rows = (0..SIZE).filter(|y| (0..SIZE).any(|x| mask[y * SIZE + x])).count();
        let area = mask.iter().filter(|inside| **inside).count() as f64;
        let filled = area / (rows * columns) as f64;
        let expected = match shapes.figure(index) {
            Figure::Circle => std::f64::consts::FRAC_PI_4,
            Figure::Square => 1.0,
            Figure::Triangle => 0.5,
        };
        assert!((filled - expected).abs() < 0.06, "image {index}: {filled} of its box, not {expected}");
        assert!(columns >= SIZE / 3, "image {index}: the figure is only {columns} pixels wide");
        seen.push(expected);
    }
    seen.sort_by(f64::total_cmp);
    seen.dedup();
    assert_eq!(seen.len(), 3, "60 images show all figures");
}

#[test]
fn any_power_of_two_is_a_size_and_nothing_else() {
    for size in [8, 16, 256] {
        assert_eq!(read(&shapes(size, 0), 5).len(), size * size * 3);
    }
    for size in [0, 1, 24, 8192] {
        let error = Shapes::new(size, 0).err().unwrap().to_string();
        assert!(error.contains("power of two"), "{error}");
    }
}

fn shapes(size: usize, seed: u64) -> Shapes {
    Shapes::new(size, seed).unwrap()
}

/// Pixels that are nearer to the brightest one than to the ground, which is in a corner.
fn mask(pixels: &[u8]) -> Vec<bool> {
    let brightness = |pixel: &[u8]| pixel.iter().map(|&value| u32::from(value)).sum::<u32>();
    let ground = brightness(&pixels[..3]);
    let figure = pixels.chunks_exact(3).map(brightness).max().unwrap();
    pixels.chunks_exact(3).map(|pixel| 2 * brightness(pixel) > ground + figure).collect()
}
