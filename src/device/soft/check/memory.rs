//! Accesses to memory: from the operands of an instruction to places in one memory.

use super::bounds::{length, writable};
use super::checker::Checker;
use super::watched::{Mode, Reference};
use crate::device::soft::exec::Warp;
use crate::device::soft::exec::access::read_place;
use crate::device::soft::memory::{LOCAL_WINDOW, PARAM_WINDOW, Region, SHARED_WINDOW, WINDOW_OFFSET};
use crate::ptx::typed::AddressSpace;

/// Which memory an address lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Home {
    /// The allocation with this index in [`BlockView::regions`].
    ///
    /// [`BlockView::regions`]: crate::device::soft::exec::warp::BlockView::regions
    Global(usize),
    /// The shared memory of the block that runs.
    Shared,
    /// The local memory of the thread.
    Local,
    Param,
}

/// One access by lanes of a warp to one memory. All of it is inside and aligned.
pub struct Touch<'a> {
    /// The instruction's number.
    pub site: u32,
    pub warp: u32,
    pub mode: Mode,
    pub home: Home,
    /// Lanes that take part; at least one.
    pub lanes: u32,
    /// Where each lane's first byte is, counted from the start of the memory.
    pub offsets: &'a [u64; 32],
    /// Bytes of each lane, all elements of a vector together.
    pub bytes: u32,
    /// The first byte that a lane accesses, and the one behind the last.
    pub span: (u64, u64),
    /// Whether the lanes lie one behind the other, without gaps, all 32 of them.
    pub rows: bool,
}

/// The addresses of a reference, in the address space that it names.
///
/// # Safety
/// The reference belongs to the warp's code.
#[inline(always)]
pub unsafe fn addresses(warp: &Warp, reference: &Reference) -> [u64; 32] {
    let mut addresses = [0; 32];
    let slot = reference.address.slot;
    // SAFETY: the caller's contract.
    unsafe {
        if reference.address.wide {
            let base = warp.slot::<[u64; 32]>(slot).read();
            for lane in 0..32 {
                addresses[lane] = base[lane].wrapping_add_signed(reference.offset);
            }
        } else {
            let base = warp.slot::<[u32; 32]>(slot).read();
            for lane in 0..32 {
                addresses[lane] = u64::from(base[lane].wrapping_add(reference.offset as u32));
            }
        }
    }
    addresses
}

/// As [`addresses`], of one lane.
///
/// # Safety
/// The reference belongs to the warp's code.
#[inline(always)]
unsafe fn address(warp: &Warp, reference: &Reference, lane: usize) -> u64 {
    // SAFETY: the caller's contract.
    let base = unsafe { read_place(warp, reference.address, lane) };
    let address = base.wrapping_add_signed(reference.offset);
    if reference.address.wide { address } else { address & 0xFFFF_FFFF }
}

/// The memory that `address` of `space` lies in or behind, and how far from its start; `None` if no
/// allocation is below it.
pub fn place(regions: &[Region], space: AddressSpace, address: u64) -> Option<(Home, u64)> {
    let global = || {
        let index = regions.partition_point(|region| region.lo <= address).checked_sub(1)?;
        Some((Home::Global(index), address - regions[index].lo))
    };
    let offset = address & WINDOW_OFFSET;
    match space {
        // Clusters are not checked: the address is the block's own.
        AddressSpace::Shared | AddressSpace::Cluster => Some((Home::Shared, address)),
        AddressSpace::Local => Some((Home::Local, address)),
        AddressSpace::Param => Some((Home::Param, address)),
        AddressSpace::Global | AddressSpace::Const => global(),
        AddressSpace::Generic => match address & !WINDOW_OFFSET {
            SHARED_WINDOW => Some((Home::Shared, offset)),
            LOCAL_WINDOW => Some((Home::Local, offset)),
            PARAM_WINDOW => Some((Home::Param, offset)),
            _ => global(),
        },
    }
}

impl Checker {
    /// Looks at one memory operand of instruction `site` in `lanes`, of which at least one is set; `look` sees
    /// every access that is possible. The result are the lanes for which it is not.
    ///
    /// # Safety
    /// The reference belongs to the warp's code.
    #[inline(always)]
    pub unsafe fn reference(
        &mut self,
        warp: &Warp,
        site: u32,
        reference: &Reference,
        lanes: u32,
        mut look: impl FnMut(&mut Checker, &Touch),
    ) -> u32 {
        // SAFETY: the caller's contract.
        let (mut offsets, first) = unsafe {
            (addresses(warp, reference), address(warp, reference, lanes.trailing_zeros() as usize))
        };
        let Some((home, lo)) = self.likely(warp, reference, first) else {
            return self.scattered(warp, site, reference, lanes, &offsets, &mut look);
        };
        let bytes = u64::from(reference.bytes);
        let Some(limit) = length(warp, home).checked_sub(bytes) else {
            return self.scattered(warp, site, reference, lanes, &offsets, &mut look);
        };
        if lanes != !0 {
            // Lanes that do nothing are in nobody's way at the place of one that does something.
            for (lane, offset) in offsets.iter_mut().enumerate() {
                *offset = if lanes >> lane & 1 != 0 { *offset } else { first };
            }
        }
        let (mut least, mut most, mut bits, mut gaps) = (u64::MAX, 0, 0, 0);
        for offset in &mut offsets {
            *offset = offset.wrapping_sub(lo);
            (least, most, bits) = (least.min(*offset), most.max(*offset), bits | *offset);
        }
        for lane in 0..31 {
            gaps |= offsets[lane + 1].wrapping_sub(offsets[lane]) ^ bytes;
        }
        let wrong = most > limit || bits & (u64::from(reference.align) - 1) != 0;
        if wrong || (reference.mode.writes() && !writable(warp, home)) {
            offsets.iter_mut().for_each(|offset| *offset = offset.wrapping_add(lo));
            return self.scattered(warp, site, reference, lanes, &offsets, &mut look);
        }
        let touch = Touch {
            site,
            warp: warp.index,
            mode: reference.mode,
            home,
            lanes,
            offsets: &offsets,
            bytes: reference.bytes,
            span: (least, most + bytes),
            rows: lanes == !0 && gaps == 0,
        };
        look(self, &touch);
        0
    }

    /// The memory that a reference is likely to touch, that which `address` lies in, and where it begins.
    #[inline(always)]
    fn likely(&mut self, warp: &Warp, reference: &Reference, address: u64) -> Option<(Home, u64)> {
        match reference.space {
            AddressSpace::Shared | AddressSpace::Cluster => Some((Home::Shared, 0)),
            AddressSpace::Local => Some((Home::Local, 0)),
            AddressSpace::Global | AddressSpace::Const => {
                let index = self.last[reference.index as usize];
                let region = warp
                    .block
                    .regions
                    .get(index)
                    .filter(|region| address.wrapping_sub(region.lo) < region.len);
                if let Some(region) = region {
                    return Some((Home::Global(index), region.lo));
                }
                let (home, offset) = place(warp.block.regions, reference.space, address)?;
                if let Home::Global(index) = home {
                    self.last[reference.index as usize] = index;
                }
                Some((home, address - offset))
            }
            AddressSpace::Generic | AddressSpace::Param => {
                let (home, offset) = place(warp.block.regions, reference.space, address)?;
                Some((home, address - offset))
            }
        }
    }

    /// As [`Checker::reference`], for lanes that do different things, one of which may be wrong.
    #[cold]
    #[inline(never)]
    fn scattered(
        &mut self,
        warp: &Warp,
        site: u32,
        reference: &Reference,
        lanes: u32,
        addresses: &[u64; 32],
        look: &mut impl FnMut(&mut Checker, &Touch),
    ) -> u32 {
        let regions = warp.block.regions;
        let mut bad = 0;
        for lane in (0..32).filter(|lane| lanes >> lane & 1 != 0) {
            if let Some(found) = self.objection(warp, site, reference, addresses[lane], lane as u32) {
                bad |= 1 << lane;
                self.findings.add(found.kind, found.line, 0, || found);
            }
        }
        let mut left = lanes & !bad;
        while left != 0 {
            let first = addresses[left.trailing_zeros() as usize];
            let home = place(regions, reference.space, first).map(|(home, _)| home);
            let (mut offsets, mut together) = ([0; 32], 0);
            for lane in (0..32).filter(|lane| left >> lane & 1 != 0) {
                let there = place(regions, reference.space, addresses[lane]);
                if let Some((_, offset)) = there.filter(|(there, _)| Some(*there) == home) {
                    together |= 1 << lane;
                    offsets[lane] = offset;
                }
            }
            left &= !together;
            let Some(home) = home else { break };
            let those = || (0..32).filter(|lane| together >> lane & 1 != 0).map(|lane| offsets[lane]);
            let (least, most) = (those().min().unwrap_or(0), those().max().unwrap_or(0));
            let touch = Touch {
                site,
                warp: warp.index,
                mode: reference.mode,
                home,
                lanes: together,
                offsets: &offsets,
                bytes: reference.bytes,
                span: (least, most + u64::from(reference.bytes)),
                rows: false,
            };
            look(self, &touch);
        }
        bad
    }
}
