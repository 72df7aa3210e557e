//! The flag `--device`.

use super::progress::say;
use crate::device::{Device, DeviceChoice};
use anyhow::Result;

#[derive(clap::Args)]
pub struct DeviceArg {
    /// Where to compute: auto (a GPU if there is one), soft, check (soft, with all checks), cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    device: DeviceChoice,
}

impl DeviceArg {
    /// Opens the device and says which it is, and why it is no GPU if one was hoped for.
    pub fn open(&self) -> Result<Device> {
        let (device, why_no_gpu) = self.device.open()?;
        say(&format!("device: {}", device.name()));
        if let Some(reason) = why_no_gpu {
            say(&format!("no GPU was taken: {reason}"));
        }
        Ok(device)
    }
}
