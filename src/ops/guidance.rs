//! Classifier-free guidance: both halves of a batch that is there twice.

use crate::device::DType;
use crate::graph::{Tape, Tensor};
use crate::kernels::noise;

/// Threads of a block.
const BLOCK: usize = 256;

/// `x [N,H,W,C]` f32, twice: `[2N,H,W,C]`.
pub fn twice(tape: &mut Tape, x: &Tensor) -> Tensor {
    let [images, height, width, channels] = x.dims();
    let y = tape.scratch(&[2 * images, height, width, channels], DType::F32);
    let call = noise::guidance_twice(x.input(), y.output(), x.len() as u32);
    tape.launch(call.grid(x.len().div_ceil(BLOCK), 1, 1));
    y
}

/// `pair [2N,H,W,C]` f32, predictions with a class and then without, as one `[N,H,W,C]`: with + weight (with - without) in
/// the first `guided` channels, with in the others (Ho, Salimans 2022, equation 6).
///
/// # Panics
/// If the pair has an odd number of images.
pub fn guide(tape: &mut Tape, pair: &Tensor, guided: usize, weight: f32) -> Tensor {
    let [both, height, width, channels] = pair.dims();
    assert!(both.is_multiple_of(2), "{both} predictions are not in pairs");
    let y = tape.scratch(&[both / 2, height, width, channels], DType::F32);
    let (channels, guided) = (channels as u32, guided as u32);
    let call = noise::guidance(pair.input(), y.output(), y.len() as u32, channels, guided, weight);
    tape.launch(call.grid(y.len().div_ceil(BLOCK), 1, 1));
    y
}
