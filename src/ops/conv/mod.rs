//! Convolution in NHWC as an implicit matrix product, with all that surrounds it in a U-Net fused: bias, time
//! embedding, residual connection, concatenation and nearest upsampling; and its gradients.
//!
//! Every sum has an order that depends neither on the tile nor on the number of images, so that an image's result is
//! the same bits in any batch. The gradients of weights and biases sum over the batch, in the order of its images.

mod backward;
mod bf16;
mod dgrad;
mod fprop;
mod geometry;
mod shape;
mod tiles;
mod wgrad;

pub use geometry::{Geometry, Padding};

use crate::device::DType;
use crate::graph::{Tape, Tensor};
use backward::{Backward, Products};
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
    /// Instead of a residual, where height and width are kept.
    pub shortcut: Option<Shortcut<'a>>,
    /// Whether a sum of bf16 products is stored as it is rather than rounded to bf16: the network's result.
    pub f32_result: bool,
    /// Whether a group normalisation will read the result. A convolution to bf16 then leaves the moments that it needs
    /// ([`moments`](super::moments)), where it can.
    pub normalised: bool,
}

/// A 1 x 1 convolution of tensors of the result's height and width, whose sum goes on where that of the convolution
/// that it is added to ends: the bypass of a block that changes the number of channels.
#[derive(Debug, Clone, Copy)]
pub struct Shortcut<'a> {
    /// One tensor `[N,P,Q,D]`, or two that count as concatenated along D; of the type of the convolution's inputs.
    pub inputs: &'a [&'a Tensor],
    /// `[K,1,1,D]`, of the type of the convolution's weights.
    pub weight: &'a Tensor,
    /// `[K]`.
    pub bias: &'a Tensor,
}

impl Epilogue<'_> {
    fn check(&self, output: [usize; 4]) {
        let [images, _, _, channels] = output;
        assert!(self.residual.is_none() || self.shortcut.is_none(), "a residual besides a shortcut");
        let expected = |tensor: Option<&Tensor>, shape: &[usize], what| {
            if let Some(tensor) = tensor {
                assert_eq!(tensor.shape(), shape, "the {what} of a convolution");
            }
        };
        expected(self.bias, &[channels], "bias");
        expected(self.per_image, &[images, channels], "addend per image");
        expected(self.residual, &output, "residual");
        if let Some(Shortcut { inputs, weight, bias }) = self.shortcut {
            let shape = Shape::new(inputs, weight, &Geometry::POINTWISE);
            assert_eq!(shape.output(), output, "the shortcut of a convolution");
            expected(Some(bias), &[channels], "shortcut's bias");
        }
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
    let in_bf16 = inputs[0].dtype() == DType::BF16;
    if let Some(shortcut) = epilogue.shortcut.filter(|_| !in_bf16) {
        let bias = Epilogue { bias: Some(shortcut.bias), ..Epilogue::default() };
        let bypass = conv(tape, shortcut.inputs, shortcut.weight, bias, &Geometry::POINTWISE);
        let epilogue = Epilogue { residual: Some(&bypass), shortcut: None, ..epilogue };
        return conv(tape, inputs, weight, epilogue, geometry);
    }
    let shape = Shape::new(inputs, weight, geometry);
    epilogue.check(shape.output());
    let rounded = in_bf16 && !epilogue.f32_result;
    let y = tape.temporary(&shape.output(), if rounded { DType::BF16 } else { DType::F32 });
    let factor = if in_bf16 { bf16::factor(tape, geometry, weight) } else { weight.clone() };
    let fprop = if in_bf16 { bf16::fprop } else { fprop::launch };
    fprop(tape, &shape, inputs, &factor, &epilogue, &y);

    let mut products = vec![Products::new(shape, inputs, weight, factor, epilogue.bias)];
    if let Some(Shortcut { inputs, weight, bias }) = epilogue.shortcut {
        let shape = Shape::new(inputs, weight, &Geometry::POINTWISE);
        products.push(Products::new(shape, inputs, weight, weight.clone(), Some(bias)));
    }
    let (per_image, residual) = (epilogue.per_image.cloned(), epilogue.residual.cloned());
    let backward = Backward { products, per_image, residual };
    let out = y.clone();
    tape.on_backward(move |tape| {
        if let Some(dy) = tape.gradient(&out) {
            backward.launch(tape, &dy);
        }
    });
    y
}

/// y = x w' + epilogue: x `[N, …, C]`, weight `[K,C]`, bias `[K]`, residual and result `[N, …, K]`; types as for [`conv`].
///
/// # Panics
/// If the shapes do not fit each other.
pub fn linear(tape: &mut Tape, x: &Tensor, weight: &Tensor, epilogue: Epilogue) -> Tensor {
    let [out_channels, channels] = weight.dims();
    let (&last, outer) = x.shape().split_last().expect("the input of a linear layer has channels");
    assert_eq!(last, channels, "channels of a linear layer's input and weights");
    let images = outer.first().copied().unwrap_or(1);
    let pixels = outer.iter().skip(1).product();
    let image = |channels| [images, 1, pixels, channels];

    let weight = weight.reshape(&[out_channels, 1, 1, channels]);
    let residual = epilogue.residual.map(|residual| residual.reshape(&image(out_channels)));
    let epilogue = Epilogue { residual: residual.as_ref(), ..epilogue };
    let y = conv(tape, &[&x.reshape(&image(channels))], &weight, epilogue, &Geometry::POINTWISE);
    y.reshape(&[outer, &[out_channels]].concat())
}
