//! The simple objective.

use super::q_sample::NoiseSource;
use crate::device::DType;
use crate::graph::{Tape, Tensor};
use crate::history::History;
use crate::kernels::noise;
use crate::random::Stream;

/// Elements of an image whose squared errors one block adds (`kernels/noise/eps_loss.ptx`).
const CHUNK: usize = 2048;

/// What [`eps_loss`] gives.
pub struct Loss {
    /// Gradient of the mean loss by the prediction, to begin the backward pass with; `[B,H,W,C]`.
    pub gradient: Tensor,
    /// Mean squared error of each image, f32 `[B]`.
    pub per_image: Tensor,
}

/// L_simple = mean over B H W C of (eps - prediction)² (Ho, Jain, Abbeel 2020, equation 14), where eps is the
/// noise that [`q_sample`](super::q_sample::q_sample) added from the same source. The step's loss goes to
/// `losses`; the gradient is 2 (prediction - eps) / (B H W C), of type `gradient`: f32 or bf16. `prediction` is f32
/// `[B,H,W,C]`.
pub fn eps_loss(
    tape: &mut Tape,
    prediction: &Tensor,
    source: &NoiseSource,
    losses: &History,
    gradient: DType,
) -> Loss {
    let [batch, height, width, channels] = prediction.dims();
    let elements = height * width * channels;
    let chunks = elements.div_ceil(CHUNK);
    let gradient = tape.scratch(prediction.shape(), gradient);
    let partials = tape.scratch(&[batch, chunks], DType::F32);
    let (x, step, sums) = (prediction.input(), source.step.input(), partials.output());
    let (seed, stream, first_sample) = (source.seed, Stream::NOISE.0, source.first_sample);
    let (count, scale) = (elements as u32, (2.0 / (batch * elements) as f64) as f32);
    let eps_loss = match gradient.dtype() {
        DType::BF16 => {
            noise::eps_loss_bf16(x, step, gradient.output(), sums, seed, stream, first_sample, count, scale)
        }
        _ => noise::eps_loss_f32(x, step, gradient.output(), sums, seed, stream, first_sample, count, scale),
    };
    tape.launch(eps_loss.grid(chunks, batch, 1));

    let per_image = tape.scratch(&[batch], DType::F32);
    let ring = losses.tensor(tape);
    let mean_loss = noise::mean_loss(
        partials.input(),
        source.step.input(),
        per_image.output(),
        ring.in_out(),
        batch as u32,
        chunks as u32,
        losses.mask(),
        (1.0 / elements as f64) as f32,
        (1.0 / batch as f64) as f32,
    );
    tape.launch(mean_loss.grid(1, 1, 1));
    Loss { gradient, per_image }
}
