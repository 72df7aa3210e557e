//! An arena of weights on a device.

use super::layout::{Entry, Init, Layout, Slot};
use super::precision::Precision;
use crate::device::{self, Buffer, DType, Device};
use crate::graph::{Tape, Tensor};
use crate::ops::cast::cast_into;
use crate::random::{Philox, Stream};
use half::bf16;
use std::convert::Infallible;
use std::sync::Arc;

/// Weights of one [`Layout`] on a device.
#[derive(Clone)]
pub struct Parameters {
    pub layout: Arc<Layout>,
    /// f32, [`Layout::len`] elements.
    pub weights: Arc<Buffer>,
    /// The same rounded to bf16, if the network computes in that: see [`Parameters::record_rounding`].
    pub rounded: Option<Arc<Buffer>>,
}

impl Parameters {
    /// Copies an arena to the device.
    ///
    /// # Panics
    /// If the arena is not of the layout's length.
    pub fn upload(layout: Arc<Layout>, device: &Device, arena: &[f32]) -> device::Result<Parameters> {
        assert_eq!(arena.len(), layout.len(), "elements of an arena");
        let weights = Arc::new(device.upload(arena)?);
        Ok(Parameters { layout, weights, rounded: None })
    }

    /// With room for what a network of this precision needs besides; it is yet to be filled.
    pub fn with_precision(self, device: &Device, precision: Precision) -> device::Result<Parameters> {
        let rounded = match precision {
            Precision::F32 => None,
            Precision::Bf16 => Some(Arc::new(device.alloc::<bf16>(self.layout.len())?)),
        };
        Ok(Parameters { rounded, ..self })
    }

    /// Appends the rounding of the weights as they are now, if there is a copy to be rounded to.
    pub fn record_rounding(&self, tape: &mut Tape) {
        let Some(rounded) = &self.rounded else { return };
        let shape = [self.layout.len()];
        let weights = tape.resident(&self.weights, 0, &shape, DType::F32);
        let rounded = tape.resident(rounded, 0, &shape, DType::BF16);
        cast_into(tape, &weights, &rounded);
    }

    /// The initial weights that the authors' code draws (`diffusion_tf/nn.py`): weights uniform with the variance
    /// `scale / fan average`, biases 0, normalisation gains 1. `scale` is 1, and 1e-10 for the last layer of every
    /// branch and of the network.
    pub fn initialise(layout: Arc<Layout>, device: &Device, seed: u64) -> device::Result<Parameters> {
        let arena = initial(&layout, seed);
        Parameters::upload(layout, device, &arena)
    }

    /// The arena, after all queued work.
    pub fn download(&self) -> device::Result<Vec<f32>> {
        self.weights.to_vec()
    }

    /// For a forward pass alone.
    pub fn bind(&self) -> Bound {
        Bound { weights: self.weights.clone(), rounded: self.rounded.clone(), gradients: None }
    }

    /// For training: gradients go to an arena of the same layout. Its padding is never written: it should be
    /// zero.
    ///
    /// # Panics
    /// If `gradients` is of another size.
    pub fn bind_training(&self, gradients: &Arc<Buffer>) -> Bound {
        assert_eq!(gradients.bytes(), self.weights.bytes(), "an arena of gradients");
        let (weights, rounded) = (self.weights.clone(), self.rounded.clone());
        Bound { weights, rounded, gradients: Some(gradients.clone()) }
    }
}

/// An arena of initial weights. The sample word of the random numbers is the number of the tensor, their element that
/// of the checkpoint's order.
fn initial(layout: &Layout, seed: u64) -> Vec<f32> {
    let philox = Philox::new(seed);
    let within = |bound: f64, number, len| -> Vec<f32> {
        let uniforms = philox.uniforms(Stream::WEIGHTS, number, 0).take(len);
        uniforms.map(|u| (bound * (2.0 * f64::from(u) - 1.0)) as f32).collect()
    };
    let mut number = 0;
    let arena: Result<_, Infallible> = layout.pack(|entry| {
        let len = entry.slot.len();
        let values = match entry.init {
            Init::Constant(value) => vec![value; len],
            Init::FanAverage { scale } => within((3.0 * scale / fan_average(entry)).sqrt(), number, len),
            Init::Unit => within(3.0f64.sqrt(), number, len),
        };
        number += 1;
        Ok(values)
    });
    match arena {
        Ok(arena) => arena,
        Err(never) => match never {},
    }
}

/// Mean of the numbers of inputs of an output and of outputs of an input.
fn fan_average(entry: &Entry) -> f64 {
    let shape = entry.checkpoint_shape();
    let area: usize = shape[2..].iter().product();
    ((shape[0] + shape[1]) * area) as f64 / 2.0
}

/// The arena that a tape takes its parameters from, with where their gradients go.
pub struct Bound {
    weights: Arc<Buffer>,
    rounded: Option<Arc<Buffer>>,
    gradients: Option<Arc<Buffer>>,
}

impl Bound {
    /// What the network computes in.
    pub fn precision(&self) -> Precision {
        if self.rounded.is_some() { Precision::Bf16 } else { Precision::F32 }
    }

    /// One tensor of the arena, f32.
    pub(super) fn tensor(&self, tape: &mut Tape, slot: &Slot) -> Tensor {
        match &self.gradients {
            Some(gradients) => tape.parameter(&self.weights, gradients, slot.first, &slot.shape),
            None => tape.resident(&self.weights, slot.first, &slot.shape, DType::F32),
        }
    }

    /// The same as it meets activations of type `dtype`.
    ///
    /// # Panics
    /// If there is no copy of that type.
    pub(super) fn factor(&self, tape: &mut Tape, slot: &Slot, dtype: DType) -> Tensor {
        if dtype == DType::F32 {
            return self.tensor(tape, slot);
        }
        let rounded = self.rounded.as_ref().expect("a rounded copy of the weights");
        match &self.gradients {
            Some(gradients) => {
                tape.parameter_in([dtype, DType::F32], rounded, gradients, slot.first, &slot.shape)
            }
            None => tape.resident(rounded, slot.first, &slot.shape, dtype),
        }
    }
}
