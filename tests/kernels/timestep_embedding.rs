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

/// What PyTorch computes in diffusers' `get_timestep_embedding` for t = 803, 32 channels and a shift of 1. Its exp, sin
/// and cos are off by up to a unit in the last place; here a wrong rounding of a frequency is 5e-5.
#[test]
fn matches_pytorch() {
    #[rustfmt::skip]
    #[allow(clippy::excessive_precision, reason = "the digits that PyTorch prints")]
    let want: [f32; 32] = [
        -0.9482629895210266, 0.8517712354660034, 0.43431979417800903, 0.9994745254516602, -0.23969583213329315, -0.4142860770225525,
        0.9689362049102783, -0.9968065023422241, -0.36718133091926575, -0.05517858639359474, 0.987352192401886, 0.8053284287452698,
        0.4852585196495056, 0.27076560258865356, 0.1478385031223297, 0.08021372556686401, 0.31748586893081665, 0.5239138603210449,
        -0.9007587432861328, -0.032413847744464874, 0.970848023891449, 0.9101467132568359, 0.24731089174747467, -0.07985501736402512,
        0.9301493763923645, -0.998476505279541, -0.15854226052761078, 0.5928288698196411, 0.8743707537651062, 0.9626452922821045,
        0.9890115261077881, 0.9967776536941528,
    ];
    for (got, want) in run(&[803], 32, false, 1.0).into_iter().zip(want) {
        assert!((got - want).abs() < 1.2e-7, "{got} instead of {want}");
    }
}

/// The sinusoids of the definition in exact arithmetic, 128 channels, t = 500. In f32 an exponent e and its frequency f
/// are off by a rounding each, and the angle by t f (|e| + 2) / 2^24, less than 2 t / 2^24.
#[test]
fn near_the_exact_definition() {
    let sines = [-0.4677718, -0.9996816, 0.5741007, -0.7858107, 0.0499792];
    let cosines = [-0.8838493, 0.0252322, -0.8187847, 0.6184671, 0.9987503];
    let y = run(&[500], 128, false, 1.0);
    for (j, (sine, cosine)) in [0, 1, 2, 31, 63].into_iter().zip(sines.into_iter().zip(cosines)) {
        assert!((y[j] - sine).abs() < 6e-5, "sine {j}: {} instead of {sine}", y[j]);
        assert!((y[64 + j] - cosine).abs() < 6e-5, "cosine {j}: {} instead of {cosine}", y[64 + j]);
    }
}
