//! The reverse process on a batch of samples: the timestep to ask the network about, and the update after it.

use super::q_sample::quad_blocks;
use crate::device::DType;
use crate::graph::{Tape, Tensor};
use crate::kernels::noise;
use crate::random::Stream;

/// The steps of a sampler in device memory, and which is next.
#[derive(Debug, Clone)]
pub struct ReverseTable {
    /// f32 `[steps,8]`; `kernels/noise/reverse_update.ptx` says what a row holds.
    pub rows: Tensor,
    /// The timestep of each step, u32 `[steps]`.
    pub timesteps: Tensor,
    /// The counter of sampling steps, u64 `[1]`.
    pub step: Tensor,
}

/// The timestep of the current step for each of `batch` images, u32 `[B]`: input of the network.
pub fn timestep(tape: &mut Tape, table: &ReverseTable, batch: usize) -> Tensor {
    let t = tape.scratch(&[batch], DType::U32);
    let call = noise::timestep(
        table.timesteps.input(),
        table.step.input(),
        t.output(),
        table.timesteps.len() as u32,
        batch as u32,
    );
    tape.launch(call.grid(batch.div_ceil(32), 1, 1));
    t
}

/// Takes `x`, resident f32 `[B,H,W,C]`, one step of the table further, in place, given the network's `eps`.
/// The noise of image n is that of sample number `samples[n]`, u32 `[B]`. Does not move the step counter.
pub fn reverse_update(
    tape: &mut Tape,
    x: &Tensor,
    eps: &Tensor,
    table: &ReverseTable,
    samples: &Tensor,
    seed: u64,
) {
    let [batch, height, width, channels] = x.dims();
    assert_eq!(eps.shape(), x.shape(), "a predicted noise for samples of another shape");
    assert_eq!(samples.shape(), [batch], "sample numbers for {:?}", x.shape());
    let elements = height * width * channels;
    let call = noise::reverse_update(
        x.in_out(),
        eps.input(),
        table.rows.input(),
        table.timesteps.input(),
        table.step.input(),
        samples.input(),
        seed,
        Stream::REVERSE.0,
        table.timesteps.len() as u32,
        elements as u32,
    );
    tape.launch(call.grid(quad_blocks(elements), batch, 1));
}
