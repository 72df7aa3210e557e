//! Convolution in NHWC as an implicit matrix product, with all that surrounds it in a U-Net fused: bias, time
//! embedding, residual connection, concatenation and nearest upsampling; and its gradients.
//!
//! Every sum has an order that depends neither on the tile nor on the number of images, so that an image's result is
//! the same bits in any batch. The gradients of weights and biases sum over the batch, in the order of its images.

mod bf16;
mod dgrad;
mod fprop;
mod geometry;
mod shape;
mod tiles;
mod wgrad;

pub use geometry::{Geometry, Padding};

use super::add::{contribute_written, pass_gradient};
use crate::device::DType;
use crate::graph::{Tape, Tensor};
use shape::Shape;

/// What is added to a convolution's result before it is stored.
#[derive(Debug, Clone, Copy, Default)]
pub struct Epilogue<'a> {
    /// `[K]`.
    pub bias: Option<&'a Tensor>,
    /// `[N,K]`, added to every pixel of an image: the time embedding.
    pub per_image: Option<&'a Tensor>,
    /// `[N,P,Q,K]`.
    pub residual: Option<&'a Tensor>,
    /// Whether a sum of bf16 products is stored as it is rather than rounded to bf16: the network's result.
    pub f32_result: bool,
}

impl Epilogue<'_> {
    fn check(&self, output: [usize; 4]) {
        let [images, _, _, channels] = output;
        let expected = |tensor: Option<&Tensor>, shape: &[usize], what| {
            if let Some(tensor) = tensor {
                assert_eq!(tensor.shape(), shape, "the {what} of a convolution");
            }
        };
        expected(self.bias, &[channels], "bias");
        expected(self.per_image, &[images, channels], "addend per image");
        expected(self.residual, &output, "residual");
    }
}

/// y = x * w + epilogue.
///
/// `inputs`: one tensor `[N,H,W,C]`, or two that count as concatenated along C; `weight`: `[K,R,R,C]`. The result is
/// `[N,P,Q,K]` with P, Q from [`Geometry::output`].
///
/// Inputs and weights are all f32, or all bf16, the weights being a copy of f32 ones; but for an upsampled bf16 input
/// they are the f32 ones, which are added up before they are rounded. In bf16 products are summed on
/// tensor cores, and all numbers of channels are multiples of 8; or an image of fewer channels, or to fewer, keeps its
/// height and width and gets a bias alone. The result and the residual have the inputs' type, and
/// so have their gradients; bias, addend per image, their gradients and that of the weights are f32 in any case.
///
/// # Panics
/// If the shapes or the types do not fit each other.
pub fn conv(
    tape: &mut Tape,
    inputs: &[&Tensor],
    weight: &Tensor,
    epilogue: Epilogue,
    geometry: &Geometry,
) -> Tensor {
    let shape = Shape::new(inputs, weight, geometry);
    epilogue.check(shape.output());
    let in_bf16 = inputs[0].dtype() == DType::BF16;
    let rounded = in_bf16 && !epilogue.f32_result;
    let y = tape.temporary(&shape.output(), if rounded { DType::BF16 } else { DType::F32 });
    let factor = if in_bf16 { bf16::factor(tape, geometry, weight) } else { weight.clone() };
    let fprop = if in_bf16 { bf16::fprop } else { fprop::launch };
    fprop(tape, &shape, inputs, &factor, &epilogue, &y);

    let backward = Backward {
        shape,
        inputs: inputs.iter().copied().cloned().collect(),
        weight: weight.clone(),
        factor,
        bias: epilogue.bias.cloned(),
        per_image: epilogue.per_image.cloned(),
        residual: epilogue.residual.cloned(),
    };
    let out = y.clone();
    tape.on_backward(move |tape| {
        if let Some(dy) = tape.gradient(&out) {
            backward.launch(tape, &dy);
        }
    });
    y
}

/// y = x w' + bias + residual: x `[N, …, C]`, weight `[K,C]`, bias `[K]`, residual and result `[N, …, K]`; types as for
/// [`conv`].
///
/// # Panics
/// If the shapes do not fit each other.
pub fn linear(
    tape: &mut Tape,
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    residual: Option<&Tensor>,
) -> Tensor {
    let [out_channels, channels] = weight.dims();
    let (&last, outer) = x.shape().split_last().expect("the input of a linear layer has channels");
    assert_eq!(last, channels, "channels of a linear layer's input and weights");
    let images = outer.first().copied().unwrap_or(1);
    let pixels = outer.iter().skip(1).product();
    let image = |channels| [images, 1, pixels, channels];

    let weight = weight.reshape(&[out_channels, 1, 1, channels]);
    let residual = residual.map(|residual| residual.reshape(&image(out_channels)));
    let epilogue = Epilogue { bias, residual: residual.as_ref(), ..Epilogue::default() };
    let y = conv(tape, &[&x.reshape(&image(channels))], &weight, epilogue, &Geometry::POINTWISE);
    y.reshape(&[outer, &[out_channels]].concat())
}

/// What the way back needs.
struct Backward {
    shape: Shape,
    inputs: Vec<Tensor>,
    weight: Tensor,
    /// The weights as the kernels multiply with them.
    factor: Tensor,
    bias: Option<Tensor>,
    per_image: Option<Tensor>,
    residual: Option<Tensor>,
}

impl Backward {
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
        self.launch_sums(tape, dy);
        if let Some(residual) = &self.residual {
            pass_gradient(tape, residual, dy);
        }
    }

    /// The gradients of what was added to many pixels.
    fn launch_sums(&self, tape: &mut Tape, dy: &Tensor) {
        let wanted = |tensor: &Option<Tensor>| tensor.clone().filter(|tensor| tape.wants_gradient(tensor));
        let (bias, per_image) = (wanted(&self.bias), wanted(&self.per_image));
        if bias.is_none() && per_image.is_none() {
            return;
        }
        let sums = wgrad::image_sums(tape, dy);
        if let Some(bias) = bias {
            contribute_written(tape, &bias, |tape, gradient| {
                wgrad::sum_slices(tape, &sums, self.shape.images, gradient);
            });
        }
        if let Some(per_image) = per_image {
            pass_gradient(tape, &per_image, &sums);
        }
    }
}
