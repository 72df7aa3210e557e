//! The device under test.

use ddpm_ptx::device::soft::{Check, Options, Soft};
use ddpm_ptx::device::{Buffer, Device, DeviceChoice};
use std::sync::OnceLock;

/// The device that the environment variable `DDPM_DEVICE` names; if it is not set the software device with all
/// its checks. All tests of a binary share it.
pub fn device() -> Device {
    static DEVICE: OnceLock<Device> = OnceLock::new();
    DEVICE.get_or_init(open).clone()
}

fn open() -> Device {
    let name = std::env::var("DDPM_DEVICE").unwrap_or_else(|_| "check".into());
    let choice: DeviceChoice = name.parse().expect("DDPM_DEVICE");
    match choice {
        DeviceChoice::Check(seed) => {
            // Our kernels have no lints; a test of all opcodes does what is questionable, too.
            let strict = env!("CARGO_CRATE_NAME") != "opcodes";
            Soft::with(Options { check: Some(Check { seed, strict }), ..Options::default() }).into()
        }
        _ => Device::open(choice).unwrap_or_else(|error| panic!("DDPM_DEVICE={name}: {error}")),
    }
}

/// Memory for `len` f32 elements, every one a NaN and not to be read: what a kernel forgets to write is seen.
pub fn poisoned(len: usize) -> Buffer {
    let buffer = device().alloc::<f32>(len).unwrap();
    buffer.poison().unwrap();
    buffer
}
