//! Numbers that are hard, sums with what is there, and batches: in both types.

use super::case::{Case, check_on, reference, run};
use crate::common::bounded::Bounded;
use crate::common::compare::{Expected, assert_close, assert_same_bits};
use crate::common::random::Random;
use crate::common::recording::{Recording, rounded};
use ddpm_ptx::device::DType;
use ddpm_ptx::ops::attention::attention;
use ddpm_ptx::ops::cast::cast;
use ddpm_ptx::ops::silu::silu;

const TYPES: [DType; 2] = [DType::F32, DType::BF16];

/// Scores that only a maximum in hand keeps from overflowing.
#[test]
fn large_scores() {
    for dtype in TYPES {
        let case = Case { dtype, n: 1, tokens: 70, heads: 1, head_dim: 16 };
        let [mut qkv, dy] = case.random(61);
        for token in 0..case.tokens {
            for at in case.part(0, token, 0, 0) {
                qkv[at] *= 40.0;
            }
        }
        check_on(&case, &case.narrow(qkv), &dy);
    }
}

/// Keys that outgrow each other, so that what was accumulated is rescaled again and again.
#[test]
fn growing_scores() {
    for dtype in TYPES {
        let case = Case { dtype, n: 1, tokens: 300, heads: 1, head_dim: 8 };
        let [mut qkv, dy] = case.random(63);
        for token in 0..case.tokens {
            for (query, key) in case.part(0, token, 0, 0).zip(case.part(0, token, 1, 0)) {
                qkv[query] = 1.0 + 0.1 * qkv[query];
                qkv[key] = 0.02 * token as f32 + 0.1 * qkv[key];
            }
        }
        check_on(&case, &case.narrow(qkv), &dy);
    }
}

/// Scores so far below 0 that exp(-score) overflows: what stands for the tokens behind the last one must not count.
#[test]
fn very_negative_scores() {
    for dtype in TYPES {
        for (tokens, head_dim) in [(10, 64), (20, 64), (70, 64), (70, 512)] {
            let case = Case { dtype, n: 1, tokens, heads: 1, head_dim };
            let [mut qkv, dy] = case.random(62);
            for token in 0..tokens {
                for (query, key) in case.part(0, token, 0, 0).zip(case.part(0, token, 1, 0)) {
                    qkv[query] = 5.0 + 0.1 * qkv[query];
                    qkv[key] = -5.0 + 0.1 * qkv[key];
                }
            }
            check_on(&case, &case.narrow(qkv), &dy);
        }
    }
}

#[test]
fn gradients_accumulate() {
    for (dtype, tokens, heads, head_dim) in [
        (DType::F32, 17, 2, 6),
        (DType::F32, 40, 1, 64),
        (DType::BF16, 17, 3, 8),
        (DType::BF16, 40, 1, 64),
        (DType::BF16, 9, 1, 256),
    ] {
        let case = Case { dtype, n: 2, tokens, heads, head_dim };
        let [raw, dy] = case.random(71);
        let so_far = case.narrow(Random::new(72).normals(raw.len()));
        let mut recording = Recording::training();
        let leaf = recording.input(&case.qkv_shape(), &raw);
        let mut qkv = silu(&mut recording.tape, &leaf);
        if dtype == DType::BF16 {
            qkv = cast(&mut recording.tape, &qkv, dtype);
        }
        let earlier = match dtype {
            DType::BF16 => recording.input(&case.qkv_shape(), &rounded(&so_far)),
            _ => recording.input(&case.qkv_shape(), &so_far),
        };
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
                let share = Bounded { value: share.value, error: share.allowed };
                case.stored(share + Bounded::from(so_far)).into()
            })
            .collect();
        assert_close("dqkv + so far", &case.qkv_shape(), &got[1], &want);
    }
}

/// An image's results have the same bits alone and in a batch, on a training and on an inference tape.
#[test]
fn batch_does_not_matter() {
    for dtype in TYPES {
        let batch = Case { dtype, n: 3, tokens: 50, heads: 2, head_dim: 24 };
        let [qkv, dy] = batch.random(81);
        let all = run(&batch, &qkv, &dy);
        let one = Case { n: 1, ..batch };
        let alone = run(&one, &qkv[..qkv.len() / 3], &dy[..dy.len() / 3]);
        assert_same_bits("y", &one.y_shape(), &alone[0], &all[0][..dy.len() / 3]);
        assert_same_bits("dqkv", &one.qkv_shape(), &alone[1], &all[1][..qkv.len() / 3]);

        let mut recording = Recording::inference();
        let input = match dtype {
            DType::BF16 => recording.input(&batch.qkv_shape(), &rounded(&qkv)),
            _ => recording.input(&batch.qkv_shape(), &qkv),
        };
        let y = attention(&mut recording.tape, &input, batch.heads);
        let y = recording.run(&[&y]).remove(0);
        assert_same_bits("y of inference", &batch.y_shape(), &y, &all[0]);
    }
}
