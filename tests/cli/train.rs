use super::{device, fail, minute, names, succeed, trained};
use ddpm_ptx::checkpoint::{TrainingState, training};
use ddpm_ptx::data::Order;
use std::fs;
use std::path::Path;

/// Every file of a folder by its path in it, with its bytes.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = vec![];
    for name in names(folder) {
        let path = folder.join(&name);
        if path.is_dir() {
            let inner = self::files(&path).into_iter();
            files.extend(inner.map(|(file, bytes)| (format!("{name}/{file}"), bytes)));
        } else {
            files.push((name, fs::read(&path).unwrap()));
        }
    }
    files
}

#[test]
fn a_run_leaves_settings_log_pictures_and_a_checkpoint() {
    let (_folder, run) = trained();
    assert_eq!(names(&run), ["checkpoint-6", "log.jsonl", "loss.png", "run.json", "samples"]);
    assert_eq!(names(&run.join("samples")), ["step-000006.png"]);
    let pipeline = ["model_index.json", "scheduler", "training", "unet"];
    assert_eq!(names(&run.join("checkpoint-6")), pipeline);

    let log = fs::read_to_string(run.join("log.jsonl")).unwrap();
    let entries: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(entries.iter().map(|entry| entry["step"].as_u64().unwrap()).collect::<Vec<_>>(), [2, 4, 6]);
    for entry in &entries {
        for field in ["loss", "grad_norm", "images_per_second", "seconds"] {
            assert!(entry[field].as_f64().unwrap() > 0.0, "{field} of {entry}");
        }
        assert!(entry["lr"].is_number());
    }
    let grid = image::open(run.join("samples/step-000006.png")).unwrap();
    assert_eq!(grid.width(), grid.height());
}

/// The whole checkpoint, byte for byte: weights, averaged weights, moments, counters.
#[test]
fn a_resumed_run_is_the_uninterrupted_run() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, parts) = (folder.path().join("whole"), folder.path().join("parts"));
    succeed(&format!("train {} --steps 6 --out {}", minute(), whole.display()));
    succeed(&format!("train {} --steps 3 --out {}", minute(), parts.display()));
    let resume = format!("train --device {} --steps 6 --resume {}", device(), parts.display());
    succeed(&resume);
    assert_eq!(files(&parts.join("checkpoint-6")), files(&whole.join("checkpoint-6")));
    assert_eq!(
        fs::read(parts.join("samples/step-000006.png")).unwrap(),
        fs::read(whole.join("samples/step-000006.png")).unwrap()
    );
    assert!(fail(&resume).contains("has done its 6 steps"));
}

#[test]
fn seeds_and_data_decide_the_weights() {
    let folder = tempfile::tempdir().unwrap();
    let weights = |name: &str, seed: u32| {
        let run = folder.path().join(name);
        succeed(&format!("train {} --steps 1 --seed {seed} --out {}", minute(), run.display()));
        fs::read(run.join("checkpoint-1/training/state.safetensors")).unwrap()
    };
    let (one, same, other) = (weights("one", 1), weights("same", 1), weights("other", 2));
    assert!(one == same && one != other);
}

#[test]
fn old_checkpoints_go_and_samples_stay() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let flags = minute().replace("--sample-every 0", "--sample-every 2");
    succeed(&format!("train {flags} --steps 5 --checkpoint-every 1 --keep-last 2 --out {}", run.display()));
    assert_eq!(names(&run)[..2], ["checkpoint-4", "checkpoint-5"]);
    assert_eq!(names(&run.join("samples")), ["step-000002.png", "step-000004.png", "step-000005.png"]);
}

#[test]
fn a_run_is_not_overwritten() {
    let (_folder, run) = trained();
    let before = files(&run);
    let error = fail(&format!("train {} --steps 2 --out {}", minute(), run.display()));
    assert!(error.contains("already holds a run") && error.contains("--resume"), "{error}");
    assert!(files(&run) == before);
}

#[test]
fn image_folders_and_cifar_train() {
    let folder = tempfile::tempdir().unwrap();
    let images = folder.path().join("images");
    fs::create_dir(&images).unwrap();
    for shade in 0..5u8 {
        image::RgbImage::from_pixel(20, 12, image::Rgb([40 * shade; 3]))
            .save(images.join(format!("{shade}.png")))
            .unwrap();
    }
    let run = folder.path().join("folder");
    let data = format!("--data folder:{}", images.display());
    succeed(&format!("train {} {data} --steps 2 --out {}", minute(), run.display()));

    fs::write(images.join("data_batch_1.bin"), vec![7; 3073 * 6]).unwrap();
    let run = folder.path().join("cifar");
    let data = format!("--data cifar10:{}", images.display());
    let flags = minute().replace("--size 8", "--size 32").replace("--attention 4", "--attention 16");
    succeed(&format!("train {flags} {data} --steps 1 --out {}", run.display()));
}

/// What was learned before the broken image is not lost, and the run goes on once it is repaired.
#[test]
fn a_broken_image_in_the_middle_of_a_run_leaves_a_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let (images, run) = (folder.path().join("images"), folder.path().join("run"));
    fs::create_dir(&images).unwrap();
    let image = image::RgbImage::from_pixel(8, 8, image::Rgb([90, 60, 30]));
    let paths: Vec<_> = (0..12).map(|number| images.join(format!("{number:02}.png"))).collect();
    paths.iter().for_each(|path| image.save(path).unwrap());
    // The order of the images is the seed's alone: break one of the third batch.
    let broken = &paths[Order::new(12, 4, 0).batch(2)[0]];
    fs::write(broken, "no image").unwrap();

    let data = format!("--data folder:{}", images.display());
    let error = fail(&format!("train {} {data} --steps 4 --out {}", minute(), run.display()));
    assert!(error.contains(&broken.display().to_string()), "{error}");
    assert!(run.join("checkpoint-2").is_dir());
    image.save(broken).unwrap();
    succeed(&format!("train --device {} --resume {}", device(), run.display()));
    assert!(run.join("checkpoint-4").is_dir());
}

/// The entries of a run's log.
fn log(run: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(run.join("log.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A learning rate beyond all reason: the first step is done, and all others are skipped.
#[test]
fn steps_without_finite_gradients_are_skipped_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let flags = minute().replace("--warmup 2", "--warmup 0").replace("--log-every 2", "--log-every 4");
    let told = succeed(&format!("train {flags} --lr 1e38 --clip 0 --steps 4 --out {}", run.display()));
    assert!(told.contains("skipped 3 steps: their gradients were not finite"), "{told}");
    let entries = log(&run);
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["skipped"], 3);
    for field in ["loss", "grad_norm"] {
        assert!(entries[0][field].is_number(), "{field} of {}", entries[0]);
    }
    let resume = format!("train --device {} --resume {} --steps", device(), run.display());
    let error = fail(&format!("{resume} 6"));
    assert!(error.contains("the last 2 steps up to 6 were skipped") && error.contains("--lr"), "{error}");
    let error = fail(&format!("{resume} 60"));
    assert!(error.contains("the last 20 steps up to 24 were skipped"), "{error}");
    assert_eq!(log(&run).len(), 1);
}

/// The number of skipped steps is of the whole run.
#[test]
fn a_resumed_run_counts_its_skipped_steps_on() {
    let (_folder, run) = trained();
    assert!(log(&run).iter().all(|entry| entry["skipped"] == 0));
    let path = run.join("checkpoint-6");
    let (pipeline, state) = training::read(&path).unwrap();
    let state = TrainingState { skipped: 5, ..state };
    training::write(&path, &pipeline.unet, &pipeline.scheduler.unwrap(), &state).unwrap();
    succeed(&format!("train --device {} --steps 8 --resume {}", device(), run.display()));
    assert_eq!(log(&run).last().unwrap()["skipped"], 5);
    assert_eq!(training::read(&run.join("checkpoint-8")).unwrap().1.skipped, 5);
}
