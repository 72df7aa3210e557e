//! `ddpm kernels`.

mod list;
mod listing;
mod name;
mod page;
mod show;
mod table;
mod time;

use super::Outcome;
use super::device::DeviceArg;
use crate::device::model::Chip;
use crate::device::soft::count::KernelCounts;
use crate::nn::Precision;
use crate::run::{Preset, Settings};
use crate::survey::{rows, survey, timings};
use anyhow::Result;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use std::io::{self, Write};
use std::path::PathBuf;

/// List the embedded kernels, or count what they do in a training step and a sampling step
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// Count instructions, memory traffic and time on a chip
    #[arg(long)]
    count: bool,
    /// Print the counts as JSON
    #[arg(long, requires = "count")]
    json: bool,
    #[command(flatten)]
    steps: Steps,
}

#[derive(clap::Subcommand)]
enum Command {
    Show(ShowArgs),
    Time(TimeArgs),
}

/// Print a kernel's PTX with what each line did
#[derive(clap::Args)]
struct ShowArgs {
    /// The kernel's entry, as `ddpm kernels` lists it
    name: String,
    /// Write a page for a browser instead
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    #[command(flatten)]
    steps: Steps,
}

/// Measure how long each kernel of a training step takes on a device
#[derive(clap::Args)]
struct TimeArgs {
    #[command(flatten)]
    workload: Workload,
    #[command(flatten)]
    device: DeviceArg,
}

/// Whose steps are looked at.
#[derive(clap::Args)]
struct Workload {
    /// Network of the steps
    #[arg(long, value_name = "NAME", default_value = "shapes16")]
    preset: Preset,
    /// Images of a step
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=65_535))]
    batch: u32,
    /// What the network computes in: bf16 on tensor cores, or f32
    #[arg(long, value_enum, default_value_t = Precision::Bf16)]
    dtype: Precision,
}

/// What is counted, and for which chip.
#[derive(clap::Args)]
struct Steps {
    #[command(flatten)]
    workload: Workload,
    /// Chip whose time is modelled
    #[arg(long, value_name = "CHIP", default_value = "h100", value_parser = chip_parser())]
    chip: Chip,
}

fn chip_parser() -> impl TypedValueParser<Value = Chip> {
    let chips = Chip::ALL.map(|chip| PossibleValue::new(chip.name).help(chip.title));
    PossibleValuesParser::new(chips).map(|name| Chip::named(&name).expect("one of the possible values"))
}

impl Workload {
    fn settings(&self) -> Settings {
        // No image is read.
        let data = self.preset.source().unwrap_or(crate::data::Source::Shapes);
        Settings { batch: self.batch as usize, dtype: self.dtype, ..self.preset.settings(data) }
    }

    /// The network and the images, in a phrase.
    fn name(&self) -> String {
        let Workload { preset, batch, .. } = self;
        let images = if *batch == 1 { "image" } else { "images" };
        format!("{} with {batch} {images}", preset.name())
    }
}

impl Steps {
    fn count(&self) -> Result<Vec<KernelCounts>> {
        survey(&self.workload.settings())
    }

    /// What was counted, in a phrase.
    fn what(&self) -> String {
        format!("one training step and one sampling step of {}", self.workload.name())
    }
}

pub fn run(Args { command, count, json, steps }: Args) -> Result<Outcome> {
    match command {
        Some(Command::Show(ShowArgs { name, html, steps })) => show::show(&name, html.as_deref(), &steps)?,
        Some(Command::Time(TimeArgs { workload, device })) => {
            let device = device.open()?;
            print(&time::table(&timings(&device, &workload.settings())?, &workload, &device.name()))?;
        }
        None if count => {
            let rows = rows(&steps.count()?, &steps.chip);
            print(&if json { table::json(&rows, &steps)? } else { table::table(&rows, &steps) })?;
        }
        None => print(&list::list())?,
    }
    Ok(Outcome::Done)
}

/// Writes to standard output. A reader that has seen enough, `head` say, is no error.
fn print(text: &str) -> io::Result<()> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
