//! The latents that sampling begins with.

use super::q_sample::quad_blocks;
use crate::graph::{Tape, Tensor};
use crate::kernels::noise;
use crate::random::Stream;

/// Fills `x`, resident f32 `[B,H,W,C]`, with standard normals: image n is the one with number `samples[n]`,
/// u32 `[B]`, whatever batch it is in.
pub fn latent(tape: &mut Tape, x: &Tensor, samples: &Tensor, seed: u64) {
    let [batch, height, width, channels] = x.dims();
    assert_eq!(samples.shape(), [batch], "sample numbers for {:?}", x.shape());
    let elements = height * width * channels;
    let call = noise::latent(samples.input(), x.output(), seed, Stream::LATENT.0, elements as u32);
    tape.launch(call.grid(quad_blocks(elements), batch, 1));
}
