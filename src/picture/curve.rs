//! The loss of a run against its steps.

use super::font::{FONT, register};
use super::write_png;
use plotters::prelude::*;
use std::io;
use std::path::Path;

const SIZE: (u32, u32) = (960, 540);
const PALE: RGBColor = RGBColor(178, 202, 226);
const STRONG: RGBColor = RGBColor(20, 80, 150);
/// Horizontal lines of a decade: at 1 to 9 times a power of ten.
const DECADE_LINES: usize = 9;
/// How many points the strong line averages over, as a part of all; single losses jump with the timesteps drawn.
const SMOOTHING: usize = 40;

/// The loss of one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LossPoint {
    pub step: u64,
    pub loss: f32,
}

/// Draws the loss, pale, and its running mean, strong, on a logarithmic scale. Losses that are not positive
/// numbers are left out.
///
/// # Errors
/// If no loss can be drawn, or the file cannot be written.
pub fn loss_curve(path: &Path, points: &[LossPoint]) -> io::Result<()> {
    let drawable = |point: &&LossPoint| point.loss.is_finite() && point.loss > 0.0;
    let points: Vec<LossPoint> = points.iter().filter(drawable).copied().collect();
    let mut pixels = vec![0; (SIZE.0 * SIZE.1 * 3) as usize];
    draw(&mut pixels, &points).map_err(|error| io::Error::other(error.to_string()))?;
    write_png(path, [SIZE.1 as usize, SIZE.0 as usize, 3], &pixels)
}

fn draw(pixels: &mut [u8], points: &[LossPoint]) -> Result<(), Box<dyn std::error::Error>> {
    register();
    let [.., last] = points else { return Err("there is no loss to draw".into()) };
    let (low, high) = range(points);
    let decades = (high / low).log10().ceil() as usize;
    let root = BitMapBackend::with_buffer(pixels, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d(0..last.step.max(1), (low..high).log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(RGBColor(228, 228, 228))
        .axis_style(RGBColor(96, 96, 96))
        .label_style((FONT, 15))
        .axis_desc_style((FONT, 16))
        .y_labels(DECADE_LINES * decades)
        .x_desc("step")
        .y_desc("loss")
        .y_label_formatter(&|loss| label(*loss))
        .draw()?;
    let line = |points: &[LossPoint]| -> Vec<(u64, f32)> {
        points.iter().map(|point| (point.step, point.loss)).collect()
    };
    chart.draw_series(LineSeries::new(line(points), &PALE))?;
    chart.draw_series(LineSeries::new(line(&running_mean(points)), STRONG.stroke_width(2)))?;
    root.present()?;
    Ok(())
}

/// From the decade below the losses, where the labels of the axis begin, to a little above them.
fn range(points: &[LossPoint]) -> (f32, f32) {
    let low = points.iter().map(|point| point.loss).fold(f32::INFINITY, f32::min);
    let high = points.iter().map(|point| point.loss).fold(0.0, f32::max);
    (10f32.powf(low.log10().floor()), high * 1.1)
}

/// The label of a line at 1, 2 or 5 times a power of ten; the lines between have none.
fn label(loss: f32) -> String {
    let mantissa = (loss / 10f32.powf(loss.log10().floor())).round();
    if ![1.0, 2.0, 5.0, 10.0].contains(&mantissa) {
        return String::new();
    }
    format!("{loss:.6}").trim_end_matches('0').trim_end_matches('.').to_string()
}

/// The mean of each point and those shortly before it.
fn running_mean(points: &[LossPoint]) -> Vec<LossPoint> {
    let window = points.len().div_ceil(SMOOTHING);
    let mean = |end: usize| {
        let recent = &points[(end + 1).saturating_sub(window)..=end];
        let sum: f32 = recent.iter().map(|point| point.loss).sum();
        LossPoint { step: points[end].step, loss: sum / recent.len() as f32 }
    };
    (0..points.len()).map(mean).collect()
}
