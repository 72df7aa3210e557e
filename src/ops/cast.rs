//! Tensors in another type.

use super::add::contribute_written;
use crate::device::DType;
use crate::graph::{Tape, Tensor};
use crate::kernels::elementwise;

/// Elements of a block.
const BLOCK: usize = 1024;

/// y = x in another type: f32 rounded to bf16, to nearest even, or bf16 widened to f32. The gradient goes back in the
/// type of x.
pub fn cast(tape: &mut Tape, x: &Tensor, dtype: DType) -> Tensor {
    let y = tape.temporary(x.shape(), dtype);
    cast_into(tape, x, &y);
    let (x, out) = (x.clone(), y.clone());
    tape.on_backward(move |tape| {
        let Some(dy) = tape.gradient(&out) else { return };
        contribute_written(tape, &x, |tape, dx| cast_into(tape, &dy, dx));
    });
    y
}

/// The same into `y`; no gradient flows through it.
///
/// # Panics
/// If the shapes differ, or the types are not f32 and bf16 in some order.
pub fn cast_into(tape: &mut Tape, x: &Tensor, y: &Tensor) {
    assert_eq!(x.shape(), y.shape(), "a tensor in another type has the same shape");
    let count = u32::try_from(x.len()).expect("a tensor's elements are counted in 32 bits");
    let call = match y.dtype() {
        DType::BF16 => elementwise::to_bf16(x.input(), y.output(), count),
        _ => elementwise::to_f32(x.input(), y.output(), count),
    };
    tape.launch(call.grid(x.len().div_ceil(BLOCK), 1, 1));
}
