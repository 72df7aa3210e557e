//! The loss of a batch from sums over chunks of images.

use crate::device::DType;
use crate::graph::{Tape, Tensor};
use crate::history::History;
use crate::kernels::noise;

/// Elements of an image whose losses one block adds (`eps_loss`, `objective` and `bound_terms` in `kernels/noise`).
const CHUNK: usize = 2048;

/// Blocks that cover an image of `elements` elements.
pub(super) fn chunks(elements: usize) -> usize {
    elements.div_ceil(CHUNK)
}

/// What the loss of a batch leaves.
pub struct Loss {
    /// Gradient of the batch's loss by the prediction, to begin the backward pass with; of the prediction's shape.
    pub gradient: Tensor,
    /// Loss of each image, its mean over elements, f32 `[B]`.
    pub per_image: Tensor,
}

/// The loss of each image of `elements` elements, f32 `[B]`, from `partials`, f32 `[B,chunks]`. Their mean, each times
/// its weight if there are `weights`, f32 `[B]`, goes to the place of `step`, u64 `[1]`, in `losses`.
pub(super) fn mean_loss(
    tape: &mut Tape,
    partials: &Tensor,
    elements: usize,
    weights: Option<&Tensor>,
    step: &Tensor,
    losses: &History,
) -> Tensor {
    let [batch, chunks] = partials.dims();
    let per_image = tape.scratch(&[batch], DType::F32);
    let ring = losses.tensor(tape);
    let mean_loss = noise::mean_loss(
        partials.input(),
        weights.map(Tensor::input),
        step.input(),
        per_image.output(),
        ring.in_out(),
        batch as u32,
        chunks as u32,
        losses.mask(),
        (1.0 / elements as f64) as f32,
        (1.0 / batch as f64) as f32,
    );
    tape.launch(mean_loss.grid(1, 1, 1));
    per_image
}
