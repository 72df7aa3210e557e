//! SiLU on its own, as the time embedding uses it.

use crate::device::DType;
use crate::graph::{Tape, Tensor};
use crate::kernels::elementwise;

/// Elements of a block.
const BLOCK: usize = 1024;

/// y = x / (1 + exp(-x)), element by element; f32, any shape.
pub fn silu(tape: &mut Tape, x: &Tensor) -> Tensor {
    let count = u32::try_from(x.len()).expect("a tensor's elements are counted in 32 bits");
    let blocks = x.len().div_ceil(BLOCK);
    let y = tape.temporary(x.shape(), DType::F32);
    tape.launch(elementwise::silu(x.input(), y.output(), count).grid(blocks, 1, 1));
    let (x, out) = (x.clone(), y.clone());
    tape.on_backward(move |tape| {
        let Some(dy) = tape.gradient(&out) else { return };
        let Some(dx) = tape.contribute(&x) else { return };
        let so_far = dx.so_far.as_ref().map(Tensor::input);
        let call = elementwise::silu_backward(x.input(), dy.input(), so_far, dx.total.output(), count);
        tape.launch(call.grid(blocks, 1, 1));
    });
    y
}
