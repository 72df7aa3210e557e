//! One recording of the network: the tape and what its layers share.

use super::layout::Slot;
use super::parameters::Bound;
use crate::device::DType;
use crate::graph::{Tape, Tensor};
use crate::ops::cast::cast_into;
use crate::ops::dropout::Dropout;
use crate::random::Stream;

/// What dropout masks are derived from besides sample and element; training only.
#[derive(Clone)]
pub struct DropoutKey {
    pub seed: u64,
    /// u64 `[1]`: the training step, in device memory.
    pub step: Tensor,
}

/// What the network is told of each image besides its pixels. Timesteps alone are a condition.
#[derive(Clone)]
pub struct Condition {
    /// Timesteps, u32 `[N]` from 0.
    pub t: Tensor,
    /// Classes, u32 `[N]` below the rows of the class embedding, for a network that has one and for no other.
    pub label: Option<Tensor>,
}

impl From<&Tensor> for Condition {
    fn from(t: &Tensor) -> Condition {
        Condition { t: t.clone(), label: None }
    }
}

/// Outputs of the network's blocks by their checkpoint names, in the order of their computation.
pub type Trace = Vec<(String, Tensor)>;

pub(super) struct Pass<'a> {
    pub tape: &'a mut Tape,
    weights: &'a Bound,
    dropout: Option<(f32, DropoutKey)>,
    dropout_layers: u32,
    pub trace: Trace,
}

impl<'a> Pass<'a> {
    /// `dropout`: the probability and the key, if there is dropout.
    pub fn new(tape: &'a mut Tape, weights: &'a Bound, dropout: Option<(f32, DropoutKey)>) -> Pass<'a> {
        Pass { tape, weights, dropout, dropout_layers: 0, trace: vec![] }
    }

    pub fn parameter(&mut self, slot: &Slot) -> Tensor {
        self.weights.tensor(self.tape, slot)
    }

    /// A weight as it meets activations of type `dtype`.
    pub fn factor(&mut self, slot: &Slot, dtype: DType) -> Tensor {
        self.weights.factor(self.tape, slot, dtype)
    }

    /// Type of the network's activations.
    pub fn activations(&self) -> DType {
        self.weights.precision().activations()
    }

    /// `x`, f32 or of the network's activations' type already, in that type. No gradient flows through the rounding.
    pub fn as_activation(&mut self, x: &Tensor) -> Tensor {
        if self.activations() == x.dtype() {
            return x.clone();
        }
        let rounded = self.tape.scratch(x.shape(), self.activations());
        cast_into(self.tape, x, &rounded);
        rounded
    }

    /// The dropout of the next layer that has one: each has a random stream of its own.
    pub fn next_dropout(&mut self) -> Option<Dropout> {
        let (rate, key) = self.dropout.clone()?;
        let stream = Stream::dropout(self.dropout_layers).0;
        self.dropout_layers += 1;
        Some(Dropout { rate, seed: key.seed, stream, step: key.step })
    }

    pub fn name(&mut self, name: &str, output: &Tensor) {
        self.trace.push((name.to_string(), output.clone()));
    }
}
