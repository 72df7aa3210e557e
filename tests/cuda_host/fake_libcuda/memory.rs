//! Device and pinned memory, copies and filling.

use crate::state::{INVALID_VALUE, MEMORY_BYTES, Work, enter, give, note, status};
use std::ffi::{c_int, c_uint};

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemGetInfo_v2(free: *mut usize, total: *mut usize) -> c_uint {
    status(enter("cuMemGetInfo_v2").map(|mut entered| {
        let used: usize = entered.state().memory.values().map(Vec::len).sum();
        unsafe { give(free, MEMORY_BYTES - used) };
        unsafe { give(total, MEMORY_BYTES) }
    }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemAlloc_v2(address: *mut u64, bytes: usize) -> c_uint {
    status(enter("cuMemAlloc_v2").and_then(|mut entered| {
        note(&format!("alloc {bytes}"));
        entered.state().alloc(bytes).map(|found| unsafe { give(address, found) })
    }))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemFree_v2(address: u64) -> c_uint {
    status(enter("cuMemFree_v2").map(|mut entered| {
        let state = entered.state();
        // The driver would wait here; the host code must not rely on it, because others' may not.
        note(&format!("free with {} works queued", state.queued.len()));
        state.free(address)
    }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemAllocAsync(address: *mut u64, bytes: usize, stream: usize) -> c_uint {
    status(enter("cuMemAllocAsync").and_then(|mut entered| {
        note(&format!("alloc {bytes} on stream {stream}"));
        entered.state().alloc(bytes).map(|found| unsafe { give(address, found) })
    }))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemFreeAsync(address: u64, stream: usize) -> c_uint {
    status(enter("cuMemFreeAsync").map(|mut entered| {
        note(&format!("free on stream {stream}"));
        let state = entered.state();
        state.work_until(None);
        state.free(address)
    }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGetDefaultMemPool(pool: *mut usize, _device: c_int) -> c_uint {
    unsafe { give(pool, 77) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemPoolSetAttribute(pool: usize, which: c_int, value: *const u64) -> c_uint {
    note(&format!("pool {pool} attribute {which} = {}", unsafe { value.read() }));
    0
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemHostAlloc(host: *mut *mut u8, bytes: usize, flags: c_uint) -> c_uint {
    status(enter("cuMemHostAlloc").map(|mut entered| {
        note(&format!("pin {bytes} flags {flags}"));
        let mut memory = vec![0; bytes];
        let place = memory.as_mut_ptr();
        entered.state().pinned.insert(place as usize, memory);
        unsafe { give(host, place) }
    }))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemFreeHost(host: usize) -> c_uint {
    status(
        enter("cuMemFreeHost").map(|mut entered| {
            if entered.state().pinned.remove(&host).is_some() { 0 } else { INVALID_VALUE }
        }),
    )
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemcpyHtoDAsync_v2(address: u64, host: usize, bytes: usize, stream: usize) -> c_uint {
    status(enter("cuMemcpyHtoDAsync_v2").map(|mut entered| {
        let state = entered.state();
        if state.bytes(address, bytes).is_none() {
            return INVALID_VALUE;
        }
        note(&format!("copy {bytes} to {address:#x} on stream {stream}"));
        state.queued.push(Work::ToDevice { address, host, bytes });
        0
    }))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemcpyDtoHAsync_v2(host: usize, address: u64, bytes: usize, stream: usize) -> c_uint {
    status(enter("cuMemcpyDtoHAsync_v2").map(|mut entered| {
        let state = entered.state();
        if state.bytes(address, bytes).is_none() {
            return INVALID_VALUE;
        }
        note(&format!("copy {bytes} from {address:#x} on stream {stream}"));
        state.queued.push(Work::ToHost { host, address, bytes });
        0
    }))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemsetD8Async(address: u64, byte: u8, bytes: usize, stream: usize) -> c_uint {
    status(enter("cuMemsetD8Async").map(|mut entered| {
        let state = entered.state();
        if state.bytes(address, bytes).is_none() {
            return INVALID_VALUE;
        }
        note(&format!("fill {bytes} at {address:#x} with {byte} on stream {stream}"));
        state.queued.push(Work::Fill { address, byte, bytes });
        0
    }))
}
