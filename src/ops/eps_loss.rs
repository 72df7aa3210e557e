//! The simple objective.

use super::mean_loss::{Loss, chunks, mean_loss};
use super::q_sample::NoiseSource;
use crate::device::DType;
use crate::graph::{Tape, Tensor};
use crate::history::History;
use crate::kernels::noise;
use crate::random::Stream;

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
    let chunks = chunks(elements);
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

    let per_image = mean_loss(tape, &partials, elements, None, &source.step, losses);
    Loss { gradient, per_image }
}
