//! Allocations of every kind, and device and managed memory.

use crate::abi::{In, Out, Status};
use crate::context::current;
use crate::driver::soft;
use crate::error::Code;
use crate::handle::{Handle, lock};
use crate::host_memory;
use crate::{capture, device, stream};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// Rows of pitched memory begin at multiples of this.
const PITCH: usize = 512;
/// Allocations smaller than this are not held against what the machine has free.
const SMALL: usize = 64 << 20;

static ALLOCATIONS: Mutex<BTreeMap<u64, Allocation>> = Mutex::new(BTreeMap::new());

/// Memory that a program has asked for.
#[derive(Clone, Copy)]
pub struct Allocation {
    pub address: u64,
    pub bytes: usize,
    pub context: Handle,
    pub kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Device,
    /// From a pool, 0 for the device's own.
    Pooled(Handle),
    /// Host memory of this library's that both sides use at the same address.
    Managed,
    /// The same, for the host in the first place, with its flags.
    Pinned(u32),
    /// The program's own host memory, with its flags.
    Registered(u32),
}

/// Notes an allocation.
pub fn add(allocation: Allocation) {
    lock(&ALLOCATIONS).insert(allocation.address, allocation);
}

/// The allocation that an address lies in.
pub fn allocation(address: u64) -> Option<Allocation> {
    let allocations = lock(&ALLOCATIONS);
    let (_, found) = allocations.range(..=address).next_back()?;
    (address - found.address < found.bytes as u64).then_some(*found)
}

/// Bytes that are allocated from a pool.
pub fn used(pool: Handle) -> usize {
    let allocations = lock(&ALLOCATIONS);
    allocations.values().filter(|found| found.kind == Kind::Pooled(pool)).map(|found| found.bytes).sum()
}

/// Frees the allocation at `address` if `expected` holds for its kind.
pub fn free_if(address: u64, expected: impl Fn(Kind) -> bool) -> Status {
    let mut allocations = lock(&ALLOCATIONS);
    let found = *allocations.get(&address).filter(|found| expected(found.kind)).ok_or(Code::INVALID_VALUE)?;
    allocations.remove(&address);
    drop(allocations);
    give_back(&found)
}

fn give_back(allocation: &Allocation) -> Status {
    soft()?.release(allocation.address);
    if matches!(allocation.kind, Kind::Managed | Kind::Pinned(_)) {
        host_memory::dealloc(allocation.address, allocation.bytes);
    }
    Ok(())
}

/// Frees what is left in a context.
pub fn free_all(context: Handle) {
    let mut allocations = lock(&ALLOCATIONS);
    let doomed: Vec<_> = allocations.values().filter(|found| found.context == context).copied().collect();
    allocations.retain(|_, found| found.context != context);
    drop(allocations);
    for allocation in &doomed {
        let _ = give_back(allocation);
    }
}

/// Refuses more than the machine has: the operating system would grant it, and end the program when it is used.
pub fn check_room(bytes: usize) -> Status {
    if bytes == 0 {
        return Err(Code::INVALID_VALUE);
    }
    let fits = bytes < SMALL || bytes as u64 <= device::memory().1;
    if fits { Ok(()) } else { Err(Code::OUT_OF_MEMORY) }
}

/// Device memory.
pub fn allocate(bytes: usize, context: Handle, kind: Kind) -> Result<u64, Code> {
    check_room(bytes)?;
    let address = soft()?.allocate(bytes)?;
    add(Allocation { address, bytes, context, kind });
    Ok(address)
}

fn alloc(place: Out<u64>, bytes: usize) -> Status {
    let context = current()?.handle;
    capture::refuse()?;
    let place = place.wanted()?;
    place.set(allocate(bytes, context, Kind::Device)?)
}

fn alloc_pitch(place: Out<u64>, pitch: Out<usize>, width: usize, height: usize, element: u32) -> Status {
    let pitch = pitch.wanted()?;
    if ![4, 8, 16].contains(&element) || width == 0 {
        return Err(Code::INVALID_VALUE);
    }
    let row = width.checked_next_multiple_of(PITCH).ok_or(Code::OUT_OF_MEMORY)?;
    alloc(place, row.checked_mul(height).ok_or(Code::OUT_OF_MEMORY)?)?;
    pitch.set(row)
}

fn alloc_managed(place: Out<u64>, bytes: usize, flags: u32) -> Status {
    let context = current()?.handle;
    capture::refuse()?;
    let place = place.wanted()?;
    if ![1, 2].contains(&flags) {
        return Err(Code::INVALID_VALUE);
    }
    place.set(host_memory::allocate(bytes, context, Kind::Managed)?)
}

fn free(address: u64) -> Status {
    current()?;
    if address == 0 {
        return Ok(());
    }
    capture::refuse()?;
    free_if(address, |kind| matches!(kind, Kind::Device | Kind::Pooled(_) | Kind::Managed))
}

fn info(free: Out<usize>, total: Out<usize>) -> Status {
    current()?;
    let (all, available) = device::memory();
    free.set_if_wanted(available as usize);
    total.set_if_wanted(all as usize);
    Ok(())
}

fn address_range(base: Out<u64>, bytes: Out<usize>, address: u64) -> Status {
    current()?;
    let found = allocation(address).ok_or(Code::NOT_FOUND)?;
    base.set_if_wanted(found.address);
    bytes.set_if_wanted(found.bytes);
    Ok(())
}

/// Managed memory is where both sides need it.
fn check_managed(address: u64, bytes: usize) -> Status {
    let found = allocation(address).filter(|found| found.kind == Kind::Managed).ok_or(Code::INVALID_VALUE)?;
    let room = found.bytes - (address - found.address) as usize;
    if bytes <= room { Ok(()) } else { Err(Code::INVALID_VALUE) }
}

fn prefetch(address: u64, bytes: usize, _device: i32, stream: Handle) -> Status {
    stream::find(stream)?.context()?;
    check_managed(address, bytes)
}

fn prefetch_to(address: u64, bytes: usize, _location: u64, _flags: u32, stream: Handle) -> Status {
    prefetch(address, bytes, 0, stream)
}

fn advise(address: u64, bytes: usize, _advice: u32, _device: i32) -> Status {
    current()?;
    check_managed(address, bytes)
}

fn advise_at(address: u64, bytes: usize, advice: u32, _location: u64) -> Status {
    advise(address, bytes, advice, 0)
}

/// No advice is kept: not read-mostly, no preferred location, nobody who accesses it.
fn range_attribute(data: Out<u8>, size: usize, which: u32, address: u64, bytes: usize) -> Status {
    current()?;
    check_managed(address, bytes)?;
    match which {
        1 if size == 4 => data.cast().set(0i32),
        2..=4 if size.is_multiple_of(4) && size > 0 => data.cast().set_all(&vec![-2i32; size / 4]),
        _ => Err(Code::INVALID_VALUE),
    }
}

fn range_attributes(
    data: In<Out<u8>>,
    sizes: In<usize>,
    which: In<u32>,
    count: usize,
    address: u64,
    bytes: usize,
) -> Status {
    (0..count).try_for_each(|n| range_attribute(data.at(n)?, sizes.at(n)?, which.at(n)?, address, bytes))
}

export! {
    cuMemAlloc_v2(place: Out<u64>, bytes: usize) => alloc;
    cuMemAllocPitch_v2(place: Out<u64>, pitch: Out<usize>, width: usize, height: usize, element: u32)
        => alloc_pitch;
    cuMemAllocManaged(place: Out<u64>, bytes: usize, flags: u32) => alloc_managed;
    cuMemFree_v2(address: u64) => free;
    cuMemGetInfo_v2(free: Out<usize>, total: Out<usize>) => info;
    cuMemGetAddressRange_v2(base: Out<u64>, bytes: Out<usize>, address: u64) => address_range;
    cuMemPrefetchAsync [cuMemPrefetchAsync_ptsz] (address: u64, bytes: usize, device: i32, stream: Handle)
        => prefetch;
    cuMemPrefetchAsync_v2 [cuMemPrefetchAsync_v2_ptsz]
        (address: u64, bytes: usize, location: u64, flags: u32, stream: Handle) => prefetch_to;
    cuMemAdvise(address: u64, bytes: usize, advice: u32, device: i32) => advise;
    cuMemAdvise_v2(address: u64, bytes: usize, advice: u32, location: u64) => advise_at;
    cuMemRangeGetAttribute(data: Out<u8>, size: usize, which: u32, address: u64, bytes: usize) => range_attribute;
    cuMemRangeGetAttributes(
        data: In<Out<u8>>, sizes: In<usize>, which: In<u32>, count: usize, address: u64, bytes: usize
    ) => range_attributes;
}
