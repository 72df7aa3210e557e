//! The device under test.

use ddpm_ptx::device::soft::{Check, Options, Soft};
use ddpm_ptx::device::{Buffer, Device, DeviceChoice};
use std::sync::OnceLock;

/// The test binary.
const CRATE: &str = env!("CARGO_CRATE_NAME");

/// The device that the environment variable `DDPM_DEVICE` names; if it is not set the software device with all its
/// checks, in the tests of orders in eight orders. All tests of a binary share it, but one that checks, which works on
/// one thread, is made for each test.
pub fn device() -> Device {
    static SHARED: OnceLock<Option<Device>> = OnceLock::new();
    thread_local!(static OWN: Device = open(choice()));
    let shared = SHARED.get_or_init(|| {
        let choice = choice();
        let checks = matches!(choice, DeviceChoice::Check(_) | DeviceChoice::Orders(_));
        (!checks).then(|| open(choice))
    });
    shared.clone().unwrap_or_else(|| OWN.with(Device::clone))
}

fn choice() -> DeviceChoice {
    let usual = if CRATE == "orders" { "orders:8" } else { "check" };
    let name = std::env::var("DDPM_DEVICE").unwrap_or_else(|_| usual.into());
    name.parse().unwrap_or_else(|error| panic!("DDPM_DEVICE={name}: {error}"))
}

fn open(choice: DeviceChoice) -> Device {
    // Our kernels have no lints; a test of all opcodes does what is questionable, too.
    let check = Check { strict: CRATE != "opcodes", ..Check::default() };
    let checked = |check| Soft::with(Options::checked(check)).into();
    match choice {
        DeviceChoice::Check(seed) => checked(Check { seed, ..check }),
        DeviceChoice::Orders(orders) => checked(Check { orders, ..check }),
        _ => Device::open(choice).unwrap_or_else(|error| panic!("DDPM_DEVICE={choice}: {error}")),
    }
}

/// Memory for `len` f32 elements, every one a NaN and not to be read: what a kernel forgets to write is seen.
pub fn poisoned(len: usize) -> Buffer {
    let buffer = device().alloc::<f32>(len).unwrap();
    buffer.poison().unwrap();
    buffer
}
