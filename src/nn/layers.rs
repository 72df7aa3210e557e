//! Layers with parameters.

use super::layout::{Init, Layout, Slot};
use super::pass::Pass;
use crate::device::DType;
use crate::graph::Tensor;
use crate::ops::conv::{self, Epilogue, Geometry, Shortcut};
use crate::ops::group_norm::{Activation, group_norm};

/// Weights that let a layer pass on the variance of what it gets.
pub(super) const VARIANCE_KEPT: Init = Init::FanAverage { scale: 1.0 };

/// Weights of a layer whose branch or output begins as almost nothing.
pub(super) const ALMOST_ZERO: Init = Init::FanAverage { scale: 1e-10 };

/// A convolution with bias.
pub(super) struct Convolution {
    weight: Slot,
    bias: Slot,
    geometry: Geometry,
}

/// What a convolution does with its sums before it writes them.
#[derive(Default)]
pub(super) struct Added<'a> {
    /// `[N, K]`, the same for all pixels of an image.
    pub per_image: Option<&'a Tensor>,
    /// Of the output's shape.
    pub residual: Option<&'a Tensor>,
    /// A 1 x 1 convolution instead of that, and its inputs.
    pub shortcut: Option<(&'a Convolution, &'a [&'a Tensor])>,
    /// Whether the sums are written in f32 whatever the network computes in: its last layer.
    pub unrounded: bool,
    /// Whether a group normalisation reads what is written.
    pub normalised: bool,
}

impl Convolution {
    pub fn new(
        layout: &mut Layout,
        name: &str,
        [inputs, outputs]: [usize; 2],
        geometry: Geometry,
        init: Init,
    ) -> Convolution {
        let side = geometry.kernel;
        let weight = layout.convolution(format!("{name}.weight"), [outputs, side, side, inputs], init);
        let bias = layout.vector(&[format!("{name}.bias")], outputs, 0.0);
        Convolution { weight, bias, geometry }
    }

    /// Convolves the concatenation of `inputs`, each `[N, H, W, C]`.
    pub fn forward(&self, pass: &mut Pass, inputs: &[&Tensor], added: Added) -> Tensor {
        let (weight, bias) = self.bind(pass, inputs[0].dtype());
        let Added { per_image, residual, shortcut, unrounded, normalised } = added;
        let bound = shortcut.map(|(shortcut, inputs)| (shortcut.bind(pass, inputs[0].dtype()), inputs));
        let shortcut = bound.as_ref().map(|((weight, bias), inputs)| Shortcut { inputs, weight, bias });
        let f32_result = unrounded;
        let epilogue = Epilogue { bias: Some(&bias), per_image, residual, shortcut, f32_result, normalised };
        conv::conv(pass.tape, inputs, &weight, epilogue, &self.geometry)
    }

    /// Weight and bias, as they meet activations of type `dtype`.
    fn bind(&self, pass: &mut Pass, dtype: DType) -> (Tensor, Tensor) {
        let weight = match self.geometry.upsample {
            // Their sums are rounded instead.
            true => pass.parameter(&self.weight),
            false => pass.factor(&self.weight, dtype),
        };
        (weight, pass.parameter(&self.bias))
    }
}

/// A dense layer with bias, or several of equal shape with the same input, computed as one.
pub(super) struct Linear {
    weight: Slot,
    bias: Slot,
}

impl Linear {
    pub fn new(layout: &mut Layout, name: &str, channels: [usize; 2], init: Init) -> Linear {
        Linear::stacked(layout, &[name.to_string()], channels, init)
    }

    /// Layers whose outputs come one behind the other.
    pub fn stacked(
        layout: &mut Layout,
        names: &[String],
        [inputs, outputs]: [usize; 2],
        init: Init,
    ) -> Linear {
        let named =
            |part: &str| -> Vec<String> { names.iter().map(|name| format!("{name}.{part}")).collect() };
        let weight = layout.linear(&named("weight"), [outputs, inputs], init);
        let bias = layout.vector(&named("bias"), outputs, 0.0);
        Linear { weight, bias }
    }

    /// `x [M, C]` times the weight, plus the bias and the residual; `normalised` as in [`Added`].
    pub fn forward(
        &self,
        pass: &mut Pass,
        x: &Tensor,
        residual: Option<&Tensor>,
        normalised: bool,
    ) -> Tensor {
        let weight = pass.factor(&self.weight, x.dtype());
        let bias = pass.parameter(&self.bias);
        let epilogue = Epilogue { bias: Some(&bias), residual, normalised, ..Epilogue::default() };
        conv::linear(pass.tape, x, &weight, epilogue)
    }
}

/// Group normalisation with gains and offsets.
pub(super) struct GroupNorm {
    weight: Slot,
    bias: Slot,
    groups: usize,
    eps: f32,
}

impl GroupNorm {
    pub fn new(layout: &mut Layout, name: &str, channels: usize, groups: usize, eps: f64) -> GroupNorm {
        let weight = layout.vector(&[format!("{name}.weight")], channels, 1.0);
        let bias = layout.vector(&[format!("{name}.bias")], channels, 0.0);
        GroupNorm { weight, bias, groups, eps: eps as f32 }
    }

    /// Normalises the concatenation of `inputs`.
    pub fn forward(&self, pass: &mut Pass, inputs: &[&Tensor]) -> Tensor {
        self.apply(pass, inputs, Activation::None, false)
    }

    /// Normalises the concatenation of `inputs`, then SiLU.
    pub fn forward_silu(&self, pass: &mut Pass, inputs: &[&Tensor]) -> Tensor {
        self.apply(pass, inputs, Activation::Silu, false)
    }

    /// Normalises, then SiLU, then dropout if the pass has it.
    pub fn forward_silu_dropout(&self, pass: &mut Pass, x: &Tensor) -> Tensor {
        self.apply(pass, &[x], Activation::Silu, true)
    }

    fn apply(&self, pass: &mut Pass, inputs: &[&Tensor], activation: Activation, dropout: bool) -> Tensor {
        let weight = pass.parameter(&self.weight);
        let bias = pass.parameter(&self.bias);
        let dropout = if dropout { pass.next_dropout() } else { None };
        group_norm(pass.tape, inputs, &weight, &bias, self.groups, self.eps, activation, dropout.as_ref())
    }
}
