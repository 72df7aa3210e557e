//! What attention is, in f64, and running it.

use crate::common::bounded::Bounded;
use crate::common::compare::{Expected, assert_close};
use crate::common::random::Random;
use crate::common::recording::{Recording, rounded, widened};
use ddpm_ptx::device::DType;
use ddpm_ptx::ops::attention::attention;
use std::ops::Range;

#[derive(Debug, Clone, Copy)]
pub struct Case {
    pub dtype: DType,
    pub n: usize,
    pub tokens: usize,
    pub heads: usize,
    pub head_dim: usize,
}

impl Case {
    pub fn channels(&self) -> usize {
        self.heads * self.head_dim
    }

    pub fn qkv_shape(&self) -> [usize; 3] {
        [self.n, self.tokens, 3 * self.channels()]
    }

    pub fn y_shape(&self) -> [usize; 3] {
        [self.n, self.tokens, self.channels()]
    }

    /// qkv and dy, numbers of the case's type.
    pub fn random(&self, seed: u64) -> [Vec<f32>; 2] {
        let mut random = Random::new(seed);
        let rows = self.n * self.tokens;
        let qkv = random.normals(rows * 3 * self.channels());
        [qkv, random.normals(rows * self.channels())].map(|numbers| self.narrow(numbers))
    }

    /// The nearest numbers of the case's type.
    pub fn narrow(&self, numbers: Vec<f32>) -> Vec<f32> {
        if self.dtype == DType::BF16 { widened(&rounded(&numbers)) } else { numbers }
    }

    /// Places of a head's channels of a token's query (part 0), key or value in qkv.
    pub fn part(&self, n: usize, token: usize, part: usize, head: usize) -> Range<usize> {
        let first = ((n * self.tokens + token) * 3 + part) * self.channels() + head * self.head_dim;
        first..first + self.head_dim
    }

    /// Places of a head's channels of a token in y.
    fn out(&self, n: usize, token: usize, head: usize) -> Range<usize> {
        let first = (n * self.tokens + token) * self.channels() + head * self.head_dim;
        first..first + self.head_dim
    }

    /// What a kernel stores, or takes as a factor: in bf16 it is rounded once more.
    pub fn stored(&self, x: Bounded) -> Bounded {
        if self.dtype == DType::BF16 { x.in_bf16() } else { x }
    }

    /// Roundings in a sum of so many products: tensor cores may cut off, and so err twice as much.
    fn roundings(&self, terms: usize) -> usize {
        if self.dtype == DType::BF16 { 2 * terms } else { terms }
    }
}

/// y and dqkv.
pub fn run(case: &Case, qkv: &[f32], dy: &[f32]) -> [Vec<f32>; 2] {
    let mut recording = Recording::training();
    let shape = case.qkv_shape();
    let input = match case.dtype {
        DType::BF16 => recording.parameter_bf16(&shape, qkv, DType::BF16),
        _ => recording.parameter(&shape, qkv),
    };
    let y = attention(&mut recording.tape, &input, case.heads);
    recording.backward(&y, dy);
    let dqkv = recording.gradient(&input);
    recording.run(&[&y, &dqkv]).try_into().unwrap()
}

/// The definition, and its gradient by the chain rule, head by head, with the errors of f32 sums and of what is stored.
pub fn reference(case: &Case, qkv: &[f32], dy: &[f32]) -> [Vec<Expected>; 2] {
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
    let rows = |from: &[f32], place: &dyn Fn(usize) -> Range<usize>| -> Matrix {
        (0..tokens).map(|t| from[place(t)].iter().map(|&value| Bounded::from(value)).collect()).collect()
    };
    let [q, k, v] = [0, 1, 2].map(|part| rows(qkv, &|t| case.part(n, t, part, head)));
    let g = rows(dy, &|t| case.out(n, t, head));
    let scale = Bounded { value: 1.0 / (d as f64).sqrt(), error: 0.0 };
    let products =
        |a: &[Bounded], b: &[Bounded]| -> Vec<Bounded> { a.iter().zip(b).map(|(&a, &b)| a * b).collect() };
    let over_channels = |terms: Vec<Bounded>| {
        let depth = case.roundings(terms.len());
        Bounded::sum(terms, depth)
    };
    // Every sum over tokens is one of their number, and each tile rescales it once more.
    let over_tokens = |term: &dyn Fn(usize) -> Bounded| {
        Bounded::sum((0..tokens).map(term), case.roundings(tokens + tokens / 16 + 8))
    };

    let mut p: Matrix = vec![];
    let mut ds: Matrix = vec![];
    for i in 0..tokens {
        let scores: Vec<Bounded> =
            (0..tokens).map(|j| over_channels(products(&q[i], &k[j])) * scale).collect();
        let top = scores.iter().map(|s| s.value).fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<Bounded> = scores.iter().map(|&s| (s - Bounded::exact(top)).exp()).collect();
        let total = over_tokens(&|j| weights[j]);
        let exact: Vec<Bounded> = weights.iter().map(|&w| w / total).collect();
        let factors: Vec<Bounded> = exact.iter().map(|&p| case.stored(p)).collect();
        let out: Vec<Bounded> = (0..d).map(|c| case.stored(over_tokens(&|j| factors[j] * v[j][c]))).collect();
        for (at, &value) in case.out(n, i, head).zip(&out) {
            y[at] = value.into();
        }
        let delta = over_channels(products(&g[i], &out));
        let gradient = |j: usize| {
            let mut terms = products(&g[i], &v[j]);
            terms.push(-delta);
            case.stored(exact[j] * over_channels(terms))
        };
        ds.push((0..tokens).map(gradient).collect());
        p.push(factors);
    }
    for t in 0..tokens {
        for c in 0..d {
            let gradients = [
                over_tokens(&|j| ds[t][j] * k[j][c]) * scale,
                over_tokens(&|i| ds[i][t] * q[i][c]) * scale,
                over_tokens(&|i| p[i][t] * g[i][c]),
            ];
            for (part, gradient) in gradients.into_iter().enumerate() {
                dqkv[case.part(n, t, part, head).start + c] = case.stored(gradient).into();
            }
        }
    }
}

pub fn check(case: Case, seed: u64) {
    let [qkv, dy] = case.random(seed);
    check_on(&case, &qkv, &dy);
}

pub fn check_on(case: &Case, qkv: &[f32], dy: &[f32]) {
    let got = run(case, qkv, dy);
    let want = reference(case, qkv, dy);
    assert_close(&format!("y of {case:?}"), &case.y_shape(), &got[0], &want[0]);
    assert_close(&format!("dqkv of {case:?}"), &case.qkv_shape(), &got[1], &want[1]);
}
