//! The moments that bf16 convolutions leave of their results.

use super::bits::replaced;
use super::case::{Case, Data, GEOMETRIES};
use crate::common::bounded::Bounded;
use crate::common::compare::{Expected, assert_close, assert_same_bits};
use crate::common::device::device;
use crate::common::random::Random;
use crate::common::recording::{Recording, read, rounded};
use ddpm_ptx::device::{DType, Kernel};
use ddpm_ptx::graph::Tensor;
use ddpm_ptx::kernels;
use ddpm_ptx::ops::conv::{Epilogue, Geometry, conv, linear};

/// Pixels and channels of a part.
const PART: (usize, usize) = (16, 4);
/// Additions that a value goes through on its way to a part's sum: 3 along the channels and 4 along the pixels; and
/// the scaling of the mean, which is exact.
const DEPTH: usize = 7;

/// Records a normalised convolution with all addends; gives y and its moments.
fn record(recording: &mut Recording, case: &Case, data: &Data) -> (Tensor, Option<Tensor>) {
    let k = case.out_channels;
    let inputs: Vec<Tensor> = (0..case.channels.len())
        .map(|number| recording.input(&case.input(number), &rounded(&data.inputs[number])))
        .collect();
    let weight = case.weights(recording, data);
    let bias = data.bias.as_ref().map(|bias| recording.input(&[k], bias));
    let per_image = data.per_image.as_ref().map(|addend| recording.input(&[case.images, k], addend));
    let residual = data.residual.as_ref().map(|residual| recording.input(&case.output(), &rounded(residual)));
    let epilogue = Epilogue {
        bias: bias.as_ref(),
        per_image: per_image.as_ref(),
        residual: residual.as_ref(),
        normalised: true,
        ..Epilogue::default()
    };
    let inputs: Vec<&Tensor> = inputs.iter().collect();
    let y = conv(&mut recording.tape, &inputs, &weight, epilogue, &case.geometry);
    let moments = recording.tape.attached(&y).cloned();
    (y, moments)
}

/// y and its moments, with `variant` in the place of the forward kernel, if there is one.
fn results(case: &Case, data: &Data, variant: Option<&'static Kernel>) -> [Vec<f32>; 2] {
    let mut recording = Recording::inference();
    let (y, moments) = record(&mut recording, case, data);
    let moments = moments.expect("moments of whole parts");
    let program = recording.program(&[&y, &moments]);
    for launch in program.launches() {
        let launch = variant.map_or(launch.clone(), |variant| replaced(launch, "bf16_fprop_", variant));
        device().launch(&launch).unwrap();
    }
    [&y, &moments].map(|tensor| read(&program, tensor))
}

/// The moments of `y`, `[.., channels]`, in f64.
fn expected(y: &[f32], channels: usize) -> Vec<Expected> {
    let mut moments = vec![];
    for pixels in y.chunks(PART.0 * channels) {
        for first in (0..channels).step_by(PART.1) {
            let part = pixels.chunks(channels).flat_map(|pixel| &pixel[first..first + PART.1]);
            let values: Vec<Bounded> = part.map(|&value| Bounded::from(value)).collect();
            let mean = Bounded::sum(values.iter().copied(), DEPTH) * Bounded::exact(1.0 / 64.0);
            let squares = values.iter().map(|&value| (value - mean) * (value - mean));
            moments.push(mean.into());
            moments.push(Bounded::sum(squares, DEPTH).into());
        }
    }
    moments
}

/// The pixels of `y` in the order in which parts are made of them: of an upsampled image, phase by phase.
fn by_phases(case: &Case, y: &[f32]) -> Vec<f32> {
    let [images, height, width, channels] = case.output();
    if !case.geometry.upsample {
        return y.to_vec();
    }
    let mut sorted = vec![];
    for image in 0..images {
        for [row_phase, column_phase] in [[0, 0], [0, 1], [1, 0], [1, 1]] {
            for row in (row_phase..height).step_by(2) {
                for column in (column_phase..width).step_by(2) {
                    let pixel = (image * height + row) * width + column;
                    sorted.extend_from_slice(&y[pixel * channels..(pixel + 1) * channels]);
                }
            }
        }
    }
    sorted
}

#[track_caller]
fn check(what: &str, channels: usize, [y, moments]: &[Vec<f32>; 2]) {
    let shape = [y.len() / channels / PART.0, channels / PART.1, 2];
    assert_close(what, &shape, moments, &expected(y, channels));
}

/// Of every tile the right ones, and the same bits; with tiles that hang over the end in both directions. The offset of
/// 300 deviations would cost a sum of squares all its accuracy.
#[test]
fn of_every_tile() {
    let mut random = Random::new(1200);
    for (name, geometry) in GEOMETRIES {
        for offset in [0.0, 300.0] {
            let (dtype, channels) = (DType::BF16, vec![24, 16]);
            let case = Case { dtype, images: 3, height: 8, width: 16, channels, out_channels: 88, geometry };
            let mut data = case.data(&mut random, true);
            data.bias.iter_mut().flatten().for_each(|bias| *bias += offset);
            let chosen = results(&case, &data, None);
            let sorted = [by_phases(&case, &chosen[0]), chosen[1].clone()];
            check(&format!("moments of {case:?}, offset {offset}"), case.out_channels, &sorted);
            for variant in kernels::ALL.iter().filter(|kernel| kernel.entry.starts_with("bf16_fprop_")) {
                let got = results(&case, &data, Some(variant));
                for (got, want) in got.iter().zip(&chosen) {
                    assert_same_bits(&format!("{}, {name}", variant.entry), &[got.len()], got, want);
                }
            }
        }
    }
}

/// Blocks of that kernel compute several tiles.
#[test]
fn of_the_first_layer() {
    let mut random = Random::new(1201);
    for (few, many, images, side) in [(3, 32, 2, 8), (3, 136, 3, 12), (5, 24, 1, 16), (3, 8, 140, 32)] {
        let (dtype, channels, geometry) = (DType::BF16, vec![few], Geometry::SAME_3X3);
        let case = Case { dtype, images, height: side, width: side, channels, out_channels: many, geometry };
        let data = Data { per_image: None, residual: None, ..case.data(&mut random, true) };
        check(&format!("moments of {case:?}"), many, &results(&case, &data, None));
    }
}

#[test]
fn of_a_linear_layer() {
    let mut random = Random::new(1202);
    let (rows, c, k) = (48, 16, 24);
    let [x, w, residual] = [rows * c, k * c, rows * k].map(|len| rounded(&random.normals(len)));
    let mut recording = Recording::inference();
    let [x, w] = [([rows, c], x), ([k, c], w)].map(|(shape, data)| recording.input(&shape, &data));
    let residual = recording.input(&[rows, k], &residual);
    let epilogue = Epilogue { residual: Some(&residual), normalised: true, ..Epilogue::default() };
    let y = linear(&mut recording.tape, &x, &w, epilogue);
    let moments = recording.tape.attached(&y).expect("moments of whole parts").clone();
    let got = recording.run(&[&y, &moments]);
    check("moments of a linear layer", k, &[got[0].clone(), got[1].clone()]);
}

/// An image's moments are the same in any batch, though others choose the tile.
#[test]
fn same_in_every_batch() {
    let mut random = Random::new(1203);
    let (dtype, channels, geometry) = (DType::BF16, vec![8], Geometry::SAME_3X3);
    let all = Case { dtype, images: 40, height: 8, width: 8, channels, out_channels: 64, geometry };
    let data = Data { residual: None, per_image: None, ..all.data(&mut random, true) };
    let together = results(&all, &data, None);
    let image = all.input(0)[1..].iter().product::<usize>();
    let alone = Data { inputs: vec![data.inputs[0][7 * image..8 * image].to_vec()], ..data };
    let alone = results(&Case { images: 1, ..all }, &alone, None);
    for (one, all) in alone.iter().zip(&together) {
        assert_same_bits("image 7 of 40", &[one.len()], one, &all[7 * one.len()..8 * one.len()]);
    }
}

/// Nothing is left of f32 tensors, of results in f32, of what nobody normalises, or of pixels that make no whole parts,
/// phase by phase.
#[test]
fn not_left() {
    let mut random = Random::new(1204);
    let (channels, geometry) = (vec![8], Geometry::POINTWISE);
    let whole =
        Case { dtype: DType::BF16, images: 1, height: 4, width: 4, channels, out_channels: 8, geometry };
    for (case, f32_result, normalised, left) in [
        (whole.clone(), false, true, true),
        (whole.clone(), false, false, false),
        (whole.clone(), true, true, false),
        (Case { height: 3, ..whole.clone() }, false, true, false),
        (Case { geometry: Geometry::UP_3X3, ..whole.clone() }, false, true, true),
        (Case { geometry: Geometry::UP_3X3, height: 2, ..whole.clone() }, false, true, false),
        (Case { dtype: DType::F32, ..whole }, false, true, false),
    ] {
        let data = case.data(&mut random, false);
        let mut recording = Recording::inference();
        let x = case.input_without_gradient(&mut recording, &case.input(0), &data.inputs[0]);
        let weight = case.weights(&mut recording, &data);
        let epilogue = Epilogue { f32_result, normalised, ..Epilogue::default() };
        let y = conv(&mut recording.tape, &[&x], &weight, epilogue, &case.geometry);
        assert_eq!(recording.tape.attached(&y).is_some(), left, "{case:?}, {f32_result}, {normalised}");
    }
}
