//! The config as diffusers' `unet/config.json`, read and written.
//!
//! A field that is missing has diffusers' default, as diffusers would read it. Every known field is
//! honoured, or checked to have the one value that this crate supports.

use super::{ConfigError, DownsamplePadding, UNetConfig};
use crate::message::excerpt;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// The version of diffusers whose files this crate writes.
pub const DIFFUSERS_VERSION: &str = "0.42.1";

/// Fields with one supported value; the first is the default and what is written.
fn fixed_fields() -> [(&'static str, Vec<Value>); 12] {
    [
        ("_class_name", vec![json!("UNet2DModel")]),
        ("act_fn", vec![json!("silu"), json!("swish")]),
        ("attn_norm_num_groups", vec![Value::Null]),
        ("center_input_sample", vec![json!(false)]),
        ("class_embed_type", vec![Value::Null]),
        ("downsample_type", vec![json!("conv")]),
        ("mid_block_type", vec![json!("UNetMidBlock2D")]),
        ("mid_block_scale_factor", vec![json!(1), json!(1.0)]),
        // Read by learned time embeddings only, which are refused.
        ("num_train_timesteps", vec![Value::Null, json!(1000)]),
        ("resnet_time_scale_shift", vec![json!("default")]),
        ("time_embedding_type", vec![json!("positional")]),
        ("upsample_type", vec![json!("conv")]),
    ]
}

/// What diffusers' `EMAModel` adds to the config of averaged weights; it does not change the network.
const OF_THE_AVERAGE: [&str; 7] =
    ["decay", "inv_gamma", "min_decay", "optimization_step", "power", "update_after_step", "use_ema_warmup"];

const DOWN: [&str; 2] = ["DownBlock2D", "AttnDownBlock2D"];
const UP: [&str; 2] = ["UpBlock2D", "AttnUpBlock2D"];

impl UNetConfig {
    /// Reads the text of a `config.json`.
    ///
    /// # Errors
    /// What is not JSON, not known, not supported, or wrong, by name and value.
    pub fn from_json(text: &str) -> Result<UNetConfig, ConfigError> {
        let object = serde_json::from_str(text).map_err(|e| ConfigError::NotAnObject(excerpt(e)))?;
        let mut fields = Fields(object);
        for (name, supported) in fixed_fields() {
            fields.only(name, &supported)?;
        }
        let default = UNetConfig::default();
        let config = UNetConfig {
            sample_size: fields.sample_size()?,
            in_channels: fields.take("in_channels", "a number of channels", default.in_channels)?,
            out_channels: fields.take("out_channels", "a number of channels", default.out_channels)?,
            block_out_channels: fields.take(
                "block_out_channels",
                "a list of numbers",
                default.block_out_channels,
            )?,
            down_attention: fields.attention("down_block_types", DOWN, default.down_attention)?,
            up_attention: fields.attention("up_block_types", UP, default.up_attention)?,
            layers_per_block: fields.take("layers_per_block", "a number", default.layers_per_block)?,
            add_attention: fields.take("add_attention", "true or false", default.add_attention)?,
            attention_head_dim: fields.take(
                "attention_head_dim",
                "a number of channels or null",
                default.attention_head_dim,
            )?,
            norm_num_groups: fields.take("norm_num_groups", "a number", default.norm_num_groups)?,
            norm_eps: fields.take("norm_eps", "a number", default.norm_eps)?,
            downsample_padding: fields.downsample_padding()?,
            flip_sin_to_cos: fields.take("flip_sin_to_cos", "true or false", default.flip_sin_to_cos)?,
            freq_shift: fields.take("freq_shift", "a number", default.freq_shift)?,
            time_embedding_dim: fields.take("time_embedding_dim", "a number or null", None)?,
            num_class_embeds: fields.take("num_class_embeds", "a number of classes or null", None)?,
            dropout: fields.take("dropout", "a probability", default.dropout)?,
        };
        fields.nothing_left()?;
        config.check()?;
        Ok(config)
    }

    /// The text of a `config.json`, which diffusers reads.
    pub fn to_json(&self) -> String {
        let names = |flags: &[bool], [plain, attention]: [&'static str; 2]| -> Vec<&'static str> {
            flags.iter().map(|&flag| if flag { attention } else { plain }).collect()
        };
        let mut object = Map::new();
        for (name, supported) in fixed_fields() {
            object.insert(name.into(), supported[0].clone());
        }
        let chosen = json!({
            "_diffusers_version": DIFFUSERS_VERSION,
            "add_attention": self.add_attention,
            "attention_head_dim": self.attention_head_dim,
            "block_out_channels": self.block_out_channels,
            "down_block_types": names(&self.down_attention, DOWN),
            "downsample_padding": match self.downsample_padding {
                DownsamplePadding::BottomRight => 0,
                DownsamplePadding::Same => 1,
            },
            "dropout": self.dropout,
            "flip_sin_to_cos": self.flip_sin_to_cos,
            "freq_shift": whole_if_whole(self.freq_shift),
            "in_channels": self.in_channels,
            "layers_per_block": self.layers_per_block,
            "norm_eps": self.norm_eps,
            "norm_num_groups": self.norm_num_groups,
            "num_class_embeds": self.num_class_embeds,
            "out_channels": self.out_channels,
            "sample_size": match self.sample_size {
                Some([height, width]) if height == width => json!(height),
                size => json!(size),
            },
            "time_embedding_dim": self.time_embedding_dim,
            "up_block_types": names(&self.up_attention, UP),
        });
        if let Value::Object(chosen) = chosen {
            object.extend(chosen);
        }
        let text = serde_json::to_string_pretty(&object).expect("names and numbers are always JSON");
        text + "\n"
    }
}

/// diffusers writes `freq_shift` as an integer.
fn whole_if_whole(number: f64) -> Value {
    if number.fract() == 0.0 && number.abs() < 1e9 { json!(number as i64) } else { json!(number) }
}

/// The fields that nobody has taken yet.
struct Fields(Map<String, Value>);

impl Fields {
    /// Takes a field, or its default if it is missing.
    fn take<T: DeserializeOwned>(
        &mut self,
        name: &str,
        expected: &str,
        default: T,
    ) -> Result<T, ConfigError> {
        let Some(value) = self.0.remove(name) else { return Ok(default) };
        T::deserialize(&value).map_err(|_| ConfigError::wrong(name, value, expected))
    }

    /// Takes a field that must have one of the supported values; a missing one has the first.
    fn only(&mut self, name: &str, supported: &[Value]) -> Result<(), ConfigError> {
        let Some(value) = self.0.remove(name) else { return Ok(()) };
        if supported.contains(&value) {
            return Ok(());
        }
        let (field, value, supported) = (name.into(), excerpt(value), supported[0].to_string());
        Err(ConfigError::Unsupported { field, value, supported })
    }

    fn sample_size(&mut self) -> Result<Option<[usize; 2]>, ConfigError> {
        #[derive(serde::Deserialize)]
        #[serde(untagged)]
        enum Size {
            Square(usize),
            Sides([usize; 2]),
        }
        let size = self.take("sample_size", "a number, two numbers or null", None::<Size>)?;
        Ok(size.map(|size| match size {
            Size::Square(side) => [side; 2],
            Size::Sides(sides) => sides,
        }))
    }

    fn attention(
        &mut self,
        name: &str,
        [plain, attention]: [&str; 2],
        default: Vec<bool>,
    ) -> Result<Vec<bool>, ConfigError> {
        let Some(value) = self.0.remove(name) else { return Ok(default) };
        let types: Vec<String> = serde_json::from_value(value.clone())
            .map_err(|_| ConfigError::wrong(name, value, "a list of block types"))?;
        let flag = |block: &String| {
            if block == plain || block == attention {
                return Ok(block == attention);
            }
            Err(ConfigError::Unsupported {
                field: name.into(),
                value: excerpt(format!("{block:?}")),
                supported: format!("{plain:?} or {attention:?}"),
            })
        };
        types.iter().map(flag).collect()
    }

    fn downsample_padding(&mut self) -> Result<DownsamplePadding, ConfigError> {
        let Some(value) = self.0.remove("downsample_padding") else { return Ok(DownsamplePadding::Same) };
        match value.as_u64() {
            Some(0) => Ok(DownsamplePadding::BottomRight),
            Some(1) => Ok(DownsamplePadding::Same),
            _ => Err(ConfigError::Unsupported {
                field: "downsample_padding".into(),
                value: excerpt(value),
                supported: "0 or 1".into(),
            }),
        }
    }

    /// Refuses what is left: an unknown option may be one that changes the network.
    fn nothing_left(&self) -> Result<(), ConfigError> {
        let known = |name: &str| name.starts_with('_') || OF_THE_AVERAGE.contains(&name);
        match self.0.keys().find(|name| !known(name)) {
            Some(name) => Err(ConfigError::Unknown(excerpt(name))),
            None => Ok(()),
        }
    }
}
