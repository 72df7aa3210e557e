//! Launching the f32 kernels.

mod variant;

use super::Shape;
use crate::graph::{Contribution, Tape, Tensor};
use variant::Variant;

pub fn forward(tape: &mut Tape, shape: Shape, qkv: &Tensor, y: &Tensor, lse: Option<&Tensor>) {
    let variant = Variant::of(shape.head_dim(), shape.tokens);
    let [tokens, channels, head_dim] = sizes(shape);
    let lse = lse.map(Tensor::output);
    let call = (variant.forward)(qkv.input(), y.output(), lse, tokens, channels, head_dim, shape.scale());
    tape.launch(call.grid(shape.tokens.div_ceil(variant.rows), shape.heads, shape.n));
}

pub fn backward(tape: &mut Tape, shape: Shape, [qkv, dy, lse, delta]: [&Tensor; 4], dqkv: &Contribution) {
    let variant = Variant::of(shape.head_dim(), shape.tokens);
    let [tokens, channels, head_dim] = sizes(shape);
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
            shape.scale(),
            shape.factor() as f32,
        );
        tape.launch(call.grid(shape.tokens.div_ceil(rows), shape.heads, shape.n));
    }
}

/// T, C and d, as kernels take them.
fn sizes(shape: Shape) -> [u32; 3] {
    [shape.tokens, shape.channels, shape.head_dim()].map(|size| size as u32)
}
