//! Plots of one number against another.

use super::font::{FONT, register};
use super::write_png;
use plotters::coord::Shift;
use plotters::prelude::*;
use std::io;
use std::ops::Range;
use std::path::Path;

/// Of one chart; those of a picture stand side by side.
const SIZE: (u32, u32) = (640, 480);
const LINE: RGBColor = RGBColor(20, 80, 150);
const MESH: RGBColor = RGBColor(228, 228, 228);
const AXES: RGBColor = RGBColor(96, 96, 96);

/// How numbers lie along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    Linear,
    /// By their logarithms, with a line at every power of ten. Numbers that have none are left out.
    Logarithmic,
}

/// What an axis says.
#[derive(Debug, Clone, Copy)]
pub struct Axis<'a> {
    pub label: &'a str,
    pub scale: Scale,
}

/// A line through points (x, y).
pub struct Chart<'a> {
    pub x: Axis<'a>,
    pub y: Axis<'a>,
    pub points: Vec<(f64, f64)>,
}

/// Draws charts side by side.
///
/// # Errors
/// If one has no point that can be drawn, or the file cannot be written.
pub fn charts(path: &Path, charts: &[Chart]) -> io::Result<()> {
    let (width, height) = (SIZE.0 * charts.len() as u32, SIZE.1);
    let mut pixels = vec![0; (width * height * 3) as usize];
    draw(&mut pixels, (width, height), charts).map_err(|error| io::Error::other(error.to_string()))?;
    write_png(path, [height as usize, width as usize, 3], &pixels)
}

type Drawn = Result<(), Box<dyn std::error::Error>>;

fn draw(pixels: &mut [u8], size: (u32, u32), charts: &[Chart]) -> Drawn {
    register();
    let root = BitMapBackend::with_buffer(pixels, size).into_drawing_area();
    root.fill(&WHITE)?;
    for (area, chart) in root.split_evenly((1, charts.len())).iter().zip(charts) {
        chart.draw(area)?;
    }
    root.present()?;
    Ok(())
}

impl Chart<'_> {
    fn draw(&self, area: &DrawingArea<BitMapBackend, Shift>) -> Drawn {
        let placed = |&(x, y): &(f64, f64)| Some((self.x.scale.place(x)?, self.y.scale.place(y)?));
        let points: Vec<(f64, f64)> = self.points.iter().filter_map(placed).collect();
        if points.is_empty() {
            return Err(format!("there is no {} to draw", self.y.label).into());
        }
        let along = self.x.scale.range(points.iter().map(|point| point.0));
        let up = self.y.scale.range(points.iter().map(|point| point.1));
        let mut chart = ChartBuilder::on(area)
            .margin(16)
            .x_label_area_size(44)
            .y_label_area_size(72)
            .build_cartesian_2d(along.clone(), up.clone())?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(MESH)
            .axis_style(AXES)
            .label_style((FONT, 15))
            .axis_desc_style((FONT, 16))
            .x_labels(self.x.scale.labels(&along))
            .y_labels(self.y.scale.labels(&up))
            .x_label_formatter(&|&x| self.x.scale.label(x))
            .y_label_formatter(&|&y| self.y.scale.label(y))
            .x_desc(self.x.label)
            .y_desc(self.y.label)
            .draw()?;
        if let [point] = points[..] {
            chart.draw_series([Circle::new(point, 3, LINE.filled())])?;
        }
        chart.draw_series(LineSeries::new(points, LINE.stroke_width(2)))?;
        Ok(())
    }
}

impl Scale {
    /// Where a number lies, if it lies anywhere.
    fn place(self, number: f64) -> Option<f64> {
        let place = match self {
            Scale::Linear => number,
            Scale::Logarithmic => number.log10(),
        };
        place.is_finite().then_some(place)
    }

    /// Whole decades, or from 0.
    fn range(self, places: impl Iterator<Item = f64> + Clone) -> Range<f64> {
        let low = places.clone().fold(f64::INFINITY, f64::min);
        let high = places.fold(f64::NEG_INFINITY, f64::max);
        match self {
            Scale::Linear => low.min(0.0)..if high > low.min(0.0) { high * 1.05 } else { high + 1.0 },
            Scale::Logarithmic => low.floor()..high.ceil().max(low.floor() + 1.0),
        }
    }

    fn labels(self, range: &Range<f64>) -> usize {
        match self {
            Scale::Linear => 8,
            Scale::Logarithmic => (range.end - range.start) as usize + 1,
        }
    }

    fn label(self, place: f64) -> String {
        match self {
            Scale::Linear => short(place),
            Scale::Logarithmic if place.fract() != 0.0 => String::new(),
            Scale::Logarithmic if (-3.0..=4.0).contains(&place) => short(10f64.powf(place)),
            Scale::Logarithmic => format!("1e{place}"),
        }
    }
}

/// Four digits at most, and no zeros that say nothing.
fn short(number: f64) -> String {
    let text = format!("{number:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_without_a_logarithm_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chart.png");
        let axis = Axis { label: "bits", scale: Scale::Logarithmic };
        let chart = |points: &[(f64, f64)]| Chart { x: axis, y: axis, points: points.to_vec() };
        charts(&path, &[chart(&[(1.0, 0.5), (0.0, 1.0), (100.0, -1.0)]), chart(&[(1.0, 2.0), (9.0, 3.0)])])
            .unwrap();
        let image = image::open(&path).unwrap();
        assert_eq!((image.width(), image.height()), (2 * SIZE.0, SIZE.1));
        assert!(charts(&path, &[chart(&[(1.0, f64::NAN)])]).unwrap_err().to_string().contains("no bits"));
    }

    #[test]
    fn labels_are_short() {
        assert_eq!(Scale::Linear.label(0.25), "0.25");
        assert_eq!(Scale::Linear.label(40.0), "40");
        assert_eq!(Scale::Logarithmic.label(-2.0), "0.01");
        assert_eq!(Scale::Logarithmic.label(-5.0), "1e-5");
        assert_eq!(Scale::Logarithmic.label(0.5), "");
    }
}
