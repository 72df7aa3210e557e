//! Host memory that the device uses at the same address: pinned and registered.

use crate::abi::{Out, Status};
use crate::capture;
use crate::context::current;
use crate::driver::soft;
use crate::error::Code;
use crate::handle::Handle;
use crate::memory::{Allocation, Kind, add, allocation, check_room, free_if};
use std::alloc::{Layout, alloc_zeroed};

/// As the operating system's pages.
const ALIGN: usize = 4096;
/// `CU_MEMHOSTALLOC_*` and `CU_MEMHOSTREGISTER_*`: for all contexts, mapped, write-combined or of a device, read-only.
const ALL_FLAGS: u32 = 15;

fn layout(bytes: usize) -> Result<Layout, Code> {
    Layout::from_size_align(bytes, ALIGN).map_err(|_| Code::OUT_OF_MEMORY)
}

/// Host memory of this library's, lent to the device.
pub fn allocate(bytes: usize, context: Handle, kind: Kind) -> Result<u64, Code> {
    check_room(bytes)?;
    let layout = layout(bytes)?;
    // SAFETY: the layout is not empty.
    let host = unsafe { alloc_zeroed(layout) };
    if host.is_null() {
        return Err(Code::OUT_OF_MEMORY);
    }
    let address = host.expose_provenance() as u64;
    // SAFETY: the memory is released before it is freed; the program keeps from it what the device uses.
    if !unsafe { soft()?.borrow(host, bytes as u64) } {
        dealloc(address, bytes);
        return Err(Code::OUT_OF_MEMORY);
    }
    add(Allocation { address, bytes, context, kind });
    Ok(address)
}

/// Frees what [`allocate`] made; the device has given it back.
pub fn dealloc(address: u64, bytes: usize) {
    if let Ok(layout) = layout(bytes) {
        let host = std::ptr::with_exposed_provenance_mut::<u8>(address as usize);
        // SAFETY: `allocate` made it with the same layout, and its entry is taken out of the books.
        unsafe { std::alloc::dealloc(host, layout) };
    }
}

fn host_alloc(place: Out<u64>, bytes: usize, flags: u32) -> Status {
    let context = current()?.handle;
    capture::refuse()?;
    let place = place.wanted()?;
    if flags & !ALL_FLAGS != 0 {
        return Err(Code::INVALID_VALUE);
    }
    place.set(allocate(bytes, context, Kind::Pinned(flags))?)
}

fn alloc_host(place: Out<u64>, bytes: usize) -> Status {
    host_alloc(place, bytes, 0)
}

fn free_host(address: u64) -> Status {
    current()?;
    capture::refuse()?;
    free_if(address, |kind| matches!(kind, Kind::Pinned(_)))
}

fn register(address: u64, bytes: usize, flags: u32) -> Status {
    let context = current()?.handle;
    capture::refuse()?;
    if address == 0 || bytes == 0 || flags & !ALL_FLAGS != 0 {
        return Err(Code::INVALID_VALUE);
    }
    let host = std::ptr::with_exposed_provenance_mut::<u8>(address as usize);
    // SAFETY: the program keeps the memory until it is unregistered.
    if !unsafe { soft()?.borrow(host, bytes as u64) } {
        return Err(Code::HOST_MEMORY_ALREADY_REGISTERED);
    }
    add(Allocation { address, bytes, context, kind: Kind::Registered(flags) });
    Ok(())
}

fn unregister(address: u64) -> Status {
    current()?;
    let registered = |kind| matches!(kind, Kind::Registered(_));
    free_if(address, registered).map_err(|_| Code::HOST_MEMORY_NOT_REGISTERED)
}

fn host_memory(address: u64) -> Result<(Allocation, u32), Code> {
    let found = allocation(address).ok_or(Code::INVALID_VALUE)?;
    match found.kind {
        Kind::Pinned(flags) | Kind::Registered(flags) => Ok((found, flags)),
        Kind::Managed => Ok((found, 0)),
        Kind::Device | Kind::Pooled(_) => Err(Code::INVALID_VALUE),
    }
}

fn device_pointer(place: Out<u64>, address: u64, flags: u32) -> Status {
    current()?;
    if flags != 0 {
        return Err(Code::INVALID_VALUE);
    }
    host_memory(address)?;
    place.set(address)
}

fn flags(flags: Out<u32>, address: u64) -> Status {
    current()?;
    flags.set(host_memory(address)?.1)
}

/// Whether host and device have the memory at the same address.
pub fn is_shared(allocation: &Allocation) -> bool {
    !matches!(allocation.kind, Kind::Device | Kind::Pooled(_))
}

export! {
    cuMemHostAlloc(place: Out<u64>, bytes: usize, flags: u32) => host_alloc;
    cuMemAllocHost_v2(place: Out<u64>, bytes: usize) => alloc_host;
    cuMemFreeHost(address: u64) => free_host;
    cuMemHostRegister_v2(address: u64, bytes: usize, flags: u32) => register;
    cuMemHostUnregister(address: u64) => unregister;
    cuMemHostGetDevicePointer_v2(place: Out<u64>, address: u64, flags: u32) => device_pointer;
    cuMemHostGetFlags(place: Out<u32>, address: u64) => flags;
}
