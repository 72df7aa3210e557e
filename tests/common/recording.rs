//! A tape with its data: inputs go in as arrays, outputs come out as arrays, and all memory that a kernel
//! should write is poisoned before the run.

use super::device::{device, poisoned};
use ddpm_ptx::device::{DType, Element};
use ddpm_ptx::graph::{Program, Tape, Tensor};
use half::bf16;
use std::sync::Arc;

/// A tape that is being recorded.
pub struct Recording {
    pub tape: Tape,
}

impl Recording {
    pub fn training() -> Recording {
        Recording { tape: Tape::training() }
    }

    pub fn inference() -> Recording {
        Recording { tape: Tape::inference() }
    }

    /// An input that no gradient flows to.
    pub fn input<T: Element>(&mut self, shape: &[usize], data: &[T]) -> Tensor {
        assert_eq!(data.len(), shape.iter().product::<usize>(), "an input of shape {shape:?}");
        let buffer = Arc::new(device().upload(data).unwrap());
        self.tape.resident(&buffer, 0, shape, T::DTYPE)
    }

    /// An input with a gradient of its own, which starts as NaN; it takes one contribution.
    pub fn parameter(&mut self, shape: &[usize], data: &[f32]) -> Tensor {
        assert_eq!(data.len(), shape.iter().product::<usize>(), "a parameter of shape {shape:?}");
        let weights = Arc::new(device().upload(data).unwrap());
        let gradients = Arc::new(poisoned(data.len()));
        self.tape.parameter(&weights, &gradients, 0, shape)
    }

    /// The same in bf16, to which `data` is rounded, with a gradient of type `gradient`.
    pub fn parameter_bf16(&mut self, shape: &[usize], data: &[f32], gradient: DType) -> Tensor {
        assert_eq!(data.len(), shape.iter().product::<usize>(), "a parameter of shape {shape:?}");
        let weights = Arc::new(device().upload(&rounded(data)).unwrap());
        let gradients = device().alloc::<u8>(data.len() * gradient.bytes()).unwrap();
        gradients.fill(0xFF).unwrap();
        self.tape.parameter_in([DType::BF16, gradient], &weights, &Arc::new(gradients), 0, shape)
    }

    /// Memory of its own for a result, every byte 0xFF.
    pub fn output(&mut self, shape: &[usize], dtype: DType) -> Tensor {
        let buffer = device().alloc::<u8>(shape.iter().product::<usize>() * dtype.bytes()).unwrap();
        buffer.poison().unwrap();
        self.tape.resident(&Arc::new(buffer), 0, shape, dtype)
    }

    /// Goes backward from `y` with the gradient `dy`, which has the element type of `y`.
    pub fn backward(&mut self, y: &Tensor, dy: &[f32]) {
        let dy = match y.dtype() {
            DType::BF16 => self.input(y.shape(), &rounded(dy)),
            _ => self.input(y.shape(), dy),
        };
        self.tape.backward(y, &dy);
    }

    /// The gradient of `x`, which something must have contributed to.
    pub fn gradient(&self, x: &Tensor) -> Tensor {
        self.tape.gradient(x).unwrap_or_else(|| panic!("no gradient came to {:?}", x.shape()))
    }

    /// Runs the tape once in poisoned memory and reads `results`, bf16 ones widened.
    pub fn run(self, results: &[&Tensor]) -> Vec<Vec<f32>> {
        let program = self.program(results);
        program.run().unwrap();
        results.iter().map(|result| read(&program, result)).collect()
    }

    /// The program of the tape, its memory poisoned, which keeps `results` to be read.
    pub fn program(mut self, results: &[&Tensor]) -> Program {
        for result in results {
            self.tape.keep(result);
        }
        let program = self.tape.compile(&device()).unwrap();
        program.poison().unwrap();
        program
    }
}

/// The elements of a tensor of f32 or bf16.
pub fn read(program: &Program, tensor: &Tensor) -> Vec<f32> {
    match tensor.dtype() {
        DType::BF16 => widened(&program.read(tensor).unwrap()),
        _ => program.read(tensor).unwrap(),
    }
}

/// To nearest even.
pub fn rounded(data: &[f32]) -> Vec<bf16> {
    data.iter().map(|&x| bf16::from_f32(x)).collect()
}

pub fn widened(data: &[bf16]) -> Vec<f32> {
    data.iter().copied().map(f32::from).collect()
}
