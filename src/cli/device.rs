//! The flag `--device`.

use super::progress::say;
use crate::device::{Device, DeviceChoice};
use anyhow::{Result, bail};

#[derive(clap::Args)]
pub struct DeviceArg {
    /// Where to compute: auto (a GPU if there is one), soft, check (soft, with all checks), cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    device: DeviceChoice,
    /// Look for mistakes of the kernels while they run, on the software device: several times slower
    #[arg(long)]
    check: bool,
}

impl DeviceArg {
    /// Opens the device and says which it is, and why it is no GPU if one was hoped for.
    pub fn open(&self) -> Result<Device> {
        let (device, why_no_gpu) = self.choice()?.open()?;
        say(&format!("device: {}", device.name()));
        if let Some(reason) = why_no_gpu {
            say(&format!("no GPU was taken: {reason}"));
        }
        Ok(device)
    }

    fn choice(&self) -> Result<DeviceChoice> {
        match self.device {
            choice if !self.check => Ok(choice),
            DeviceChoice::Auto | DeviceChoice::Soft => Ok(DeviceChoice::Check(0)),
            choice @ (DeviceChoice::Check(_) | DeviceChoice::Orders(_)) => Ok(choice),
            choice @ DeviceChoice::Cuda(_) => {
                bail!("--check is for the software device and not for {choice}; leave one of them out")
            }
        }
    }
}

/// Tells of what is questionable in the kernels that ran, if the device looked for that.
pub fn tell_lints(device: &Device) {
    device.take_lints().iter().for_each(|lint| say(&lint.to_string()));
}
