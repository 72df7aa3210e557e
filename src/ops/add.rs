//! Sums of tensors: the end of a residual connection, and what backward steps need that hand a gradient on.

use crate::device::DType;
use crate::graph::{Tape, Tensor};
use crate::kernels::elementwise;

/// Elements of a block.
const BLOCK: usize = 1024;

/// y = a + b, element by element; f32 or bf16, one shape.
///
/// # Panics
/// If the shapes or the element types differ.
pub fn add(tape: &mut Tape, a: &Tensor, b: &Tensor) -> Tensor {
    assert_eq!(a.shape(), b.shape(), "two tensors that are added have one shape");
    let y = tape.temporary(a.shape(), a.dtype());
    launch(tape, a, Some(b), &y);
    let (a, b, out) = (a.clone(), b.clone(), y.clone());
    tape.on_backward(move |tape| {
        let Some(dy) = tape.gradient(&out) else { return };
        pass_gradient(tape, &a, &dy);
        pass_gradient(tape, &b, &dy);
    });
    y
}

/// Adds `dy` to the gradient of `x`, which is of the same shape: with no launch if it is the first share.
pub fn pass_gradient(tape: &mut Tape, x: &Tensor, dy: &Tensor) {
    if tape.alias_gradient(x, dy) {
        return;
    }
    let Some(dx) = tape.contribute(x) else { return };
    launch(tape, dy, dx.so_far.as_ref(), &dx.total);
}

/// Contributes to the gradient of `x` what `write` puts into the tensor that it is given: for kernels that take no
/// addend.
pub fn contribute_written(tape: &mut Tape, x: &Tensor, write: impl FnOnce(&mut Tape, &Tensor)) {
    let Some(dx) = tape.contribute(x) else { return };
    let Some(so_far) = dx.so_far else { return write(tape, &dx.total) };
    let share = tape.scratch(x.shape(), dx.total.dtype());
    write(tape, &share);
    launch(tape, &share, Some(&so_far), &dx.total);
}

fn launch(tape: &mut Tape, a: &Tensor, b: Option<&Tensor>, y: &Tensor) {
    let count = u32::try_from(y.len()).expect("a tensor's elements are counted in 32 bits");
    let call = match y.dtype() {
        DType::BF16 => elementwise::add_bf16(a.input(), b.map(Tensor::input), y.output(), count),
        _ => elementwise::add_f32(a.input(), b.map(Tensor::input), y.output(), count),
    };
    tape.launch(call.grid(y.len().div_ceil(BLOCK), 1, 1));
}
