//! The driver itself: the one device behind it, made by `cuInit`.

use crate::abi::{Out, Status};
use crate::context::current;
use crate::error::Code;
use ddpm_ptx::device::soft::Soft;
use std::env;
use std::sync::OnceLock;

/// CUDA 13.0.
pub const VERSION: i32 = 13000;

/// The environment variable with the seed of a checked device.
const CHECK: &str = "DDPM_LIBCUDA_CHECK";

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
    let seed = match env::var(CHECK) {
        Ok(seed) => Some(seed.parse().map_err(|_| not_a_seed(&seed))?),
        Err(_) => None,
    };
    SOFT.get_or_init(|| seed.map_or_else(Soft::new, Soft::checked));
    Ok(())
}

fn not_a_seed(text: &str) -> Code {
    eprintln!("libcuda (software device): {CHECK} is {text:?} and must be a seed, a number such as 0");
    Code::INVALID_VALUE
}

fn version(version: Out<i32>) -> Status {
    version.set(VERSION)
}

/// There is no profiler to be told.
fn profile() -> Status {
    current().map(drop)
}

export! {
    cuInit(flags: u32) => init;
    cuProfilerStart() => profile;
    cuProfilerStop() => profile;
    cuDriverGetVersion(place: Out<i32>) => version;
}
