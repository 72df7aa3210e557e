//! The U-Net: way down, middle, way up.

use super::attention_block::AttentionBlock;
use super::config::{ConfigError, DownsamplePadding, UNetConfig};
use super::layers::{ALMOST_ZERO, Added, Convolution, GroupNorm, VARIANCE_KEPT};
use super::layout::Layout;
use super::parameters::Bound;
use super::pass::{Condition, DropoutKey, Pass, Trace};
use super::resnet::ResnetBlock;
use super::time_embedding::TimeEmbedding;
use crate::graph::{Tape, Tensor};
use crate::ops::conv::{Geometry, Padding};
use std::sync::Arc;

/// Of convolutions between blocks, all of which begin with a normalisation.
const NORMALISED: Added =
    Added { per_image: None, residual: None, shortcut: None, unrounded: false, normalised: true };

/// A network that predicts from a noisy image and its timestep: the noise, usually.
pub struct UNet {
    config: UNetConfig,
    layout: Arc<Layout>,
    conv_in: Convolution,
    time_embedding: TimeEmbedding,
    /// Full resolution first.
    down: Vec<Level>,
    mid: Middle,
    /// Lowest resolution first.
    up: Vec<Level>,
    conv_norm_out: GroupNorm,
    conv_out: Convolution,
}

/// The blocks of one resolution on one way.
struct Level {
    name: String,
    blocks: Vec<Block>,
    /// To the next resolution, if there is one.
    resample: Option<Convolution>,
}

/// A residual block, with attention behind it in some levels.
struct Block {
    resnet: ResnetBlock,
    attention: Option<AttentionBlock>,
}

struct Middle {
    first: Block,
    second: ResnetBlock,
}

impl UNet {
    /// Lays out the network of `config`.
    ///
    /// # Errors
    /// If the config is wrong in itself; see [`UNetConfig::check`].
    pub fn new(config: UNetConfig) -> Result<UNet, ConfigError> {
        config.check()?;
        let mut layout = Layout::default();
        let channels = &config.block_out_channels;
        let (first, groups, eps) = (channels[0], config.norm_num_groups, config.norm_eps);
        let same = Geometry::SAME_3X3;
        let ends = [config.in_channels, first];
        let conv_in = Convolution::new(&mut layout, "conv_in", ends, same, VARIANCE_KEPT);
        let time_embedding = TimeEmbedding::new(&mut layout, &config);
        let mut skips = vec![first];
        let down = way_down(&mut layout, &config, &mut skips);
        let mid = Middle::new(&mut layout, &config);
        let up = way_up(&mut layout, &config, &mut skips);
        let conv_norm_out = GroupNorm::new(&mut layout, "conv_norm_out", first, groups, eps);
        let ends = [first, config.out_channels];
        let conv_out = Convolution::new(&mut layout, "conv_out", ends, same, ALMOST_ZERO);
        let layout = Arc::new(layout);
        Ok(UNet { config, layout, conv_in, time_embedding, down, mid, up, conv_norm_out, conv_out })
    }

    pub fn config(&self) -> &UNetConfig {
        &self.config
    }

    /// Where the parameters are in an arena.
    pub fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// Records the network on `tape`.
    ///
    /// `x [N, H, W, in_channels]` f32 or of the activations' type, `condition` timesteps and classes; gives
    /// `[N, H, W, out_channels]` f32, whose gradient is of the activations' type ([`Bound::precision`]). With a dropout key
    /// there is dropout, at the config's probability.
    ///
    /// # Panics
    /// If the shapes do not fit the network, or there are labels where it has no classes, or none where it has;
    /// [`UNetConfig::check_size`] tells of the sides beforehand.
    pub fn forward(
        &self,
        tape: &mut Tape,
        weights: &Bound,
        x: &Tensor,
        condition: impl Into<Condition>,
        dropout: Option<DropoutKey>,
    ) -> Tensor {
        self.forward_traced(tape, weights, x, condition, dropout).0
    }

    /// [`UNet::forward`], and the outputs of the blocks by name.
    pub fn forward_traced(
        &self,
        tape: &mut Tape,
        weights: &Bound,
        x: &Tensor,
        condition: impl Into<Condition>,
        dropout: Option<DropoutKey>,
    ) -> (Tensor, Trace) {
        let [images, height, width, channels] = x.dims();
        assert_eq!(channels, self.config.in_channels, "channels of the U-Net's input");
        let condition = condition.into();
        assert_eq!(condition.t.shape(), [images], "one timestep for each image");
        if let Err(error) = self.config.check_size([height, width]) {
            panic!("{error}");
        }
        let rate = self.config.dropout as f32;
        let dropout = dropout.filter(|_| rate > 0.0).map(|key| (rate, key));
        let mut pass = Pass::new(tape, weights, dropout);
        let y = self.record(&mut pass, x, &condition);
        (y, pass.trace)
    }

    fn record(&self, pass: &mut Pass, x: &Tensor, condition: &Condition) -> Tensor {
        let time = self.time_embedding.forward(pass, condition);
        let x = pass.as_activation(x);
        let mut h = self.conv_in.forward(pass, &[&x], NORMALISED);
        pass.name("conv_in", &h);
        let mut skips = vec![h.clone()];
        for level in &self.down {
            h = level.forward_down(pass, h, &time, &mut skips);
        }
        h = self.mid.forward(pass, &h, &time);
        for level in &self.up {
            h = level.forward_up(pass, h, &time, &mut skips);
        }
        let h = self.conv_norm_out.forward_silu(pass, &[&h]);
        self.conv_out.forward(pass, &[&h], Added { unrounded: true, ..Added::default() })
    }
}

/// The levels of the way down; `skips` gets the channels of each output that the way up takes.
fn way_down(layout: &mut Layout, config: &UNetConfig, skips: &mut Vec<usize>) -> Vec<Level> {
    let padding = match config.downsample_padding {
        DownsamplePadding::BottomRight => Padding::BottomRight,
        DownsamplePadding::Same => Padding::Same,
    };
    let mut inputs = config.block_out_channels[0];
    let mut levels = vec![];
    for (i, &outputs) in config.block_out_channels.iter().enumerate() {
        let name = format!("down_blocks.{i}");
        let mut blocks = vec![];
        for j in 0..config.layers_per_block {
            blocks.push(Block::new(layout, config, &name, j, [inputs, outputs], config.down_attention[i]));
            skips.push(outputs);
            inputs = outputs;
        }
        let resample = (i + 1 < config.levels()).then(|| {
            skips.push(outputs);
            let name = format!("{name}.downsamplers.0.conv");
            Convolution::new(layout, &name, [outputs; 2], Geometry::down(padding), VARIANCE_KEPT)
        });
        levels.push(Level { name, blocks, resample });
    }
    levels
}

/// The levels of the way up, each block of which takes one of the way down's outputs, the last one first.
fn way_up(layout: &mut Layout, config: &UNetConfig, skips: &mut Vec<usize>) -> Vec<Level> {
    let mut inputs = *config.block_out_channels.last().expect("a checked config has a level");
    let mut levels = vec![];
    for (i, &outputs) in config.block_out_channels.iter().rev().enumerate() {
        let name = format!("up_blocks.{i}");
        let mut blocks = vec![];
        for j in 0..=config.layers_per_block {
            let skip = skips.pop().expect("the way down left an output for every block of the way up");
            let channels = [inputs + skip, outputs];
            blocks.push(Block::new(layout, config, &name, j, channels, config.up_attention[i]));
            inputs = outputs;
        }
        let resample = (i + 1 < config.levels()).then(|| {
            let name = format!("{name}.upsamplers.0.conv");
            Convolution::new(layout, &name, [outputs; 2], Geometry::UP_3X3, VARIANCE_KEPT)
        });
        levels.push(Level { name, blocks, resample });
    }
    levels
}

impl Block {
    fn new(
        layout: &mut Layout,
        config: &UNetConfig,
        level: &str,
        number: usize,
        [inputs, outputs]: [usize; 2],
        attention: bool,
    ) -> Block {
        let resnet = format!("{level}.resnets.{number}");
        Block {
            resnet: ResnetBlock::new(layout, config, resnet, [inputs, outputs]),
            attention: attention.then(|| {
                AttentionBlock::new(layout, config, format!("{level}.attentions.{number}"), outputs)
            }),
        }
    }

    fn forward(&self, pass: &mut Pass, inputs: &[&Tensor], time: &Tensor) -> Tensor {
        let h = self.resnet.forward(pass, inputs, time);
        match &self.attention {
            Some(attention) => attention.forward(pass, &h),
            None => h,
        }
    }
}

impl Middle {
    fn new(layout: &mut Layout, config: &UNetConfig) -> Middle {
        let channels = [*config.block_out_channels.last().expect("a checked config has a level"); 2];
        let first = Block::new(layout, config, "mid_block", 0, channels, config.add_attention);
        let second = ResnetBlock::new(layout, config, "mid_block.resnets.1".into(), channels);
        Middle { first, second }
    }

    fn forward(&self, pass: &mut Pass, x: &Tensor, time: &Tensor) -> Tensor {
        let h = self.first.forward(pass, &[x], time);
        self.second.forward(pass, &[&h], time)
    }
}

impl Level {
    fn forward_down(&self, pass: &mut Pass, x: Tensor, time: &Tensor, skips: &mut Vec<Tensor>) -> Tensor {
        let mut h = x;
        for block in &self.blocks {
            h = block.forward(pass, &[&h], time);
            skips.push(h.clone());
        }
        if let Some(conv) = &self.resample {
            h = conv.forward(pass, &[&h], NORMALISED);
            pass.name(&format!("{}.downsamplers.0", self.name), &h);
            skips.push(h.clone());
        }
        h
    }

    fn forward_up(&self, pass: &mut Pass, x: Tensor, time: &Tensor, skips: &mut Vec<Tensor>) -> Tensor {
        let mut h = x;
        for block in &self.blocks {
            let skip = skips.pop().expect("as many outputs of the way down as blocks of the way up");
            h = block.forward(pass, &[&h, &skip], time);
        }
        if let Some(conv) = &self.resample {
            h = conv.forward(pass, &[&h], NORMALISED);
            pass.name(&format!("{}.upsamplers.0", self.name), &h);
        }
        h
    }
}
