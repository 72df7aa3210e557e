//! Any access to memory, lane by lane: every state space, type, vector and mask. The fast paths of
//! [`super::memory`] hand over to this one when their check of the addresses fails.

use super::super::fault::Cause;
use super::super::memory::{LOCAL_WINDOW, PARAM_WINDOW, Region, SHARED_WINDOW, WINDOW_OFFSET, find};
use super::warp::Site;
use super::{Inst, Warp};
use crate::ptx::typed::{AddressSpace, AtomicOp};

/// A register as an access sees it.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub slot: u16,
    /// 64 bits, in two slots.
    pub wide: bool,
}

/// A decoded load, store, atomic operation or copy; [`Inst::site`] is its index.
#[derive(Debug, Clone)]
pub struct Access {
    pub space: AddressSpace,
    /// Bytes of one element in memory.
    pub bytes: u32,
    pub signed: bool,
    pub store: bool,
    pub address: Place,
    pub offset: i64,
    pub elements: Vec<Place>,
    /// The operation, and whether its operands are floats or signed.
    pub atomic: Option<(AtomicOp, Arithmetic)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    Unsigned,
    Signed,
    /// f32 or f64.
    Float,
    /// One f16 or two.
    F16,
    /// One bf16 or two.
    Bf16,
}

/// # Safety
/// The place lies in the warp's register file.
#[inline(always)]
pub unsafe fn read_place(warp: &Warp, place: Place, lane: usize) -> u64 {
    // SAFETY: the caller's contract.
    unsafe {
        match place.wide {
            true => *warp.slot::<u64>(place.slot).add(lane),
            false => u64::from(*warp.slot::<u32>(place.slot).add(lane)),
        }
    }
}

/// # Safety
/// The place lies in the warp's register file.
#[inline(always)]
pub unsafe fn write_place(warp: &Warp, place: Place, lane: usize, value: u64) {
    // SAFETY: the caller's contract.
    unsafe {
        match place.wide {
            true => *warp.slot::<u64>(place.slot).add(lane) = value,
            false => *warp.slot::<u32>(place.slot).add(lane) = value as u32,
        }
    }
}

/// Where `address` is in host memory, for an access of `bytes` bytes by one lane.
pub fn resolve(
    warp: &Warp,
    space: AddressSpace,
    address: u64,
    bytes: u32,
    store: bool,
    lane: usize,
) -> Result<(*mut u8, Option<Region>), Cause> {
    let outside = || Cause::OutOfBounds { address, bytes, store };
    if bytes.is_power_of_two() && address & u64::from(bytes - 1) != 0 {
        return Err(Cause::Misaligned { address, bytes });
    }
    let block = warp.block;
    let within = |base: *mut u8, length: u64, offset: u64| {
        let inside = length >= u64::from(bytes) && offset <= length - u64::from(bytes);
        // SAFETY: the offset is inside the memory that begins at `base`.
        if inside { Ok((unsafe { base.add(offset as usize) }, None)) } else { Err(outside()) }
    };
    let in_cluster = |address: u64| {
        let (shared, offset) = block.cluster.find(address)?;
        within(shared, u64::from(block.shared_len), offset)
    };
    let local = |offset: u64| {
        let length = u64::from(block.code.local_bytes);
        let thread = warp.index as usize * 32 + lane;
        within(block.local.wrapping_add(thread * length as usize), length, offset)
    };
    let params = |offset: u64| match store {
        true => Err(Cause::ReadOnly { address }),
        false => within(block.params.as_ptr().cast_mut(), block.params.len() as u64, offset),
    };
    let global = || match find(block.regions, address, u64::from(bytes)) {
        Some(region) if store && region.read_only => Err(Cause::ReadOnly { address }),
        // SAFETY: the offset is inside the allocation.
        Some(region) => Ok((unsafe { region.host.add((address - region.lo) as usize) }, Some(*region))),
        None => Err(outside()),
    };
    match space {
        AddressSpace::Shared => within(block.shared, u64::from(block.shared_len), address),
        AddressSpace::Cluster => in_cluster(address),
        AddressSpace::Local => local(address),
        AddressSpace::Param => params(address),
        AddressSpace::Global | AddressSpace::Const => global(),
        AddressSpace::Generic => match address & !WINDOW_OFFSET {
            SHARED_WINDOW => in_cluster(address & WINDOW_OFFSET),
            LOCAL_WINDOW => local(address & WINDOW_OFFSET),
            PARAM_WINDOW => params(address & WINDOW_OFFSET),
            _ => global(),
        },
    }
}

/// Runs the access of `ip` in the lanes of `mask`.
///
/// # Safety
/// As for [`super::Handler`].
#[cold]
#[inline(never)]
pub unsafe fn general(ip: *const Inst, warp: &mut Warp, mask: u32) -> *const Inst {
    // SAFETY: operands of a decoded instruction lie in the warp's files; `resolve` checks the memory.
    unsafe {
        let i = &*ip;
        let access = &warp.block.code.accesses[i.site as usize];
        let bytes = access.bytes * access.elements.len() as u32;
        for lane in (0..32).filter(|lane| mask >> lane & 1 != 0) {
            let address = read_place(warp, access.address, lane).wrapping_add_signed(access.offset);
            let address = if access.address.wide { address } else { address & 0xFFFF_FFFF };
            let host = match resolve(warp, access.space, address, bytes, access.store, lane) {
                Ok((host, region)) => {
                    if let Some(region) = region {
                        let site = Site { lo: region.lo, len: region.len, host: region.host };
                        *warp.sites.add(i.site as usize) = site;
                    }
                    host
                }
                Err(cause) => return warp.fail(warp.pc_of(ip), cause, Some(lane as u32)),
            };
            for (k, place) in access.elements.iter().enumerate() {
                let element = host.add(k * access.bytes as usize);
                if access.store {
                    store_element(element, access.bytes, read_place(warp, *place, lane));
                } else {
                    write_place(warp, *place, lane, load_element(element, access.bytes, access.signed));
                }
            }
        }
        ip.add(1)
    }
}

/// # Safety
/// `bytes` bytes are readable at `p`.
unsafe fn load_element(p: *const u8, bytes: u32, signed: bool) -> u64 {
    // SAFETY: the caller's contract.
    unsafe {
        match (bytes, signed) {
            (1, false) => u64::from(p.read()),
            (1, true) => p.cast::<i8>().read() as i64 as u64,
            (2, false) => u64::from(p.cast::<u16>().read_unaligned()),
            (2, true) => p.cast::<i16>().read_unaligned() as i64 as u64,
            (4, false) => u64::from(p.cast::<u32>().read_unaligned()),
            (4, true) => p.cast::<i32>().read_unaligned() as i64 as u64,
            _ => p.cast::<u64>().read_unaligned(),
        }
    }
}

/// # Safety
/// `bytes` bytes are writable at `p`.
unsafe fn store_element(p: *mut u8, bytes: u32, value: u64) {
    // SAFETY: the caller's contract.
    unsafe {
        match bytes {
            1 => p.write(value as u8),
            2 => p.cast::<u16>().write_unaligned(value as u16),
            4 => p.cast::<u32>().write_unaligned(value as u32),
            _ => p.cast::<u64>().write_unaligned(value),
        }
    }
}

/// The handler of accesses without a fast path.
pub unsafe fn access(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: the caller keeps the contract of `Handler`.
    unsafe {
        match warp.mask(&*ip) {
            0 => ip.add(1),
            mask => general(ip, warp, mask),
        }
    }
}
