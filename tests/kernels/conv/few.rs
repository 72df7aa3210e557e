//! The bf16 kernels for few channels: the network's first and last layer.

use super::case::{Case, Data};
use crate::common::compare::{assert_close, assert_same_bits};
use crate::common::random::Random;
use crate::common::recording::Recording;
use ddpm_ptx::device::DType;
use ddpm_ptx::graph::Tensor;
use ddpm_ptx::ops::add::add;
use ddpm_ptx::ops::conv::{Epilogue, Geometry, conv};

/// Few channels, many channels, images, height, width, geometry.
const EXTENTS: [(usize, usize, usize, usize, usize, Geometry); 9] = [
    (1, 8, 1, 1, 1, Geometry::SAME_3X3),
    (3, 32, 2, 16, 16, Geometry::SAME_3X3),
    (3, 128, 1, 9, 7, Geometry::SAME_3X3),
    (4, 64, 3, 5, 6, Geometry::SAME_3X3),
    (7, 72, 1, 3, 150, Geometry::SAME_3X3),
    (2, 40, 2, 2, 300, Geometry::SAME_3X3),
    (5, 200, 1, 13, 1, Geometry::SAME_3X3),
    (3, 136, 2, 8, 11, Geometry::POINTWISE),
    (7, 24, 1, 30, 9, Geometry::POINTWISE),
];

/// Many images, so that blocks compute several tiles and the gradient comes in parts.
const LARGE: (usize, usize, usize, usize, usize, Geometry) = (3, 16, 40, 23, 19, Geometry::SAME_3X3);

fn cases() -> impl Iterator<Item = (usize, usize, Case)> {
    EXTENTS.into_iter().chain([LARGE]).map(|(few, many, images, height, width, geometry)| {
        let (dtype, channels) = (DType::BF16, vec![few]);
        (few, many, Case { dtype, images, height, width, channels, out_channels: many, geometry })
    })
}

fn first_layers() -> impl Iterator<Item = Case> {
    cases().map(|(.., case)| case)
}

fn last_layers() -> impl Iterator<Item = Case> {
    cases().map(|(few, many, case)| Case { channels: vec![many], out_channels: few, ..case })
}

/// The data of a case, with a bias alone.
fn data(case: &Case, random: &mut Random) -> Data {
    let data = case.data(random, true);
    Data { per_image: None, residual: None, ..data }
}

#[test]
fn first_layer() {
    let mut random = Random::new(1000);
    for case in first_layers() {
        let data = data(&case, &mut random);
        let mut recording = Recording::training();
        let x = case.input_without_gradient(&mut recording, &case.input(0), &data.inputs[0]);
        let (y, weight, bias) = record(&case, &data, &mut recording, &x);
        recording.backward(&y, &data.dy);
        let [dw, db] = [&weight, &bias].map(|tensor| recording.gradient(tensor));
        let got = recording.run(&[&y, &dw, &db]);
        assert_close(&format!("y, {case:?}"), &case.output(), &got[0], &case.expected_output(&data));
        assert_close(&format!("dw, {case:?}"), &case.weight(), &got[1], &case.expected_dw(&data));
        assert_close(&format!("db, {case:?}"), &[case.out_channels], &got[2], &case.expected_sums(&data).0);
    }
}

#[test]
fn last_layer() {
    let mut random = Random::new(1001);
    for case in last_layers() {
        let data = data(&case, &mut random);
        let len = data.inputs[0].len();
        let earlier = case.exact(&random.normals(len));
        let mut recording = Recording::training();
        let leaf = case.input_without_gradient(&mut recording, &case.input(0), &data.inputs[0]);
        let zero = case.input_without_gradient(&mut recording, &case.input(0), &vec![0.0; len]);
        let x = add(&mut recording.tape, &leaf, &zero);
        let so_far = case.input_without_gradient(&mut recording, &case.input(0), &earlier);
        assert!(recording.tape.alias_gradient(&x, &so_far));
        let (y, weight, bias) = record(&case, &data, &mut recording, &x);
        recording.backward(&y, &data.dy);
        let [dx, dw, db] = [&x, &weight, &bias].map(|tensor| recording.gradient(tensor));
        let got = recording.run(&[&y, &dx, &dw, &db]);
        assert_close(&format!("y, {case:?}"), &case.output(), &got[0], &case.expected_output(&data));
        let expected = case.expected_dx(&data, 0, Some(&earlier));
        assert_close(&format!("dx, {case:?}"), &case.input(0), &got[1], &expected);
        assert_close(&format!("dw, {case:?}"), &case.weight(), &got[2], &case.expected_dw(&data));
        assert_close(&format!("db, {case:?}"), &[case.out_channels], &got[3], &case.expected_sums(&data).0);
    }
}

/// The last layer's result in f32; its gradient comes in bf16 all the same.
#[test]
fn last_layer_in_f32() {
    let mut random = Random::new(1002);
    for case in last_layers() {
        let data = Data { bias: None, ..data(&case, &mut random) };
        let mut recording = Recording::training();
        let x = recording.parameter_bf16(&case.input(0), &data.inputs[0], DType::BF16);
        let weight = case.weights(&mut recording, &data);
        let epilogue = Epilogue { f32_result: true, ..Epilogue::default() };
        let y = conv(&mut recording.tape, &[&x], &weight, epilogue, &case.geometry);
        let dy = case.input_without_gradient(&mut recording, &case.output(), &data.dy);
        recording.tape.backward(&y, &dy);
        let dx = recording.gradient(&x);
        let got = recording.run(&[&y, &dx]);
        let expected = case.expected_sums_of_products(&data);
        assert_close(&format!("y, {case:?}"), &case.output(), &got[0], &expected);
        let expected = case.expected_dx(&data, 0, None);
        assert_close(&format!("dx, {case:?}"), &case.input(0), &got[1], &expected);
    }
}

#[test]
fn same_in_every_batch() {
    let mut random = Random::new(1003);
    for all in first_layers().chain(last_layers()).filter(|case| case.images > 1) {
        let data = data(&all, &mut random);
        let together = forward(&all, &data.inputs[0], &data);
        let one = Case { images: 1, ..all.clone() };
        for image in 0..all.images {
            let part = |tensor: &[f32]| {
                let len = tensor.len() / all.images;
                tensor[image * len..][..len].to_vec()
            };
            let alone = forward(&one, &part(&data.inputs[0]), &data);
            let got = part(&together);
            assert_same_bits(&format!("image {image} of {all:?}"), &[got.len()], &got, &alone);
        }
    }
}

/// The output for the input `x`, weights and bias from `data`.
fn forward(case: &Case, x: &[f32], data: &Data) -> Vec<f32> {
    let mut recording = Recording::inference();
    let x = case.input_without_gradient(&mut recording, &case.input(0), x);
    let (y, ..) = record(case, data, &mut recording, &x);
    recording.run(&[&y]).remove(0)
}

/// The convolution of `x`, its weights and its bias.
fn record(case: &Case, data: &Data, recording: &mut Recording, x: &Tensor) -> (Tensor, Tensor, Tensor) {
    let weight = case.weights(recording, data);
    let bias = recording.parameter(&[case.out_channels], data.bias.as_ref().unwrap());
    let epilogue = Epilogue { bias: Some(&bias), ..Epilogue::default() };
    let y = conv(&mut recording.tape, &[x], &weight, epilogue, &case.geometry);
    (y, weight, bias)
}
