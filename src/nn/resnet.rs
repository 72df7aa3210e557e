//! The residual block.

use super::config::UNetConfig;
use super::layers::{ALMOST_ZERO, Added, Convolution, GroupNorm, Linear, VARIANCE_KEPT};
use super::layout::Layout;
use super::pass::Pass;
use crate::graph::Tensor;
use crate::ops::conv::Geometry;

/// `x + conv2(dropout(silu(norm2(conv1(silu(norm1(x))) + time))))`, with a 1 x 1 convolution on the bare `x`
/// where the number of channels changes.
pub(super) struct ResnetBlock {
    name: String,
    norm1: GroupNorm,
    conv1: Convolution,
    time_emb_proj: Linear,
    norm2: GroupNorm,
    conv2: Convolution,
    conv_shortcut: Option<Convolution>,
}

impl ResnetBlock {
    pub fn new(
        layout: &mut Layout,
        config: &UNetConfig,
        name: String,
        [inputs, outputs]: [usize; 2],
    ) -> ResnetBlock {
        let part = |part: &str| format!("{name}.{part}");
        let (groups, eps) = (config.norm_num_groups, config.norm_eps);
        let time = [config.time_width(), outputs];
        let same = Geometry::SAME_3X3;
        ResnetBlock {
            norm1: GroupNorm::new(layout, &part("norm1"), inputs, groups, eps),
            conv1: Convolution::new(layout, &part("conv1"), [inputs, outputs], same, VARIANCE_KEPT),
            time_emb_proj: Linear::new(layout, &part("time_emb_proj"), time, VARIANCE_KEPT),
            norm2: GroupNorm::new(layout, &part("norm2"), outputs, groups, eps),
            conv2: Convolution::new(layout, &part("conv2"), [outputs, outputs], same, ALMOST_ZERO),
            conv_shortcut: (inputs != outputs).then(|| {
                let (name, channels) = (part("conv_shortcut"), [inputs, outputs]);
                Convolution::new(layout, &name, channels, Geometry::POINTWISE, VARIANCE_KEPT)
            }),
            name,
        }
    }

    /// `inputs`: one tensor, or two that stand for their concatenation, which is never made. `time`: SiLU of
    /// the time embedding.
    pub fn forward(&self, pass: &mut Pass, inputs: &[&Tensor], time: &Tensor) -> Tensor {
        let bypass = match (&self.conv_shortcut, inputs) {
            (Some(conv), _) => Added { shortcut: Some((conv, inputs)), normalised: true, ..Added::default() },
            (None, [x]) => Added { residual: Some(*x), normalised: true, ..Added::default() },
            (None, _) => unreachable!("a concatenation has more channels than the block puts out"),
        };
        let per_image = self.time_emb_proj.forward(pass, time, None, false);
        let h = self.norm1.forward_silu(pass, inputs);
        let added = Added { per_image: Some(&per_image), normalised: true, ..Added::default() };
        let h = self.conv1.forward(pass, &[&h], added);
        let h = self.norm2.forward_silu_dropout(pass, &h);
        let y = self.conv2.forward(pass, &[&h], bypass);
        pass.name(&self.name, &y);
        y
    }
}
