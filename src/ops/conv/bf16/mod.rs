//! The convolution's kernels on tensor cores: bf16 tensors, f32 sums.

pub(super) mod dgrad;
pub(super) mod fprop;
pub(super) mod wgrad;

use super::shape::Shape;

/// Copies to shared memory go by 16 bytes.
const PIECE: usize = 8;

/// # Panics
/// If a number of channels is none that the kernels take.
pub(super) fn check(shape: &Shape) {
    let [c0, c1] = shape.channels;
    let numbers = [c0, c1, shape.out_channels];
    assert!(
        numbers.iter().all(|number| number.is_multiple_of(PIECE)),
        "a bf16 convolution of {c0} + {c1} to {} channels, not all multiples of {PIECE}",
        shape.out_channels
    );
}
