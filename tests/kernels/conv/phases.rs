//! The bf16 convolution of an upsampled input with weights whose sums are not exact, against the 3 x 3 convolution in
//! f64.

use super::case::{Case, Data};
use crate::common::compare::{Expected, assert_close};
use crate::common::random::Random;
use crate::common::recording::Recording;
use ddpm_ptx::device::DType;
use ddpm_ptx::ops::conv::Geometry;

/// The largest relative error of a rounding to bf16, which has 8 bits.
const BF16_ROUNDING: f64 = 1.0 / 512.0;

const EXTENTS: [(usize, usize, usize, &[usize], usize); 4] =
    [(1, 1, 1, &[8], 8), (2, 5, 3, &[24], 40), (1, 4, 9, &[16, 8], 72), (3, 8, 8, &[64], 64)];

fn cases() -> impl Iterator<Item = Case> {
    EXTENTS.into_iter().map(|(images, height, width, channels, out_channels)| {
        let (dtype, channels, geometry) = (DType::BF16, channels.to_vec(), Geometry::UP_3X3);
        Case { dtype, images, height, width, channels, out_channels, geometry }
    })
}

/// Besides what a convolution errs, each sum of weights is rounded to bf16: it errs by at most 2⁻⁹ of the sum of the
/// weights' magnitudes, so that a result errs by at most 2⁻⁹ of the same convolution of magnitudes.
fn with_rounded_sums(expected: &[Expected], of_magnitudes: &[Expected]) -> Vec<Expected> {
    let each = expected.iter().zip(of_magnitudes);
    each.map(|(expected, of_magnitudes)| Expected {
        allowed: expected.allowed + of_magnitudes.value * BF16_ROUNDING * (1.0 + BF16_ROUNDING),
        ..*expected
    })
    .collect()
}

fn magnitudes(data: &Data) -> Data {
    let absolute = |numbers: &[f32]| -> Vec<f32> { numbers.iter().map(|number| number.abs()).collect() };
    Data {
        inputs: data.inputs.iter().map(|input| absolute(input)).collect(),
        weight: absolute(&data.weight),
        bias: None,
        per_image: None,
        residual: None,
        dy: absolute(&data.dy),
    }
}

#[test]
fn of_any_weights() {
    let mut random = Random::new(800);
    for case in cases() {
        let exact = case.data(&mut random, true);
        let data = Data { weight: random.normals(exact.weight.len()), ..exact };
        let mut recording = Recording::training();
        let recorded = case.record(&mut recording, &data);
        recording.backward(&recorded.y, &data.dy);
        let dx: Vec<_> = recorded.inputs.iter().map(|input| recording.gradient(input)).collect();
        let results: Vec<_> = std::iter::once(&recorded.y).chain(&dx).collect();
        let got = recording.run(&results);

        let magnitudes = magnitudes(&data);
        let expected = with_rounded_sums(&case.expected_output(&data), &case.expected_output(&magnitudes));
        assert_close(&format!("y, {case:?}"), &case.output(), &got[0], &expected);
        for (number, got) in got[1..].iter().enumerate() {
            let of = |data| case.expected_dx(data, number, None);
            let expected = with_rounded_sums(&of(&data), &of(&magnitudes));
            assert_close(&format!("dx{number}, {case:?}"), &case.input(number), got, &expected);
        }
    }
}
