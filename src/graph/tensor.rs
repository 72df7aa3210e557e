//! Symbolic tensors.

use crate::device::{DType, Element, In, InOut, Out, Place};

/// A dense row-major array that a tape knows by number; it gets an address when the tape is compiled.
/// Clones and reshaped copies are the same memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    pub(super) id: u32,
    shape: Vec<usize>,
    dtype: DType,
}

impl Tensor {
    pub(super) fn new(id: u32, shape: &[usize], dtype: DType) -> Tensor {
        Tensor { id, shape: shape.to_vec(), dtype }
    }

    /// Extents, outermost first; activations are `[N, H, W, C]`.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The shape as an array.
    ///
    /// # Panics
    /// If the tensor has another number of dimensions.
    pub fn dims<const D: usize>(&self) -> [usize; D] {
        <[usize; D]>::try_from(self.shape.as_slice()).unwrap_or_else(|_| {
            panic!("a tensor of shape {:?} was used as one of {D} dimensions", self.shape)
        })
    }

    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Size in bytes.
    pub fn bytes(&self) -> usize {
        self.len() * self.dtype.bytes()
    }

    /// The same elements under another shape.
    ///
    /// # Panics
    /// If the number of elements differs.
    pub fn reshape(&self, shape: &[usize]) -> Tensor {
        assert_eq!(
            self.len(),
            shape.iter().product::<usize>(),
            "{:?} cannot be reshaped to {shape:?}",
            self.shape
        );
        Tensor::new(self.id, shape, self.dtype)
    }

    /// The tensor as a kernel's input.
    ///
    /// # Panics
    /// If its elements are not `T`s; so do the other two.
    pub fn input<T: Element>(&self) -> In<T> {
        In::new(self.place::<T>())
    }

    /// The tensor as a kernel's output.
    pub fn output<T: Element>(&self) -> Out<T> {
        Out::new(self.place::<T>())
    }

    /// The tensor as memory that a kernel reads and writes, or writes in part.
    pub fn in_out<T: Element>(&self) -> InOut<T> {
        InOut::new(self.place::<T>())
    }

    fn place<T: Element>(&self) -> Place {
        assert_eq!(T::DTYPE, self.dtype, "element type of a tensor of shape {:?}", self.shape);
        Place::Symbol { id: self.id, offset: 0 }
    }
}
