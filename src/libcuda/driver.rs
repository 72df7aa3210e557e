//! The driver itself: the one device behind it, made by `cuInit`.

use crate::abi::{Out, Status};
use crate::error::Code;
use ddpm_ptx::device::soft::Soft;
use std::sync::OnceLock;

/// CUDA 13.0.
pub const VERSION: i32 = 13000;

static SOFT: OnceLock<Soft> = OnceLock::new();

/// The software device.
///
/// # Errors
/// [`Code::NOT_INITIALIZED`] before `cuInit`.
pub fn soft() -> Result<&'static Soft, Code> {
    SOFT.get().ok_or(Code::NOT_INITIALIZED)
}

fn init(flags: u32) -> Status {
    if flags != 0 {
        return Err(Code::INVALID_VALUE);
    }
    SOFT.get_or_init(Soft::new);
    Ok(())
}

fn version(version: Out<i32>) -> Status {
    version.set(VERSION)
}

export! {
    cuInit(flags: u32) => init;
    cuDriverGetVersion(place: Out<i32>) => version;
}
