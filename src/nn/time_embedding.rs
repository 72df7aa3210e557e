//! The network's knowledge of time.

use super::config::UNetConfig;
use super::layers::{Linear, VARIANCE_KEPT};
use super::layout::Layout;
use super::pass::Pass;
use crate::graph::Tensor;
use crate::ops::silu::silu;
use crate::ops::timestep_embedding::timestep_embedding;

/// Sines and cosines of the timestep, dense, SiLU, dense.
pub(super) struct TimeEmbedding {
    /// Sines and cosines.
    channels: usize,
    flip_sin_to_cos: bool,
    freq_shift: f32,
    linear_1: Linear,
    linear_2: Linear,
}

impl TimeEmbedding {
    pub fn new(layout: &mut Layout, config: &UNetConfig) -> TimeEmbedding {
        let (channels, width) = (config.block_out_channels[0], config.time_width());
        TimeEmbedding {
            channels,
            flip_sin_to_cos: config.flip_sin_to_cos,
            freq_shift: config.freq_shift as f32,
            linear_1: Linear::new(layout, "time_embedding.linear_1", [channels, width], VARIANCE_KEPT),
            linear_2: Linear::new(layout, "time_embedding.linear_2", [width, width], VARIANCE_KEPT),
        }
    }

    /// From timesteps `t [N]` u32 to SiLU of the embedding, `[N, width]`: every residual block begins by
    /// taking SiLU of it, so it is taken once.
    pub fn forward(&self, pass: &mut Pass, t: &Tensor) -> Tensor {
        let waves = timestep_embedding(pass.tape, t, self.channels, self.flip_sin_to_cos, self.freq_shift);
        pass.name("time_proj", &waves);
        let hidden = self.linear_1.forward(pass, &waves, None, false);
        let hidden = silu(pass.tape, &hidden);
        let embedding = self.linear_2.forward(pass, &hidden, None, false);
        pass.name("time_embedding", &embedding);
        silu(pass.tape, &embedding)
    }
}
