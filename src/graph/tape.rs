//! Recording launches and their gradients.

use super::plan::Plan;
use super::program::Program;
use super::tensor::Tensor;
use crate::device::{Buffer, DType, Device, Launch, Result};
use std::collections::HashMap;
use std::sync::Arc;

/// Where the elements of a value are, and whether a gradient flows to it.
#[derive(Clone)]
pub(super) struct Value {
    pub bytes: usize,
    pub home: Home,
    gradient: GradientRule,
}

#[derive(Clone)]
pub(super) enum Home {
    /// In the arena, for as long as it is used.
    Temporary,
    /// In memory of its own, `offset` bytes into `buffer`, that outlives the program's runs.
    Resident { buffer: Arc<Buffer>, offset: usize },
}

#[derive(Clone)]
enum GradientRule {
    /// No gradient flows here.
    None,
    /// The gradient is a temporary, the sum of all contributions.
    Flows,
    /// A parameter: the gradient has a home of its own and one contribution.
    Into(Tensor),
}

type BackwardStep = Box<dyn FnOnce(&mut Tape)>;

/// A list of launches over symbolic tensors, with what is needed to extend it by its gradient.
///
/// The list is in single-assignment form: a temporary is written by one launch (or in part by several that
/// take it as `InOut`) before anything reads it.
pub struct Tape {
    values: Vec<Value>,
    launches: Vec<Launch>,
    kept: Vec<u32>,
    backward: Option<Vec<BackwardStep>>,
    gradients: HashMap<u32, Tensor>,
    attached: HashMap<u32, Tensor>,
}

/// Where an operation writes its share of an input's gradient.
pub struct Contribution {
    /// The tensor to write: `share + so_far`.
    pub total: Tensor,
    /// The sum of the shares of other operations, if there were any.
    pub so_far: Option<Tensor>,
}

impl Tape {
    /// A tape for a forward pass alone.
    pub fn inference() -> Tape {
        Tape {
            values: vec![],
            launches: vec![],
            kept: vec![],
            backward: None,
            gradients: HashMap::new(),
            attached: HashMap::new(),
        }
    }

    /// A tape that remembers how to go backward.
    pub fn training() -> Tape {
        Tape { backward: Some(vec![]), ..Tape::inference() }
    }

    /// Whether [`Tape::backward`] may be called: dropout and saved statistics hang on it.
    pub fn is_training(&self) -> bool {
        self.backward.is_some()
    }

    /// A temporary that a gradient flows through.
    pub fn temporary(&mut self, shape: &[usize], dtype: DType) -> Tensor {
        self.value(shape, dtype, Home::Temporary, GradientRule::Flows)
    }

    /// A temporary that no gradient flows through: inputs, statistics, gradients themselves.
    pub fn scratch(&mut self, shape: &[usize], dtype: DType) -> Tensor {
        self.value(shape, dtype, Home::Temporary, GradientRule::None)
    }

    /// Memory that outlives the program's runs, from element `first` of `buffer`.
    ///
    /// # Panics
    /// If the buffer ends before the tensor does.
    pub fn resident(&mut self, buffer: &Arc<Buffer>, first: usize, shape: &[usize], dtype: DType) -> Tensor {
        self.resident_with(buffer, first, shape, dtype, GradientRule::None)
    }

    /// A trained f32 tensor at element `first` of `weights`, whose gradient is written at the same element of
    /// `gradients`.
    pub fn parameter(
        &mut self,
        weights: &Arc<Buffer>,
        gradients: &Arc<Buffer>,
        first: usize,
        shape: &[usize],
    ) -> Tensor {
        self.parameter_in([DType::F32; 2], weights, gradients, first, shape)
    }

    /// The same with the element types of `[weights, gradients]`: a bf16 copy of trained weights has f32 gradients.
    pub fn parameter_in(
        &mut self,
        [dtype, gradient_dtype]: [DType; 2],
        weights: &Arc<Buffer>,
        gradients: &Arc<Buffer>,
        first: usize,
        shape: &[usize],
    ) -> Tensor {
        let gradient = self.resident(gradients, first, shape, gradient_dtype);
        self.resident_with(weights, first, shape, dtype, GradientRule::Into(gradient))
    }

    fn resident_with(
        &mut self,
        buffer: &Arc<Buffer>,
        first: usize,
        shape: &[usize],
        dtype: DType,
        gradient: GradientRule,
    ) -> Tensor {
        let offset = first * dtype.bytes();
        let end = offset + shape.iter().product::<usize>() * dtype.bytes();
        assert!(end <= buffer.bytes(), "a tensor of shape {shape:?} ends {end} bytes into a smaller buffer");
        self.value(shape, dtype, Home::Resident { buffer: buffer.clone(), offset }, gradient)
    }

    fn value(&mut self, shape: &[usize], dtype: DType, home: Home, gradient: GradientRule) -> Tensor {
        let tensor = Tensor::new(self.values.len() as u32, shape, dtype);
        self.values.push(Value { bytes: tensor.bytes(), home, gradient });
        tensor
    }

    /// Appends a launch.
    pub fn launch(&mut self, launch: Launch) {
        self.launches.push(launch);
    }

    /// Keeps a temporary's memory to the end of the program, so that [`Program::read`] can see it.
    pub fn keep(&mut self, tensor: &Tensor) {
        self.kept.push(tensor.id);
    }

    /// Remembers what to do when the gradient comes back to this point; nothing on an inference tape.
    pub fn on_backward(&mut self, step: impl FnOnce(&mut Tape) + 'static) {
        if let Some(steps) = &mut self.backward {
            steps.push(Box::new(step));
        }
    }

    /// Appends the launches of the gradient, given the gradient `dy` of `y`.
    ///
    /// # Panics
    /// On an inference tape, or the second time.
    pub fn backward(&mut self, y: &Tensor, dy: &Tensor) {
        let steps = self.backward.take().expect("backward needs a training tape and runs once");
        self.gradients.insert(y.id, dy.clone());
        for step in steps.into_iter().rev() {
            step(self);
        }
    }

    /// The gradient of `tensor`, complete once every operation that reads it has gone backward; `None` if
    /// nothing contributed.
    pub fn gradient(&self, tensor: &Tensor) -> Option<Tensor> {
        self.gradients.get(&tensor.id).map(|gradient| gradient.reshape(tensor.shape()))
    }

    /// Whether anything wants the gradient of `tensor`.
    pub fn wants_gradient(&self, tensor: &Tensor) -> bool {
        !matches!(self.values[tensor.id as usize].gradient, GradientRule::None)
    }

    /// Where to write one more share of the gradient of `x`; `None` if no gradient flows to `x`.
    ///
    /// # Panics
    /// On the second contribution to a parameter.
    pub fn contribute(&mut self, x: &Tensor) -> Option<Contribution> {
        let so_far = self.gradient(x);
        let total = match self.values[x.id as usize].gradient.clone() {
            GradientRule::None => return None,
            GradientRule::Flows => self.scratch(x.shape(), x.dtype()),
            GradientRule::Into(home) => {
                assert!(so_far.is_none(), "a parameter of shape {:?} is used twice on one tape", x.shape());
                home.reshape(x.shape())
            }
        };
        self.gradients.insert(x.id, total.clone());
        Some(Contribution { total, so_far })
    }

    /// Makes `dy` itself the gradient of `x`, with no launch, if no gradient flows to `x` yet; says whether it
    /// did. A residual connection's backward begins so.
    pub fn alias_gradient(&mut self, x: &Tensor, dy: &Tensor) -> bool {
        let temporary = matches!(self.values[x.id as usize].gradient, GradientRule::Flows);
        let first = temporary && !self.gradients.contains_key(&x.id);
        if first {
            self.gradients.insert(x.id, dy.clone());
        }
        first
    }

    /// Attaches to `x` what its producer has worked out about it on the way, for whoever reads it.
    pub fn attach(&mut self, x: &Tensor, companion: Tensor) {
        self.attached.insert(x.id, companion);
    }

    /// What is attached to `x`.
    pub fn attached(&self, x: &Tensor) -> Option<&Tensor> {
        self.attached.get(&x.id)
    }

    /// Number of launches so far.
    pub fn len(&self) -> usize {
        self.launches.len()
    }

    pub fn is_empty(&self) -> bool {
        self.launches.is_empty()
    }

    /// Gives every temporary its place and makes a program of the launches.
    pub fn compile(self, device: &Device) -> Result<Program> {
        let temporaries: Vec<Option<usize>> = self
            .values
            .iter()
            .map(|value| matches!(value.home, Home::Temporary).then_some(value.bytes))
            .collect();
        let plan = Plan::new(&temporaries, &self.launches, &self.kept);
        Program::new(device, self.values, &self.launches, plan)
    }
}
