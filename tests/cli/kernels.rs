//! The list of kernels, their counts, and the hot spots of one.

use super::{fail, succeed};
use ddpm_ptx::kernels::ALL;
use serde_json::Value;
use std::fs;

#[test]
fn every_kernel_is_listed_with_its_formula() {
    let list = succeed("kernels");
    for kernel in ALL {
        assert!(list.lines().any(|line| line.trim_start().starts_with(kernel.entry)), "{}", kernel.entry);
    }
    assert!(list.contains("p_ij = exp(s_ij - lse_i)"), "{list}");
    assert!(list.ends_with(&format!("{} kernels\n", ALL.len())));
}

#[test]
fn counts_of_a_step() {
    let table = succeed("kernels --count --batch 2 --chip a100");
    assert!(
        table.starts_with(
            "One training step and one sampling step of shapes16 with 2 images, modelled on A100"
        )
    );
    assert!(table.lines().any(|line| line.starts_with("bf16_wgrad_")), "{table}");

    let json: Value = serde_json::from_str(&succeed("kernels --count --batch 2 --json")).unwrap();
    let kernels = json["kernels"].as_array().unwrap();
    let seconds: Vec<f64> = kernels.iter().map(|kernel| kernel["seconds"].as_f64().unwrap()).collect();
    assert!(seconds.is_sorted_by(|a, b| a >= b), "{seconds:?}");
    let adam = kernels.iter().find(|kernel| kernel["entry"] == "adam").unwrap();
    assert_eq!((adam["launches"].as_u64(), adam["bound"].as_str()), (Some(1), Some("DRAM")));
    // Gradients, two moments, weights and average are read; all but the gradients are written, and the rounded copy.
    let (read, written) = (adam["read_bytes"].as_u64().unwrap(), adam["written_bytes"].as_u64().unwrap());
    assert_eq!((read - 32) * 18, written * 20);
}

#[test]
fn hot_spots() {
    let text = succeed("kernels show silu --batch 1");
    let line = text.lines().find(|line| line.contains("ex2.approx")).unwrap();
    assert!(line.starts_with('*') && line.contains("100%"), "{line}");
    assert!(succeed("kernels show fprop_any_128x4").contains("none: the network has no use for it"));

    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("silu.html");
    succeed(&format!("kernels show silu --batch 1 --html {}", page.display()));
    let page = fs::read_to_string(page).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.contains("ex2.approx"), "{page}");
}

#[test]
fn times_of_a_step() {
    let table = succeed("kernels time --batch 1 --device soft");
    assert!(table.contains("One training step of shapes16 with 1 image on soft"), "{table}");
    let share = |line: &str| line.strip_suffix('%')?.split_whitespace().last()?.parse::<f64>().ok();
    let shares: Vec<f64> = table.lines().filter_map(share).collect();
    assert!(shares.is_sorted_by(|a, b| a >= b) && shares.len() > 10, "{table}");
    assert!((shares.iter().sum::<f64>() - 100.0).abs() < 0.1 * shares.len() as f64, "{table}");
}

#[test]
fn names_that_are_not() {
    let error = fail("kernels show fprop_64x46");
    assert!(error.contains("fprop_64x46") && error.contains("fprop_64x64"), "{error}");
    assert!(fail("kernels --count --chip v100").contains("h100"));
    assert!(fail("kernels --json").contains("--count"));
    let file = tempfile::NamedTempFile::new().unwrap();
    let nowhere = format!("{}/page.html", file.path().display());
    let error = fail(&format!("kernels show silu --html {nowhere}"));
    assert!(error.contains(&nowhere), "{error}");
}
