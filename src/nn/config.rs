//! What network: the options of a U-Net, in the names of a diffusers `unet/config.json`.

mod json;

use super::precision::Precision;
use crate::message::excerpt;
pub use json::DIFFUSERS_VERSION;

/// One option that this crate cannot honour, or that contradicts another.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("not a JSON object: {0}")]
    NotAnObject(String),
    #[error("{field} {value} is not supported; only {supported} is")]
    Unsupported { field: String, value: String, supported: String },
    #[error("{field} {value} is wrong: it must be {expected}")]
    Wrong { field: String, value: String, expected: String },
    #[error("{0} is an option that this version does not know")]
    Unknown(String),
}

impl ConfigError {
    fn wrong(field: &str, value: impl ToString, expected: impl Into<String>) -> ConfigError {
        ConfigError::Wrong {
            field: field.into(),
            value: excerpt(value.to_string()),
            expected: expected.into(),
        }
    }
}

/// How the stride-2 convolutions of the way down are padded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DownsamplePadding {
    /// One row and column of zeros at the bottom and right: TensorFlow's `SAME` on even sizes, the authors'
    /// choice; written 0.
    BottomRight,
    /// One on each side; written 1.
    Same,
}

/// The options of a U-Net of *Denoising Diffusion Probabilistic Models*, appendix B, and of its variants in
/// diffusers (`UNet2DModel`).
///
/// [`UNetConfig::default`] has diffusers' defaults, which are not the authors': see [`UNetConfig::authors`].
#[derive(Debug, Clone, PartialEq)]
pub struct UNetConfig {
    /// Height and width of the images, where the config says them.
    pub sample_size: Option<[usize; 2]>,
    pub in_channels: usize,
    pub out_channels: usize,
    /// Channels of each level, full resolution first; each level has half the resolution of the one before.
    pub block_out_channels: Vec<usize>,
    /// Whether each level of the way down has self-attention, full resolution first.
    pub down_attention: Vec<bool>,
    /// The same of the way up, lowest resolution first.
    pub up_attention: Vec<bool>,
    /// Residual blocks of a level on the way down; the way up has one more.
    pub layers_per_block: usize,
    /// Whether the two residual blocks of the middle have attention between them.
    pub add_attention: bool,
    /// Channels of an attention head; `None` is one head of all channels.
    pub attention_head_dim: Option<usize>,
    pub norm_num_groups: usize,
    pub norm_eps: f64,
    pub downsample_padding: DownsamplePadding,
    /// Cosines before sines in the timestep embedding.
    pub flip_sin_to_cos: bool,
    /// Frequency `j` of the timestep embedding is `10000^(-j / (half - freq_shift))`.
    pub freq_shift: f64,
    /// Width of the time embedding; `None` is four times the first level's channels.
    pub time_embedding_dim: Option<usize>,
    /// Rows of the class embedding of a network that is told the class of each image.
    pub num_class_embeds: Option<usize>,
    /// Probability that dropout zeroes an element, in training only.
    pub dropout: f64,
}

impl Default for UNetConfig {
    fn default() -> UNetConfig {
        UNetConfig {
            sample_size: None,
            in_channels: 3,
            out_channels: 3,
            block_out_channels: vec![224, 448, 672, 896],
            down_attention: vec![false, true, true, true],
            up_attention: vec![true, true, true, false],
            layers_per_block: 2,
            add_attention: true,
            attention_head_dim: Some(8),
            norm_num_groups: 32,
            norm_eps: 1e-5,
            downsample_padding: DownsamplePadding::Same,
            flip_sin_to_cos: true,
            freq_shift: 0.0,
            time_embedding_dim: None,
            num_class_embeds: None,
            dropout: 0.0,
        }
    }
}

impl UNetConfig {
    /// The authors' flavour, as in the published `google/ddpm-*`: two residual blocks a level, one attention
    /// head, attention in the levels for which `attention` says so, resolutions halved from `sample_size`.
    pub fn authors(sample_size: usize, block_out_channels: &[usize], attention: &[bool]) -> UNetConfig {
        UNetConfig {
            sample_size: Some([sample_size; 2]),
            block_out_channels: block_out_channels.to_vec(),
            down_attention: attention.to_vec(),
            up_attention: attention.iter().rev().copied().collect(),
            attention_head_dim: None,
            norm_eps: 1e-6,
            downsample_padding: DownsamplePadding::BottomRight,
            flip_sin_to_cos: false,
            freq_shift: 1.0,
            ..UNetConfig::default()
        }
    }

    /// The network of the paper's CIFAR-10 results: 35.7 million parameters, dropout 0.1.
    pub fn cifar10() -> UNetConfig {
        let network = UNetConfig::authors(32, &[128, 256, 256, 256], &[false, true, false, false]);
        UNetConfig { dropout: 0.1, ..network }
    }

    /// The network of the paper's 256 x 256 results: 114 million parameters, no dropout.
    pub fn resolution256() -> UNetConfig {
        let attention = [false, false, false, false, true, false];
        UNetConfig::authors(256, &[128, 128, 256, 256, 512, 512], &attention)
    }

    /// Number of resolutions.
    pub fn levels(&self) -> usize {
        self.block_out_channels.len()
    }

    /// Width of the time embedding.
    pub fn time_width(&self) -> usize {
        self.time_embedding_dim.unwrap_or(4 * self.block_out_channels[0])
    }

    /// Attention heads over `channels` channels.
    pub fn heads(&self, channels: usize) -> usize {
        self.attention_head_dim.map_or(1, |head| channels / head)
    }

    /// Heights and widths must be multiples of this for every resolution to be half the one before.
    pub fn size_multiple(&self) -> usize {
        1 << (self.levels() - 1)
    }

    /// Checks that images of this height and width go down and up again.
    ///
    /// # Errors
    /// If a side cannot be halved evenly at every level.
    pub fn check_size(&self, [height, width]: [usize; 2]) -> Result<(), ConfigError> {
        let multiple = self.size_multiple();
        let fits = |side: usize| side > 0 && side.is_multiple_of(multiple);
        if fits(height) && fits(width) {
            return Ok(());
        }
        let expected =
            format!("a multiple of {multiple} on each side, to be halved {} times", self.levels() - 1);
        Err(ConfigError::wrong("sample_size", format!("{height}x{width}"), expected))
    }

    /// Checks that kernels, which count the elements of a tensor in 32 bits, can count those of the widest
    /// activation: two tensors side by side at the entrance of a block on the way up.
    ///
    /// # Errors
    /// If a batch of `images` images of this height and width has too many.
    pub fn check_batch(&self, images: usize, [height, width]: [usize; 2]) -> Result<(), ConfigError> {
        let channels = &self.block_out_channels;
        let widest =
            |level: usize| channels[level] + channels[level].max(*channels.get(level + 1).unwrap_or(&0));
        let fits = (0..self.levels()).all(|level| {
            let sides = [images, height >> level, width >> level, widest(level)];
            sides
                .iter()
                .try_fold(1u32, |product, &side| product.checked_mul(u32::try_from(side).ok()?))
                .is_some()
        });
        if fits {
            return Ok(());
        }
        let value = format!("of {images} images of {height}x{width}");
        Err(ConfigError::wrong("a batch", value, "smaller: its widest activation has 2^32 elements or more"))
    }

    /// Whether there are kernels for the network in `precision`: in bf16, copies of 8 channels feed the tensor cores.
    fn has_kernels(&self, precision: Precision) -> bool {
        let by_eights = self.block_out_channels.iter().all(|channels| channels.is_multiple_of(8));
        precision == Precision::F32 || by_eights && self.in_channels < 8 && self.out_channels < 8
    }

    /// bf16 where there are kernels for the network, else f32.
    pub fn fastest_precision(&self) -> Precision {
        if self.has_kernels(Precision::Bf16) { Precision::Bf16 } else { Precision::F32 }
    }

    /// Checks that there are kernels for the network in `precision`.
    ///
    /// # Errors
    /// If there are none.
    pub fn check_precision(&self, precision: Precision) -> Result<(), ConfigError> {
        if self.has_kernels(precision) {
            return Ok(());
        }
        let (channels, ends) = (&self.block_out_channels, [self.in_channels, self.out_channels]);
        let value = format!("of {channels:?} channels between {ends:?}");
        let expected = "by eights, between fewer than 8, for bf16; f32 takes any";
        Err(ConfigError::wrong("a network", value, expected))
    }

    /// Checks every option against its range and against the others.
    ///
    /// # Errors
    /// The first option that is wrong.
    pub fn check(&self) -> Result<(), ConfigError> {
        in_range("in_channels", self.in_channels, CHANNELS)?;
        in_range("out_channels", self.out_channels, CHANNELS)?;
        in_range("layers_per_block", self.layers_per_block, 1..=64)?;
        in_range("number of block_out_channels", self.levels(), 1..=12)?;
        in_range("norm_num_groups", self.norm_num_groups, CHANNELS)?;
        in_range("time_embedding_dim", self.time_embedding_dim.unwrap_or(1), CHANNELS)?;
        in_range("num_class_embeds", self.num_class_embeds.unwrap_or(1), CHANNELS)?;
        for (field, flags) in
            [("down_block_types", &self.down_attention), ("up_block_types", &self.up_attention)]
        {
            let expected = format!("{} blocks, one for each of block_out_channels", self.levels());
            if flags.len() != self.levels() {
                return Err(ConfigError::wrong(field, format!("of {} blocks", flags.len()), expected));
            }
        }
        for &channels in &self.block_out_channels {
            in_range("block_out_channels", channels, CHANNELS)?;
            divides("norm_num_groups", self.norm_num_groups, channels)?;
        }
        self.check_heads()?;
        self.check_timestep_embedding()?;
        if !(self.norm_eps > 0.0 && self.norm_eps < 1.0) {
            return Err(ConfigError::wrong("norm_eps", self.norm_eps, "between 0 and 1"));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(ConfigError::wrong("dropout", self.dropout, "at least 0 and below 1"));
        }
        self.sample_size.map_or(Ok(()), |size| self.check_size(size))
    }

    /// Heads divide the channels of every block with attention, and are not wider than the kernels' tiles.
    fn check_heads(&self) -> Result<(), ConfigError> {
        for channels in self.attention_channels() {
            let Some(head) = self.attention_head_dim else {
                if channels <= HEAD_CHANNELS {
                    continue;
                }
                let expected =
                    format!("at most {HEAD_CHANNELS}, and a block with attention has {channels} channels");
                return Err(ConfigError::wrong("attention_head_dim", "null", expected));
            };
            in_range("attention_head_dim", head, 1..=HEAD_CHANNELS)?;
            divides("attention_head_dim", head, channels)?;
        }
        Ok(())
    }

    /// Channels of the blocks that have attention.
    fn attention_channels(&self) -> Vec<usize> {
        let up = self.up_attention.iter().rev();
        let flags = self.down_attention.iter().zip(up).map(|(down, up)| *down || *up);
        let levels = self.block_out_channels.iter().zip(flags).filter(|(_, attention)| *attention);
        let middle = self.block_out_channels.last().filter(|_| self.add_attention);
        levels.map(|(channels, _)| *channels).chain(middle.copied()).collect()
    }

    fn check_timestep_embedding(&self) -> Result<(), ConfigError> {
        let channels = self.block_out_channels[0];
        if !channels.is_multiple_of(2) {
            return Err(ConfigError::wrong(
                "first of block_out_channels",
                channels,
                "even, half sines and half cosines of the timestep",
            ));
        }
        let half = (channels / 2) as f64;
        if !(self.freq_shift.is_finite() && self.freq_shift < half) {
            return Err(ConfigError::wrong("freq_shift", self.freq_shift, format!("below {half}")));
        }
        Ok(())
    }
}

/// Widest head that the attention kernels take.
const HEAD_CHANNELS: usize = 512;

/// More than any network has; it keeps sizes computed from a hostile file within 64 bits.
const CHANNELS: std::ops::RangeInclusive<usize> = 1..=65_536;

fn in_range(field: &str, value: usize, range: std::ops::RangeInclusive<usize>) -> Result<(), ConfigError> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(ConfigError::wrong(field, value, format!("between {} and {}", range.start(), range.end())))
}

fn divides(field: &str, divisor: usize, channels: usize) -> Result<(), ConfigError> {
    if channels.is_multiple_of(divisor) {
        return Ok(());
    }
    Err(ConfigError::wrong(field, divisor, format!("a divisor of the {channels} channels of a block")))
}
