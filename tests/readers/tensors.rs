//! Safetensors: networks, and the state of training.

use crate::common::random::Random;
use crate::trial::Reader;
use ddpm_ptx::checkpoint::{TrainingState, pipeline, training};
use ddpm_ptx::nn::{UNet, UNetConfig};
use serde_json::json;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const WEIGHTS: &str = "model/unet/diffusion_pytorch_model.safetensors";
const STATE: &str = "model/training/state.safetensors";

/// A checkpoint of training, `model`, in a folder of its own: of a network of one level.
pub fn checkpoint() -> TempDir {
    let config =
        UNetConfig { layers_per_block: 1, norm_num_groups: 4, ..UNetConfig::authors(16, &[8], &[true]) };
    let unet = UNet::new(config).unwrap();
    let arena = || Random::new(1).normals(unet.layout().len());
    let state = TrainingState {
        weights: arena(),
        first_moment: arena(),
        second_moment: arena(),
        ema: arena(),
        step: 7,
        skipped: 1,
        run: json!({}),
    };
    let folder = tempfile::tempdir().unwrap();
    let scheduler = json!({"_class_name": "DDPMScheduler", "num_train_timesteps": 10});
    training::write(&folder.path().join("model"), &unet, &scheduler, &state).unwrap();
    folder
}

fn network(folder: &Path) -> anyhow::Result<()> {
    pipeline::read(&folder.join("model"))?;
    Ok(())
}

fn state_of_training(folder: &Path) -> anyhow::Result<()> {
    training::read(&folder.join("model"))?;
    Ok(())
}

#[test]
fn damaged_weights() {
    let folder = checkpoint();
    let [weights, state] = [WEIGHTS, STATE].map(|file| fs::read(folder.path().join(file)).unwrap());
    Reader::new(folder.path(), WEIGHTS, &network).survives(&[weights.clone(), state.clone()], 500);
    fs::write(folder.path().join(WEIGHTS), &weights).unwrap();
    Reader::new(folder.path(), STATE, &state_of_training).survives(&[state, weights], 500);
}

/// Header and data of a file.
fn split(file: &[u8]) -> (&[u8], &[u8]) {
    let (length, rest) = file.split_at(8);
    rest.split_at(u64::from_le_bytes(length.try_into().unwrap()) as usize)
}

fn joined(header: &[u8], data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header, data].concat()
}

/// The header says of each tensor what it is, and where.
#[test]
fn damaged_headers() {
    let folder = checkpoint();
    let whole = fs::read(folder.path().join(WEIGHTS)).unwrap();
    let (header, data) = split(&whole);
    let reader = Reader {
        // Where there is little but names, they are kept several times.
        growth: 16,
        finish: &|header| joined(&header, data),
        ..Reader::new(folder.path(), WEIGHTS, &network)
    };
    reader.survives(&[header.to_vec()], 1500);
}

#[test]
fn refused_files() {
    let folder = checkpoint();
    let whole = fs::read(folder.path().join(WEIGHTS)).unwrap();
    let reader = Reader::new(folder.path(), WEIGHTS, &network);
    let (header, data) = split(&whole);
    let header = std::str::from_utf8(header).unwrap();
    let with = |old: &str, new: &str| joined(header.replacen(old, new, 1).as_bytes(), data);
    let cases = [
        (vec![], "header too small"),
        (whole[..100].to_vec(), "invalid header length"),
        (whole[..whole.len() - 1].to_vec(), "incomplete metadata, file not fully covered"),
        ([&[0xFF; 8], &whole[8..]].concat(), "header too large"),
        (with("F32", "I64"), "invalid shape, data type, or offset for tensor"),
        (with("[8,", "[4,"), "invalid shape, data type, or offset for tensor"),
        (
            with("[8,", "[18446744073709551615,"),
            "overflow computing buffer size from shape and/or element type",
        ),
    ];
    for (content, reason) in cases {
        assert_eq!(
            reader.refusal(&content),
            format!(
                "FOLDER/{WEIGHTS} is not a whole safetensors file ({reason}); it may have been cut short"
            )
        );
    }
    let missing = format!("FOLDER/{WEIGHTS}: tensor conv_in.bias is missing");
    assert_eq!(reader.refusal(&with("conv_in.bias", "conv_in.bias\\n")), missing);
}
