//! A learned row for each class.

use super::add::pass_gradient;
use crate::device::DType;
use crate::graph::{Tape, Tensor};
use crate::kernels::elementwise;

/// Threads of a block.
const BLOCK: usize = 128;

/// `x [N,C]` plus row `labels(n)` of `table [K,C]` for each n; labels u32 `[N]` below K, the rest f32.
///
/// # Panics
/// If the shapes do not go together.
pub fn class_embedding(tape: &mut Tape, x: &Tensor, table: &Tensor, labels: &Tensor) -> Tensor {
    let [images, channels] = x.dims();
    let [classes, width] = table.dims();
    assert_eq!(width, channels, "rows of a class embedding beside a time embedding of {:?}", x.shape());
    assert_eq!(labels.shape(), [images], "one label for each image");
    let blocks = channels.div_ceil(BLOCK);
    let y = tape.temporary(x.shape(), DType::F32);
    let width = channels as u32;
    let call = elementwise::class_embedding(x.input(), table.input(), labels.input(), y.output(), width);
    tape.launch(call.grid(blocks, images, 1));
    let (x, table, labels, out) = (x.clone(), table.clone(), labels.clone(), y.clone());
    tape.on_backward(move |tape| {
        let Some(dy) = tape.gradient(&out) else { return };
        pass_gradient(tape, &x, &dy);
        let Some(dtable) = tape.contribute(&table) else { return };
        let (images, channels) = (images as u32, channels as u32);
        let total = dtable.total.output();
        let call = elementwise::class_embedding_backward(dy.input(), labels.input(), total, images, channels);
        tape.launch(call.grid(blocks, classes, 1));
    });
    y
}
