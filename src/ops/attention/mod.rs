//! Self-attention without a T x T matrix in memory (Dao et al. 2022, *FlashAttention*), in f32 or bf16.

mod in_bf16;
mod in_f32;

use super::cast::cast;
use crate::device::DType;
use crate::graph::{Tape, Tensor};
use crate::kernels::attention as kernels;
use std::f64::consts::LOG2_E;

/// y_i = sum_j softmax_j(q_i . k_j / sqrt(d)) v_j for every head, `[N,T,C]`, of the type of `qkv`, f32 or bf16.
///
/// `qkv` is `[N,T,3C]`: queries, keys, values; head h has the channels h d .. (h+1) d of each, d = C / heads. The
/// result for an image has the same bits in any batch. In bf16 products are made on tensor cores, weights and their
/// gradients are rounded to bf16 for them, and all sums and statistics are f32.
///
/// # Panics
/// If `heads` does not divide C, or d is above 512.
pub fn attention(tape: &mut Tape, qkv: &Tensor, heads: usize) -> Tensor {
    let [n, tokens, width] = qkv.dims();
    assert!(width.is_multiple_of(3), "queries, keys and values in {width} channels");
    let channels = width / 3;
    assert!(heads > 0 && channels.is_multiple_of(heads), "{heads} heads of {channels} channels");
    let shape = Shape { n, tokens, channels, heads };
    if qkv.dtype() == DType::BF16 && !in_bf16::suits(shape) {
        let qkv = cast(tape, qkv, DType::F32);
        let y = attention(tape, &qkv, heads);
        return cast(tape, &y, DType::BF16);
    }
    let y = tape.temporary(&[n, tokens, channels], qkv.dtype());
    let lse = tape.is_training().then(|| tape.scratch(&[n, heads, tokens], DType::F32));
    match qkv.dtype() {
        DType::BF16 => in_bf16::forward(tape, shape, qkv, &y, lse.as_ref()),
        _ => in_f32::forward(tape, shape, qkv, &y, lse.as_ref()),
    }
    if let Some(lse) = lse {
        let (qkv, out) = (qkv.clone(), y.clone());
        tape.on_backward(move |tape| backward(tape, shape, &qkv, &lse, &out));
    }
    y
}

#[derive(Debug, Clone, Copy)]
struct Shape {
    n: usize,
    tokens: usize,
    channels: usize,
    heads: usize,
}

impl Shape {
    fn head_dim(self) -> usize {
        self.channels / self.heads
    }

    /// 1 / sqrt(d).
    fn factor(self) -> f64 {
        1.0 / (self.head_dim() as f64).sqrt()
    }

    /// What makes q . k the base-2 logarithm of a weight.
    fn scale(self) -> f32 {
        (LOG2_E * self.factor()) as f32
    }
}

fn backward(tape: &mut Tape, shape: Shape, qkv: &Tensor, lse: &Tensor, y: &Tensor) {
    let Some(dy) = tape.gradient(y) else { return };
    let Some(dqkv) = tape.contribute(qkv) else { return };
    let delta = delta(tape, shape, y, &dy);
    match qkv.dtype() {
        DType::BF16 => in_bf16::backward(tape, shape, [qkv, &dy, lse, &delta], &dqkv),
        _ => in_f32::backward(tape, shape, [qkv, &dy, lse, &delta], &dqkv),
    }
}

/// What the softmax's gradient subtracts in each row: dy . y.
fn delta(tape: &mut Tape, shape: Shape, y: &Tensor, dy: &Tensor) -> Tensor {
    /// Threads of a block.
    const BLOCK: usize = 256;
    let Shape { n, tokens, heads, .. } = shape;
    let delta = tape.scratch(&[n, heads, tokens], DType::F32);
    let rows = n * tokens * heads;
    let channels_of_lane = if y.dtype() == DType::BF16 { in_bf16::PIECE } else { 1 };
    let lanes = (shape.head_dim() / channels_of_lane).next_power_of_two().min(32);
    let [rows, tokens, heads, head_dim] = [rows, tokens, heads, shape.head_dim()].map(|size| size as u32);
    let call = match y.dtype() {
        DType::BF16 => kernels::attention_delta_bf16(
            y.input(),
            dy.input(),
            delta.output(),
            rows,
            tokens,
            heads,
            head_dim,
            lanes as u32,
        ),
        _ => kernels::attention_delta_f32(
            y.input(),
            dy.input(),
            delta.output(),
            rows,
            tokens,
            heads,
            head_dim,
            lanes as u32,
        ),
    };
    tape.launch(call.grid((rows as usize * lanes).div_ceil(BLOCK), 1, 1));
    delta
}
