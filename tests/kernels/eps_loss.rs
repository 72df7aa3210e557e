//! The simple objective.

use crate::common::compare::{Expected, ROUNDING, assert_close, assert_same_bits};
use crate::common::device::device;
use crate::common::philox::normals;
use crate::common::random::Random;
use crate::common::recording::Recording;
use ddpm_ptx::device::DType;
use ddpm_ptx::history::History;
use ddpm_ptx::ops::eps_loss::eps_loss;
use ddpm_ptx::ops::q_sample::NoiseSource;
use ddpm_ptx::random::Stream;

struct Case {
    shape: [usize; 4],
    seed: u64,
    step: u64,
    first_sample: u32,
    prediction: Vec<f32>,
}

struct Got {
    gradient: Vec<f32>,
    per_image: Vec<f32>,
    loss: f32,
}

impl Case {
    fn random(random: &mut Random, shape: [usize; 4]) -> Case {
        Case {
            shape,
            seed: random.bits(),
            step: random.bits() >> 1,
            first_sample: random.between(0, 1000) as u32,
            prediction: random.normals(shape.iter().product()),
        }
    }

    fn run(&self, gradient: DType) -> Got {
        let mut recording = Recording::inference();
        let prediction = recording.input(&self.shape, &self.prediction);
        let step = recording.input(&[1], &[self.step]);
        let source = NoiseSource { seed: self.seed, first_sample: self.first_sample, step };
        let losses = History::new(&device(), 5).unwrap();
        let loss = eps_loss(&mut recording.tape, &prediction, &source, &losses, gradient);
        let results = recording.run(&[&loss.gradient, &loss.per_image]);
        let [gradient, per_image] = <[_; 2]>::try_from(results).unwrap();
        let ring = losses.read(self.step..self.step + 8).unwrap();
        assert!(ring[1..].iter().all(|&other| other == 0.0), "the ring beside the step's place: {ring:?}");
        Got { gradient, per_image, loss: ring[0] }
    }
}

#[test]
fn loss_and_gradient() {
    let mut random = Random::new(6);
    for shape in [[1, 1, 1, 1], [3, 5, 7, 3], [2, 16, 16, 3], [2, 30, 31, 3], [2, 64, 32, 3], [131, 1, 2, 1]]
    {
        let case = Case::random(&mut random, shape);
        let got = case.run(DType::F32);
        let elements: usize = shape[1..].iter().product();
        let total = (shape[0] * elements) as f64;
        let (mut gradient, mut per_image) = (vec![], vec![]);
        for n in 0..shape[0] {
            let sample = case.first_sample + n as u32;
            let eps = normals(case.seed, Stream::NOISE.0, sample, case.step as u32, elements);
            // Of the sum of squares: its value, the error that comes with eps, and that of adding in f32.
            let (mut sum, mut off) = (0.0, 0.0);
            for (prediction, eps) in case.prediction[n * elements..].iter().zip(eps) {
                let error = f64::from(*prediction) - eps.value;
                let error_off = eps.allowed + ROUNDING * error.abs();
                gradient.push(Expected {
                    value: 2.0 * error / total,
                    allowed: 2.0 / total * (error_off + 2.0 * ROUNDING * error.abs()),
                });
                sum += error * error;
                off += (2.0 * error.abs() + error_off) * error_off;
            }
            let allowed = (off + (elements + 2) as f64 * ROUNDING * sum) / elements as f64;
            per_image.push(Expected { value: sum / elements as f64, allowed });
        }
        assert_close("gradient", &shape, &got.gradient, &gradient);
        let rounded: Vec<Expected> = gradient.into_iter().map(Expected::in_bf16).collect();
        let in_bf16 = case.run(DType::BF16);
        assert_close("gradient in bf16", &shape, &in_bf16.gradient, &rounded);
        assert_same_bits("loss beside it", &[shape[0]], &in_bf16.per_image, &got.per_image);
        assert_close("loss of an image", &[shape[0]], &got.per_image, &per_image);

        let batch = shape[0] as f64;
        let value = per_image.iter().map(|image| image.value).sum::<f64>() / batch;
        let off = per_image.iter().map(|image| image.allowed).sum::<f64>() / batch;
        let mean = Expected { value, allowed: off + (batch + 2.0) * ROUNDING * value };
        assert_close("mean loss", &[1], &[got.loss], &[mean]);
    }
}

/// The loss of an image has the same bits in any batch.
#[test]
fn an_image_hangs_on_its_place_alone() {
    let case = Case::random(&mut Random::new(7), [3, 31, 30, 3]);
    let together = case.run(DType::F32);
    for n in 0..3 {
        let alone = Case {
            shape: [1, 31, 30, 3],
            first_sample: case.first_sample + n as u32,
            prediction: case.prediction[n * 2790..][..2790].to_vec(),
            ..case
        };
        assert_same_bits("loss", &[1], &together.per_image[n..n + 1], &alone.run(DType::F32).per_image);
    }
}

/// A network that predicts the very noise has no loss; one that predicts nothing has a loss of about 1.
#[test]
fn a_perfect_prediction_has_no_loss() {
    let mut case = Case::random(&mut Random::new(8), [1, 16, 16, 3]);
    case.prediction.fill(0.0);
    let nothing = case.run(DType::F32);
    assert!((nothing.loss - 1.0).abs() < 0.25, "{}", nothing.loss);
    let eps = normals(case.seed, Stream::NOISE.0, case.first_sample, case.step as u32, 768);
    case.prediction = eps.iter().map(|eps| eps.value as f32).collect();
    let perfect = case.run(DType::F32);
    assert!(perfect.loss < 1e-9, "{}", perfect.loss);
}
