//! Group normalisation with SiLU and dropout in the same pass (Wu and He 2018; the normalisation of the U-Net of
//! Ho et al. 2020).
//!
//! Three launches forward: moments of parts, unless the convolutions that wrote the inputs have left them, the groups'
//! statistics, then everything else. Three backward: sums per channel, the gradients of the inputs, the gradients of gamma
//! and beta. The result for an image has the same bits in any batch.

mod geometry;
mod statistics;
mod variant;

use super::dropout::{Dropout, Mask};
use crate::device::{DType, In, Out};
use crate::graph::{Contribution, Tape, Tensor};
use crate::kernels::norm::group_norm_parameters;
use geometry::Geometry;
use half::bf16;
use statistics::Moments;
use variant::{Storage, Variant};

/// What is applied to the normalised values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    None,
    /// x / (1 + exp(-x)), also called swish.
    Silu,
}

/// y = dropout(activation((x - mean) / sqrt(var + eps) * gamma + beta)), with mean and biased variance over the
/// pixels and the channels of a group.
///
/// `inputs` is one tensor `[N,H,W,C]`, or two that count as concatenated along C; groups may straddle the two.
/// `gamma` and `beta` are `[C]`; group g has the channels g C/G .. (g+1) C/G. The inputs, y and their gradients are
/// f32 or bf16, all numbers of channels multiples of 8 in bf16; everything else is f32 in any case.
///
/// # Panics
/// If shapes or types do not fit, the two inputs are one, `groups` does not divide C, or the dropout rate is outside
/// [0, 1).
#[allow(clippy::too_many_arguments)] // Each is a part of the definition.
pub fn group_norm(
    tape: &mut Tape,
    inputs: &[&Tensor],
    gamma: &Tensor,
    beta: &Tensor,
    groups: usize,
    eps: f32,
    activation: Activation,
    dropout: Option<&Dropout>,
) -> Tensor {
    let [n, h, w, first_channels] = inputs[0].dims();
    let channels = first_channels + second_channels(inputs);
    for parameter in [gamma, beta] {
        assert_eq!(parameter.dims(), [channels], "gamma or beta of a normalisation of {channels} channels");
    }
    let dtype = inputs[0].dtype();
    let layer = Layer {
        x: inputs[0].clone(),
        second: inputs.get(1).map(|&second| second.clone()),
        gamma: gamma.clone(),
        beta: beta.clone(),
        activate: u32::from(activation == Activation::Silu),
        mask: Mask::new(dropout),
        geometry: Geometry::new(n, h * w, first_channels, channels, groups, dtype),
    };
    match dtype {
        DType::BF16 => layer.record::<bf16>(tape, eps),
        _ => layer.record::<f32>(tape, eps),
    }
}

/// Channels of the second input; 0 if there is none.
fn second_channels(inputs: &[&Tensor]) -> usize {
    match *inputs {
        [_] => 0,
        [first, second] => {
            assert_ne!(first, second, "a tensor normalised together with itself has two gradients at once");
            let ([n, h, w, _], [n2, h2, w2, channels]) = (first.dims(), second.dims());
            assert_eq!([n, h, w], [n2, h2, w2], "two inputs of a normalisation differ in more than channels");
            channels
        }
        _ => panic!("a normalisation takes one input or two, not {}", inputs.len()),
    }
}

/// What the forward and the backward pass have in common.
struct Layer {
    x: Tensor,
    second: Option<Tensor>,
    gamma: Tensor,
    beta: Tensor,
    activate: u32,
    mask: Mask,
    geometry: Geometry,
}

impl Layer {
    /// Both passes over activations of type `T`.
    fn record<T: Storage>(self, tape: &mut Tape, eps: f32) -> Tensor {
        let kernels = T::variant(self.geometry.width);
        let [n, h, w, _] = self.x.dims();
        let inputs: Vec<&Tensor> = [&self.x].into_iter().chain(&self.second).collect();
        let left = Moments::left(tape, &inputs, &self.geometry);
        let moments = left.unwrap_or_else(|| self.moments(tape, &kernels));
        let statistics = moments.statistics(tape, &self.geometry, eps);
        let y = tape.temporary(&[n, h, w, self.geometry.channels as usize], T::DTYPE);
        self.apply(tape, &kernels, &statistics, &y);
        let out = y.clone();
        tape.on_backward(move |tape| self.backward(tape, &kernels, &statistics, &out));
        y
    }

    fn second<T: Storage>(&self) -> Option<In<T>> {
        self.second.as_ref().map(Tensor::input)
    }

    fn images(&self) -> usize {
        self.x.shape()[0]
    }

    /// A pair of numbers for each image, chunk and channel.
    fn channel_pairs(&self, tape: &mut Tape) -> Tensor {
        let shape = [self.images(), self.geometry.chunks(), self.geometry.channels as usize, 2];
        tape.scratch(&shape, DType::F32)
    }

    /// Mean and sum of squared deviations of each channel over each chunk.
    fn moments<T: Storage>(&self, tape: &mut Tape, kernels: &Variant<T>) -> Moments {
        let g = &self.geometry;
        let moments = self.channel_pairs(tape);
        tape.launch(g.place((kernels.moments)(
            self.x.input(),
            self.second(),
            moments.output(),
            g.channels,
            g.first_channels,
            g.pixels,
            g.slab,
            g.chunk,
        )));
        Moments { first: moments, second: None, span: g.chunk as usize, unit: 1 }
    }

    fn apply<T: Storage>(&self, tape: &mut Tape, kernels: &Variant<T>, statistics: &Tensor, y: &Tensor) {
        let g = &self.geometry;
        tape.launch(g.place((kernels.apply)(
            self.x.input(),
            self.second(),
            statistics.input(),
            self.gamma.input(),
            self.beta.input(),
            self.mask.step(),
            y.output(),
            g.channels,
            g.first_channels,
            g.pixels,
            g.slab,
            g.chunk,
            g.group_channels,
            self.activate,
            self.mask.seed,
            self.mask.stream,
            self.mask.threshold,
            self.mask.keep_scale,
        )));
    }

    fn backward<T: Storage>(&self, tape: &mut Tape, kernels: &Variant<T>, statistics: &Tensor, y: &Tensor) {
        let Some(dy) = tape.gradient(y) else { return };
        let sums = self.backward_sums(tape, kernels, statistics, &dy);
        let dx = tape.contribute(&self.x);
        let second_dx = self.second.as_ref().and_then(|second| tape.contribute(second));
        if dx.is_some() || second_dx.is_some() {
            self.backward_apply(tape, kernels, statistics, &sums, &dy, [dx.as_ref(), second_dx.as_ref()]);
        }
        self.parameters(tape, &sums);
    }

    /// Sums of dz and of dz xhat for each channel over each chunk.
    fn backward_sums<T: Storage>(
        &self,
        tape: &mut Tape,
        kernels: &Variant<T>,
        statistics: &Tensor,
        dy: &Tensor,
    ) -> Tensor {
        let g = &self.geometry;
        let sums = self.channel_pairs(tape);
        tape.launch(g.place((kernels.backward_sums)(
            self.x.input(),
            self.second(),
            statistics.input(),
            self.gamma.input(),
            self.beta.input(),
            self.mask.step(),
            dy.input(),
            sums.output(),
            g.channels,
            g.first_channels,
            g.pixels,
            g.slab,
            g.chunk,
            g.group_channels,
            self.activate,
            self.mask.seed,
            self.mask.stream,
            self.mask.threshold,
            self.mask.keep_scale,
        )));
        sums
    }

    /// `dx` is the share of each input's gradient.
    fn backward_apply<T: Storage>(
        &self,
        tape: &mut Tape,
        kernels: &Variant<T>,
        statistics: &Tensor,
        sums: &Tensor,
        dy: &Tensor,
        [dx, second_dx]: [Option<&Contribution>; 2],
    ) {
        let g = &self.geometry;
        let so_far =
            |share: Option<&Contribution>| share.and_then(|share| share.so_far.as_ref().map(Tensor::input));
        let total = |share: Option<&Contribution>| share.map(|share| share.total.output());
        tape.launch(g.place((kernels.backward_apply)(
            self.x.input(),
            self.second(),
            statistics.input(),
            sums.input(),
            self.gamma.input(),
            self.beta.input(),
            self.mask.step(),
            dy.input(),
            so_far(dx),
            so_far(second_dx),
            total(dx),
            total(second_dx),
            g.channels,
            g.first_channels,
            g.pixels,
            g.slab,
            g.chunk,
            g.group_channels,
            g.lanes,
            g.inverse_count(),
            self.activate,
            self.mask.seed,
            self.mask.stream,
            self.mask.threshold,
            self.mask.keep_scale,
        )));
    }

    /// The gradients of gamma and beta, if anything wants them.
    fn parameters(&self, tape: &mut Tape, sums: &Tensor) {
        let mut gradient = |parameter: &Tensor| -> Option<Out<f32>> {
            let share = tape.contribute(parameter)?;
            assert!(share.so_far.is_none(), "gamma and beta belong to one normalisation");
            Some(share.total.output())
        };
        let (dgamma, dbeta) = (gradient(&self.gamma), gradient(&self.beta));
        if dgamma.is_none() && dbeta.is_none() {
            return;
        }
        let channels = self.geometry.channels;
        let parts = (self.images() * self.geometry.chunks()) as u32;
        let call = group_norm_parameters(sums.input(), dgamma, dbeta, channels, parts);
        tape.launch(call.grid(channels.div_ceil(32) as usize, 1, 1));
    }
}
