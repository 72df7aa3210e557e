//! A tape with its data: inputs go in as arrays, outputs come out as arrays, and all memory that a kernel
//! should write is poisoned before the run.

use super::device::{device, poisoned};
use ddpm_ptx::device::{DType, Element};
use ddpm_ptx::graph::{Program, Tape, Tensor};
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

    /// Memory of its own for a result, every byte 0xFF.
    pub fn output(&mut self, shape: &[usize], dtype: DType) -> Tensor {
        let buffer = device().alloc::<u8>(shape.iter().product::<usize>() * dtype.bytes()).unwrap();
        buffer.fill(0xFF).unwrap();
        self.tape.resident(&Arc::new(buffer), 0, shape, dtype)
    }

    /// Goes backward from `y` with the gradient `dy`.
    pub fn backward(&mut self, y: &Tensor, dy: &[f32]) {
        let dy = self.input(y.shape(), dy);
        self.tape.backward(y, &dy);
    }

    /// The gradient of `x`, which something must have contributed to.
    pub fn gradient(&self, x: &Tensor) -> Tensor {
        self.tape.gradient(x).unwrap_or_else(|| panic!("no gradient came to {:?}", x.shape()))
    }

    /// Runs the tape once in poisoned memory and reads `results`.
    pub fn run(self, results: &[&Tensor]) -> Vec<Vec<f32>> {
        let program = self.program(results);
        program.run().unwrap();
        results.iter().map(|result| program.read(result).unwrap()).collect()
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
