//! Linear layers: the pointwise convolution under another shape.

use crate::common::compare::{Expected, Sum, assert_close};
use crate::common::random::Random;
use crate::common::recording::Recording;
use ddpm_ptx::ops::conv::linear;

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
        for (c, k) in [(64, 128), (7, 3), (128, 32)] {
            let mut random = Random::new(800 + seed as u64);
            let rows: usize = outer.iter().product();
            let shape = |channels: usize| [outer, &[channels]].concat();
            let (x, w, bias) = (random.normals(rows * c), random.normals(k * c), random.normals(k));
            let (residual, dy) = (random.normals(rows * k), random.normals(rows * k));
            let term = |a: f32, b: f32| f64::from(a) * f64::from(b);

            let mut recording = Recording::training();
            let tensors = [
                recording.parameter(&shape(c), &x),
                recording.parameter(&[k, c], &w),
                recording.parameter(&[k], &bias),
                recording.parameter(&shape(k), &residual),
            ];
            let [tx, tw, tb, tr] = &tensors;
            let y = linear(&mut recording.tape, tx, tw, Some(tb), Some(tr));
            assert_eq!(y.shape(), shape(k));
            recording.backward(&y, &dy);
            let gradients = tensors.each_ref().map(|tensor| recording.gradient(tensor));
            let [dx, dw, db, dr] = &gradients;
            let got = recording.run(&[&y, dx, dw, db, dr]);

            let mut want = product(rows, k, c, |row, out, i| term(x[row * c + i], w[out * c + i]));
            for (at, sum) in want.iter_mut().enumerate() {
                sum.add(f64::from(bias[at % k]));
                sum.add(f64::from(residual[at]));
            }
            assert_close("linear", &shape(k), &got[0], &expected(&want));
            let want = product(rows, c, k, |row, i, out| term(dy[row * k + out], w[out * c + i]));
            assert_close("linear, dx", &shape(c), &got[1], &expected(&want));
            let want = product(k, c, rows, |out, i, row| term(dy[row * k + out], x[row * c + i]));
            assert_close("linear, dw", &[k, c], &got[2], &expected(&want));
            let want = product(1, k, rows, |_, out, row| f64::from(dy[row * k + out]));
            assert_close("linear, the bias's gradient", &[k], &got[3], &expected(&want));
            assert_eq!(got[4], dy, "linear, the residual's gradient");
        }
    }
}
