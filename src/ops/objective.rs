//! Every objective but the simple one on the noise.

use super::mean_loss::{Loss, chunks, mean_loss};
use super::q_sample::{NoiseSource, Noised};
use crate::device::DType;
use crate::graph::{Tape, Tensor};
use crate::history::History;
use crate::kernels::noise;
use crate::random::Stream;

/// How much of what makes the loss: `on_error · error² + on_bound · term`, of elements.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Factors {
    /// Of the squared difference between target and prediction.
    pub on_error: f64,
    /// Of the variational bound's term at the image's timestep, in nats.
    pub on_bound: f64,
    /// The same in the gradient that goes to the predicted mean; 0 keeps the bound to the variance.
    pub on_mean: f64,
}

/// The loss of the network's `prediction` for `images`, u8 `[B,H,W,C]`, noised as `noised` from `source`, at the rows
/// of `table`, f32 `[T,8]` ([`ObjectiveRow`](crate::diffusion::ObjectiveRow)): the mean over elements, and over images
/// times `weights`, f32 `[B]`, if there are any.
///
/// `prediction` is f32 `[B,H,W,C]`, or `[B,H,W,2C]` with the learned variance in the second half of the channels. The
/// step's loss goes to `losses`; the gradient is of type `gradient`: f32 or bf16.
#[allow(clippy::too_many_arguments)]
pub fn objective(
    tape: &mut Tape,
    prediction: &Tensor,
    images: &Tensor,
    noised: &Noised,
    weights: Option<&Tensor>,
    table: &Tensor,
    factors: Factors,
    source: &NoiseSource,
    losses: &History,
    gradient: DType,
) -> Loss {
    let [batch, height, width, channels] = images.dims();
    let [_, _, _, outputs] = prediction.dims();
    assert!(outputs == channels || outputs == 2 * channels, "{outputs} outputs for {channels} channels");
    let elements = height * width * channels;
    let chunks = chunks(elements);
    let gradient = tape.scratch(prediction.shape(), gradient);
    let partials = tape.scratch(&[batch, chunks], DType::F32);
    macro_rules! launch {
        ($entry:ident) => {
            noise::$entry(
                prediction.input(),
                images.input(),
                noised.t.input(),
                noised.mirrored.input(),
                weights.map(Tensor::input),
                table.input(),
                source.step.input(),
                gradient.output(),
                partials.output(),
                source.seed,
                Stream::NOISE.0,
                source.first_sample,
                elements as u32,
                width as u32,
                channels as u32,
                factors.on_error as f32,
                factors.on_bound as f32,
                factors.on_mean as f32,
                (1.0 / (batch * elements) as f64) as f32,
            )
        };
    }
    let objective = match (outputs > channels, gradient.dtype()) {
        (false, DType::BF16) => launch!(objective_fixed_bf16),
        (false, _) => launch!(objective_fixed_f32),
        (true, DType::BF16) => launch!(objective_learned_bf16),
        (true, _) => launch!(objective_learned_f32),
    };
    tape.launch(objective.grid(chunks, batch, 1));
    let per_image = mean_loss(tape, &partials, elements, weights, &source.step, losses);
    Loss { gradient, per_image }
}
