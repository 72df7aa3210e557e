//! Terms of the variational bound.

use super::mean_loss::chunks;
use crate::device::DType;
use crate::graph::{Tape, Tensor};
use crate::kernels::noise;

/// For each of `images`, u8 `[B,H,W,C]`, noised to `x_t`, f32 of the same shape, at timesteps `t`, u32 `[B]`: sums over
/// chunks of its elements of the variational bound's term at t, in nats, and of the squared error of the x_0 that the
/// network's `output` stands for; f32 `[B,chunks,2]`. `output` is f32 `[B,H,W,C]`, or `[B,H,W,2C]` with the learned
/// variance in the second half of the channels; `table` is f32 `[T,8]` ([`TermRow`](crate::diffusion::TermRow)).
pub fn bound_terms(
    tape: &mut Tape,
    images: &Tensor,
    x_t: &Tensor,
    output: &Tensor,
    t: &Tensor,
    table: &Tensor,
) -> Tensor {
    let [batch, height, width, channels] = images.dims();
    let [_, _, _, outputs] = output.dims();
    assert!(outputs == channels || outputs == 2 * channels, "{outputs} outputs for {channels} channels");
    let elements = height * width * channels;
    let chunks = chunks(elements);
    let sums = tape.scratch(&[batch, chunks, 2], DType::F32);
    let terms = if outputs == channels { noise::bound_terms_fixed } else { noise::bound_terms_learned };
    let terms = terms(
        images.input(),
        x_t.input(),
        output.input(),
        t.input(),
        table.input(),
        sums.output(),
        elements as u32,
        channels as u32,
    );
    tape.launch(terms.grid(chunks, batch, 1));
    sums
}
