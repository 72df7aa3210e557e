//! Shapes of the f32 kernels.

use super::case::{Case, check};
use ddpm_ptx::device::DType;

fn check_f32(n: usize, tokens: usize, heads: usize, head_dim: usize, seed: u64) {
    check(Case { dtype: DType::F32, n, tokens, heads, head_dim }, seed);
}

#[test]
fn minimal_shapes() {
    check_f32(1, 1, 1, 1, 1);
    check_f32(2, 1, 3, 8, 2);
    check_f32(1, 2, 1, 3, 3);
}

/// Each variant of the kernels, with the head dimension that fills it, on a short and a long sequence.
#[test]
fn full_head_dimensions() {
    for (seed, head_dim) in [8, 16, 32, 64, 128, 256, 512].into_iter().enumerate() {
        check_f32(1, 16, 1, head_dim, 10 + seed as u64);
        check_f32(1, 65, 1, head_dim, 20 + seed as u64);
    }
}

/// Head dimensions that leave a part of a variant's width empty; odd ones forbid wide accesses.
#[test]
fn ragged_head_dimensions() {
    for (seed, head_dim) in [1, 5, 9, 20, 40, 99, 130, 260].into_iter().enumerate() {
        let heads = if head_dim < 50 { 3 } else { 1 };
        check_f32(2, 19, heads, head_dim, 30 + seed as u64);
        check_f32(1, 37, heads, head_dim, 40 + seed as u64);
    }
}

#[test]
fn many_tokens() {
    check_f32(1, 64, 8, 8, 51);
    check_f32(2, 128, 2, 24, 52);
    check_f32(1, 257, 1, 32, 53);
}
