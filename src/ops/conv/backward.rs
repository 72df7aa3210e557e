//! The way back through a convolution.

use super::super::add::{contribute_written, pass_gradient};
use super::shape::Shape;
use super::{bf16, dgrad, wgrad};
use crate::device::DType;
use crate::graph::{Tape, Tensor};

/// What the way back needs.
pub(super) struct Backward {
    /// The convolution, and its shortcut if there is one.
    pub products: Vec<Products>,
    pub per_image: Option<Tensor>,
    pub residual: Option<Tensor>,
}

/// Inputs and weights whose products were summed.
pub(super) struct Products {
    shape: Shape,
    inputs: Vec<Tensor>,
    weight: Tensor,
    /// The weights as the kernels multiply with them.
    factor: Tensor,
    bias: Option<Tensor>,
}

impl Products {
    pub fn new(
        shape: Shape,
        inputs: &[&Tensor],
        weight: &Tensor,
        factor: Tensor,
        bias: Option<&Tensor>,
    ) -> Products {
        let inputs = inputs.iter().copied().cloned().collect();
        Products { shape, inputs, weight: weight.clone(), factor, bias: bias.cloned() }
    }

    /// The gradients of inputs and weights.
    fn launch(&self, tape: &mut Tape, dy: &Tensor) {
        let in_bf16 = self.inputs[0].dtype() == DType::BF16;
        let dgrad = if in_bf16 { bf16::dgrad } else { dgrad::launch };
        let wgrad = if in_bf16 { bf16::wgrad } else { wgrad::launch };
        for (number, input) in self.inputs.iter().enumerate() {
            if let Some(dx) = tape.contribute(input) {
                dgrad(tape, &self.shape, number, &self.factor, dy, &dx);
            }
        }
        let inputs: Vec<&Tensor> = self.inputs.iter().collect();
        contribute_written(tape, &self.weight, |tape, dw| wgrad(tape, &self.shape, &inputs, dy, dw));
    }
}

impl Backward {
    pub fn launch(&self, tape: &mut Tape, dy: &Tensor) {
        for products in &self.products {
            products.launch(tape, dy);
        }
        self.launch_sums(tape, dy);
        if let Some(residual) = &self.residual {
            pass_gradient(tape, residual, dy);
        }
    }

    /// The gradients of what was added to many pixels.
    fn launch_sums(&self, tape: &mut Tape, dy: &Tensor) {
        let wanted = |tensor: &Tensor| Some(tensor.clone()).filter(|tensor| tape.wants_gradient(tensor));
        let biases = self.products.iter().filter_map(|products| products.bias.as_ref());
        let biases: Vec<Tensor> = biases.filter_map(wanted).collect();
        let per_image = self.per_image.as_ref().and_then(wanted);
        if biases.is_empty() && per_image.is_none() {
            return;
        }
        let sums = wgrad::image_sums(tape, dy);
        let [images, ..] = dy.dims::<4>();
        for bias in biases {
            contribute_written(tape, &bias, |tape, gradient| {
                wgrad::sum_slices(tape, &sums, images, gradient);
            });
        }
        if let Some(per_image) = per_image {
            pass_gradient(tape, &per_image, &sums);
        }
    }
}
