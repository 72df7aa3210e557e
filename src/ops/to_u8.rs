//! Samples to bytes.

use super::q_sample::quad_blocks;
use crate::graph::{Tape, Tensor};
use crate::kernels::noise;

/// round((x + 1) 127.5), held to 0..255, into `bytes`, resident u8 of the shape of `x`, f32. Ties go to the
/// even byte, a NaN to 0. (The authors and improved-diffusion truncate, which darkens by half a level;
/// diffusers rounds.)
pub fn to_u8(tape: &mut Tape, x: &Tensor, bytes: &Tensor) {
    assert_eq!(x.shape(), bytes.shape(), "bytes for samples of another shape");
    let count = u32::try_from(x.len()).expect("a tensor's elements are counted in 32 bits");
    tape.launch(noise::to_u8(x.input(), bytes.output(), count).grid(quad_blocks(x.len()), 1, 1));
}
