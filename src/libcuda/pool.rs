//! Memory in a stream's order, and the pools that it comes from.

use crate::abi::{In, Out, Status};
use crate::context::current;
use crate::device::check;
use crate::driver::soft;
use crate::error::Code;
use crate::handle::{Handle, Table, fresh, lock};
use crate::memory::{Kind, allocate, free_if, used};
use crate::stream;
use std::sync::{Arc, Mutex, OnceLock};

/// `CU_MEMPOOL_ATTR_*`.
const RELEASE_THRESHOLD: u32 = 4;

static POOLS: Table<Pool> = Table::new();

/// A pool. What is freed goes back to the machine at once, so that it holds only what is in use.
struct Pool {
    /// Whether it belongs to the device and lives as long.
    is_default: bool,
    settings: Mutex<Settings>,
}

#[derive(Clone, Copy)]
struct Settings {
    /// Attributes 1, 2 and 3: when freed memory may be used again.
    reuse: [i32; 3],
    threshold: u64,
    highest: u64,
}

impl Pool {
    fn create(is_default: bool) -> Handle {
        let handle = fresh();
        let settings = Settings { reuse: [1; 3], threshold: 0, highest: 0 };
        POOLS.insert(handle, Pool { is_default, settings: Mutex::new(settings) });
        handle
    }
}

fn default_pool() -> Handle {
    static DEFAULT: OnceLock<Handle> = OnceLock::new();
    *DEFAULT.get_or_init(|| Pool::create(true))
}

/// The pool that plain allocations come from.
static CURRENT: Mutex<Option<Handle>> = Mutex::new(None);

fn current_pool() -> Handle {
    lock(&CURRENT).unwrap_or_else(default_pool)
}

fn find(handle: Handle) -> Result<Arc<Pool>, Code> {
    POOLS.get(handle).map_err(|_| Code::INVALID_VALUE)
}

fn alloc_from(place: Out<u64>, bytes: usize, pool: Handle, stream: Handle) -> Status {
    let stream = stream::find(stream)?;
    let context = stream.context()?;
    let place = place.wanted()?;
    let entry = find(pool)?;
    // A graph's own allocations are not supported.
    stream.refuse_capturing()?;
    place.set(allocate(bytes, context.handle, Kind::Pooled(pool))?)?;
    let mut settings = lock(&entry.settings);
    settings.highest = settings.highest.max(used(pool) as u64);
    Ok(())
}

fn alloc(place: Out<u64>, bytes: usize, stream: Handle) -> Status {
    alloc_from(place, bytes, current_pool(), stream)
}

fn free(address: u64, stream: Handle) -> Status {
    let stream = stream::find(stream)?;
    stream.context()?;
    if address == 0 {
        return Ok(());
    }
    stream.refuse_capturing()?;
    free_if(address, |kind| matches!(kind, Kind::Device | Kind::Pooled(_)))
}

fn default_of(place: Out<Handle>, device: i32) -> Status {
    check(device)?;
    place.set(default_pool())
}

fn pool_of(place: Out<Handle>, device: i32) -> Status {
    check(device)?;
    place.set(current_pool())
}

fn set_pool_of(device: i32, pool: Handle) -> Status {
    check(device)?;
    find(pool)?;
    *lock(&CURRENT) = Some(pool);
    Ok(())
}

/// `properties`: type, handle types, kind of location, …; only the device's own memory.
fn create(place: Out<Handle>, properties: In<[u32; 4]>) -> Status {
    soft()?;
    let place = place.wanted()?;
    let [kind, _, location, ordinal] = properties.get()?;
    if kind != 1 || location != 1 {
        return Err(Code::NOT_SUPPORTED);
    }
    check(ordinal as i32)?;
    place.set(Pool::create(false))
}

fn destroy(handle: Handle) -> Status {
    if find(handle)?.is_default {
        return Err(Code::NOT_PERMITTED);
    }
    lock(&CURRENT).take_if(|current| *current == handle);
    POOLS.remove(handle).map(drop)
}

fn trim(handle: Handle, _keep: usize) -> Status {
    find(handle).map(drop)
}

fn get(handle: Handle, which: u32, value: Out<u8>) -> Status {
    let settings = *lock(&find(handle)?.settings);
    match which {
        1..=3 => value.cast().set(settings.reuse[which as usize - 1]),
        RELEASE_THRESHOLD => value.cast().set(settings.threshold),
        // What it holds, and what of that is in use; now, and at most.
        5 | 7 => value.cast().set(used(handle) as u64),
        6 | 8 => value.cast().set(settings.highest),
        _ => Err(Code::INVALID_VALUE),
    }
}

fn set(handle: Handle, which: u32, value: Out<u8>) -> Status {
    let pool = find(handle)?;
    let mut settings = lock(&pool.settings);
    match which {
        1..=3 => settings.reuse[which as usize - 1] = value.cast().get()?,
        RELEASE_THRESHOLD => settings.threshold = value.cast().get()?,
        6 | 8 if value.cast::<u64>().get()? == 0 => settings.highest = used(handle) as u64,
        _ => return Err(Code::INVALID_VALUE),
    }
    Ok(())
}

/// The one device has access.
fn set_access(handle: Handle, _descriptions: In<[u32; 3]>, _count: usize) -> Status {
    find(handle).map(drop)
}

fn access(flags: Out<u32>, handle: Handle, _location: In<u64>) -> Status {
    find(handle)?;
    // For reading and writing.
    flags.set(3)
}

fn graph_memory(device: i32, which: u32, value: Out<u64>) -> Status {
    check(device)?;
    current()?;
    if which > 3 { Err(Code::INVALID_VALUE) } else { value.set(0) }
}

fn trim_graph_memory(device: i32) -> Status {
    check(device)
}

export! {
    cuMemAllocAsync [cuMemAllocAsync_ptsz] (place: Out<u64>, bytes: usize, stream: Handle) => alloc;
    cuMemAllocFromPoolAsync [cuMemAllocFromPoolAsync_ptsz]
        (place: Out<u64>, bytes: usize, pool: Handle, stream: Handle) => alloc_from;
    cuMemFreeAsync [cuMemFreeAsync_ptsz] (address: u64, stream: Handle) => free;
    cuDeviceGetDefaultMemPool(place: Out<Handle>, device: i32) => default_of;
    cuDeviceGetMemPool(place: Out<Handle>, device: i32) => pool_of;
    cuDeviceSetMemPool(device: i32, pool: Handle) => set_pool_of;
    cuMemPoolCreate(place: Out<Handle>, properties: In<[u32; 4]>) => create;
    cuMemPoolDestroy(pool: Handle) => destroy;
    cuMemPoolTrimTo(pool: Handle, keep: usize) => trim;
    cuMemPoolGetAttribute(pool: Handle, which: u32, value: Out<u8>) => get;
    cuMemPoolSetAttribute(pool: Handle, which: u32, value: Out<u8>) => set;
    cuMemPoolSetAccess(pool: Handle, descriptions: In<[u32; 3]>, count: usize) => set_access;
    cuMemPoolGetAccess(flags: Out<u32>, pool: Handle, location: In<u64>) => access;
    cuDeviceGetGraphMemAttribute(device: i32, which: u32, value: Out<u64>) => graph_memory;
    cuDeviceGraphMemTrim(device: i32) => trim_graph_memory;
}
