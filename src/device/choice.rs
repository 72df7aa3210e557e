//! Which device to use.

use super::{Device, Result};
use std::fmt;
use std::str::FromStr;

/// The value of `--device`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// The first GPU if there is one, else the software device.
    #[default]
    Auto,
    Soft,
    /// The software device with its checks, and the seed of the order in which threads run.
    Check(u64),
    /// The software device with its checks, every launch in so many orders, which must lead to the same.
    Orders(u32),
    Cuda(usize),
}

impl DeviceChoice {
    /// Opens the device. The text says why `auto` did not take a GPU; there is none otherwise.
    ///
    /// # Errors
    /// [`DeviceError::Unavailable`](super::DeviceError::Unavailable) if a GPU was asked for by name and there
    /// is no such one. `auto` always finds a device.
    pub fn open(self) -> Result<(Device, Option<String>)> {
        match self {
            DeviceChoice::Soft => Ok((Device::soft(), None)),
            DeviceChoice::Check(seed) => Ok((Device::checked(seed), None)),
            DeviceChoice::Orders(orders) => Ok((Device::in_orders(orders), None)),
            DeviceChoice::Cuda(ordinal) => Ok((Device::cuda(ordinal)?, None)),
            DeviceChoice::Auto => Ok(match Device::cuda(0) {
                Ok(device) => (device, None),
                Err(error) => (Device::soft(), Some(error.to_string())),
            }),
        }
    }
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(DeviceChoice::Auto),
            "soft" => Ok(DeviceChoice::Soft),
            "check" => Ok(DeviceChoice::Check(0)),
            "cuda" => Ok(DeviceChoice::Cuda(0)),
            _ => numbered(text, "cuda:")
                .map(|ordinal| DeviceChoice::Cuda(ordinal as usize))
                .or_else(|| numbered(text, "check:").map(DeviceChoice::Check))
                .or_else(|| numbered(text, "orders:").map(|count| DeviceChoice::Orders(count as u32)))
                .ok_or_else(|| {
                    format!(
                        "{text:?} is no device; use auto, soft, check, check:SEED, orders:N, cuda or cuda:N"
                    )
                }),
        }
    }
}

/// The number behind `prefix`.
fn numbered(text: &str, prefix: &str) -> Option<u64> {
    text.strip_prefix(prefix)?.parse().ok()
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeviceChoice::Auto => f.write_str("auto"),
            DeviceChoice::Soft => f.write_str("soft"),
            DeviceChoice::Check(seed) => write!(f, "check:{seed}"),
            DeviceChoice::Orders(orders) => write!(f, "orders:{orders}"),
            DeviceChoice::Cuda(ordinal) => write!(f, "cuda:{ordinal}"),
        }
    }
}
