//! The forward process on images that are evaluated.

use super::q_sample::quad_blocks;
use crate::graph::{Tape, Tensor};
use crate::kernels::noise;
use crate::random::Stream;

/// Writes x_t = sqrt(ab_t) x_0 + sqrt(1 - ab_t) eps (Ho, Jain, Abbeel 2020, equation 4) to `x_t`, resident f32
/// `[B,H,W,C]`, with x_0 = byte / 127.5 - 1 from `images`, u8 `[B,H,W,C]`, at timesteps `t`, u32 `[B]`. eps is a
/// function of `seed`, of an image's number in `samples`, u32 `[B]`, and of its timestep. `table` is f32 `[T,2]`.
pub fn q_sample_at(
    tape: &mut Tape,
    images: &Tensor,
    t: &Tensor,
    samples: &Tensor,
    table: &Tensor,
    x_t: &Tensor,
    seed: u64,
) {
    let [batch, height, width, channels] = images.dims();
    let elements = height * width * channels;
    let q_sample_at = noise::q_sample_at(
        images.input(),
        t.input(),
        samples.input(),
        table.input(),
        x_t.output(),
        seed,
        Stream::EVALUATION.0,
        elements as u32,
    );
    tape.launch(q_sample_at.grid(quad_blocks(elements), batch, 1));
}
