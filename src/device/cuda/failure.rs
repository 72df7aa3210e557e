//! A driver call that failed: its name, the code, and what to do about it.

use super::driver::symbol;
use crate::device::DeviceError;
use std::ffi::{CStr, c_char, c_uint};
use std::fmt;

/// A call of the driver that returned an error code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub call: &'static str,
    /// A `CUresult`; codes newer than this program are possible.
    pub code: u32,
}

/// Codes that the program itself acts upon.
pub mod code {
    pub const INVALID_VALUE: u32 = 1;
    pub const OUT_OF_MEMORY: u32 = 2;
    pub const NO_DEVICE: u32 = 100;
    pub const INVALID_IMAGE: u32 = 200;
    pub const NO_BINARY_FOR_GPU: u32 = 209;
    pub const NOT_FOUND: u32 = 500;
    pub const LAUNCH_OUT_OF_RESOURCES: u32 = 701;
    pub const NOT_SUPPORTED: u32 = 801;
    pub const CAPTURE_UNSUPPORTED: u32 = 900;
}

impl Failure {
    /// `Ok` for the code 0.
    pub fn check(call: &'static str, code: u32) -> Result<(), Failure> {
        if code == 0 { Ok(()) } else { Err(Failure { call, code }) }
    }

    /// Whether a kernel that ran is the cause: bad addresses and instructions, traps, the time limit. The
    /// context is lost with it.
    pub fn is_fault(&self) -> bool {
        matches!(self.code, 700 | 702 | 714..=719)
    }

    /// The code in the driver's words, and what to do where that is known.
    pub fn reason(&self) -> String {
        let name = driver_text("cuGetErrorName", self.code).unwrap_or_else(|| "unknown error".into());
        let mut reason = format!("{name} ({})", self.code);
        if let Some(text) = driver_text("cuGetErrorString", self.code) {
            reason = format!("{reason}: {text}");
        }
        match advice(self.code) {
            Some(advice) => format!("{reason}; {advice}"),
            None => reason,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed: {}", self.call, self.reason())
    }
}

impl std::error::Error for Failure {}

impl From<Failure> for DeviceError {
    fn from(failure: Failure) -> DeviceError {
        DeviceError::Driver { call: failure.call, reason: failure.reason() }
    }
}

/// What a person can do about an error.
fn advice(code: u32) -> Option<&'static str> {
    Some(match code {
        2 => "use a smaller batch, or free the card of other programs",
        3 | 4 => "the driver is shutting down or not started",
        34 => {
            "the libcuda that was found is the toolkit's stub; take its stubs folder out of LD_LIBRARY_PATH so \
             that the driver's own libcuda.so.1 is found"
        }
        46 => "another program holds the card alone; see `nvidia-smi -q -d COMPUTE`",
        100 => "the driver sees no card; check `nvidia-smi` and CUDA_VISIBLE_DEVICES",
        101 => "there is no card of this number",
        200 | 209 => "the embedded machine code is for another card",
        218 => "a kernel's PTX is not valid",
        222 => "the driver is too old for the kernels' PTX version 8.0; install driver 525 or newer",
        700 | 714..=719 => {
            "a kernel went wrong and the CUDA context is lost: start the program again, with \
             CUDA_LAUNCH_BLOCKING=1 to learn which kernel, or with --device soft to learn which instruction"
        }
        702 => "a kernel ran into the time limit of a card that drives a display",
        214 => "the card reports an uncorrectable memory error; check `nvidia-smi -q -d ECC`",
        802 => "the card is not ready; on systems with NVSwitch, start nvidia-fabricmanager",
        803 => {
            "libcuda and the kernel module are of different versions; restart the machine, or mount the host's libcuda into the container"
        }
        804 => "the forward-compatibility libcuda does not serve this card; use the driver's own",
        999 => "the driver gives no more detail; see `dmesg`",
        _ => return None,
    })
}

/// What `cuGetErrorName` or `cuGetErrorString` says of a code, if the library has the function and it knows.
fn driver_text(function: &'static str, code: u32) -> Option<String> {
    type Lookup = unsafe extern "C" fn(c_uint, *mut *const c_char) -> c_uint;
    // SAFETY: a failure comes of a call to the library, so that it is present; both have this declaration.
    let lookup: Lookup = unsafe { symbol(function) }.ok()?;
    let mut text = std::ptr::null();
    // SAFETY: `text` is a valid place for the result.
    let status = unsafe { lookup(code, &mut text) };
    if status != 0 || text.is_null() {
        return None;
    }
    // SAFETY: the driver gave a pointer to a constant text that ends in NUL.
    Some(unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}
