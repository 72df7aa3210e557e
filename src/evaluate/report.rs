//! What an evaluation found: by image, by timestep, and as a curve of rate and distortion.

use super::terms::Term;

/// The bound of one image, in bits a dimension.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BoundOf {
    /// Number of the image.
    pub image: usize,
    /// L_T
    pub prior: f64,
    /// L_1 + … + L_{T-1}: the rate.
    pub rate: f64,
    /// L_0, the discretised decoder.
    pub decoder: f64,
    /// Mean squared error of x_0 as it is estimated from x_1: the distortion.
    pub error: f64,
}

impl BoundOf {
    /// A bound with its prior alone.
    pub fn new(image: usize, prior: f64) -> BoundOf {
        BoundOf { image, prior, rate: 0.0, decoder: 0.0, error: 0.0 }
    }

    pub fn total(&self) -> f64 {
        self.prior + self.rate + self.decoder
    }
}

/// Sums over the images that were evaluated at a timestep.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct BoundAt {
    pub images: usize,
    /// Of the term, in bits a dimension.
    pub bits: f64,
    /// Of its square.
    pub squares: f64,
    /// Of the term times the number of timesteps that it stands for.
    pub weighted: f64,
    /// Of the mean squared error of the estimated x_0.
    pub errors: f64,
}

/// A mean with its standard error, which a single number does not have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    pub mean: f64,
    pub error: Option<f64>,
}

impl Spread {
    fn new(count: usize, sum: f64, squares: f64) -> Option<Spread> {
        let n = count as f64;
        let mean = (count > 0).then(|| sum / n)?;
        let variance = (squares - sum * mean).max(0.0) / (n - 1.0);
        Some(Spread { mean, error: (count > 1).then(|| (variance / n).sqrt()) })
    }

    fn of(numbers: impl Iterator<Item = f64> + Clone) -> Option<Spread> {
        let squares = numbers.clone().map(|number| number * number).sum();
        Spread::new(numbers.clone().count(), numbers.sum(), squares)
    }
}

impl BoundAt {
    /// The term over images.
    pub fn term(&self) -> Option<Spread> {
        Spread::new(self.images, self.bits, self.squares)
    }

    /// Root mean squared error of the estimated x_0 on the scale of bytes.
    pub fn rmse(&self) -> f64 {
        rmse(self.errors / self.images as f64)
    }
}

/// The root of a mean squared error of images in [-1, 1], on the scale of bytes.
pub fn rmse(error: f64) -> f64 {
    error.sqrt() * 127.5
}

/// A point of the rate-distortion curve: what the receiver has before the step of `t` (Table 4).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RatePoint {
    pub t: usize,
    /// Steps that were received: the paper's T - t + 1.
    pub received: usize,
    /// Bits a dimension so far.
    pub rate: f64,
    /// Root mean squared error of the estimated x_0 on the scale of bytes.
    pub rmse: f64,
}

/// The bound of the images so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    pub images: Vec<BoundOf>,
    /// By timestep.
    pub timesteps: Vec<BoundAt>,
}

impl Report {
    pub(super) fn new(timesteps: usize) -> Report {
        Report { images: vec![], timesteps: vec![BoundAt::default(); timesteps] }
    }

    /// Adds an image's terms, each with its timestep and the number of timesteps that it stands for.
    pub(super) fn add(&mut self, mut image: BoundOf, terms: impl Iterator<Item = ((u32, f64), Term)>) {
        for ((t, weight), term) in terms {
            let at = &mut self.timesteps[t as usize];
            at.images += 1;
            at.bits += term.bits;
            at.squares += term.bits * term.bits;
            at.weighted += weight * term.bits;
            at.errors += term.error;
            if t == 0 {
                (image.decoder, image.error) = (term.bits, term.error);
            } else {
                image.rate += weight * term.bits;
            }
        }
        self.images.push(image);
    }

    /// Bits a dimension over images; `None` of no image, and so are the others.
    pub fn total(&self) -> Option<Spread> {
        self.spread(BoundOf::total)
    }

    /// A number of each image over images.
    pub fn spread(&self, number: impl Fn(&BoundOf) -> f64 + Clone) -> Option<Spread> {
        Spread::of(self.images.iter().map(number))
    }

    /// Distortion of the whole rate.
    pub fn rmse(&self) -> Option<f64> {
        Some(rmse(self.spread(|image| image.error)?.mean))
    }

    /// Rate and distortion as x_T, …, x_1 arrive, where there is a distortion: Figure 5 and Table 4.
    pub fn rates(&self) -> Vec<RatePoint> {
        let images = self.images.len() as f64;
        let mut rate = self.spread(|image| image.prior).map_or(0.0, |prior| prior.mean);
        let mut points = vec![];
        for (t, at) in self.timesteps.iter().enumerate().rev() {
            if at.images > 0 {
                points.push(RatePoint { t, received: self.timesteps.len() - t, rate, rmse: at.rmse() });
            }
            rate += at.weighted / images;
        }
        points
    }
}
