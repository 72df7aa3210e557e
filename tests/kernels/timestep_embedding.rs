//! The sinusoidal embedding of timesteps.

use crate::common::compare::{Expected, assert_close};
use crate::common::recording::Recording;
use ddpm_ptx::ops::timestep_embedding::timestep_embedding;

fn run(t: &[u32], dim: usize, flip: bool, shift: f32) -> Vec<f32> {
    let mut recording = Recording::inference();
    let t = recording.input(&[t.len()], t);
    let y = timestep_embedding(&mut recording.tape, &t, dim, flip, shift);
    recording.run(&[&y]).remove(0)
}

/// The embedding of f32 angles: exponent, frequency and angle are f32, what is between them is exact.
fn reference(t: &[u32], dim: usize, flip: bool, shift: f32) -> Vec<Expected> {
    let half = dim / 2;
    let mut y = vec![];
    for &t in t {
        let angle = |j: usize| {
            let exponent = -(10000f64.ln() as f32) * j as f32 / (half as f32 - shift);
            f64::from(t as f32 * f64::from(exponent).exp() as f32)
        };
        let sines = (0..half).map(|j| angle(j).sin());
        let cosines = (0..half).map(|j| angle(j).cos());
        let row: Vec<f64> =
            if flip { cosines.chain(sines).collect() } else { sines.chain(cosines).collect() };
        // One rounding, and what polynomials of an error below 1e-12 can add.
        y.extend(
            row.iter()
                .map(|&value| Expected { allowed: Expected::rounded(value, 1.0).allowed + 1e-12, value }),
        );
        y.extend((2 * half..dim).map(|_| Expected::exact(0.0)));
    }
    y
}

#[test]
fn matches_f32_angles() {
    let all: Vec<u32> = (0..1000).collect();
    for (t, dim, flip, shift) in [
        (&all[..], 128, false, 1.0),
        (&all[..], 32, true, 0.0),
        (&[0, 1, 2, 500, 999], 33, false, 1.0),
        (&[7], 2, false, 0.0),
        (&[0, 999_999, 4_000_000_000], 64, true, 1.0),
    ] {
        let what = format!("dim {dim}, flip {flip}, shift {shift}");
        assert_close(&what, &[t.len(), dim], &run(t, dim, flip, shift), &reference(t, dim, flip, shift));
    }
}

/// Values of the original code for 128 channels, to the 7 digits that were written down.
#[test]
fn known_values() {
    let columns = [0, 1, 2, 31, 63, 64, 65, 66, 95, 127];
    let known = [
        (
            1,
            [
                0.841_471,
                0.760_438_7,
                0.679_056_1,
                0.010_758_20,
                0.000_1,
                0.540_302_3,
                0.649_409_7,
                0.734_086_4,
                0.999_942_1,
                1.0,
            ],
        ),
        (
            500,
            [
                -0.467_771_8,
                -0.999_681_6,
                0.574_100_7,
                -0.785_810_7,
                0.049_979_2,
                -0.883_849_3,
                0.025_232_2,
                -0.818_784_7,
                0.618_467_1,
                0.998_750_3,
            ],
        ),
        (
            999,
            [
                -0.026_460_8,
                0.726_708_8,
                -0.921_570_2,
                -0.969_411_8,
                0.099_739_9,
                0.999_649_9,
                -0.686_945_6,
                -0.388_211_8,
                -0.245_440_1,
                0.995_014_1,
            ],
        ),
    ];
    for (t, values) in known {
        let y = run(&[t], 128, false, 1.0);
        for (column, value) in columns.into_iter().zip(values) {
            assert!(
                (y[column] - value).abs() < 1e-6,
                "t {t}, column {column}: {} instead of {value}",
                y[column]
            );
        }
    }
}
