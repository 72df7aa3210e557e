//! Renders, checks, assembles and embeds the kernels, and generates their launchers.
//!
//! Environment: `PTXAS`, the assembler to use (else the one in `PATH` or `CUDA_HOME/bin`; none is fine), and
//! `DDPM_STRICT=1`, which makes each complaint of the assembler an error.

#[path = "kernels/build/mod.rs"]
mod kernels;
#[allow(dead_code, unused_imports)]
#[path = "src/ptx/mod.rs"]
mod ptx;

use kernels::ptxas::Assembler;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=kernels");
    println!("cargo::rerun-if-changed=build.rs");
    for variable in ["PTXAS", "DDPM_STRICT", "CUDA_HOME"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), String> {
    let root = std::env::var("CARGO_MANIFEST_DIR").map_err(|error| error.to_string())?;
    let out = std::env::var("OUT_DIR").map_err(|error| error.to_string())?;
    let strict = std::env::var("DDPM_STRICT").is_ok_and(|value| value == "1");
    let assembler = Assembler::find()?;
    let outcome =
        kernels::build(&Path::new(&root).join("kernels"), Path::new(&out), assembler.as_ref(), strict)
            .map_err(|error| format!("building the kernels: {error}"))?;
    for warning in &outcome.warnings {
        println!("cargo::warning={warning}");
    }
    if outcome.errors.is_empty() {
        return Ok(());
    }
    let errors: Vec<String> = outcome.errors.iter().map(|error| format!("error: {error}")).collect();
    Err(errors.join("\n"))
}
