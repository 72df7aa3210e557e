//! `ddpm evaluate`: likelihoods and progressive coding of a tiny model.

use super::{command, device, fail, minute, names, succeed, trained};
use std::fs;
use std::path::Path;
use std::process::Stdio;

/// The rows of a table, as numbers, under the header that it should have.
#[track_caller]
fn table(path: &Path, header: &str) -> Vec<Vec<f64>> {
    let text = fs::read_to_string(path).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next().unwrap(), header);
    let number = |word: &str| if word.is_empty() { f64::NAN } else { word.parse().unwrap() };
    lines.map(|line| line.split(',').map(number).collect()).collect()
}

const IMAGES: &str = "image,total,prior,rate,decoder,rmse";
const TIMESTEPS: &str = "t,images,bits,standard_error,rmse";
const RATES: &str = "t,received_steps,rate,rmse";

#[test]
fn likelihoods_add_up() {
    let (folder, run) = trained();
    let out = folder.path().join("nll");
    let subject = format!("{} --data shapes --device {}", run.display(), device());
    let told = succeed(&format!("evaluate nll {subject} --images 3 --batch 7 --out {}", out.display()));
    assert_eq!(names(&out), ["images.csv", "rates.csv", "rates.png", "terms.png", "timesteps.csv"]);
    for words in ["3 images, 20 timesteps", "variance small", "bits/dim", " ± ", "L_T", "L_0", "distortion"]
    {
        assert!(told.contains(words), "{words:?} is not in {told}");
    }
    assert!(!told.contains("estimate"), "{told}");

    let images = table(&out.join("images.csv"), IMAGES);
    let timesteps = table(&out.join("timesteps.csv"), TIMESTEPS);
    let rates = table(&out.join("rates.csv"), RATES);
    assert_eq!((images.len(), timesteps.len(), rates.len()), (3, 20, 20));
    let mean = |column: usize| images.iter().map(|image| image[column]).sum::<f64>() / 3.0;
    for image in &images {
        assert!((image[1] - image[2] - image[3] - image[4]).abs() < 1e-12, "{image:?}");
        assert!(image[2..].iter().all(|number| *number > 0.0), "{image:?}");
    }
    let by_t: f64 = timesteps.iter().map(|row| row[2]).sum();
    assert!((by_t + mean(2) - mean(1)).abs() < 1e-9);
    // The curve begins at x_T with the prior's cost, and ends at x_1 with all but the decoder's.
    assert_eq!((rates[0][0], rates[0][1], rates[19][0], rates[19][1]), (19.0, 1.0, 0.0, 20.0));
    assert!((rates[0][2] - mean(2)).abs() < 1e-12);
    assert!((rates[19][2] - mean(2) - mean(3)).abs() < 1e-9);
    assert!(rates.is_sorted_by(|a, b| a[2] <= b[2]));
}

/// The same bytes at any batch size, and for each image however many come with it.
#[test]
fn an_image_has_its_likelihood_in_any_batch() {
    let (folder, run) = trained();
    let evaluate = |name: &str, flags: &str| {
        let out = folder.path().join(name);
        let subject = format!("{} --data shapes --device {}", run.display(), device());
        succeed(&format!("evaluate nll {subject} {flags} --out {}", out.display()));
        ["images.csv", "timesteps.csv"].map(|file| fs::read_to_string(out.join(file)).unwrap())
    };
    let one = evaluate("one", "--images 3 --batch 1");
    let many = evaluate("many", "--images 3 --batch 64");
    assert_eq!(one, many);
    let fewer = evaluate("fewer", "--images 2 --batch 33");
    assert!(one[0].starts_with(&fewer[0]));
    assert_ne!(one, evaluate("other", "--images 3 --batch 64 --seed 1"));
}

/// With a stride each image has one timestep of each so many, and the output says that it is an estimate.
#[test]
fn an_estimate_says_that_it_is_one() {
    let (folder, run) = trained();
    let out = folder.path().join("nll");
    let subject = format!("{} --data shapes --device {}", run.display(), device());
    let told = succeed(&format!("evaluate nll {subject} --images 6 --stride 5 --out {}", out.display()));
    assert!(told.contains("an estimate: each image has one timestep of every 5"), "{told}");
    let timesteps = table(&out.join("timesteps.csv"), TIMESTEPS);
    assert_eq!(timesteps[0][..2], [0.0, 6.0]);
    // 19 timesteps above the first are four strata.
    assert_eq!(timesteps.iter().map(|row| row[1]).sum::<f64>(), 6.0 * 5.0);
}

/// bf16, a learned variance, and each prediction: all are evaluated.
#[test]
fn every_parameterisation_has_a_likelihood() {
    let folder = tempfile::tempdir().unwrap();
    for (number, flags) in [
        "--predict mean --variance learned --loss vlb",
        "--predict v --variance learned-range --loss hybrid",
        "--predict x0 --variance large",
    ]
    .iter()
    .enumerate()
    {
        let [run, out] = ["run", "nll"].map(|name| folder.path().join(format!("{name}{number}")));
        succeed(&format!("train {} --steps 2 {flags} --out {}", minute(), run.display()));
        let subject = format!("{} --data shapes --dtype bf16 --device {}", run.display(), device());
        succeed(&format!("evaluate nll {subject} --images 1 --out {}", out.display()));
        let images = table(&out.join("images.csv"), IMAGES);
        assert!(images[0].iter().skip(1).all(|number| number.is_finite() && *number > 0.0), "{images:?}");
    }
}

#[test]
fn progressive_coding_draws_what_the_receiver_sees() {
    let (folder, run) = trained();
    let out = folder.path().join("strip.png");
    let subject = format!("{} --data shapes --device {}", run.display(), device());
    let flags = "--images 2 --rates 0.01,0.1,1";
    let told = succeed(&format!("evaluate progressive {subject} {flags} --out {}", out.display()));
    assert!(told.contains("image 1: ") && told.contains("bits/dim, lossless"), "{told}");
    let steps = table(&folder.path().join("strip.csv"), "image,t,received_steps,rate,rmse,step_bits");
    assert_eq!(steps.len(), 40);
    for image in steps.chunks(20) {
        assert!(image.is_sorted_by(|a, b| a[3] <= b[3] && a[1] > b[1]), "{image:?}");
        for (step, next) in image.iter().zip(&image[1..]) {
            assert!((step[3] + step[5] - next[3]).abs() < 1e-9);
        }
    }
    // Three rates, all of it, and the image; two rows.
    let strip = image::open(&out).unwrap();
    assert_eq!((strip.width(), strip.height()), (5 * 136 + 8, 2 * (128 + 36 + 8) + 8));
}

#[test]
fn what_cannot_be_evaluated_is_refused() {
    let (folder, run) = trained();
    let subject = format!("{} --device {}", run.display(), device());
    let out = folder.path().join("out");
    let to = format!("--out {}", out.display());
    for (line, words) in [
        (format!("nll {subject} --data shapes --stride 20 {to}"), "--stride 20 is not from 1 to 19"),
        (format!("nll {subject} --data shapes --images 99999999 {to}"), "--images 99999999 is more than"),
        (format!("nll {subject} --data folder:/nowhere {to}"), "/nowhere"),
        (format!("nll {subject} --data shapes --out {}", run.display()), "already holds files"),
        (format!("nll /nowhere --data shapes {to}"), "/nowhere does not exist"),
        (format!("progressive {subject} --data shapes --rates 1,0.5 {to}"), "--rates"),
    ] {
        let error = fail(&format!("evaluate {line}"));
        assert!(error.contains(words), "{line}: {error}");
    }
    assert!(!out.exists() || names(&out).is_empty());
}

/// Ctrl-C leaves the images that are finished, or nothing.
#[cfg(unix)]
#[test]
fn ctrl_c_leaves_what_is_finished() {
    let (folder, run) = trained();
    let out = folder.path().join("nll");
    let subject = format!("{} --data shapes --device {}", run.display(), device());
    let line = format!("evaluate nll {subject} --images 2000 --batch 1 --out {}", out.display());
    let child = command(line.split_whitespace()).stdout(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_secs(3));
    let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(kill.unwrap().success());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(130), "{said}");
    let finished = if names(&out).is_empty() { 0 } else { table(&out.join("images.csv"), IMAGES).len() };
    assert!(said.contains(&format!("stopped after {finished} of 2000 images")), "{said}");
}
