//! The extra instructions of code that is lowered for counting.

use super::plan::Site;
use super::tally::Tally;
use crate::device::soft::exec::access::{Place, read_place};
use crate::device::soft::exec::{Body, Handler, Inst, Warp, copy, handler};
use crate::device::soft::level::Level;
use crate::device::soft::memory::{LOCAL_WINDOW, PARAM_WINDOW, SHARED_WINDOW, WINDOW_OFFSET};
use crate::ptx::typed::AddressSpace;

struct Segment;

impl Body for Segment {
    /// `imm` is the segment.
    #[inline(always)]
    unsafe fn run<const L: u8>(ip: *const Inst, warp: &mut Warp) -> *const Inst {
        // SAFETY: the worker counts, and the segment is one of the code's.
        unsafe {
            tally(warp).segment((*ip).imm as usize, warp.active.count_ones());
            ip.add(1)
        }
    }
}

struct Guard;

impl Body for Guard {
    /// `imm` is the counter.
    #[inline(always)]
    unsafe fn run<const L: u8>(ip: *const Inst, warp: &mut Warp) -> *const Inst {
        // SAFETY: the worker counts, and the counter is one of the code's.
        unsafe {
            tally(warp).guard((*ip).imm as usize, warp.mask(&*ip).count_ones());
            ip.add(1)
        }
    }
}

struct Global;

impl Body for Global {
    /// `site` is the site, `a` the slot of the addresses, `imm` their offset.
    #[inline(always)]
    unsafe fn run<const L: u8>(ip: *const Inst, warp: &mut Warp) -> *const Inst {
        // SAFETY: the worker counts, and the operands are the code's own.
        unsafe {
            let i = &*ip;
            let mask = warp.mask(i);
            if mask != 0 {
                let index = i.site as usize;
                let addresses = warp.slot::<u64>(i.a);
                tally(warp).global(index, site(warp, index), addresses, mask, i64::from(i.imm));
            }
            ip.add(1)
        }
    }
}

struct Shared;

impl Body for Shared {
    /// `site` is the site, `a` the slot of the addresses, `imm` a mask of the lanes that count.
    #[inline(always)]
    unsafe fn run<const L: u8>(ip: *const Inst, warp: &mut Warp) -> *const Inst {
        // SAFETY: the worker counts, and the operands are the code's own.
        unsafe {
            let i = &*ip;
            let mask = warp.mask(i) & i.imm as u32;
            if mask != 0 {
                let index = i.site as usize;
                tally(warp).shared(index, site(warp, index), warp.slot::<u32>(i.a), mask);
            }
            ip.add(1)
        }
    }
}

/// # Safety
/// The worker counts, and nothing else holds its tally.
#[inline(always)]
unsafe fn tally<'a>(warp: &Warp<'a>) -> &'a mut Tally {
    // SAFETY: the caller's contract.
    unsafe { &mut *warp.block.tally }
}

/// # Safety
/// The code is counted and has the site.
#[inline(always)]
unsafe fn site<'a>(warp: &Warp<'a>, index: usize) -> &'a Site {
    // SAFETY: the caller's contract.
    unsafe { warp.block.code.counting.as_ref().unwrap_unchecked().sites.get_unchecked(index) }
}

/// Addresses of either width, in any state space. `a` is their slot, `b` 1 if they are wide, `imm` the lanes
/// that count.
unsafe fn any(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: the worker counts, and the operands are the code's own.
    unsafe {
        let i = &*ip;
        let (mask, index) = (warp.mask(i) & i.imm as u32, i.site as usize);
        let site = site(warp, index);
        let place = Place { slot: i.a, wide: i.b != 0 };
        let addresses: [u64; 32] = std::array::from_fn(|lane| read_place(warp, place, lane));
        let lanes_in = |window: u64| {
            let inside = |lane: &usize| {
                let address = addresses[*lane].wrapping_add_signed(site.offset);
                site.space == AddressSpace::Generic && address & !WINDOW_OFFSET == window
            };
            (0..32).filter(inside).fold(0u32, |lanes, lane| lanes | 1 << lane) & mask
        };
        let (shared, elsewhere) = match site.space {
            AddressSpace::Shared => (mask, 0),
            _ => (lanes_in(SHARED_WINDOW), lanes_in(LOCAL_WINDOW) | lanes_in(PARAM_WINDOW)),
        };
        let global = mask & !shared & !elsewhere;
        let tally = tally(warp);
        if shared != 0 {
            tally.shared(index, site, addresses.map(|address| address as u32).as_ptr(), shared);
        }
        if global != 0 {
            tally.global(index, site, addresses.as_ptr(), global, site.offset);
        }
        ip.add(1)
    }
}

/// [`Inst::imm`] of a copy's hook: the shared, and the global address is wide.
pub const WIDE_SHARED: i32 = 1;
pub const WIDE_GLOBAL: i32 = 2;

/// `cp.async`: `a` and `b` are the slots of the shared and the global address, `d` and `c` those of the copy.
unsafe fn copied(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: the worker counts, and the operands are the code's own.
    unsafe {
        let i = &*ip;
        let (mask, index) = (warp.mask(i), i.site as usize);
        let site = site(warp, index);
        let bytes: [u32; 32] = match i.d {
            copy::SOURCE_BYTES => warp.slot::<[u32; 32]>(i.c).read(),
            copy::IGNORE => {
                let ignored = warp.pred(i.c);
                std::array::from_fn(|lane| if ignored >> lane & 1 != 0 { 0 } else { site.bytes })
            }
            _ => [site.bytes; 32],
        };
        let reads = |lane: &usize| mask >> lane & 1 != 0 && bytes[*lane] != 0;
        let reading = (0..32).filter(reads).fold(0u32, |lanes, lane| lanes | 1 << lane);
        let to = Place { slot: i.a, wide: i.imm & WIDE_SHARED != 0 };
        let from = Place { slot: i.b, wide: i.imm & WIDE_GLOBAL != 0 };
        let tally = tally(warp);
        if mask != 0 {
            let addresses: [u32; 32] = std::array::from_fn(|lane| read_place(warp, to, lane) as u32);
            // The offset of the shared side moves all lanes by whole words, which changes no conflict.
            tally.shared(index, &Site { offset: 0, ..*site }, addresses.as_ptr(), mask);
        }
        if reading != 0 {
            let addresses: [u64; 32] = std::array::from_fn(|lane| read_place(warp, from, lane));
            tally.global(index, site, addresses.as_ptr(), reading, site.offset);
        }
        tally.copied(index, (0..32).filter(reads).map(|lane| u64::from(bytes[lane])).sum());
        ip.add(1)
    }
}

pub fn segment(level: Level) -> Handler {
    handler::<Segment>(level)
}

pub fn guard(level: Level) -> Handler {
    handler::<Guard>(level)
}

pub fn global(level: Level) -> Handler {
    handler::<Global>(level)
}

pub fn shared(level: Level) -> Handler {
    handler::<Shared>(level)
}

pub fn access() -> Handler {
    any
}

pub fn copy() -> Handler {
    copied
}
