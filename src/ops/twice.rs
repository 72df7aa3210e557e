//! A batch twice, for classifier-free guidance.

use crate::device::DType;
use crate::graph::{Tape, Tensor};
use crate::kernels::noise;

/// Threads of a block.
const BLOCK: usize = 256;

/// `x [N,H,W,C]` f32, twice: `[2N,H,W,C]`.
pub fn twice(tape: &mut Tape, x: &Tensor) -> Tensor {
    let [images, height, width, channels] = x.dims();
    let y = tape.scratch(&[2 * images, height, width, channels], DType::F32);
    let call = noise::twice(x.input(), y.output(), x.len() as u32);
    tape.launch(call.grid(x.len().div_ceil(BLOCK), 1, 1));
    y
}
