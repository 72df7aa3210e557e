//! The command line: arguments, progress, messages. One file for each subcommand.

mod device;
mod doctor;
mod evaluate;
mod export;
mod guidance;
mod import;
mod interpolate;
mod interrupt;
mod kernels;
mod neighbours;
mod process;
mod progress;
mod sample;
mod sampler;
mod train;
mod values;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Denoising diffusion with hand-written PTX kernels, on NVIDIA GPUs or on a software CUDA device.
#[derive(Parser)]
#[command(name = "ddpm", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Train(Box<train::Args>),
    Sample(Box<sample::Args>),
    Interpolate(Box<interpolate::Args>),
    Evaluate(Box<evaluate::Args>),
    Import(import::Args),
    Export(export::Args),
    Doctor(doctor::Args),
    Kernels(Box<kernels::Args>),
    Neighbours(neighbours::Args),
}

/// What a command did that is not an error.
enum Outcome {
    Done,
    /// Stopped by Ctrl-C, in good order.
    Interrupted,
}

/// What a shell expects of a program that Ctrl-C ended: 128 and the number of the signal.
const INTERRUPTED: u8 = 130;

/// Runs the command that the process was started with. An error is one sentence on standard error and exit
/// code 1.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return explain(&error),
    };
    let outcome = match cli.command {
        Command::Train(args) => train::run(*args),
        Command::Sample(args) => sample::run(*args),
        Command::Interpolate(args) => interpolate::run(&args),
        Command::Evaluate(args) => evaluate::run(*args),
        Command::Import(args) => import::run(args),
        Command::Export(args) => export::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::Kernels(args) => kernels::run(*args),
        Command::Neighbours(args) => neighbours::run(&args),
    };
    match outcome {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Interrupted) => ExitCode::from(INTERRUPTED),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Prints what was asked for (help, version), or the first paragraph of what is wrong with the arguments.
fn explain(error: &clap::Error) -> ExitCode {
    let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if asked || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        // Nothing is left to do if standard output is closed.
        let _ = error.print();
        return if asked { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let text = error.to_string();
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    eprintln!("{}; see --help", paragraph.split_whitespace().collect::<Vec<_>>().join(" "));
    ExitCode::FAILURE
}
