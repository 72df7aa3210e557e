//! The sinusoidal embedding of timesteps.

use crate::device::DType;
use crate::graph::{Tape, Tensor};
use crate::kernels::elementwise;

/// Threads of a block.
const BLOCK: usize = 128;

/// `[N,dim]` from the timesteps `t`, u32 `[N]`: with half = floor(dim / 2) and
/// f_j = exp(-ln(10000) j / (half - freq_shift)),
/// sin(t f_0), …, sin(t f_half-1), cos(t f_0), …, cos(t f_half-1); cosines first if `flip_sin_to_cos`. An odd last
/// column is 0. f32, the roundings of the frequencies included (diffusers, `get_timestep_embedding`). No gradient
/// flows through it.
///
/// # Panics
/// If `freq_shift` is not below half: there would be no frequency.
pub fn timestep_embedding(
    tape: &mut Tape,
    t: &Tensor,
    dim: usize,
    flip_sin_to_cos: bool,
    freq_shift: f32,
) -> Tensor {
    let [count] = t.dims();
    let scale = (dim / 2) as f32 - freq_shift;
    assert!(scale > 0.0, "a time embedding of {dim} channels with a frequency shift of {freq_shift}");
    let y = tape.scratch(&[count, dim], DType::F32);
    let call = elementwise::timestep_embedding(
        t.input(),
        y.output(),
        count as u32,
        dim as u32,
        u32::from(flip_sin_to_cos),
        scale,
    );
    tape.launch(call.grid((count * dim.div_ceil(2)).div_ceil(BLOCK), 1, 1));
    y
}
