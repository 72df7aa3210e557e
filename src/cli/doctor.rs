//! `ddpm doctor`.

use super::Outcome;
use super::progress::say;
use crate::device::{DeviceChoice, report};
use crate::kernels::ALL;
use anyhow::{Result, ensure};

/// Show the devices of this machine, whether every kernel loads on them, and what --device auto takes
#[derive(clap::Args)]
pub struct Args {}

pub fn run(Args {}: Args) -> Result<Outcome> {
    let report = report(ALL);
    say(report.to_string().trim_end());
    say(&format!("--device auto takes {}", DeviceChoice::Auto.open()?.0.name()));
    ensure!(report.is_well(), "not every kernel loads on every device");
    Ok(Outcome::Done)
}
