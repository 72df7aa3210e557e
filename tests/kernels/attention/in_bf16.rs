//! Shapes of the bf16 kernels.

use super::case::{Case, check};
use ddpm_ptx::device::DType;

fn check_bf16(n: usize, tokens: usize, heads: usize, head_dim: usize, seed: u64) {
    check(Case { dtype: DType::BF16, n, tokens, heads, head_dim }, seed);
}

#[test]
fn minimal_shapes() {
    check_bf16(1, 1, 1, 8, 101);
    check_bf16(2, 1, 3, 8, 102);
    check_bf16(1, 5, 1, 16, 103);
}

/// Each variant of the kernels, with the head dimension that fills it, on a short sequence, one that fills its tiles, and
/// one that leaves a part of the last tile empty.
#[test]
fn full_head_dimensions() {
    for (seed, head_dim) in [8, 16, 32, 64, 128, 256, 512].into_iter().enumerate() {
        check_bf16(1, 16, 1, head_dim, 110 + seed as u64);
        check_bf16(1, 64, 1, head_dim, 120 + seed as u64);
        check_bf16(1, 81, 1, head_dim, 130 + seed as u64);
    }
}

/// Head dimensions that leave a part of a variant's width empty; those that are no multiples of 8 go through f32.
#[test]
fn ragged_head_dimensions() {
    for (seed, head_dim) in [5, 20, 24, 40, 72, 136, 264].into_iter().enumerate() {
        let heads = if head_dim < 50 { 3 } else { 1 };
        check_bf16(2, 13, heads, head_dim, 140 + seed as u64);
        check_bf16(1, 37, heads, head_dim, 150 + seed as u64);
    }
}

/// A block has two heads of 8 channels; of an odd number the last one is alone.
#[test]
fn many_heads() {
    for (seed, tokens) in [5, 63, 64].into_iter().enumerate() {
        check_bf16(1, tokens, 8, 8, 160 + seed as u64);
        check_bf16(2, tokens, 3, 8, 170 + seed as u64);
    }
    check_bf16(1, 63, 5, 16, 180);
}

#[test]
fn many_tokens() {
    check_bf16(2, 128, 2, 24, 191);
    check_bf16(1, 257, 1, 32, 192);
    check_bf16(1, 256, 2, 64, 193);
    check_bf16(1, 256, 1, 256, 194);
}
