//! The one device: its name, its size, and the context-free questions about it.

use crate::abi::{Out, Status, Text};
use crate::context;
use crate::device_attributes::{CAPABILITY, attribute};
use crate::driver::soft;
use crate::error::Code;
use ddpm_ptx::device::Device;
use std::ffi::c_char;
use std::fs;

/// `CUdevice` of the one device.
pub const DEVICE: i32 = 0;

const PCI_BUS_ID: &str = "0000:00:00.0";

/// Refuses what is not the one device.
///
/// # Errors
/// [`Code::NOT_INITIALIZED`], [`Code::INVALID_DEVICE`].
pub fn check(device: i32) -> Status {
    soft()?;
    if device == DEVICE { Ok(()) } else { Err(Code::INVALID_DEVICE) }
}

fn count(count: Out<i32>) -> Status {
    soft()?;
    count.set(1)
}

fn get(device: Out<i32>, ordinal: i32) -> Status {
    check(ordinal)?;
    device.set(ordinal)
}

fn name(text: Out<c_char>, room: i32, device: i32) -> Status {
    check(device)?;
    let name = format!("Software CUDA device, {}", Device::from(soft()?.clone()).name());
    set_text(text, room, &name)
}

/// Writes as much of a text as there is room for, and its NUL.
pub fn set_text(place: Out<c_char>, room: i32, text: &str) -> Status {
    let room = usize::try_from(room).ok().and_then(|room| room.checked_sub(1)).ok_or(Code::INVALID_VALUE)?;
    let mut bytes: Vec<c_char> = text.bytes().take(room).map(|byte| byte as c_char).collect();
    bytes.push(0);
    place.set_all(&bytes)
}

/// The same on every machine: a program that tells devices apart by it finds one.
fn uuid(uuid: Out<[u8; 16]>, device: i32) -> Status {
    check(device)?;
    uuid.set(*b"ddpm-ptx-soft\0\0\0")
}

fn luid(luid: Out<u64>, mask: Out<u32>, device: i32) -> Status {
    check(device)?;
    luid.set(0)?;
    mask.set(0)
}

/// Memory of the machine in bytes, in all and free.
pub fn memory() -> (u64, u64) {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    // What is not known is taken to be plenty.
    let total = line("MemTotal:").unwrap_or(64 << 20);
    (total << 10, line("MemAvailable:").unwrap_or(total) << 10)
}

fn total_memory(bytes: Out<usize>, device: i32) -> Status {
    check(device)?;
    bytes.set(memory().0 as usize)
}

fn get_attribute(value: Out<i32>, which: u32, device: i32) -> Status {
    check(device)?;
    value.set(attribute(which)?)
}

fn capability(major: Out<i32>, minor: Out<i32>, device: i32) -> Status {
    check(device)?;
    major.set(CAPABILITY / 10)?;
    minor.set(CAPABILITY % 10)
}

/// `CUdevprop`: the first CUDA's attributes.
#[repr(C)]
pub struct Properties([i32; 14]);

fn properties(properties: Out<Properties>, device: i32) -> Status {
    check(device)?;
    // Threads, block x y z, grid x y z, shared, constant, warp, pitch, registers, clock, texture alignment.
    let numbers = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14];
    let mut values = [0; 14];
    for (value, number) in values.iter_mut().zip(numbers) {
        *value = attribute(number)?;
    }
    properties.set(Properties(values))
}

fn bus_id(text: Out<c_char>, room: i32, device: i32) -> Status {
    check(device)?;
    set_text(text, room, PCI_BUS_ID)
}

fn by_bus_id(device: Out<i32>, text: Text) -> Status {
    soft()?;
    if text.get()? == PCI_BUS_ID { device.set(DEVICE) } else { Err(Code::INVALID_DEVICE) }
}

fn can_access_peer(can: Out<i32>, device: i32, other: i32) -> Status {
    check(device)?;
    check(other)?;
    can.set(0)
}

fn peer_attribute(value: Out<i32>, _which: u32, device: i32, other: i32) -> Status {
    check(device)?;
    check(other)?;
    // A device is no peer of itself.
    value.wanted()?;
    Err(Code::INVALID_DEVICE)
}

fn affinity(supported: Out<i32>, _kind: u32, device: i32) -> Status {
    check(device)?;
    supported.set(0)
}

/// Nothing is cached behind the program's back.
fn flush_writes(_target: u32, _scope: u32) -> Status {
    context::current().map(drop)
}

export! {
    cuDeviceGetCount(place: Out<i32>) => count;
    cuDeviceGet(device: Out<i32>, ordinal: i32) => get;
    cuDeviceGetName(text: Out<c_char>, room: i32, device: i32) => name;
    cuDeviceGetUuid(place: Out<[u8; 16]>, device: i32) => uuid;
    cuDeviceGetUuid_v2(place: Out<[u8; 16]>, device: i32) => uuid;
    cuDeviceGetLuid(place: Out<u64>, mask: Out<u32>, device: i32) => luid;
    cuDeviceTotalMem_v2(bytes: Out<usize>, device: i32) => total_memory;
    cuDeviceGetAttribute(value: Out<i32>, which: u32, device: i32) => get_attribute;
    cuDeviceComputeCapability(major: Out<i32>, minor: Out<i32>, device: i32) => capability;
    cuDeviceGetProperties(place: Out<Properties>, device: i32) => properties;
    cuDeviceGetPCIBusId(text: Out<c_char>, room: i32, device: i32) => bus_id;
    cuDeviceGetByPCIBusId(device: Out<i32>, text: Text) => by_bus_id;
    cuDeviceCanAccessPeer(can: Out<i32>, device: i32, other: i32) => can_access_peer;
    cuDeviceGetP2PAttribute(value: Out<i32>, which: u32, device: i32, other: i32) => peer_attribute;
    cuDeviceGetExecAffinitySupport(supported: Out<i32>, kind: u32, device: i32) => affinity;
    cuFlushGPUDirectRDMAWrites(target: u32, scope: u32) => flush_writes;
}
