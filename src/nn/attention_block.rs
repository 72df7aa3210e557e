//! Self-attention over the pixels of an image.

use super::config::UNetConfig;
use super::layers::{ALMOST_ZERO, GroupNorm, Linear, VARIANCE_KEPT};
use super::layout::Layout;
use super::pass::Pass;
use crate::graph::Tensor;
use crate::ops::attention::attention;

/// `x + to_out(attention(norm(x)))`.
pub(super) struct AttentionBlock {
    name: String,
    group_norm: GroupNorm,
    /// Queries, keys and values as one.
    to_qkv: Linear,
    to_out: Linear,
    heads: usize,
}

impl AttentionBlock {
    pub fn new(layout: &mut Layout, config: &UNetConfig, name: String, channels: usize) -> AttentionBlock {
        let part = |part: &str| format!("{name}.{part}");
        let square = [channels, channels];
        let qkv = ["to_q", "to_k", "to_v"].map(part);
        AttentionBlock {
            group_norm: GroupNorm::new(
                layout,
                &part("group_norm"),
                channels,
                config.norm_num_groups,
                config.norm_eps,
            ),
            to_qkv: Linear::stacked(layout, &qkv, square, VARIANCE_KEPT),
            to_out: Linear::new(layout, &part("to_out.0"), square, ALMOST_ZERO),
            heads: config.heads(channels),
            name,
        }
    }

    /// `x [N, H, W, C]`.
    pub fn forward(&self, pass: &mut Pass, x: &Tensor) -> Tensor {
        let [images, height, width, channels] = x.dims();
        let pixels = height * width;
        let rows = [images * pixels, channels];
        let h = self.group_norm.forward(pass, &[x]).reshape(&rows);
        let qkv = self.to_qkv.forward(pass, &h, None, false).reshape(&[images, pixels, 3 * channels]);
        let h = attention(pass.tape, &qkv, self.heads).reshape(&rows);
        let y = self.to_out.forward(pass, &h, Some(&x.reshape(&rows)), true).reshape(x.shape());
        pass.name(&self.name, &y);
        y
    }
}
