//! The program as a user meets it: commands in, files and one-sentence errors out.

mod check;
mod classes;
mod errors;
mod evaluate;
mod interchange;
mod interrupt;
mod kernels;
mod neighbours;
mod objective;
mod process;
mod sample;
mod train;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// The program with arguments, on the software device unless they name another.
fn command<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ddpm"));
    command.args(arguments);
    command
}

fn run<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Output {
    command(arguments).output().unwrap()
}

/// Runs a command that must succeed, and gives its standard output.
#[track_caller]
fn succeed(line: &str) -> String {
    let output = run(line.split_whitespace());
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{line}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a command that must fail with exit code 1 and one line on standard error, and gives that line.
#[track_caller]
fn fail(line: &str) -> String {
    let output = run(line.split_whitespace());
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{line}: {errors}");
    assert_eq!(errors.lines().count(), 1, "{line}: {errors}");
    assert!(errors.starts_with("error: "), "{line}: {errors}");
    assert!(!errors.contains("panicked"), "{line}: {errors}");
    errors
}

/// The device that tests are run on.
fn device() -> String {
    std::env::var("DDPM_DEVICE").unwrap_or_else(|_| "soft".into())
}

/// Flags of a network that trains in moments.
fn minute() -> String {
    let network = "--size 8 --channels 8,16 --attention 4 --layers 1 --groups 4 --dropout 0.1 --timesteps 20";
    format!(
        "{network} --batch 4 --warmup 2 --decay constant --flip --log-every 2 --sample-every 0 --device {}",
        device()
    )
}

/// A folder in which there is a run of six steps.
fn trained() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    succeed(&format!("train {} --steps 6 --out {}", minute(), path.display()));
    (folder, path)
}

/// Names of what is in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
