//! Moments of a tensor by parts, which a convolution leaves for a normalisation of its result.

use crate::device::DType;
use crate::graph::{Tape, Tensor};

/// Pixels of a part: `kernels/prelude/mma_moments.ptx`.
pub const PIXELS: usize = 16;
/// Channels of a part.
pub const CHANNELS: usize = 4;

/// Makes room for the moments of `y`, `[…, C]` with C a multiple of 4, and attaches it: (mean, sum of squares about it) of
/// each part, f32 `[pixels / 16, C / 4, 2]`. `None` if the pixels are no multiple of 16.
pub fn attach(tape: &mut Tape, y: &Tensor) -> Option<Tensor> {
    let &channels = y.shape().last()?;
    let pixels = y.len() / channels;
    if !pixels.is_multiple_of(PIXELS) {
        return None;
    }
    let moments = tape.scratch(&[pixels / PIXELS, channels / CHANNELS, 2], DType::F32);
    tape.attach(y, moments.clone());
    Some(moments)
}
