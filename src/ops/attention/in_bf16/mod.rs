//! Launching the kernels on tensor cores: bf16 tensors, f32 sums.

mod variant;

use super::Shape;
use crate::device::{Call, Launch};
use crate::graph::{Contribution, Tape, Tensor};
use variant::{Kernel, Variant};

/// Elements of 16 bytes, by which the kernels copy.
pub const PIECE: usize = 8;

/// Whether there are kernels for a shape: a head begins with a piece of its own. Others are for f32; no network of ours
/// has them, as its bf16 convolutions want channels in multiples of 8, and its heads have 8, or 16, 32 ... channels.
pub fn suits(shape: Shape) -> bool {
    shape.head_dim().is_multiple_of(PIECE)
}

pub fn forward(tape: &mut Tape, shape: Shape, qkv: &Tensor, y: &Tensor, lse: Option<&Tensor>) {
    let variant = Variant::of(shape.head_dim(), shape.tokens);
    let [tokens, heads, head_dim] = sizes(shape);
    let lse = lse.map(Tensor::output);
    let kernel = &variant.forward;
    let call = (kernel.launcher)(qkv.input(), y.output(), lse, tokens, heads, head_dim, shape.scale());
    tape.launch(launch(call, kernel, shape));
}

pub fn backward(tape: &mut Tape, shape: Shape, [qkv, dy, lse, delta]: [&Tensor; 4], dqkv: &Contribution) {
    let variant = Variant::of(shape.head_dim(), shape.tokens);
    let [tokens, heads, head_dim] = sizes(shape);
    for kernel in [&variant.backward_q, &variant.backward_kv] {
        let call = (kernel.launcher)(
            qkv.input(),
            dy.input(),
            lse.input(),
            delta.input(),
            dqkv.so_far.as_ref().map(Tensor::input),
            dqkv.total.in_out(),
            tokens,
            heads,
            head_dim,
            shape.scale(),
            shape.factor() as f32,
        );
        tape.launch(launch(call, kernel, shape));
    }
}

/// T, heads and d, as kernels take them.
fn sizes(shape: Shape) -> [u32; 3] {
    [shape.tokens, shape.heads, shape.head_dim()].map(|size| size as u32)
}

fn launch<F>(call: Call, kernel: &Kernel<F>, shape: Shape) -> Launch {
    let blocks = [shape.tokens.div_ceil(kernel.rows), shape.heads.div_ceil(kernel.heads), shape.n];
    call.shared_bytes(kernel.shared_bytes as u32).grid(blocks[0], blocks[1], blocks[2])
}
