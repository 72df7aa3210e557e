//! One tensor in a file that is in memory.

use crate::message::excerpt;
use half::{bf16, f16};
use safetensors::tensor::{Dtype, TensorView};

/// A tensor of a file: its elements are at `data`, little-endian, `strides` elements apart along each dimension.
pub struct Stored<'a> {
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    strides: Vec<usize>,
    data: &'a [u8],
}

impl<'a> Stored<'a> {
    /// A tensor of these strides, none of whose elements is outside `data`.
    ///
    /// # Errors
    /// If one is, or if the tensor has more elements than `data`, so that some are shared.
    pub fn new(
        dtype: Dtype,
        shape: Vec<usize>,
        strides: Vec<usize>,
        data: &'a [u8],
    ) -> Result<Stored<'a>, String> {
        let there = data.len() * 8 / dtype.bitsize();
        let fits = shape.len() == strides.len()
            && product(&shape).is_some_and(|count| count <= there)
            && (shape.contains(&0) || farthest(&shape, &strides).is_some_and(|last| last < there));
        if !fits {
            let [shape, strides] = [&shape, &strides].map(|list| excerpt(format!("{list:?}")));
            return Err(format!("of shape {shape} and strides {strides} is not within its {there} elements"));
        }
        Ok(Stored { dtype, shape, strides, data })
    }

    /// Number of elements.
    fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Bytes of its elements.
    pub fn bytes(&self) -> usize {
        self.len() * self.dtype.bitsize() / 8
    }

    /// The elements as f32, the last dimension innermost.
    ///
    /// # Errors
    /// If they are not F32, F16 or BF16.
    pub fn to_f32(&self) -> Result<Vec<f32>, String> {
        match self.dtype {
            Dtype::F32 => Ok(self.elements(f32::from_le_bytes)),
            Dtype::F16 => Ok(self.elements(|bytes| f16::from_le_bytes(bytes).to_f32())),
            Dtype::BF16 => Ok(self.elements(|bytes| bf16::from_le_bytes(bytes).to_f32())),
            other => Err(format!("has elements of type {other:?}; only F32, F16 and BF16 are read")),
        }
    }

    /// The one element of a U64.
    pub fn to_u64(&self) -> Option<u64> {
        let bytes = <[u8; 8]>::try_from(self.data).ok()?;
        (self.dtype == Dtype::U64).then(|| u64::from_le_bytes(bytes))
    }

    fn elements<const BYTES: usize>(&self, number: impl Fn([u8; BYTES]) -> f32) -> Vec<f32> {
        let data = self.data.as_chunks().0;
        let count = self.len();
        if self.strides == dense(&self.shape) {
            return data[..count].iter().map(|&bytes| number(bytes)).collect();
        }
        let mut index = vec![0; self.shape.len()];
        let mut elements = Vec::with_capacity(count);
        for _ in 0..count {
            let place: usize = index.iter().zip(&self.strides).map(|(i, stride)| i * stride).sum();
            elements.push(number(data[place]));
            advance(&mut index, &self.shape);
        }
        elements
    }
}

impl<'a> From<TensorView<'a>> for Stored<'a> {
    fn from(view: TensorView<'a>) -> Stored<'a> {
        let shape = view.shape().to_vec();
        Stored { dtype: view.dtype(), strides: dense(&shape), shape, data: view.data() }
    }
}

/// Strides of a tensor without gaps, the last dimension innermost.
fn dense(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for dim in (1..shape.len()).rev() {
        strides[dim - 1] = strides[dim] * shape[dim];
    }
    strides
}

fn product(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |product, &extent| product.checked_mul(extent))
}

/// The place of the last element of a tensor that has one.
fn farthest(shape: &[usize], strides: &[usize]) -> Option<usize> {
    let mut steps = shape.iter().zip(strides);
    steps.try_fold(0usize, |place, (extent, stride)| place.checked_add((extent - 1).checked_mul(*stride)?))
}

/// The next index, the last dimension innermost.
fn advance(index: &mut [usize], shape: &[usize]) {
    for (i, &extent) in index.iter_mut().zip(shape).rev() {
        *i += 1;
        if *i < extent {
            return;
        }
        *i = 0;
    }
}
