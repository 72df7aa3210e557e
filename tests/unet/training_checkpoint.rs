//! Checkpoints of training, and the series of a run.

use crate::checkpoint::{WEIGHTS, rewrite};
use crate::common::random::Random;
use ddpm_ptx::checkpoint::{TrainingState, pipeline, series, training};
use ddpm_ptx::nn::{Layout, UNet, UNetConfig};
use serde_json::json;
use std::fs;

fn network() -> UNet {
    let config = UNetConfig { norm_num_groups: 2, ..UNetConfig::authors(8, &[4, 6], &[false, true]) };
    UNet::new(config).unwrap()
}

/// A state of arbitrary bits, denormals and infinities among them.
fn state(layout: &Layout, seed: u64) -> TrainingState {
    let mut random = Random::new(seed);
    let mut arena = || {
        layout
            .pack(|entry| {
                let bits = (0..entry.slot.len()).map(|_| f32::from_bits(random.bits() as u32));
                let numbers = bits.map(|value| if value.is_nan() { f32::INFINITY } else { value });
                Ok::<_, std::convert::Infallible>(numbers.collect())
            })
            .unwrap()
    };
    TrainingState {
        weights: arena(),
        first_moment: arena(),
        second_moment: arena(),
        ema: arena(),
        step: u64::MAX - seed,
        skipped: 1 << 40,
        run: json!({ "seed": 18_446_744_073_709_551_615u64, "dataset": "somewhere" }),
    }
}

#[test]
fn a_state_comes_back_bit_for_bit() {
    let unet = network();
    let folder = tempfile::tempdir().unwrap();
    let path = series::folder(folder.path(), 12);
    let state = state(unet.layout(), 1);
    let scheduler = json!({ "_class_name": "DDPMScheduler" });
    training::write(&path, &unet, &scheduler, &state).unwrap();
    let (network, read) = training::read(&path).unwrap();
    assert_eq!(read, state);
    assert_eq!(network.weights, state.ema);
    assert_eq!(network.scheduler, Some(scheduler.clone()));
    assert_eq!(network.unet.config(), unet.config());

    // Written again, the bytes are the same.
    let again = series::folder(folder.path(), 13);
    training::write(&again, &network.unet, &scheduler, &read).unwrap();
    for file in [WEIGHTS, "training/state.safetensors", "training/run.json", "model_index.json"] {
        assert!(fs::read(path.join(file)).unwrap() == fs::read(again.join(file)).unwrap(), "{file}");
    }
}

/// A checkpoint of training is a pipeline of the averaged weights; a pipeline is not a checkpoint of training.
#[test]
fn training_checkpoints_are_pipelines() {
    let unet = network();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint");
    let state = state(unet.layout(), 2);
    training::write(&path, &unet, &json!({}), &state).unwrap();
    assert_eq!(pipeline::read(&path).unwrap().weights, state.ema);
    fs::remove_dir_all(path.join("training")).unwrap();
    assert!(!training::is_training(&path));
    let message = training::read(&path).err().unwrap().to_string();
    assert!(
        message.ends_with("checkpoint holds no state of training: training/state.safetensors is not there")
    );
}

#[test]
fn a_damaged_state_is_refused() {
    let unet = network();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint");
    training::write(&path, &unet, &json!({}), &state(unet.layout(), 3)).unwrap();
    let file = path.join("training/state.safetensors");
    let whole = fs::read(&file).unwrap();
    let refusal = || training::read(&path).err().unwrap().to_string();
    rewrite(&file, |parts| parts.retain(|part| part.name != "second_moment.conv_out.bias"));
    assert!(
        refusal().ends_with("state.safetensors: tensor second_moment.conv_out.bias is missing"),
        "{}",
        refusal()
    );
    fs::write(&file, &whole).unwrap();
    rewrite(&file, |parts| {
        let step = parts.iter_mut().find(|part| part.name == "step").unwrap();
        step.shape = vec![2];
        step.bytes.extend([0; 8]);
    });
    assert!(refusal().ends_with("tensor step is [2] of type U64 and not one U64"), "{}", refusal());
    fs::write(&file, &whole[..whole.len() - 1]).unwrap();
    assert!(refusal().contains("state.safetensors is not a whole safetensors file"), "{}", refusal());
}

/// Steps are numbers, not text; what is not a checkpoint is left alone.
#[test]
fn the_last_ones_are_kept() {
    let root = tempfile::tempdir().unwrap();
    assert_eq!(series::list(&root.path().join("nothing")).unwrap(), []);
    for step in [900, 1000, 20, 100_000] {
        fs::create_dir(series::folder(root.path(), step)).unwrap();
        fs::write(series::folder(root.path(), step).join("file"), "").unwrap();
    }
    fs::create_dir(root.path().join("checkpoint-best")).unwrap();
    fs::write(root.path().join("checkpoint-7"), "a file").unwrap();
    let steps = || -> Vec<u64> { series::list(root.path()).unwrap().iter().map(|one| one.step).collect() };
    assert_eq!(steps(), [20, 900, 1000, 100_000]);
    assert_eq!(series::latest(root.path()).unwrap().unwrap().step, 100_000);
    let removed = series::prune(root.path(), 2).unwrap();
    assert_eq!(removed.iter().map(|one| one.step).collect::<Vec<_>>(), [20, 900]);
    assert_eq!(steps(), [1000, 100_000]);
    assert_eq!(series::prune(root.path(), 5).unwrap(), []);
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 4);
}
