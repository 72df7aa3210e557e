//! Configurations in JSON: of networks, schedulers, pipelines and runs, and the log of a run.

use crate::common::goldens;
use crate::tensors::checkpoint;
use crate::trial::Reader;
use ddpm_ptx::nn::UNet;
use ddpm_ptx::run::{Log, Preset, RunFolder};
use ddpm_ptx::sample::Model;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// Values of JSON are two bytes at least and a hundred in memory.
const GROWTH: usize = 200;
/// Tables of as many timesteps as can be, and names of as many tensors.
const DESCRIBED: usize = 1 << 25;

fn model(folder: &Path) -> anyhow::Result<()> {
    let model = Model::open(&folder.join("model"), Some(16))?;
    model.diffusion.sampler().trajectory(&model.diffusion, 5)?;
    Ok(())
}

/// The network is described, but not made.
fn settings(folder: &Path) -> anyhow::Result<()> {
    let (_, settings) = RunFolder::open(&folder.join("run"))?;
    UNet::new(settings.unet()?)?;
    Ok(())
}

/// A run that has not begun.
fn run() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    fs::create_dir(&path).unwrap();
    let settings = Preset::Shapes16.settings("shapes".parse().unwrap());
    RunFolder::new(&path).unwrap().save(&settings).unwrap();
    folder
}

fn survives(folder: &TempDir, file: &str, read: &dyn Fn(&Path) -> anyhow::Result<()>) {
    let whole = fs::read(folder.path().join(file)).unwrap();
    let other = goldens::text("interchange/old/scheduler_config.json").into_bytes();
    let reader = Reader { growth: GROWTH, besides: DESCRIBED, ..Reader::new(folder.path(), file, read) };
    reader.survives(&[whole, other], 1500);
}

#[test]
fn damaged_networks() {
    survives(&checkpoint(), "model/unet/config.json", &model);
}

#[test]
fn damaged_schedulers() {
    survives(&checkpoint(), "model/scheduler/scheduler_config.json", &model);
}

#[test]
fn damaged_indices() {
    survives(&checkpoint(), "model/model_index.json", &model);
}

#[test]
fn damaged_settings() {
    survives(&run(), "run/run.json", &settings);
}

#[test]
fn damaged_logs() {
    let folder = tempfile::tempdir().unwrap();
    let entry =
        "{\"step\":10,\"loss\":0.5,\"grad_norm\":1.0,\"lr\":0.1,\"images_per_second\":9.0,\"seconds\":4.0}\n";
    let read = |folder: &Path| Log::open(&folder.join("log.jsonl"), 100).map(|_| ());
    let reader = Reader { growth: 8, ..Reader::new(folder.path(), "log.jsonl", &read) };
    reader.survives(&[entry.repeat(30).into_bytes()], 1000);
}

#[test]
fn refused_schedulers() {
    let folder = checkpoint();
    let file = "model/scheduler/scheduler_config.json";
    let reader = Reader { besides: DESCRIBED, ..Reader::new(folder.path(), file, &model) };
    assert_eq!(
        reader.refusal(b""),
        format!("FOLDER/{file} is not JSON: EOF while parsing a value at line 1 column 0")
    );
    let cases = [
        ("[]", "invalid type: sequence, expected a map at line 1 column 0"),
        (
            "{\"num_train_timesteps\": 99999999999}",
            "num_train_timesteps = 99999999999 is not supported; it takes 2 to 65536 timesteps",
        ),
        (
            "{\"beta_schedule\": \"constant\", \"beta_end\": 1.5}",
            "unknown variant `constant`, expected one of `linear`, `scaled_linear`, `const`, `squaredcos_cap_v2`, `sigmoid`, `warmup10`, `warmup50`, `jsd`",
        ),
        (
            "{\"beta_schedule\": \"const\", \"beta_end\": 1.5}",
            "beta = 1.5 is not supported; every variance is above 0 and below 1",
        ),
        ("{\"trained_betas\": [0.5, \"a\"]}", "invalid type: string \"a\", expected f64"),
        (
            "{\"_class_name\": \"EulerDiscreteScheduler\"}",
            "_class_name = EulerDiscreteScheduler is not supported; use DDPM, DDIM, DPMSolverMultistep, UniPCMultistep or HeunDiscreteScheduler",
        ),
    ];
    for (content, reason) in cases {
        assert_eq!(
            reader.refusal(content.as_bytes()),
            format!("FOLDER/model cannot be sampled from: scheduler configuration: {reason}")
        );
    }
}

#[test]
fn refused_settings() {
    let folder = run();
    let whole = fs::read_to_string(folder.path().join("run/run.json")).unwrap();
    let reader = Reader { besides: DESCRIBED, ..Reader::new(folder.path(), "run/run.json", &settings) };
    let no_settings = "does not hold the settings of a run";
    let cannot_be = "has a setting that cannot be";
    let no_network = "has a setting that cannot be: there is no such network";
    let cases = [
        (String::new(), no_settings, "EOF while parsing a value at line 1 column 0"),
        (whole[..100].into(), no_settings, "EOF while parsing a list at line 9 column 0"),
        (
            whole.replace("\"shapes\"", "\"tar:x\""),
            no_settings,
            "\"tar:x\" names no training images; use shapes, folder:DIR, zip:FILE, npz:FILE, cifar10:DIR or lsun:DIR at line 2 column 17",
        ),
        (whole.replace("\"batch\": 8", "\"batch\": 88888"), cannot_be, "--batch must be from 1 to 65535"),
        (
            whole.replace("\"size\": 16", "\"size\": 17"),
            no_network,
            "sample_size 17x17 is wrong: it must be a multiple of 4 on each side, to be halved 2 times",
        ),
    ];
    for (content, what, reason) in cases {
        assert_eq!(reader.refusal(content.as_bytes()), format!("FOLDER/run/run.json {what}: {reason}"));
    }
}
