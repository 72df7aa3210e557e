//! Rounding to bf16.

use crate::graph::{Tape, Tensor};
use crate::kernels::elementwise;

/// Elements of a block.
const BLOCK: usize = 1024;

/// y = x rounded to nearest even; x f32 and y bf16 of one shape. No gradient flows through it.
///
/// # Panics
/// If the shapes differ, or the number of elements is no multiple of 4.
pub fn to_bf16(tape: &mut Tape, x: &Tensor, y: &Tensor) {
    assert_eq!(x.shape(), y.shape(), "a rounded copy of another shape");
    assert!(x.len().is_multiple_of(4), "{} elements are rounded by fours", x.len());
    let count = u32::try_from(x.len()).expect("a tensor's elements are counted in 32 bits");
    let call = elementwise::to_bf16(x.input(), y.output(), count);
    tape.launch(call.grid(x.len().div_ceil(BLOCK), 1, 1));
}
