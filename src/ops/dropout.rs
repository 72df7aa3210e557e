//! Dropout, as other operations end with it.

use crate::device::In;
use crate::graph::Tensor;

/// Dropout at the end of an operation: kept values are scaled by 1 / (1 - rate), the others become 0.
///
/// The mask is a function of (seed, stream, place in the batch, step, element) by the convention of
/// [`random`](crate::random): the backward pass computes it again, nothing stores it.
#[derive(Debug, Clone)]
pub struct Dropout {
    /// Probability that a value is dropped, in [0, 1).
    pub rate: f32,
    pub seed: u64,
    /// One for each layer: [`Stream::dropout`](crate::random::Stream::dropout).
    pub stream: u32,
    /// The counter of the training step, u64 `[1]`, resident; its low 32 bits count.
    pub step: Tensor,
}

/// Dropout, or none, as kernels take it (`kernels/prelude/dropout.ptx`).
#[derive(Debug, Clone)]
pub(super) struct Mask {
    step: Option<Tensor>,
    pub seed: u64,
    pub stream: u32,
    /// An element is dropped if its random word is below this.
    pub threshold: u32,
    pub keep_scale: f32,
}

impl Mask {
    /// # Panics
    /// If the rate is outside [0, 1).
    pub fn new(dropout: Option<&Dropout>) -> Mask {
        let Some(dropout) = dropout.filter(|dropout| dropout.rate != 0.0) else {
            return Mask { step: None, seed: 0, stream: 0, threshold: 0, keep_scale: 1.0 };
        };
        let rate = f64::from(dropout.rate);
        assert!((0.0..1.0).contains(&rate), "a dropout rate of {rate} is outside [0, 1)");
        Mask {
            step: Some(dropout.step.clone()),
            seed: dropout.seed,
            stream: dropout.stream,
            threshold: (rate * 2f64.powi(32)).round() as u32,
            keep_scale: (1.0 / (1.0 - rate)) as f32,
        }
    }

    /// The step counter; `None` if nothing is dropped.
    pub fn step(&self) -> Option<In<u64>> {
        self.step.as_ref().map(Tensor::input)
    }
}
