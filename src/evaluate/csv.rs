//! Tables of an evaluation, as comma-separated values.

use super::progressive::Coded;
use super::report::{Report, rmse};
use crate::atomic;
use std::io::{self, Write};
use std::path::Path;

impl Report {
    /// One row for each image: its bound in bits a dimension, and its distortion on the scale of bytes.
    ///
    /// # Errors
    /// If the file cannot be written; so are the others.
    pub fn write_images(&self, path: &Path) -> io::Result<()> {
        let mut file = atomic::File::create(path)?;
        writeln!(file, "image,total,prior,rate,decoder,rmse")?;
        for image in &self.images {
            let (total, distortion) = (image.total(), rmse(image.error));
            let (number, prior, rate, decoder) = (image.image, image.prior, image.rate, image.decoder);
            writeln!(file, "{number},{total},{prior},{rate},{decoder},{distortion}")?;
        }
        file.commit()
    }

    /// One row for each timestep that was evaluated: its term over images.
    pub fn write_timesteps(&self, path: &Path) -> io::Result<()> {
        let mut file = atomic::File::create(path)?;
        writeln!(file, "t,images,bits,standard_error,rmse")?;
        for (t, at) in self.timesteps.iter().enumerate() {
            let Some(term) = at.term() else { continue };
            let error = term.error.map_or(String::new(), |error| error.to_string());
            writeln!(file, "{t},{},{},{error},{}", at.images, term.mean, at.rmse())?;
        }
        file.commit()
    }

    /// The rate-distortion curve: Table 4.
    pub fn write_rates(&self, path: &Path) -> io::Result<()> {
        let mut file = atomic::File::create(path)?;
        writeln!(file, "t,received_steps,rate,rmse")?;
        for point in self.rates() {
            writeln!(file, "{},{},{},{}", point.t, point.received, point.rate, point.rmse)?;
        }
        file.commit()
    }
}

/// One row for each step of each image.
///
/// # Errors
/// If the file cannot be written.
pub fn write_coded(path: &Path, coded: &[Coded]) -> io::Result<()> {
    let mut file = atomic::File::create(path)?;
    writeln!(file, "image,t,received_steps,rate,rmse,step_bits")?;
    for image in coded {
        for step in &image.steps {
            let (number, t) = (image.image, step.t);
            let received = image.steps.len() - t as usize;
            writeln!(file, "{number},{t},{received},{},{},{}", step.rate, rmse(step.error), step.bits)?;
        }
    }
    file.commit()
}
