//! SiLU, forward and backward.

use crate::common::bounded::Bounded;
use crate::common::compare::{Expected, assert_close};
use crate::common::random::Random;
use crate::common::recording::Recording;
use ddpm_ptx::ops::silu::silu;

const ONE: Bounded = Bounded { value: 1.0, error: 0.0 };

/// silu and its derivative.
fn reference(x: f32) -> (Bounded, Bounded) {
    let x = Bounded::from(x);
    let s = x.sigmoid();
    (x * s, s * (ONE + x * (ONE - s)))
}

#[test]
fn forward_and_backward() {
    for (seed, shape) in
        [vec![1], vec![3], vec![4], vec![2, 513], vec![5, 7, 11, 3], vec![4, 1024]].iter().enumerate()
    {
        let mut random = Random::new(seed as u64);
        let len = shape.iter().product();
        let (x, dy) = (random.uniforms(len, -20.0, 20.0), random.normals(len));
        let mut recording = Recording::training();
        let input = recording.parameter(shape, &x);
        let y = silu(&mut recording.tape, &input);
        recording.backward(&y, &dy);
        let dx = recording.gradient(&input);
        let got = recording.run(&[&y, &dx]);
        let want: Vec<Expected> = x.iter().map(|&x| reference(x).0.into()).collect();
        assert_close("silu", shape, &got[0], &want);
        let want: Vec<Expected> =
            x.iter().zip(&dy).map(|(&x, &dy)| (Bounded::from(dy) * reference(x).1).into()).collect();
        assert_close("the gradient of silu", shape, &got[1], &want);
    }
}

/// Far from 0 nothing overflows into a NaN.
#[test]
fn extreme_arguments() {
    let x = [-3e38, -1e4, -200.0, -100.0, 0.0, -0.0, 100.0, 200.0, 1e4, 3e38];
    let mut recording = Recording::training();
    let input = recording.parameter(&[10], &x);
    let y = silu(&mut recording.tape, &input);
    recording.backward(&y, &[1.0; 10]);
    let dx = recording.gradient(&input);
    let got = recording.run(&[&y, &dx]);
    for (i, &x) in x.iter().enumerate() {
        let step = f32::from(x > 0.0);
        assert_eq!(got[0][i], x * step, "silu({x})");
        assert_eq!(got[1][i], if x == 0.0 { 0.5 } else { step }, "silu'({x})");
    }
}

#[test]
fn gradients_accumulate() {
    let mut random = Random::new(7);
    let (x, dy, so_far) = (random.normals(2050), random.normals(2050), random.normals(2050));
    let mut recording = Recording::training();
    let leaf = recording.input(&[2050], &x);
    let middle = silu(&mut recording.tape, &leaf);
    let earlier = recording.input(&[2050], &so_far);
    assert!(recording.tape.alias_gradient(&middle, &earlier));
    let y = silu(&mut recording.tape, &middle);
    recording.backward(&y, &dy);
    let total = recording.gradient(&middle);
    let got = recording.run(&[&middle, &total]);
    let want: Vec<Expected> = (0..2050)
        .map(|i| (Bounded::from(dy[i]) * reference(got[0][i]).1 + Bounded::from(so_far[i])).into())
        .collect();
    assert_close("dx + so far", &[2050], &got[1], &want);
}
