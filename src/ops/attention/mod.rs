//! Self-attention without a T x T matrix in memory (Dao et al. 2022, *FlashAttention*), in f32.

mod variant;

use super::cast::cast;
use crate::device::DType;
use crate::graph::{Tape, Tensor};
use crate::kernels::attention as kernels;
use std::f64::consts::LOG2_E;
use variant::Variant;

/// y_i = sum_j softmax_j(q_i . k_j / sqrt(d)) v_j for every head, `[N,T,C]`, of the type of `qkv`, f32 or bf16; computed
/// in f32.
///
/// `qkv` is `[N,T,3C]`: queries, keys, values; head h has the channels h d .. (h+1) d of each, d = C / heads. The
/// result for an image has the same bits in any batch.
///
/// # Panics
/// If `heads` does not divide C, or d is above 512.
pub fn attention(tape: &mut Tape, qkv: &Tensor, heads: usize) -> Tensor {
    if qkv.dtype() == DType::BF16 {
        let qkv = cast(tape, qkv, DType::F32);
        let y = attention(tape, &qkv, heads);
        return cast(tape, &y, DType::BF16);
    }
    let [n, tokens, width] = qkv.dims();
    assert!(width.is_multiple_of(3), "queries, keys and values in {width} channels");
    let channels = width / 3;
    assert!(heads > 0 && channels.is_multiple_of(heads), "{heads} heads of {channels} channels");
    let y = tape.temporary(&[n, tokens, channels], DType::F32);
    let lse = tape.is_training().then(|| tape.scratch(&[n, heads, tokens], DType::F32));
    let shape = Shape { n, tokens, channels, heads };
    shape.forward(tape, qkv, &y, lse.as_ref());
    if let Some(lse) = lse {
        let (qkv, out) = (qkv.clone(), y.clone());
        tape.on_backward(move |tape| shape.backward(tape, &qkv, &lse, &out));
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

    /// T, C and d, as kernels take them.
    fn sizes(self) -> [u32; 3] {
        [self.tokens, self.channels, self.head_dim()].map(|size| size as u32)
    }

    fn forward(self, tape: &mut Tape, qkv: &Tensor, y: &Tensor, lse: Option<&Tensor>) {
        let variant = Variant::of(self.head_dim(), self.tokens);
        let [tokens, channels, head_dim] = self.sizes();
        let lse = lse.map(Tensor::output);
        let call = (variant.forward)(qkv.input(), y.output(), lse, tokens, channels, head_dim, self.scale());
        tape.launch(call.grid(self.tokens.div_ceil(variant.rows), self.heads, self.n));
    }

    fn backward(self, tape: &mut Tape, qkv: &Tensor, lse: &Tensor, y: &Tensor) {
        let Some(dy) = tape.gradient(y) else { return };
        let Some(dqkv) = tape.contribute(qkv) else { return };
        let delta = self.delta(tape, y, &dy);
        let variant = Variant::of(self.head_dim(), self.tokens);
        let [tokens, channels, head_dim] = self.sizes();
        for (kernel, rows) in [(variant.backward_q, variant.rows), (variant.backward_kv, variant.key_rows)] {
            let call = kernel(
                qkv.input(),
                dy.input(),
                lse.input(),
                delta.input(),
                dqkv.so_far.as_ref().map(Tensor::input),
                dqkv.total.in_out(),
                tokens,
                channels,
                head_dim,
                self.scale(),
                self.factor() as f32,
            );
            tape.launch(call.grid(self.tokens.div_ceil(rows), self.heads, self.n));
        }
    }

    /// What the softmax's gradient subtracts in each row: dy . y.
    fn delta(self, tape: &mut Tape, y: &Tensor, dy: &Tensor) -> Tensor {
        /// Threads of a block.
        const BLOCK: usize = 256;
        let delta = tape.scratch(&[self.n, self.heads, self.tokens], DType::F32);
        let rows = self.n * self.tokens * self.heads;
        let lanes = self.head_dim().next_power_of_two().min(32);
        let [tokens, _, head_dim] = self.sizes();
        let call = kernels::attention_delta(
            y.input(),
            dy.input(),
            delta.output(),
            rows as u32,
            tokens,
            self.heads as u32,
            head_dim,
            lanes as u32,
        );
        tape.launch(call.grid((rows * lanes).div_ceil(BLOCK), 1, 1));
        delta
    }
}
