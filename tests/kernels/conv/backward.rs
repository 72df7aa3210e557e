//! The gradients of a convolution in every geometry.

use super::case::{Case, DTYPES, GEOMETRIES, cases};
use crate::common::compare::assert_close;
use crate::common::random::Random;
use crate::common::recording::Recording;
use ddpm_ptx::device::DType;
use ddpm_ptx::ops::add::add;
use ddpm_ptx::ops::conv::{Epilogue, Geometry, conv};

#[test]
fn of_inputs_and_weights() {
    for (seed, (name, geometry)) in GEOMETRIES.into_iter().enumerate() {
        let mut random = Random::new(100 + seed as u64);
        for case in all_cases(geometry, &mut random) {
            let data = case.data(&mut random, false);
            let mut recording = Recording::training();
            let recorded = case.record(&mut recording, &data);
            recording.backward(&recorded.y, &data.dy);
            let dw = recording.gradient(&recorded.weight);
            let dx: Vec<_> = recorded.inputs.iter().map(|input| recording.gradient(input)).collect();
            let results: Vec<_> = std::iter::once(&dw).chain(&dx).collect();
            let got = recording.run(&results);
            let what = format!("dw, {name}, {case:?}");
            assert_close(&what, &case.weight(), &got[0], &case.expected_dw(&data));
            for number in 0..dx.len() {
                let what = format!("dx{number}, {name}, {case:?}");
                let expected = case.expected_dx(&data, number, None);
                assert_close(&what, &case.input(number), &got[1 + number], &expected);
            }
        }
    }
}

#[test]
fn of_addends() {
    let mut random = Random::new(200);
    for (_, geometry) in GEOMETRIES {
        for case in all_cases(geometry, &mut random) {
            let data = case.data(&mut random, true);
            let mut recording = Recording::training();
            let recorded = case.record(&mut recording, &data);
            recording.backward(&recorded.y, &data.dy);
            let gradient = |tensor: &Option<_>| recording.gradient(tensor.as_ref().unwrap());
            let [db, di, dr] = [&recorded.bias, &recorded.per_image, &recorded.residual].map(gradient);
            let got = recording.run(&[&db, &di, &dr]);
            let (bias, per_image) = case.expected_sums(&data);
            assert_close(&format!("the bias's gradient, {case:?}"), db.shape(), &got[0], &bias);
            assert_close(&format!("the image addend's gradient, {case:?}"), di.shape(), &got[1], &per_image);
            assert_eq!(got[2], data.dy, "the residual's gradient, {case:?}");
        }
    }
}

/// Gradients that came to an input earlier are added.
#[test]
fn on_top_of_earlier_ones() {
    for (seed, (name, geometry)) in GEOMETRIES.into_iter().enumerate() {
        let mut random = Random::new(300 + seed as u64);
        for (dtype, channels) in [(DType::F32, 12), (DType::F32, 5), (DType::BF16, 24)] {
            let (images, height, width, channels) = (2, 5, 6, vec![channels]);
            let case = Case { dtype, images, height, width, channels, out_channels: 8, geometry };
            let data = case.data(&mut random, false);
            let shape = case.input(0);
            let len = data.inputs[0].len();
            let earlier = case.exact(&random.normals(len));
            let mut recording = Recording::training();
            let leaf = case.input_without_gradient(&mut recording, &shape, &data.inputs[0]);
            let zero = case.input_without_gradient(&mut recording, &shape, &vec![0.0; len]);
            let x = add(&mut recording.tape, &leaf, &zero);
            let weight = case.weights(&mut recording, &data);
            let so_far = case.input_without_gradient(&mut recording, &shape, &earlier);
            assert!(recording.tape.alias_gradient(&x, &so_far));
            let y = conv(&mut recording.tape, &[&x], &weight, Epilogue::default(), &geometry);
            recording.backward(&y, &data.dy);
            let dx = recording.gradient(&x);
            let got = recording.run(&[&dx]);
            let expected = case.expected_dx(&data, 0, Some(&earlier));
            assert_close(&format!("dx + so far, {name}"), &shape, &got[0], &expected);
        }
    }
}

/// Enough pixels that the weights' gradient is computed in parts.
#[test]
fn of_weights_over_many_pixels() {
    let mut random = Random::new(400);
    for (dtype, channels, out_channels, geometry) in [
        (DType::F32, vec![4, 4], 8, Geometry::SAME_3X3),
        (DType::F32, vec![3], 5, Geometry::SAME_3X3),
        (DType::F32, vec![8], 3, Geometry::UP_3X3),
        (DType::F32, vec![20], 12, Geometry::POINTWISE),
        (DType::BF16, vec![8, 16], 8, Geometry::SAME_3X3),
        (DType::BF16, vec![8], 8, Geometry::UP_3X3),
        (DType::BF16, vec![40], 24, Geometry::POINTWISE),
    ] {
        let case = Case { dtype, images: 9, height: 23, width: 19, channels, out_channels, geometry };
        let data = case.data(&mut random, false);
        let mut recording = Recording::training();
        let recorded = case.record(&mut recording, &data);
        recording.backward(&recorded.y, &data.dy);
        let dw = recording.gradient(&recorded.weight);
        let got = recording.run(&[&dw]);
        assert_close(&format!("dw, {case:?}"), &case.weight(), &got[0], &case.expected_dw(&data));
    }
}

/// What no gradient flows to costs no launch.
#[test]
fn of_nothing() {
    let case = Case {
        dtype: DType::F32,
        images: 1,
        height: 4,
        width: 4,
        channels: vec![4],
        out_channels: 4,
        geometry: Geometry::SAME_3X3,
    };
    let data = case.data(&mut Random::new(500), false);
    let mut recording = Recording::training();
    let x = recording.input(&case.input(0), &data.inputs[0]);
    let weight = recording.input(&case.weight(), &data.weight);
    let bias = recording.input(&[4], &[0.0f32; 4]);
    let epilogue = Epilogue { bias: Some(&bias), ..Epilogue::default() };
    let y = conv(&mut recording.tape, &[&x], &weight, epilogue, &case.geometry);
    recording.backward(&y, &data.dy);
    assert_eq!(recording.tape.len(), 1);
}

fn all_cases(geometry: Geometry, random: &mut Random) -> Vec<Case> {
    DTYPES.into_iter().flat_map(|dtype| cases(dtype, geometry, random)).collect()
}
