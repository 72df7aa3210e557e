//! Bad input: one sentence that names the culprit, exit code 1, and nothing left behind.

use super::{device, fail, minute, names, succeed, trained};
use std::fs;
use std::path::Path;

/// The error of training with these flags, which must not leave a run.
fn train_error(flags: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let error = fail(&format!("train {} --steps 2 --out {} {flags}", minute(), out.display()));
    assert!(!out.join("checkpoint-2").exists());
    error
}

/// The error of sampling from a model, which must not leave an image.
fn sample_error(model: &Path, flags: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.npz");
    let line = format!("sample {} --device {} --out {} {flags}", model.display(), device(), out.display());
    let error = fail(&line);
    assert_eq!(names(folder.path()), [""; 0], "{error}");
    error
}

#[track_caller]
fn assert_says(error: &str, words: &[&str]) {
    assert!(words.iter().all(|word| error.contains(word)), "{error:?} does not say {words:?}");
}

#[test]
fn training_images_that_are_not_there_or_broken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display();
    assert_says(&train_error(&format!("--data folder:{path}/missing")), &["missing", "cannot be read"]);
    assert_says(&train_error(&format!("--data folder:{path}")), &["holds no image file"]);
    assert_says(
        &train_error(&format!("--data cifar10:{path} --size 32 --attention 16")),
        &["holds no CIFAR-10 batch"],
    );
    assert_says(&train_error("--data photos"), &["photos", "folder:DIR"]);

    fs::write(folder.path().join("broken.png"), b"\x89PNG\r\n\x1a\nand then nothing").unwrap();
    assert_says(&train_error(&format!("--data folder:{path}")), &["broken.png", "not a readable image"]);
    fs::write(folder.path().join("data_batch_1.bin"), [0; 3000]).unwrap();
    assert_says(
        &train_error(&format!("--data cifar10:{path} --size 32 --attention 16")),
        &["data_batch_1.bin", "3000 bytes", "3073"],
    );
    assert_says(&train_error(&format!("--data cifar10:{path}")), &["--size 32"]);
}

#[test]
fn settings_that_cannot_be() {
    assert_says(&train_error("--steps nine"), &["nine", "--steps"]);
    assert_says(&train_error("--steps 0"), &["--steps"]);
    assert_says(&train_error("--lr -1"), &["--lr"]);
    assert_says(&train_error("--lr nan"), &["--lr"]);
    assert_says(&train_error("--ema 1.5"), &["--ema"]);
    assert_says(&train_error("--dropout 2"), &["dropout"]);
    assert_says(&train_error("--attention 5"), &["--attention 5"]);
    assert_says(&train_error("--channels 8,18"), &["norm_num_groups"]);
    assert_says(&train_error("--size 12 --attention 6"), &["power of two"]);
    assert_says(&train_error("--preset cifar100"), &["cifar100", "cifar10"]);
    assert_says(&train_error("--device gpu"), &["gpu", "auto"]);
    assert_says(&train_error("--beta-start 0.5"), &["--beta-start"]);
    assert_says(&train_error("--schedule jsd"), &["last timestep", "--predict"]);
    assert_says(&train_error("--zero-snr true"), &["last timestep", "--predict"]);
    assert_says(
        &train_error("--batch 60000 --size 4096 --attention 2048"),
        &["60000 images of 4096x4096", "2^32"],
    );
    assert_says(&fail("train --preset cifar10 --device soft"), &["--data"]);
}

#[test]
fn places_that_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "in the way").unwrap();
    let line = format!("train {} --steps 1 --out {}/run", minute(), file.display());
    assert_says(&fail(&line), &["file/run", "cannot be written"]);

    let (_folder, run) = trained();
    let sample =
        |out: &str| fail(&format!("sample {} --steps 1 --device {} --out {out}", run.display(), device()));
    assert_says(&sample(&format!("{}/x.npz", file.display())), &["x.npz", "cannot be written"]);
    assert_says(&sample(&format!("{}/x.png", file.display())), &["x.png", "cannot be written"]);
    assert_says(&sample(&run.display().to_string()), &["already holds files"]);
    assert_says(&sample("samples.jpg"), &["samples.jpg", ".png"]);
}

#[test]
fn models_that_are_no_models() {
    let (_folder, run) = trained();
    let checkpoint = run.join("checkpoint-6");
    assert_says(&sample_error(&run.join("missing"), ""), &["missing"]);
    assert_says(&sample_error(&run.join("samples"), ""), &["samples", "config.json"]);

    let weights = checkpoint.join("unet/diffusion_pytorch_model.safetensors");
    let whole = fs::read(&weights).unwrap();
    fs::write(&weights, &whole[..whole.len() - 100]).unwrap();
    assert_says(&sample_error(&run, ""), &["diffusion_pytorch_model.safetensors", "cut short"]);
    fs::write(&weights, whole).unwrap();

    let config = checkpoint.join("unet/config.json");
    let text = fs::read_to_string(&config).unwrap();
    // Another width in two places that belong together: the first tensor does not fit.
    fs::write(&config, text.replace("\"layers_per_block\": 1", "\"layers_per_block\": 2")).unwrap();
    assert_says(&sample_error(&run, ""), &["diffusion_pytorch_model.safetensors", "tensor"]);
    fs::write(
        &config,
        text.replace(
            "\"resnet_time_scale_shift\": \"default\"",
            "\"resnet_time_scale_shift\": \"scale_shift\"",
        ),
    )
    .unwrap();
    assert_says(&sample_error(&run, ""), &["config.json", "resnet_time_scale_shift", "scale_shift"]);
    fs::write(&config, "{").unwrap();
    assert_says(&sample_error(&run, ""), &["config.json", "JSON"]);
}

#[test]
fn samplers_that_cannot_be() {
    let (_folder, run) = trained();
    assert_says(&sample_error(&run, "--steps 21"), &["--steps", "20"]);
    assert_says(&sample_error(&run, "--steps 0"), &["--steps"]);
    assert_says(&sample_error(&run, "--eta -1"), &["--eta"]);
    assert_says(&sample_error(&run, "--sampler ddpm --eta 1"), &["--eta"]);
    assert_says(&sample_error(&run, "--sampler heun --rederive"), &["--rederive", "ddim"]);
    assert_says(&sample_error(&run, "--sampler ddim --order 2"), &["--order", "unipc"]);
    assert_says(&sample_error(&run, "--sampler unipc --order 4"), &["order", "4"]);
    assert_says(&sample_error(&run, "--sampler unipc --spacing cubic"), &["cubic"]);
    assert_says(&sample_error(&run, "-n 0"), &["0"]);
    assert_says(&sample_error(&run, "--first 4294967295 -n 2"), &["--first"]);
    assert_says(&sample_error(&run, "--sampler euler"), &["euler"]);
}

#[test]
fn runs_that_cannot_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display();
    let resume = format!("train --device {} --resume {path}", device());
    assert_says(&fail(&resume), &["no run folder", "run.json"]);
    assert_says(&fail(&format!("{resume} --lr 1")), &["--resume", "settings of the run"]);
    assert_says(&fail(&format!("{resume} --data shapes")), &["--resume", "--data"]);

    let (_folder, run) = trained();
    let resume = format!("train --device {} --steps 8 --resume {}", device(), run.display());
    let state = run.join("checkpoint-6/training/state.safetensors");
    fs::write(&state, &fs::read(&state).unwrap()[..1000]).unwrap();
    assert_says(&fail(&resume), &["state.safetensors"]);
    fs::write(run.join("run.json"), "{\"data\": 3}").unwrap();
    assert_says(&fail(&resume), &["run.json", "settings"]);
    fs::remove_dir_all(run.join("checkpoint-6")).unwrap();
}

/// Only where there is no driver; elsewhere the message is another.
#[test]
fn a_gpu_that_is_not_there() {
    if !succeed("doctor").contains("no NVIDIA driver") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let error = fail(&format!("train --device cuda --out {}", out.display()));
    assert_says(&error, &["no NVIDIA driver", "libcuda", "--device soft"]);
    assert!(!out.exists());
}
