//! `--check`: kernels are watched, and do the same.

use super::{fail, minute, succeed};
use std::fs;

#[test]
fn a_checked_run_is_the_same_run() {
    let folder = tempfile::tempdir().unwrap();
    let train = |name: &str, flags: &str| {
        let out = folder.path().join(name);
        let said =
            succeed(&format!("train {} --device soft --steps 2 --out {} {flags}", minute(), out.display()));
        (said, fs::read(out.join("checkpoint-2/unet/diffusion_pytorch_model.safetensors")).unwrap())
    };
    let (plain, checked) = (train("plain", ""), train("checked", "--check"));
    assert!(!plain.0.contains("checked") && checked.0.contains("checked, seed 0"), "{}", checked.0);
    assert!(plain.1 == checked.1, "checks changed the weights");

    let model = folder.path().join("plain");
    let sample = |name: &str, flags: &str| {
        let out = folder.path().join(name);
        succeed(&format!("sample {} --device soft -n 2 --out {} {flags}", model.display(), out.display()));
        fs::read(out).unwrap()
    };
    assert!(sample("plain.npz", "") == sample("checked.npz", "--check"), "checks changed the images");
}

#[test]
fn a_gpu_is_not_checked() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let error = fail(&format!("train --check --device cuda:1 --out {}", out.display()));
    assert!(["--check", "cuda:1"].iter().all(|word| error.contains(word)), "{error}");
    assert!(!out.exists());
}
