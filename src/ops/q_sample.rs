//! The forward process on a training batch.

use crate::device::DType;
use crate::graph::{Tape, Tensor};
use crate::kernels::noise;
use crate::random::Stream;

/// Threads of a block of the kernels that take a quad of an image each.
const BLOCK: usize = 128;

/// Blocks that cover an image of `elements` elements, four a thread.
pub(super) fn quad_blocks(elements: usize) -> usize {
    elements.div_ceil(4 * BLOCK)
}

/// Where the noise of a training batch comes from: [`q_sample`] and [`eps_loss`](super::eps_loss::eps_loss)
/// make the same noise from the same source.
#[derive(Debug, Clone)]
pub struct NoiseSource {
    pub seed: u64,
    /// Sample number of the first image; the others count on from it. 0 unless several devices share a batch.
    pub first_sample: u32,
    /// The counter of the training step, u64 `[1]`, resident; its low 32 bits count.
    pub step: Tensor,
}

/// What [`q_sample`] gives.
pub struct Noised {
    /// The noised images, f32 `[B,H,W,C]`.
    pub x_t: Tensor,
    /// Their timesteps in `0..T`, u32 `[B]`.
    pub t: Tensor,
    /// 1 for images that are mirrored, else 0; u32 `[B]`.
    pub mirrored: Tensor,
}

/// x_t = sqrt(ab_t) x_0 + sqrt(1 - ab_t) eps (Ho, Jain, Abbeel 2020, equation 4), with x_0 = byte / 127.5 - 1
/// from `images`, u8 `[B,H,W,C]`, mirrored left to right with probability 1/2 if `flip`; t uniform on `0..T`
/// and eps standard normal, both by `source`. `table` is f32 `[T,2]`: the two square roots for each t
/// ([`Schedule::noise_table`](crate::diffusion::Schedule::noise_table)). No gradient flows through it.
pub fn q_sample(
    tape: &mut Tape,
    images: &Tensor,
    table: &Tensor,
    source: &NoiseSource,
    flip: bool,
) -> Noised {
    let [batch, height, width, channels] = images.dims();
    let [timesteps, 2] = table.dims() else { panic!("a noise table of shape {:?}", table.shape()) };
    let elements = height * width * channels;
    let t = tape.scratch(&[batch], DType::U32);
    let mirrored = tape.scratch(&[batch], DType::U32);
    let draw = noise::draw(
        source.step.input(),
        t.output(),
        mirrored.output(),
        source.seed,
        Stream::IMAGE.0,
        source.first_sample,
        timesteps as u32,
        u32::from(flip),
        batch as u32,
    );
    tape.launch(draw.grid(batch.div_ceil(32), 1, 1));

    let x_t = tape.scratch(images.shape(), DType::F32);
    let q_sample = noise::q_sample(
        images.input(),
        t.input(),
        mirrored.input(),
        table.input(),
        source.step.input(),
        x_t.output(),
        source.seed,
        Stream::NOISE.0,
        source.first_sample,
        elements as u32,
        width as u32,
        channels as u32,
    );
    tape.launch(q_sample.grid(quad_blocks(elements), batch, 1));
    Noised { x_t, t, mirrored }
}
