//! Procedural images: one coloured circle, square or triangle on a coloured ground.

use super::{DataError, Dataset};
use crate::random::{Philox, Stream, below, uniform};

/// What is drawn on the ground.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    Circle,
    Square,
    /// Equilateral, one corner up.
    Triangle,
}

const FIGURES: [Figure; 3] = [Figure::Circle, Figure::Square, Figure::Triangle];
/// Names of the classes: the figures, in the same order.
const CLASSES: [&str; 3] = ["circle", "square", "triangle"];

/// Saturation of every colour.
const SATURATION: f32 = 0.75;
/// Figures are bright and grounds dark, so that any two hues have contrast.
const BRIGHT: f32 = 255.0;
const DARK: f32 = 75.0;

/// Radii of the circles that figures fit in, relative to the image.
const RADII: [f32; 2] = [0.38, 0.44];

/// Images drawn as they are asked for: image `i` is a function of the seed and `i` alone.
pub struct Shapes {
    size: usize,
    philox: Philox,
    classes: Vec<String>,
}

/// One image, before it is drawn. Coordinates are relative to the image, y downward.
#[derive(Debug, Clone, Copy)]
struct Scene {
    figure: Figure,
    /// Red, green and blue from 0 to 255.
    ground: [f32; 3],
    colour: [f32; 3],
    centre: [f32; 2],
    radius: f32,
}

impl Shapes {
    /// Images of an epoch: enough that no network in reach of this data set remembers them.
    pub const LEN: usize = 65_536;

    /// Images of `size` x `size` pixels.
    ///
    /// # Errors
    /// If the size is not a power of two from 8 to 4096.
    pub fn new(size: usize, seed: u64) -> Result<Shapes, DataError> {
        if !size.is_power_of_two() || !(8..=4096).contains(&size) {
            return Err(DataError::Shapes(size));
        }
        Ok(Shapes { size, philox: Philox::new(seed), classes: CLASSES.map(String::from).to_vec() })
    }

    /// What image `index` shows.
    pub fn figure(&self, index: usize) -> Figure {
        self.scene(index).figure
    }

    fn scene(&self, index: usize) -> Scene {
        let words = |quad| self.philox.words(Stream::DATA, index as u32, 0, quad);
        let [figure, ground, colour, radius] = words(0);
        let [x, y, ..] = words(1);
        let radius = RADII[0] + (RADII[1] - RADII[0]) * uniform(radius);
        let inside = |word| radius + (1.0 - 2.0 * radius) * uniform(word);
        Scene {
            figure: FIGURES[below(figure, FIGURES.len() as u32) as usize],
            ground: colour_of(uniform(ground), DARK),
            colour: colour_of(uniform(colour), BRIGHT),
            centre: [inside(x), inside(y)],
            radius,
        }
    }
}

impl Dataset for Shapes {
    fn len(&self) -> usize {
        Shapes::LEN
    }

    fn size(&self) -> usize {
        self.size
    }

    fn channels(&self) -> usize {
        3
    }

    fn read(&self, index: usize, pixels: &mut [u8]) -> Result<(), DataError> {
        let scene = self.scene(index);
        let size = self.size as f32;
        for (place, pixel) in pixels.chunks_exact_mut(3).enumerate() {
            let x = ((place % self.size) as f32 + 0.5) / size;
            let y = ((place / self.size) as f32 + 0.5) / size;
            let coverage = (0.5 - scene.distance(x, y) * size).clamp(0.0, 1.0);
            for (channel, value) in pixel.iter_mut().enumerate() {
                let (ground, colour) = (scene.ground[channel], scene.colour[channel]);
                *value = (ground + coverage * (colour - ground)).round() as u8;
            }
        }
        Ok(())
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn label(&self, index: usize) -> Option<u32> {
        let figure = self.figure(index);
        FIGURES.iter().position(|&other| other == figure).map(|number| number as u32)
    }
}

impl Scene {
    /// Distance of a point to the figure's edge, negative inside. Straight edges go on beyond the corners, which
    /// makes a difference only outside.
    fn distance(&self, x: f32, y: f32) -> f32 {
        let (x, y) = (x - self.centre[0], y - self.centre[1]);
        match self.figure {
            Figure::Circle => (x * x + y * y).sqrt() - self.radius,
            Figure::Square => x.abs().max(y.abs()) - self.radius * std::f32::consts::FRAC_1_SQRT_2,
            Figure::Triangle => {
                // Edge normals point down and, at 30 degrees, up to both sides; edges lie radius / 2 away.
                let slanted = x.abs() * (0.75f32).sqrt() - 0.5 * y;
                y.max(slanted) - 0.5 * self.radius
            }
        }
    }
}

/// Red, green and blue of a hue from 0 to 1, once around the circle, for the brightest channel at `value`.
fn colour_of(hue: f32, value: f32) -> [f32; 3] {
    // A channel is full within a sixth of the circle from its hue, and fades over the next sixth.
    [0.0, 2.0, 4.0].map(|centre| {
        let direct = (6.0 * hue - centre).abs();
        let full = (2.0 - direct.min(6.0 - direct)).clamp(0.0, 1.0);
        value * (1.0 - SATURATION + SATURATION * full)
    })
}
