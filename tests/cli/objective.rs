//! `ddpm train --predict … --variance … --loss …`: Table 2 of the paper, and what came after.

use super::{device, fail, minute, succeed};
use std::fs;
use std::path::Path;

/// A JSON file of a run.
fn json(path: &Path) -> serde_json::Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Trains for two steps with flags, and gives the last entry of the log and the checkpoint's scheduler.
fn trained(flags: &str) -> (serde_json::Value, serde_json::Value) {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    succeed(&format!("train {} --steps 2 {flags} --out {}", minute(), run.display()));
    let log = fs::read_to_string(run.join("log.jsonl")).unwrap();
    let entry = serde_json::from_str(log.lines().last().unwrap()).unwrap();
    (entry, json(&run.join("checkpoint-2/scheduler/scheduler_config.json")))
}

/// The rows of Table 2 and its columns, x_0 and v besides, and the hybrid objective.
#[test]
fn every_objective_trains() {
    for (predict, prediction) in
        [("eps", "epsilon"), ("x0", "sample"), ("mean", "mean"), ("v", "v_prediction")]
    {
        for (rest, variance) in [
            ("--variance learned --loss vlb", "learned"),
            ("--variance small --loss vlb", "fixed_small"),
            ("--variance large --loss vlb", "fixed_large"),
            ("--variance large --loss simple", "fixed_large"),
            ("--variance learned-range --loss hybrid", "learned_range"),
        ] {
            let flags = format!("--predict {predict} {rest}");
            let (entry, scheduler) = trained(&flags);
            assert_eq!(scheduler["prediction_type"], prediction, "{flags}");
            assert_eq!(scheduler["variance_type"], variance, "{flags}");
            assert!(entry["loss"].as_f64().unwrap() > 0.0, "{flags}: {entry}");
            assert!(entry["grad_norm"].as_f64().unwrap() > 0.0, "{flags}: {entry}");
            assert_eq!(entry["skipped"], 0, "{flags}: {entry}");
        }
    }
}

#[test]
fn contradictions_are_refused() {
    for (flags, words) in [
        ("--variance learned", "--loss simple does not train a learned variance"),
        ("--variance learned-range --loss simple", "--loss hybrid or --loss vlb"),
        ("--loss hybrid", "--variance learned-range"),
        ("--predict noise", "--predict"),
    ] {
        let error = fail(&format!("train {} --steps 1 {flags}", minute()));
        assert!(error.contains(words), "{flags}: {error}");
    }
}

/// The objective is one of the settings of a run: resuming does not ask for it, and changes nothing.
#[test]
fn a_resumed_run_keeps_its_objective() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, parts) = (folder.path().join("whole"), folder.path().join("parts"));
    let flags = format!("{} --variance learned-range --loss hybrid --dtype bf16", minute());
    succeed(&format!("train {flags} --steps 4 --out {}", whole.display()));
    succeed(&format!("train {flags} --steps 2 --out {}", parts.display()));
    assert_eq!(json(&parts.join("run.json"))["objective"]["loss"], "hybrid");
    succeed(&format!("train --device {} --steps 4 --resume {}", device(), parts.display()));
    let state = "checkpoint-4/training/state.safetensors";
    assert!(fs::read(whole.join(state)).unwrap() == fs::read(parts.join(state)).unwrap());
}

/// Settings that were written before there were objectives.
#[test]
fn runs_of_old_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    succeed(&format!("train {} --steps 2 --out {}", minute(), run.display()));
    let mut settings = json(&run.join("run.json"));
    settings.as_object_mut().unwrap().remove("objective").unwrap();
    settings["diffusion"].as_object_mut().unwrap().remove("prediction_type").unwrap();
    fs::write(run.join("run.json"), settings.to_string()).unwrap();
    succeed(&format!("train --device {} --steps 3 --resume {}", device(), run.display()));
}
