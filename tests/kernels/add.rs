//! Sums of tensors, and gradients that are handed on.

use crate::common::random::Random;
use crate::common::recording::{Recording, rounded, widened};
use ddpm_ptx::device::DType;
use ddpm_ptx::ops::add::add;
use half::bf16;

/// One addition rounds once, so the result is exactly that of the host.
#[test]
fn forward_and_backward() {
    for shape in [vec![1], vec![3], vec![1024], vec![2, 1025], vec![3, 5, 7, 11]] {
        let mut random = Random::new(900);
        let len = shape.iter().product();
        let (a, b, dy) = (random.normals(len), random.normals(len), random.normals(len));
        let mut recording = Recording::training();
        let (ta, tb) = (recording.parameter(&shape, &a), recording.parameter(&shape, &b));
        let y = add(&mut recording.tape, &ta, &tb);
        recording.backward(&y, &dy);
        let (da, db) = (recording.gradient(&ta), recording.gradient(&tb));
        let got = recording.run(&[&y, &da, &db]);
        let sums: Vec<f32> = a.iter().zip(&b).map(|(a, b)| a + b).collect();
        assert_eq!(got[0], sums, "{shape:?}");
        assert_eq!((&got[1], &got[2]), (&dy, &dy), "gradients, {shape:?}");
    }
}

/// A sum of two bf16 numbers is rounded once, to bf16.
#[test]
fn in_bf16() {
    for shape in [vec![1], vec![3], vec![1024], vec![2, 1025], vec![3, 5, 7, 11]] {
        let mut random = Random::new(902);
        let len = shape.iter().product();
        let mut exact = || widened(&rounded(&random.normals(len)));
        let [a, b, dy] = std::array::from_fn(|_| exact());
        let mut recording = Recording::training();
        let leaves = [&a, &b].map(|data| recording.parameter_bf16(&shape, data, DType::BF16));
        let y = add(&mut recording.tape, &leaves[0], &leaves[1]);
        recording.backward(&y, &dy);
        let [da, db] = leaves.each_ref().map(|leaf| recording.gradient(leaf));
        let got = recording.run(&[&y, &da, &db]);
        let sums: Vec<f32> = a.iter().zip(&b).map(|(a, b)| bf16::from_f32(a + b).into()).collect();
        assert_eq!(got[0], sums, "{shape:?}");
        assert_eq!((&got[1], &got[2]), (&dy, &dy), "gradients, {shape:?}");
    }
}

/// x + x: the second share is added to the first.
#[test]
fn gradients_accumulate() {
    let mut random = Random::new(901);
    let (x, dy) = (random.normals(1026), random.normals(1026));
    let mut recording = Recording::training();
    let leaf = recording.parameter(&[1026], &x);
    let zero = recording.input(&[1026], &[0.0f32; 1026]);
    let middle = add(&mut recording.tape, &leaf, &zero);
    let y = add(&mut recording.tape, &middle, &middle);
    recording.backward(&y, &dy);
    let dx = recording.gradient(&leaf);
    let got = recording.run(&[&dx]);
    let twice: Vec<f32> = dy.iter().map(|dy| dy + dy).collect();
    assert_eq!(got[0], twice);
}
