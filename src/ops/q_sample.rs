//! The forward process on a training batch.

use crate::device::DType;
use crate::graph::{Tape, Tensor};
use crate::kernels::noise;
use crate::random::Stream;

/// Threads of a block of kernels whose threads take a quad of an image each.
const BLOCK: usize = 128;

/// Blocks that cover an image of `elements` elements, four a thread.
pub(super) fn quad_blocks(elements: usize) -> usize {
    elements.div_ceil(4 * BLOCK)
}

/// Elements of an image that a block of `q_sample` noises, about: rows are not divided.
const SHARE: usize = 1024;

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
    /// The noised images, `[B,H,W,C]`.
    pub x_t: Tensor,
    /// Their timesteps in `0..T`, u32 `[B]`.
    pub t: Tensor,
    /// 1 for images that are mirrored, else 0; u32 `[B]`.
    pub mirrored: Tensor,
}

/// x_t = sqrt(ab_t) x_0 + sqrt(1 - ab_t) eps (Ho, Jain, Abbeel 2020, equation 4), with x_0 = byte / 127.5 - 1
/// from `images`, u8 `[B,H,W,C]`, mirrored left to right with probability 1/2 if `flip`; t uniform on `0..T`
/// and eps standard normal, both by `source`. `table` is f32 `[T,2]`: the two square roots for each t
/// ([`Schedule::noise_table`](crate::diffusion::Schedule::noise_table)). x_t is of type `dtype`: f32, or bf16, to which the
/// same is rounded. No gradient flows through it.
pub fn q_sample(
    tape: &mut Tape,
    images: &Tensor,
    table: &Tensor,
    source: &NoiseSource,
    flip: bool,
    dtype: DType,
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

    let x_t = tape.scratch(images.shape(), dtype);
    let share = share(height, width * channels);
    let (bytes, t_in, flips, step) = (images.input(), t.input(), mirrored.input(), source.step.input());
    let (seed, stream, first) = (source.seed, Stream::NOISE.0, source.first_sample);
    let [count, part, w, c] = [elements, share, width, channels].map(|size| size as u32);
    let roots = table.input();
    let q_sample = match dtype {
        DType::BF16 => {
            let x_t = x_t.output();
            noise::q_sample_bf16(bytes, t_in, flips, roots, step, x_t, seed, stream, first, count, part, w, c)
        }
        _ => {
            let x_t = x_t.output();
            noise::q_sample_f32(bytes, t_in, flips, roots, step, x_t, seed, stream, first, count, part, w, c)
        }
    };
    tape.launch(q_sample.shared_bytes(share as u32).grid(elements.div_ceil(share), batch, 1));
    Noised { x_t, t, mirrored }
}

/// Elements of a block's rows, for an image of `height` rows of `row` elements each: a multiple of 4, so that every block
/// begins with a quad.
fn share(height: usize, row: usize) -> usize {
    let step = match row % 4 {
        0 => 1,
        2 => 2,
        _ => 4,
    };
    let rows = (SHARE / row).min(height).max(1).next_multiple_of(step);
    rows * row
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn shares_are_rows_and_quads() {
        assert_eq!(share(32, 96), 960);
        assert_eq!(share(16, 48), 768);
        assert_eq!(share(256, 768), 768);
        assert_eq!(share(1024, 3072), 3072);
        assert_eq!(share(5, 21), 8 * 21);
        assert_eq!(share(1, 1), 4);
    }
}
