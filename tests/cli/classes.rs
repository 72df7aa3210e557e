//! Networks that are told classes: `train --classes`, `sample --class --guidance`.

use super::sample::sample;
use super::{device, fail, minute, succeed, trained};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Steps so large, and not averaged, that what the network knows of classes shows in its images.
const FLAGS: &str = "--classes --label-dropout 0.3 --lr 0.03 --warmup 1 --ema 0";

/// A run of six steps on the three figures.
fn conditional() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    succeed(&format!("train {} {FLAGS} --steps 6 --out {}", minute(), path.display()));
    (folder, path)
}

/// What sampling says is wrong.
fn refused(model: &Path, flags: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.png").display().to_string();
    fail(&format!("sample {} --steps 2 --device {} {flags} --out {out}", model.display(), device()))
}

#[test]
fn an_image_is_of_the_class_that_is_asked_for() {
    let (_folder, run) = conditional();
    let circles = sample(&run, "-n 2 --class circle");
    assert_eq!(circles, sample(&run, "-n 2 --class 0"));
    assert_ne!(circles, sample(&run, "-n 2 --class square"));
    let [all, turned] = ["-n 4", "-n 4 --class circle,1,triangle"].map(|flags| sample(&run, flags));
    assert_eq!(all, turned);
    assert_eq!(all[0], circles[0]);
    // By the number of the image and not its place.
    assert_eq!(all[3..], sample(&run, "-n 1 --first 3"));
}

#[test]
fn guidance_changes_images_and_depends_on_no_batch() {
    let (_folder, run) = conditional();
    let flags = "--class triangle --seed 2";
    let plain = sample(&run, &format!("-n 3 {flags}"));
    assert_eq!(plain, sample(&run, &format!("-n 3 {flags} --guidance 0")));
    let guided = sample(&run, &format!("-n 3 {flags} --guidance 2"));
    assert_ne!(plain, guided);
    assert_eq!(guided, sample(&run, &format!("-n 3 {flags} --guidance 2 --batch 2")));
    // Away from the class entirely: the network without it.
    let without = sample(&run, "-n 3 --class 3 --seed 2");
    let away = sample(&run, &format!("-n 3 {flags} --guidance -1"));
    // eps(class) - (eps(class) - eps(none)) is rounded twice.
    let furthest = without.iter().flatten().zip(away.iter().flatten()).map(|(a, b)| a.abs_diff(*b)).max();
    assert!(furthest <= Some(1), "{furthest:?} levels of grey apart");
    assert_ne!(without, plain);
}

/// Labels and which of them are dropped are those of the step, also after an interruption.
#[test]
fn a_resumed_run_is_shown_the_same_labels() {
    let (_folder, whole) = conditional();
    let folder = tempfile::tempdir().unwrap();
    let parts = folder.path().join("run");
    succeed(&format!("train {} {FLAGS} --steps 4 --out {}", minute(), parts.display()));
    succeed(&format!("train --resume {} --steps 6 --device {}", parts.display(), device()));
    for file in ["unet/diffusion_pytorch_model.safetensors", "training/state.safetensors"] {
        let [a, b] = [&whole, &parts].map(|run| fs::read(run.join("checkpoint-6").join(file)).unwrap());
        assert!(a == b, "{file}");
    }
}

/// Their bound is that of images of their classes, and pictures between two images have one class.
#[test]
fn other_commands_tell_the_network_of_classes() {
    let (folder, run) = conditional();
    let out = |name: &str| folder.path().join(name).display().to_string();
    let model = format!("{} --device {}", run.display(), device());
    succeed(&format!("evaluate nll {model} --data shapes --images 1 --stride 10 --out {}", out("nll")));
    succeed(&format!("evaluate progressive {model} --data shapes --images 1 --out {}", out("strip.png")));
    let flags = "--steps 2 --lambdas 0,1";
    succeed(&format!("interpolate {model} --samples 0,1 {flags} --class square --out {}", out("a.png")));
    succeed(&format!("interpolate {model} --samples 0,1 {flags} --class circle --out {}", out("b.png")));
    assert_ne!(fs::read(out("a.png")).unwrap(), fs::read(out("b.png")).unwrap());

    let images = folder.path().join("images");
    fs::create_dir(&images).unwrap();
    image::RgbImage::new(8, 8).save(images.join("0.png")).unwrap();
    let evaluate = |data: &str| {
        fail(&format!("evaluate nll {model} --data folder:{data} --images 1 --out {}", out("none")))
    };
    let error = evaluate(&images.display().to_string());
    assert!(error.contains("is told the class of each image"), "{error}");
    for class in ["cat", "dog"] {
        fs::create_dir(images.join(class)).unwrap();
        image::RgbImage::new(8, 8).save(images.join(class).join("0.png")).unwrap();
    }
    fs::remove_file(images.join("0.png")).unwrap();
    let error = evaluate(&images.display().to_string());
    assert!(error.contains("are not those that the network knows"), "{error}");
}

#[test]
fn classes_that_cannot_be() {
    let (_folder, run) = conditional();
    let error = refused(&run, "--class cat");
    assert!(error.contains("--class cat is none of circle, square, triangle or 0 to 3"), "{error}");
    let error = refused(&run, "--class 4");
    assert!(error.contains("--class 4"), "{error}");
    let error = refused(&run, "--guidance nan");
    assert!(error.contains("--guidance"), "{error}");
    let error = refused(&run.join("checkpoint-6"), "");
    assert!(error.contains("name the classes with --class"), "{error}");
    let (folder, plain) = trained();
    let error = refused(&plain, "--class 0");
    assert!(error.contains("this one is not"), "{error}");

    let images = folder.path().join("images");
    fs::create_dir(&images).unwrap();
    image::RgbImage::new(8, 8).save(images.join("0.png")).unwrap();
    let train = format!("train {} --data folder:{} --steps 1", minute(), images.display());
    let error = fail(&format!("{train} --classes --out {}", folder.path().join("new").display()));
    assert!(error.contains("have no classes"), "{error}");
    let error = fail(&format!("train {} --label-dropout 0.1 --out x", minute()));
    assert!(error.contains("--classes"), "{error}");
    let error = fail(&format!("train {} --classes --label-dropout 2 --out x", minute()));
    assert!(error.contains("--label-dropout"), "{error}");
}
