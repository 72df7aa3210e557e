//! Accesses to memory as the checks see them.

use super::checker::Checker;
use super::watched::{Mode, Reference};
use crate::device::soft::exec::Warp;
use crate::device::soft::exec::access::read_place;
use crate::device::soft::memory::{LOCAL_WINDOW, PARAM_WINDOW, Region, SHARED_WINDOW, WINDOW_OFFSET};
use crate::ptx::typed::AddressSpace;

/// Which memory an address lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// Of the instruction.
    pub line: u32,
    /// The instruction's number.
    pub site: u32,
    pub warp: u32,
    pub mode: Mode,
    pub home: Home,
    /// Lanes that take part.
    pub lanes: u32,
    /// Where each lane's first byte is, counted from the start of the memory.
    pub offsets: &'a [u64; 32],
    /// Bytes of each lane, all elements of a vector together.
    pub bytes: u32,
}

/// The addresses of a reference, in the address space that it names.
///
/// # Safety
/// The reference belongs to the warp's code.
pub unsafe fn addresses(warp: &Warp, reference: &Reference) -> [u64; 32] {
    let limit = if reference.address.wide { u64::MAX } else { 0xFFFF_FFFF };
    std::array::from_fn(|lane| {
        // SAFETY: the caller's contract.
        let base = unsafe { read_place(warp, reference.address, lane) };
        base.wrapping_add_signed(reference.offset) & limit
    })
}

/// The memory that `address` of `space` lies in, and how far from its start; `None` if it is in none.
pub fn place(regions: &[Region], space: AddressSpace, address: u64) -> Option<(Home, u64)> {
    match space {
        // Clusters are not checked: the address is the block's own.
        AddressSpace::Shared | AddressSpace::Cluster => Some((Home::Shared, address)),
        AddressSpace::Local => Some((Home::Local, address)),
        AddressSpace::Param => Some((Home::Param, address)),
        AddressSpace::Global | AddressSpace::Const => global(regions, address),
        AddressSpace::Generic => match address & !WINDOW_OFFSET {
            SHARED_WINDOW => Some((Home::Shared, address & WINDOW_OFFSET)),
            LOCAL_WINDOW => Some((Home::Local, address & WINDOW_OFFSET)),
            PARAM_WINDOW => Some((Home::Param, address & WINDOW_OFFSET)),
            _ => global(regions, address),
        },
    }
}

fn global(regions: &[Region], address: u64) -> Option<(Home, u64)> {
    let index = regions.partition_point(|region| region.lo <= address).checked_sub(1)?;
    Some((Home::Global(index), address - regions[index].lo))
}

impl Checker {
    /// Looks at one memory operand of instruction `site`, in the lanes of `mask`.
    ///
    /// # Safety
    /// The reference belongs to the warp's code.
    pub unsafe fn reference(&mut self, warp: &Warp, site: u32, reference: &Reference, mask: u32) {
        let line = warp.block.code.watched[site as usize].line;
        // SAFETY: the caller's contract.
        let addresses = unsafe { addresses(warp, reference) };
        let regions = warp.block.regions;
        let mut left = mask & reference.lanes;
        while left != 0 {
            let first = left.trailing_zeros() as usize;
            let here = place(regions, reference.space, addresses[first]);
            let mut offsets = [0; 32];
            let mut lanes = 0;
            for lane in (0..32).filter(|lane| left >> lane & 1 != 0) {
                let there = place(regions, reference.space, addresses[lane]);
                if there.map(|(home, _)| home) == here.map(|(home, _)| home) {
                    lanes |= 1 << lane;
                    offsets[lane] = there.map_or(0, |(_, offset)| offset);
                }
            }
            left &= !lanes;
            if let Some((home, _)) = here {
                let touch = Touch {
                    line,
                    site,
                    warp: warp.index,
                    mode: reference.mode,
                    home,
                    lanes,
                    offsets: &offsets,
                    bytes: reference.bytes,
                };
                self.touch(warp, &touch);
            }
        }
    }

    /// One access that is about to happen.
    fn touch(&mut self, warp: &Warp, touch: &Touch) {
        self.races(warp, touch);
    }
}
