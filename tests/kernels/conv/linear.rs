//! Linear layers: the pointwise convolution under another shape.

use crate::common::compare::{Expected, Sum, assert_close};
use crate::common::random::Random;
use crate::common::recording::{Recording, rounded, widened};
use ddpm_ptx::device::DType;
use ddpm_ptx::ops::conv::{Epilogue, linear};

/// The `[rows, columns]` matrix of sums over `inner` terms.
fn product(rows: usize, columns: usize, inner: usize, term: impl Fn(usize, usize, usize) -> f64) -> Vec<Sum> {
    let mut sums = vec![Sum::default(); rows * columns];
    for row in 0..rows {
        for column in 0..columns {
            (0..inner).for_each(|i| sums[row * columns + column].add(term(row, column, i)));
        }
    }
    sums
}

fn expected(sums: &[Sum]) -> Vec<Expected> {
    sums.iter().map(Sum::expected).collect()
}

#[test]
fn forward_and_backward() {
    let shapes: [&[usize]; 5] = [&[32], &[1], &[3, 5, 7], &[2, 256], &[130]];
    for (seed, outer) in shapes.into_iter().enumerate() {
        for (dtype, c, k) in [
            (DType::F32, 64, 128),
            (DType::F32, 7, 3),
            (DType::F32, 128, 32),
            (DType::BF16, 64, 128),
            (DType::BF16, 8, 24),
        ] {
            check(dtype, outer, c, k, &mut Random::new(800 + seed as u64));
        }
    }
}

fn check(dtype: DType, outer: &[usize], c: usize, k: usize, random: &mut Random) {
    let in_bf16 = dtype == DType::BF16;
    let rows: usize = outer.iter().product();
    let shape = |channels: usize| [outer, &[channels]].concat();
    let [x, w, bias, residual, dy] = [rows * c, k * c, k, rows * k, rows * k].map(|len| {
        let numbers = random.normals(len);
        if in_bf16 { widened(&rounded(&numbers)) } else { numbers }
    });
    let term = |a: f32, b: f32| f64::from(a) * f64::from(b);

    let mut recording = Recording::training();
    let mut parameter = |shape: &[usize], data: &[f32], gradient| match dtype {
        DType::BF16 => recording.parameter_bf16(shape, data, gradient),
        _ => recording.parameter(shape, data),
    };
    let tx = parameter(&shape(c), &x, dtype);
    let tw = parameter(&[k, c], &w, DType::F32);
    let tr = parameter(&shape(k), &residual, dtype);
    let tb = recording.parameter(&[k], &bias);
    let epilogue = Epilogue { bias: Some(&tb), residual: Some(&tr), ..Epilogue::default() };
    let y = linear(&mut recording.tape, &tx, &tw, epilogue);
    assert_eq!(y.shape(), shape(k));
    recording.backward(&y, &dy);
    let [dx, dw, db, dr] = [&tx, &tw, &tb, &tr].map(|tensor| recording.gradient(tensor));
    let got = recording.run(&[&y, &dx, &dw, &db, &dr]);

    // Of products, in f32 and in the tensors' type; tensor cores may cut off instead of rounding.
    let sums = |sums: &[Sum]| -> Vec<Expected> {
        sums.iter().map(if in_bf16 { Sum::truncated } else { Sum::expected }).collect()
    };
    let stored = |of: &[Sum]| -> Vec<Expected> {
        let sums = sums(of);
        if in_bf16 { sums.into_iter().map(Expected::in_bf16).collect() } else { sums }
    };
    let mut want = product(rows, k, c, |row, out, i| term(x[row * c + i], w[out * c + i]));
    for (at, sum) in want.iter_mut().enumerate() {
        sum.add(f64::from(bias[at % k]));
        sum.add(f64::from(residual[at]));
    }
    assert_close("linear", &shape(k), &got[0], &stored(&want));
    let want = product(rows, c, k, |row, i, out| term(dy[row * k + out], w[out * c + i]));
    assert_close("linear, dx", &shape(c), &got[1], &stored(&want));
    let want = product(k, c, rows, |out, i, row| term(dy[row * k + out], x[row * c + i]));
    assert_close("linear, dw", &[k, c], &got[2], &sums(&want));
    let want = product(1, k, rows, |_, out, row| f64::from(dy[row * k + out]));
    assert_close("linear, the bias's gradient", &[k], &got[3], &expected(&want));
    assert_eq!(got[4], dy, "linear, the residual's gradient");
}
