//! What CUDA this machine has. Never panics, whatever is missing.

use super::driver::{Driver, OLDEST_VERSION};
use super::failure::{Failure, code};
use cudarc::driver::sys::{CUdevice, CUdevice_attribute as Attribute};
use std::ffi::{CStr, c_char, c_int};
use std::fmt;

/// The lowest compute capability that the kernels are written for: `.target sm_80`.
pub const OLDEST_CAPABILITY: u32 = 80;

/// Why there is no usable CUDA.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Absent {
    #[error(
        "no NVIDIA driver: libcuda.so.1 was not found in LD_LIBRARY_PATH or the system's library folders; install \
         the driver (525 or newer), or use --device soft"
    )]
    Library,
    #[error(
        "libcuda lacks the function {0}; install an NVIDIA driver 525 or newer (see `nvidia-smi`), or use --device soft"
    )]
    Function(&'static str),
    #[error(
        "the NVIDIA driver is for CUDA {}, and the kernels need {} (driver 525) or newer; update the driver, or use --device soft",
        Version(*version), Version(OLDEST_VERSION)
    )]
    OldDriver { version: i32 },
    #[error(
        "libcuda was found, but no NVIDIA card{}; check `nvidia-smi`, or use --device soft",
        visible_devices()
    )]
    Card,
    #[error("libcuda was found, but {0}")]
    Failed(Failure),
}

impl From<Failure> for Absent {
    fn from(failure: Failure) -> Absent {
        if failure.code == code::NO_DEVICE { Absent::Card } else { Absent::Failed(failure) }
    }
}

/// A CUDA version as the driver numbers it: 12040 is 12.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version(pub i32);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0 / 1000, self.0 % 1000 / 10)
    }
}

/// A card that the driver knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub ordinal: usize,
    /// The maker's name: `NVIDIA H100 80GB HBM3`.
    pub name: String,
    /// Compute capability, 90 for `sm_90`.
    pub capability: u32,
    /// Device memory in bytes.
    pub memory: u64,
    pub multiprocessors: u32,
    /// The most shared memory in bytes that a block can have when it asks for it.
    pub shared_per_block: u32,
    /// The driver's CUDA version.
    pub driver: Version,
    pub(super) pools: bool,
    pub(super) device: CUdevice,
}

impl Found {
    fn new(driver: &Driver, ordinal: usize) -> Result<Found, Failure> {
        let mut device = 0;
        // SAFETY: `device` is a valid place for the result.
        unsafe { driver.cuDeviceGet(&mut device, ordinal as c_int) }?;
        let attribute = |which| attribute(driver, device, which);
        let mut memory = 0;
        // SAFETY: `memory` is a valid place for the result, and the driver gave `device`.
        unsafe { driver.cuDeviceTotalMem_v2(&mut memory, device) }?;
        let major = attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?;
        let minor = attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?;
        Ok(Found {
            ordinal,
            name: name(driver, device)?,
            capability: major * 10 + minor,
            memory: memory as u64,
            multiprocessors: attribute(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?,
            shared_per_block: attribute(Attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)?,
            driver: Version(driver.version),
            pools: attribute(Attribute::CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED)? != 0,
            device,
        })
    }

    /// Whether the kernels can run on it.
    pub fn usable(&self) -> bool {
        self.capability >= OLDEST_CAPABILITY
    }
}

/// `cuda:0 (NVIDIA H100 80GB HBM3, sm_90, driver 12.4)`.
impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cuda:{} ({}, sm_{}, driver {})", self.ordinal, self.name, self.capability, self.driver)
    }
}

/// All cards, in the driver's order (the fastest first, unless CUDA_DEVICE_ORDER says otherwise).
///
/// # Errors
/// Why there is none.
pub fn probe() -> Result<Vec<Found>, Absent> {
    let driver = Driver::open()?;
    let mut count = 0;
    // SAFETY: `count` is a valid place for the result.
    unsafe { driver.cuDeviceGetCount(&mut count) }?;
    if count <= 0 {
        return Err(Absent::Card);
    }
    (0..count as usize).map(|ordinal| Found::new(driver, ordinal).map_err(Absent::from)).collect()
}

fn attribute(driver: &Driver, device: CUdevice, which: Attribute) -> Result<u32, Failure> {
    let mut value = 0;
    // SAFETY: `value` is a valid place for the result, and the driver gave `device`.
    unsafe { driver.cuDeviceGetAttribute(&mut value, which, device) }?;
    Ok(value.max(0) as u32)
}

fn name(driver: &Driver, device: CUdevice) -> Result<String, Failure> {
    let mut text = [0u8; 128];
    // SAFETY: the driver writes at most `len` bytes, and the last byte stays 0.
    unsafe { driver.cuDeviceGetName(text.as_mut_ptr().cast::<c_char>(), text.len() as c_int - 1, device) }?;
    let text = CStr::from_bytes_until_nul(&text).unwrap_or_default();
    Ok(text.to_string_lossy().into_owned())
}

/// A hidden card is the commonest reason for none.
fn visible_devices() -> String {
    match std::env::var("CUDA_VISIBLE_DEVICES") {
        Ok(value) => format!(" (CUDA_VISIBLE_DEVICES is {value:?})"),
        Err(_) => String::new(),
    }
}
