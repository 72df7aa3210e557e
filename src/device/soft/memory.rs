//! Device memory: 64-bit addresses, allocations with guard gaps, and the windows of the other state spaces.

use super::check::Shadow;
use std::alloc::{Layout, alloc, dealloc};

/// Generic addresses of shared memory begin here.
pub const SHARED_WINDOW: u64 = 0x0700_0000_0000_0000;
/// Generic addresses of local memory begin here.
pub const LOCAL_WINDOW: u64 = 0x0600_0000_0000_0000;
/// Generic addresses of kernel parameters begin here.
pub const PARAM_WINDOW: u64 = 0x0500_0000_0000_0000;
/// The low bits of an address in a window.
pub const WINDOW_OFFSET: u64 = 0x00FF_FFFF_FFFF_FFFF;

/// Address of the first allocation, high enough that 32-bit and small integers are no addresses.
const FIRST: u64 = 0x7000_0000_0000;
/// Alignment of allocations, as CUDA promises it.
const ALIGN: u64 = 256;
/// Bytes behind every allocation that belong to none.
const GUARD: u64 = 4096;
/// Fresh memory: NaN as f32, bf16 and f16, and no sensible number as an integer.
pub const POISON: u8 = 0xFF;

/// One allocation.
#[derive(Debug, Clone, Copy)]
pub struct Region {
    pub lo: u64,
    pub len: u64,
    pub host: *mut u8,
    pub read_only: bool,
    /// Memory of the host's that kernels see at its own address; not freed here.
    pub borrowed: bool,
}

/// All allocations, by address. Addresses are handed out in order and never again, so what is freed stays
/// invalid, and a program that allocates in the same order gets the same addresses. Host memory can be
/// borrowed: it stands at its own address, which is far from those that are handed out.
#[derive(Default)]
pub struct Memory {
    regions: Vec<Region>,
    next: u64,
    /// On a checked device.
    shadow: Option<Shadow>,
}

// SAFETY: the host pointers are owned by the table; access to them is ordered by the device's lock and by
// the kernels themselves.
unsafe impl Send for Memory {}

fn layout(len: u64) -> Option<Layout> {
    let bytes = usize::try_from(len.max(1)).ok()?;
    Layout::from_size_align(bytes, ALIGN as usize).ok()
}

impl Memory {
    /// Memory of a checked device.
    pub fn checked() -> Memory {
        Memory { regions: Vec::new(), next: 0, shadow: Some(Shadow::default()) }
    }

    /// Lends what a checked device knows of its memory to a launch.
    pub fn lend_shadow(&mut self) -> Option<Shadow> {
        self.shadow.as_mut().map(std::mem::take)
    }

    /// Takes back what a launch borrowed.
    pub fn return_shadow(&mut self, shadow: Shadow) {
        self.shadow = Some(shadow);
    }

    /// The host has written some memory, or has made it `undefined`.
    pub fn host_wrote(&mut self, address: u64, bytes: u64, undefined: bool) {
        let Some((index, offset)) = self.place(address) else { return };
        let Some(shadow) = &mut self.shadow else { return };
        // A launch that panicked has not returned it.
        shadow.fit(&self.regions);
        match undefined {
            false => shadow.written[index].add(offset, bytes),
            true => shadow.written[index].remove(offset, bytes),
        }
    }

    /// The host has copied memory, and with it what is not written.
    pub fn host_copied(&mut self, to: u64, from: u64, bytes: u64) {
        let (Some(to), Some(from)) = (self.place(to), self.place(from)) else { return };
        let Some(shadow) = &mut self.shadow else { return };
        shadow.fit(&self.regions);
        let missing: Vec<u64> =
            (0..bytes).filter(|at| shadow.written[from.0].missing(from.1 + at, 1) != 0).collect();
        let target = &mut shadow.written[to.0];
        target.add(to.1, bytes);
        missing.into_iter().for_each(|at| target.remove(to.1 + at, 1));
    }

    /// The allocation that begins at or below an address, and how far the address is from its start.
    fn place(&self, address: u64) -> Option<(usize, u64)> {
        let index = self.regions.partition_point(|region| region.lo <= address).checked_sub(1)?;
        Some((index, address - self.regions[index].lo))
    }

    /// Address of `len` fresh bytes; `None` if the host has no memory left.
    pub fn alloc(&mut self, len: u64) -> Option<u64> {
        let layout = layout(len)?;
        // SAFETY: the layout is not empty.
        let host = unsafe { alloc(layout) };
        if host.is_null() {
            return None;
        }
        // SAFETY: the allocation has that many bytes.
        unsafe { host.write_bytes(POISON, layout.size()) };
        let lo = self.next.max(FIRST);
        self.next = (lo + len + GUARD).next_multiple_of(ALIGN);
        self.insert(Region { lo, len, host, read_only: false, borrowed: false });
        Some(lo)
    }

    /// Lets kernels and copies use `len` bytes of the host's at `host`, until they are freed here; `false` if
    /// they overlap with what is there.
    pub fn borrow(&mut self, host: *mut u8, len: u64) -> bool {
        let lo = host.addr() as u64;
        let Some(end) = lo.checked_add(len).filter(|_| len > 0 && lo >= GUARD) else { return false };
        let overlaps = |region: &Region| region.lo < end && lo < region.lo + region.len.max(1);
        let ours = lo < self.next + GUARD && end > FIRST;
        if ours || self.regions.iter().any(overlaps) {
            return false;
        }
        self.insert(Region { lo, len, host, read_only: false, borrowed: true });
        true
    }

    fn insert(&mut self, region: Region) {
        let index = self.regions.partition_point(|other| other.lo < region.lo);
        if let Some(shadow) = &mut self.shadow {
            shadow.fit(&self.regions);
            shadow.insert(index, &region);
        }
        self.regions.insert(index, region);
    }

    /// Frees the allocation that begins at `address`, if there is one.
    pub fn free(&mut self, address: u64) {
        if let Ok(index) = self.regions.binary_search_by_key(&address, |region| region.lo) {
            let region = self.regions[index];
            if let Some(shadow) = &mut self.shadow {
                shadow.fit(&self.regions);
                shadow.free(index, region.lo, region.len);
            }
            self.regions.remove(index);
            if let Some(layout) = layout(region.len).filter(|_| !region.borrowed) {
                // SAFETY: `alloc` made it with the same layout, and nothing refers to it any more.
                unsafe { dealloc(region.host, layout) };
            }
        }
    }

    /// Forbids kernels to write the allocation at `address`.
    pub fn protect(&mut self, address: u64) {
        if let Some(region) = self.regions.iter_mut().find(|region| region.lo == address) {
            region.read_only = true;
        }
    }

    pub fn regions(&self) -> &[Region] {
        &self.regions
    }

    /// The host's pointer to `bytes` bytes at `address`, if they lie in one allocation.
    pub fn host(&self, address: u64, bytes: u64) -> Option<*mut u8> {
        if bytes == 0 {
            return Some(std::ptr::NonNull::dangling().as_ptr());
        }
        let region = find(&self.regions, address, bytes)?;
        // SAFETY: the offset is inside the allocation.
        Some(unsafe { region.host.add((address - region.lo) as usize) })
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        while let Some(region) = self.regions.last() {
            self.free(region.lo);
        }
    }
}

/// The allocation in which all of `[address, address + bytes)` lies.
pub fn find(regions: &[Region], address: u64, bytes: u64) -> Option<&Region> {
    let after = regions.partition_point(|region| region.lo <= address);
    let region = &regions[after.checked_sub(1)?];
    let inside = region.len >= bytes && address - region.lo <= region.len - bytes;
    inside.then_some(region)
}
