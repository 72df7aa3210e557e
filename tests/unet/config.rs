//! The config in both dialects, and what is refused.

use crate::common::goldens;
use crate::common::random::Random;
use ddpm_ptx::nn::{DownsamplePadding, UNet, UNetConfig};
use serde_json::{Value, json};

fn golden_config(name: &str) -> UNetConfig {
    UNetConfig::from_json(&goldens::text(name)).unwrap()
}

/// The golden config of the authors' flavour with one field changed.
fn with(field: &str, value: Value) -> String {
    let mut object: Value = serde_json::from_str(&goldens::text("tiny/unet/config.json")).unwrap();
    object[field] = value;
    object.to_string()
}

#[test]
fn reads_the_authors_dialect() {
    let config = golden_config("tiny/unet/config.json");
    let expected = UNetConfig {
        layers_per_block: 1,
        norm_num_groups: 8,
        ..UNetConfig::authors(16, &[32, 64], &[false, true])
    };
    assert_eq!(config, expected);
}

#[test]
fn reads_the_default_dialect() {
    let config = golden_config("tiny2/unet/config.json");
    let expected = UNetConfig {
        sample_size: Some([16, 16]),
        block_out_channels: vec![32, 64, 64],
        down_attention: vec![false, true, true],
        up_attention: vec![true, true, false],
        ..UNetConfig::default()
    };
    assert_eq!(config, expected);
}

/// Without a field the network is diffusers' default, which is not the authors'.
#[test]
fn a_missing_field_has_the_default_of_diffusers() {
    assert_eq!(UNetConfig::from_json("{}").unwrap(), UNetConfig::default());
    let mut object: Value = serde_json::from_str(&goldens::text("tiny/unet/config.json")).unwrap();
    assert_eq!(golden_config("tiny/unet/config.json").heads(64), 1);
    object.as_object_mut().unwrap().remove("attention_head_dim");
    assert_eq!(UNetConfig::from_json(&object.to_string()).unwrap().heads(64), 8);
}

#[test]
fn what_is_written_reads_back() {
    let odd = UNetConfig {
        sample_size: Some([24, 8]),
        in_channels: 1,
        out_channels: 6,
        add_attention: false,
        freq_shift: 0.5,
        time_embedding_dim: Some(20),
        dropout: 0.25,
        ..UNetConfig::authors(8, &[4, 6, 8], &[true, false, true])
    };
    let odd = UNetConfig { norm_num_groups: 2, layers_per_block: 3, ..odd };
    for config in [UNetConfig::default(), UNetConfig::cifar10(), UNetConfig::resolution256(), odd] {
        assert_eq!(UNetConfig::from_json(&config.to_json()).unwrap(), config);
    }
}

/// Field by field the same as diffusers wrote, in its order.
#[test]
fn writes_what_diffusers_writes() {
    for name in
        ["tiny/unet/config.json", "tiny2/unet/config.json", "tiny/alt_configs/flip_shift0/config.json"]
    {
        let (theirs, ours) = (goldens::text(name), golden_config(name).to_json());
        let parse = |text: &str| -> Value { serde_json::from_str(text).unwrap() };
        assert_eq!(parse(&ours), parse(&theirs));
        // Numbers are equal; Python and Rust write 0.00001 differently.
        let lines = |text: &str| -> Vec<String> {
            text.trim_end().lines().filter(|line| !line.contains("norm_eps")).map(String::from).collect()
        };
        assert_eq!(lines(&ours), lines(&theirs));
    }
}

#[test]
fn the_networks_of_the_paper() {
    let cifar = UNetConfig::cifar10();
    assert_eq!(cifar.down_attention, [false, true, false, false]);
    assert_eq!(cifar.up_attention, [false, false, true, false]);
    assert_eq!((cifar.downsample_padding, cifar.dropout), (DownsamplePadding::BottomRight, 0.1));
    assert_eq!(UNetConfig::resolution256().up_attention, [false, true, false, false, false, false]);
}

#[test]
fn refuses_by_name_and_value() {
    let cases = [
        (
            with("resnet_time_scale_shift", json!("scale_shift")),
            "resnet_time_scale_shift \"scale_shift\" is not supported; only \"default\" is",
        ),
        (with("act_fn", json!("gelu")), "act_fn \"gelu\" is not supported; only \"silu\" is"),
        (
            with("time_embedding_type", json!("fourier")),
            "time_embedding_type \"fourier\" is not supported; only \"positional\" is",
        ),
        (
            with("class_embed_type", json!("timestep")),
            "class_embed_type \"timestep\" is not supported; only null is",
        ),
        (with("num_class_embeds", json!(0)), "num_class_embeds 0 is wrong: it must be between 1 and 65536"),
        (
            with("center_input_sample", json!(true)),
            "center_input_sample true is not supported; only false is",
        ),
        (
            with("downsample_type", json!("resnet")),
            "downsample_type \"resnet\" is not supported; only \"conv\" is",
        ),
        (with("downsample_padding", json!(2)), "downsample_padding 2 is not supported; only 0 or 1 is"),
        (
            with("mid_block_type", json!("UNetMidBlock2DCrossAttn")),
            "mid_block_type \"UNetMidBlock2DCrossAttn\" is not supported; only \"UNetMidBlock2D\" is",
        ),
        (
            with("down_block_types", json!(["DownBlock2D", "SkipDownBlock2D"])),
            "down_block_types \"SkipDownBlock2D\" is not supported; only \"DownBlock2D\" or \"AttnDownBlock2D\" is",
        ),
        (
            with("_class_name", json!("UNet2DConditionModel")),
            "_class_name \"UNet2DConditionModel\" is not supported; only \"UNet2DModel\" is",
        ),
        (
            with("up_block_types", json!(["UpBlock2D"])),
            "up_block_types of 1 blocks is wrong: it must be 2 blocks, one for each of block_out_channels",
        ),
        (
            with("norm_num_groups", json!(7)),
            "norm_num_groups 7 is wrong: it must be a divisor of the 32 channels of a block",
        ),
        (
            with("attention_head_dim", json!(48)),
            "attention_head_dim 48 is wrong: it must be a divisor of the 64 channels of a block",
        ),
        (with("norm_eps", json!(-1e-6)), "norm_eps -0.000001 is wrong: it must be between 0 and 1"),
        (with("dropout", json!(1.0)), "dropout 1 is wrong: it must be at least 0 and below 1"),
        (with("freq_shift", json!(16)), "freq_shift 16 is wrong: it must be below 16"),
        (with("layers_per_block", json!("two")), "layers_per_block \"two\" is wrong: it must be a number"),
        (
            with("sample_size", json!(15)),
            "sample_size 15x15 is wrong: it must be a multiple of 2 on each side, to be halved 1 times",
        ),
        (
            with("block_out_channels", json!([32, u64::MAX])),
            "block_out_channels 18446744073709551615 is wrong: it must be between 1 and 65536",
        ),
        (
            with("rotary_embedding", json!(true)),
            "rotary_embedding is an option that this version does not know",
        ),
    ];
    for (text, message) in cases {
        assert_eq!(UNetConfig::from_json(&text).unwrap_err().to_string(), message);
    }
}

/// The config that diffusers saves with averaged weights says more; the network is the same.
#[test]
fn ignores_the_fields_of_the_average() {
    let text = with("optimization_step", json!(1000));
    assert_eq!(UNetConfig::from_json(&text).unwrap(), golden_config("tiny/unet/config.json"));
}

/// Whatever a field is replaced by, the answer is a network or an error.
#[test]
fn a_strange_value_never_panics() {
    let object: Value = serde_json::from_str(&goldens::text("tiny2/unet/config.json")).unwrap();
    let strange = [
        json!(null),
        json!(0),
        json!(1),
        json!(-1),
        json!(3),
        json!(0.5),
        json!(1e300),
        json!(u64::MAX),
        json!("x"),
        json!([]),
        json!([0]),
        json!([2, 2]),
        json!([1, 1, 1]),
        json!({}),
        json!(true),
    ];
    let mut random = Random::new(5);
    let fields: Vec<&String> = object.as_object().unwrap().keys().collect();
    for _ in 0..2000 {
        let mut changed = object.clone();
        for _ in 0..random.between(1, 3) {
            let field = fields[random.between(0, fields.len() - 1)];
            changed[field.as_str()] = strange[random.between(0, strange.len() - 1)].clone();
        }
        if let Ok(config) = UNetConfig::from_json(&changed.to_string()) {
            UNet::new(config).unwrap();
        }
    }
    for text in ["", "null", "[]", "{", "{\"dropout\":}"] {
        assert!(UNetConfig::from_json(text).unwrap_err().to_string().starts_with("not a JSON object: "));
    }
}
