//! `CU_POINTER_ATTRIBUTE_*`: what an address is.

use crate::abi::{In, Out, Status};
use crate::context::current;
use crate::device::DEVICE;
use crate::error::Code;
use crate::host_memory::is_shared;
use crate::memory::{Allocation, Kind, allocation};

/// `CU_MEMORYTYPE_HOST`, `CU_MEMORYTYPE_DEVICE`.
const HOST: u32 = 1;
const ON_DEVICE: u32 = 2;

fn attribute(value: Out<u8>, which: u32, address: u64) -> Status {
    current()?;
    value.wanted()?;
    let found = allocation(address).ok_or(Code::INVALID_VALUE)?;
    of_allocation(value, which, address, &found)
}

fn of_allocation(value: Out<u8>, which: u32, address: u64, found: &Allocation) -> Status {
    match which {
        1 => value.cast().set(found.context),
        2 => value.cast().set(memory_type(found)),
        3 => value.cast().set(address),
        4 if is_shared(found) => value.cast().set(address),
        // Copies are synchronous whether this is set or not.
        6 => value.cast().set(1i32),
        // A number that no other allocation has.
        7 => value.cast().set(found.address),
        8 => value.cast().set(u8::from(found.kind == Kind::Managed)),
        9 => value.cast().set(DEVICE),
        10 | 15 | 21 => value.cast().set(0u8),
        11 | 19 => value.cast().set(found.address),
        12 | 18 => value.cast().set(found.bytes),
        13 => value.cast().set(1u8),
        14 => value.cast().set(0u64),
        // For reading and writing.
        16 => value.cast().set(3u32),
        17 => match found.kind {
            Kind::Pooled(pool) => value.cast().set(pool),
            _ => value.cast().set(0usize),
        },
        20 => value.cast().set(found.address),
        _ => Err(Code::INVALID_VALUE),
    }
}

fn memory_type(found: &Allocation) -> u32 {
    match found.kind {
        Kind::Pinned(_) | Kind::Registered(_) => HOST,
        Kind::Device | Kind::Pooled(_) | Kind::Managed => ON_DEVICE,
    }
}

/// As [`attribute`], for several; what an address does not have is 0, and an address that is none has nothing.
fn attributes(count: u32, which: In<u32>, values: In<Out<u8>>, address: u64) -> Status {
    current()?;
    let found = allocation(address);
    for index in 0..count as usize {
        let (which, value) = (which.at(index)?, values.at(index)?);
        let known = found.map(|found| of_allocation(value, which, address, &found));
        if !matches!(known, Some(Ok(()))) {
            match which {
                2 | 6 | 16 => value.cast().set(0u32)?,
                8 | 10 | 13 | 15 | 21 => value.cast().set(0u8)?,
                9 => value.cast().set(-2i32)?,
                1 | 3 | 4 | 7 | 11 | 12 | 14 | 17..=20 => value.cast().set(0u64)?,
                _ => return Err(Code::INVALID_VALUE),
            }
        }
    }
    Ok(())
}

fn set_attribute(_value: In<u8>, which: u32, address: u64) -> Status {
    current()?;
    allocation(address).ok_or(Code::INVALID_VALUE)?;
    // Only the synchrony of copies can be set.
    if which == 6 { Ok(()) } else { Err(Code::INVALID_VALUE) }
}

export! {
    cuPointerGetAttribute(value: Out<u8>, which: u32, address: u64) => attribute;
    cuPointerGetAttributes(count: u32, which: In<u32>, values: In<Out<u8>>, address: u64) => attributes;
    cuPointerSetAttribute(value: In<u8>, which: u32, address: u64) => set_attribute;
}
