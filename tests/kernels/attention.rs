//! Self-attention, forward and backward.

use crate::common::bounded::Bounded;
use crate::common::compare::{Expected, assert_close, assert_same_bits};
use crate::common::random::Random;
use crate::common::recording::Recording;
use ddpm_ptx::ops::attention::attention;
use ddpm_ptx::ops::silu::silu;

#[derive(Debug, Clone, Copy)]
struct Case {
    n: usize,
    tokens: usize,
    heads: usize,
    head_dim: usize,
}

impl Case {
    fn channels(&self) -> usize {
        self.heads * self.head_dim
    }

    fn qkv_shape(&self) -> [usize; 3] {
        [self.n, self.tokens, 3 * self.channels()]
    }

    fn y_shape(&self) -> [usize; 3] {
        [self.n, self.tokens, self.channels()]
    }

    fn random(&self, seed: u64) -> (Vec<f32>, Vec<f32>) {
        let mut random = Random::new(seed);
        let rows = self.n * self.tokens;
        (random.normals(rows * 3 * self.channels()), random.normals(rows * self.channels()))
    }

    /// Places of a head's channels of a token's query (part 0), key or value in qkv.
    fn part(&self, n: usize, token: usize, part: usize, head: usize) -> std::ops::Range<usize> {
        let first = ((n * self.tokens + token) * 3 + part) * self.channels() + head * self.head_dim;
        first..first + self.head_dim
    }

    /// Places of a head's channels of a token in y.
    fn out(&self, n: usize, token: usize, head: usize) -> std::ops::Range<usize> {
        let first = (n * self.tokens + token) * self.channels() + head * self.head_dim;
        first..first + self.head_dim
    }
}

/// y and dqkv.
fn run(case: &Case, qkv: &[f32], dy: &[f32]) -> [Vec<f32>; 2] {
    let mut recording = Recording::training();
    let input = recording.parameter(&case.qkv_shape(), qkv);
    let y = attention(&mut recording.tape, &input, case.heads);
    recording.backward(&y, dy);
    let dqkv = recording.gradient(&input);
    recording.run(&[&y, &dqkv]).try_into().unwrap()
}

/// The definition, and its gradient by the chain rule, head by head.
fn reference(case: &Case, qkv: &[f32], dy: &[f32]) -> [Vec<Expected>; 2] {
    let mut y = vec![Expected::exact(f64::NAN); dy.len()];
    let mut dqkv = vec![Expected::exact(f64::NAN); qkv.len()];
    for n in 0..case.n {
        for head in 0..case.heads {
            head_reference(case, n, head, qkv, dy, &mut y, &mut dqkv);
        }
    }
    [y, dqkv]
}

type Matrix = Vec<Vec<Bounded>>;

fn head_reference(
    case: &Case,
    n: usize,
    head: usize,
    qkv: &[f32],
    dy: &[f32],
    y: &mut [Expected],
    dqkv: &mut [Expected],
) {
    let (tokens, d) = (case.tokens, case.head_dim);
    let rows = |from: &[f32], place: &dyn Fn(usize) -> std::ops::Range<usize>| -> Matrix {
        (0..tokens).map(|t| from[place(t)].iter().map(|&value| Bounded::from(value)).collect()).collect()
    };
    let [q, k, v] = [0, 1, 2].map(|part| rows(qkv, &|t| case.part(n, t, part, head)));
    let g = rows(dy, &|t| case.out(n, t, head));
    let scale = Bounded { value: 1.0 / (d as f64).sqrt(), error: 0.0 };
    let dot = |a: &[Bounded], b: &[Bounded]| Bounded::sum(a.iter().zip(b).map(|(&a, &b)| a * b), d);
    // Every sum over tokens is one of their number, and each tile rescales it once more.
    let over_tokens =
        |term: &dyn Fn(usize) -> Bounded| Bounded::sum((0..tokens).map(term), tokens + tokens / 16 + 8);

    let mut p: Matrix = vec![];
    let mut ds: Matrix = vec![];
    for i in 0..tokens {
        let scores: Vec<Bounded> = (0..tokens).map(|j| dot(&q[i], &k[j]) * scale).collect();
        let top = scores.iter().map(|s| s.value).fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<Bounded> = scores.iter().map(|&s| (s - Bounded::exact(top)).exp()).collect();
        let total = over_tokens(&|j| weights[j]);
        p.push(weights.iter().map(|&w| w / total).collect());
        for (c, at) in case.out(n, i, head).enumerate() {
            y[at] = over_tokens(&|j| p[i][j] * v[j][c]).into();
        }
        let dp: Vec<Bounded> = (0..tokens).map(|j| dot(&g[i], &v[j])).collect();
        let delta = over_tokens(&|j| p[i][j] * dp[j]);
        ds.push((0..tokens).map(|j| p[i][j] * (dp[j] - delta)).collect());
    }
    for t in 0..tokens {
        for c in 0..d {
            let gradients = [
                over_tokens(&|j| ds[t][j] * k[j][c]) * scale,
                over_tokens(&|i| ds[i][t] * q[i][c]) * scale,
                over_tokens(&|i| p[i][t] * g[i][c]),
            ];
            for (part, gradient) in gradients.into_iter().enumerate() {
                dqkv[case.part(n, t, part, head).start + c] = gradient.into();
            }
        }
    }
}

fn check(case: Case, seed: u64) {
    let (qkv, dy) = case.random(seed);
    let got = run(&case, &qkv, &dy);
    let want = reference(&case, &qkv, &dy);
    assert_close(&format!("y of {case:?}"), &case.y_shape(), &got[0], &want[0]);
    assert_close(&format!("dqkv of {case:?}"), &case.qkv_shape(), &got[1], &want[1]);
}

#[test]
fn minimal_shapes() {
    check(Case { n: 1, tokens: 1, heads: 1, head_dim: 1 }, 1);
    check(Case { n: 2, tokens: 1, heads: 3, head_dim: 8 }, 2);
    check(Case { n: 1, tokens: 2, heads: 1, head_dim: 3 }, 3);
}

/// Each variant of the kernels, with the head dimension that fills it, on a short and a long sequence.
#[test]
fn full_head_dimensions() {
    for (seed, head_dim) in [8, 16, 32, 64, 128, 256, 512].into_iter().enumerate() {
        check(Case { n: 1, tokens: 16, heads: 1, head_dim }, 10 + seed as u64);
        check(Case { n: 1, tokens: 65, heads: 1, head_dim }, 20 + seed as u64);
    }
}

/// Head dimensions that leave a part of a variant's width empty; odd ones forbid wide accesses.
#[test]
fn ragged_head_dimensions() {
    for (seed, head_dim) in [1, 5, 9, 20, 40, 99, 130, 260].into_iter().enumerate() {
        let heads = if head_dim < 50 { 3 } else { 1 };
        check(Case { n: 2, tokens: 19, heads, head_dim }, 30 + seed as u64);
        check(Case { n: 1, tokens: 37, heads, head_dim }, 40 + seed as u64);
    }
}

#[test]
fn many_tokens() {
    check(Case { n: 1, tokens: 64, heads: 8, head_dim: 8 }, 51);
    check(Case { n: 2, tokens: 128, heads: 2, head_dim: 24 }, 52);
    check(Case { n: 1, tokens: 257, heads: 1, head_dim: 32 }, 53);
}

/// Scores that only a maximum in hand keeps from overflowing.
#[test]
fn large_scores() {
    let case = Case { n: 1, tokens: 70, heads: 1, head_dim: 16 };
    let (mut qkv, dy) = case.random(61);
    for token in 0..case.tokens {
        for at in case.part(0, token, 0, 0) {
            qkv[at] *= 40.0;
        }
    }
    let got = run(&case, &qkv, &dy);
    let want = reference(&case, &qkv, &dy);
    assert_close("y", &case.y_shape(), &got[0], &want[0]);
    assert_close("dqkv", &case.qkv_shape(), &got[1], &want[1]);
}

/// Scores so far below 0 that exp(-score) overflows: what stands for the tokens behind the last one must not count.
#[test]
fn very_negative_scores() {
    for tokens in [20, 70] {
        let case = Case { n: 1, tokens, heads: 1, head_dim: 64 };
        let (mut qkv, dy) = case.random(62);
        for token in 0..tokens {
            for (query, key) in case.part(0, token, 0, 0).zip(case.part(0, token, 1, 0)) {
                qkv[query] = 5.0 + 0.1 * qkv[query];
                qkv[key] = -5.0 + 0.1 * qkv[key];
            }
        }
        let got = run(&case, &qkv, &dy);
        let want = reference(&case, &qkv, &dy);
        assert_close("y", &case.y_shape(), &got[0], &want[0]);
        assert_close("dqkv", &case.qkv_shape(), &got[1], &want[1]);
    }
}

#[test]
fn gradients_accumulate() {
    for case in
        [Case { n: 2, tokens: 17, heads: 2, head_dim: 6 }, Case { n: 1, tokens: 40, heads: 1, head_dim: 64 }]
    {
        let (raw, dy) = case.random(71);
        let so_far = Random::new(72).normals(raw.len());
        let mut recording = Recording::training();
        let leaf = recording.input(&case.qkv_shape(), &raw);
        let qkv = silu(&mut recording.tape, &leaf);
        let earlier = recording.input(&case.qkv_shape(), &so_far);
        assert!(recording.tape.alias_gradient(&qkv, &earlier));
        let y = attention(&mut recording.tape, &qkv, case.heads);
        recording.backward(&y, &dy);
        let total = recording.gradient(&qkv);
        let got = recording.run(&[&qkv, &total]);
        let [_, want] = reference(&case, &got[0], &dy);
        let want: Vec<Expected> = want
            .iter()
            .zip(&so_far)
            .map(|(share, &so_far)| {
                (Bounded { value: share.value, error: share.allowed } + Bounded::from(so_far)).into()
            })
            .collect();
        assert_close("dqkv + so far", &case.qkv_shape(), &got[1], &want);
    }
}

/// An image's results have the same bits alone and in a batch, on a training and on an inference tape.
#[test]
fn batch_does_not_matter() {
    let batch = Case { n: 3, tokens: 50, heads: 2, head_dim: 20 };
    let (qkv, dy) = batch.random(81);
    let all = run(&batch, &qkv, &dy);
    let one = Case { n: 1, ..batch };
    let alone = run(&one, &qkv[..qkv.len() / 3], &dy[..dy.len() / 3]);
    assert_same_bits("y", &one.y_shape(), &alone[0], &all[0][..dy.len() / 3]);
    assert_same_bits("dqkv", &one.qkv_shape(), &alone[1], &all[1][..qkv.len() / 3]);

    let mut recording = Recording::inference();
    let input = recording.input(&batch.qkv_shape(), &qkv);
    let y = attention(&mut recording.tape, &input, batch.heads);
    let y = recording.run(&[&y]).remove(0);
    assert_same_bits("y of inference", &batch.y_shape(), &y, &all[0]);
}
