//! The network's knowledge of time, and of classes.

use super::config::UNetConfig;
use super::layers::{Linear, VARIANCE_KEPT};
use super::layout::{Init, Layout, Slot};
use super::pass::{Condition, Pass};
use crate::graph::Tensor;
use crate::ops::class_embedding::class_embedding;
use crate::ops::silu::silu;
use crate::ops::timestep_embedding::timestep_embedding;

/// Sines and cosines of the timestep, dense, SiLU, dense; plus a learned row for the class, if there are classes.
pub(super) struct TimeEmbedding {
    /// Sines and cosines.
    channels: usize,
    flip_sin_to_cos: bool,
    freq_shift: f32,
    linear_1: Linear,
    linear_2: Linear,
    /// A row for each class, `[classes, width]`.
    classes: Option<Slot>,
}

impl TimeEmbedding {
    pub fn new(layout: &mut Layout, config: &UNetConfig) -> TimeEmbedding {
        let (channels, width) = (config.block_out_channels[0], config.time_width());
        let linear_1 = Linear::new(layout, "time_embedding.linear_1", [channels, width], VARIANCE_KEPT);
        let linear_2 = Linear::new(layout, "time_embedding.linear_2", [width, width], VARIANCE_KEPT);
        let table = |classes| layout.linear(&["class_embedding.weight".into()], [classes, width], Init::Unit);
        TimeEmbedding {
            channels,
            flip_sin_to_cos: config.flip_sin_to_cos,
            freq_shift: config.freq_shift as f32,
            linear_1,
            linear_2,
            classes: config.num_class_embeds.map(table),
        }
    }

    /// From timesteps `t [N]` u32, and labels of the same shape and type where there are classes, to SiLU of the embedding,
    /// `[N, width]`: every residual block begins by taking SiLU of it, so it is taken once.
    pub fn forward(&self, pass: &mut Pass, Condition { t, label }: &Condition) -> Tensor {
        let waves = timestep_embedding(pass.tape, t, self.channels, self.flip_sin_to_cos, self.freq_shift);
        pass.name("time_proj", &waves);
        let hidden = self.linear_1.forward(pass, &waves, None, false);
        let hidden = silu(pass.tape, &hidden);
        let embedding = self.linear_2.forward(pass, &hidden, None, false);
        pass.name("time_embedding", &embedding);
        let embedding = match (&self.classes, label) {
            (None, None) => embedding,
            (Some(table), Some(label)) => {
                let table = pass.parameter(table);
                class_embedding(pass.tape, &embedding, &table, label)
            }
            (None, Some(_)) => panic!("labels for a network without classes"),
            (Some(_), None) => panic!("a network with classes without labels"),
        };
        silu(pass.tape, &embedding)
    }
}
