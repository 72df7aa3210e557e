//! Accesses to memory: inside, aligned, allowed; then to be asked whether somebody wrote there.

use super::checker::Checker;
use super::collect::Found;
use super::finding::Kind;
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

/// Lanes that lie within so many bytes are looked at together.
const NEAR: u64 = 4096;

/// For each lane which of its bytes nobody has written.
pub type Missing = [u16; 32];

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
fn place(regions: &[Region], space: AddressSpace, address: u64) -> Option<(Home, u64)> {
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

fn line_of(warp: &Warp, site: u32) -> u32 {
    warp.block.code.watched.list[site as usize].line
}

/// Bytes of a memory.
fn length(warp: &Warp, home: Home) -> u64 {
    match home {
        Home::Global(index) => warp.block.regions[index].len,
        Home::Shared => u64::from(warp.shared_len),
        Home::Local => u64::from(warp.block.code.local_bytes),
        Home::Param => warp.block.params.len() as u64,
    }
}

/// Whether kernels may write there.
fn writable(warp: &Warp, home: Home) -> bool {
    match home {
        Home::Global(index) => !warp.block.regions[index].read_only,
        Home::Param => false,
        _ => true,
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
            if let Err(found) = self.allowed(warp, site, reference, addresses[lane], lane as u32) {
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

    /// Whether a lane may access an address, or what is wrong with that.
    fn allowed(
        &self,
        warp: &Warp,
        site: u32,
        reference: &Reference,
        address: u64,
        lane: u32,
    ) -> Result<(), Found> {
        let (bytes, verb, line) = (u64::from(reference.bytes), reference.mode.verb(), line_of(warp, site));
        let fail = |kind: Kind, message: String| {
            let found = Found::new(kind, line, self.who(warp, lane));
            Err(Found { address: Some(address), message, ..found })
        };
        let align = u64::from(reference.align);
        if address & (align - 1) != 0 {
            let message = format!("{verb} of {bytes} bytes at {address:#x}, which is no multiple of {align}");
            return fail(Kind::Misaligned, message);
        }
        let there = place(warp.block.regions, reference.space, address);
        let inside = there.is_some_and(|(home, offset)| {
            length(warp, home).checked_sub(bytes).is_some_and(|limit| offset <= limit)
        });
        if !inside {
            let (kind, where_it_is) = self.outside(warp, there, address, bytes);
            return fail(kind, format!("{verb} of {bytes} bytes at {address:#x}, {where_it_is}"));
        }
        let home = there.map_or(Home::Param, |(home, _)| home);
        if reference.mode.writes() && !writable(warp, home) {
            let what = if home == Home::Param { "a parameter" } else { "a constant" };
            return fail(Kind::ReadOnly, format!("{verb} of {bytes} bytes to {what}, at {address:#x}"));
        }
        Ok(())
    }

    /// Names what an address outside of everything is close to.
    fn outside(&self, warp: &Warp, there: Option<(Home, u64)>, address: u64, bytes: u64) -> (Kind, String) {
        let limited = |what: &str, home: Home, offset: u64| {
            let len = length(warp, home);
            let past = (offset + bytes).saturating_sub(len);
            format!("of {what}, which has {len}: {past} too far")
        };
        let (index, offset) = match there {
            Some((home @ Home::Shared, at)) => {
                return (Kind::SharedBounds, limited("the shared memory of the launch", home, at));
            }
            Some((home @ Home::Local, at)) => {
                return (Kind::LocalBounds, limited("the local memory of a thread", home, at));
            }
            Some((home @ Home::Param, at)) => {
                return (Kind::ParamBounds, limited("the parameters", home, at));
            }
            Some((Home::Global(index), offset)) => (Some(index), offset),
            None => (None, 0),
        };
        if let Some(freed) = self.shadow.freed(address) {
            let (lo, len) = (freed.lo, freed.len);
            return (Kind::UseAfterFree, format!("in the {len} bytes at {lo:#x}, which were freed"));
        }
        let regions = warp.block.regions;
        let below = index.map(|index| (offset + bytes - regions[index].len, index));
        let above = index.map_or(0, |index| index + 1);
        let above = regions.get(above).map(|region| (region.lo - address, above));
        let (distance, side, index) = match (below, above) {
            (Some((end, below)), Some((start, above))) if start < end => (start, "before", above.max(below)),
            (Some((end, below)), _) => (end, "behind the end of", below),
            (None, Some((start, above))) => (start, "before", above),
            (None, None) => return (Kind::OutOfBounds, "but nothing is allocated".to_string()),
        };
        let Region { lo, len, .. } = regions[index];
        let text = match distance {
            0..=0xF_FFFF => format!("{distance} bytes {side} the allocation of {len} bytes at {lo:#x}"),
            _ => "which is far from every allocation".to_string(),
        };
        (Kind::OutOfBounds, text)
    }

    /// Which bytes of an access nobody has written; `None` if all are.
    #[inline(always)]
    pub fn missing(&self, touch: &Touch) -> Option<Missing> {
        let written = match touch.home {
            Home::Global(index) => self.shadow.written.get(index)?,
            Home::Shared => &self.shared,
            Home::Local => &self.local,
            Home::Param => return None,
        };
        if written.is_complete() {
            return None;
        }
        if touch.rows
            && touch.home != Home::Local
            && written.has(touch.offsets[0], 32 * u64::from(touch.bytes))
        {
            return None;
        }
        let mut missing = [0; 32];
        let mut any = 0;
        for (lane, missing) in missing.iter_mut().enumerate() {
            if touch.lanes >> lane & 1 != 0 {
                *missing = written.missing(self.offset(touch, lane), touch.bytes);
                any |= *missing;
            }
        }
        (any != 0).then_some(missing)
    }

    /// An access writes all its bytes.
    #[inline(always)]
    pub fn written(&mut self, touch: &Touch) {
        let rows = touch.rows && touch.home != Home::Local;
        let local = (u64::from(touch.warp) * 32, self.local_bytes);
        let Some(written) = self.written_at(touch.home).filter(|written| !written.is_complete()) else {
            return;
        };
        if rows {
            return written.add(touch.offsets[0], 32 * u64::from(touch.bytes));
        }
        for lane in (0..32).filter(|lane| touch.lanes >> lane & 1 != 0) {
            let start = if touch.home == Home::Local { (local.0 + lane as u64) * local.1 } else { 0 };
            written.add(start + touch.offsets[lane], u64::from(touch.bytes));
        }
    }

    /// An access writes, and some of what it writes is not valid.
    #[cold]
    pub fn written_in_part(&mut self, touch: &Touch, missing: &Missing) {
        for lane in (0..32).filter(|lane| touch.lanes >> lane & 1 != 0) {
            let offset = self.offset(touch, lane);
            if let Some(written) = self.written_at(touch.home) {
                written.set(offset, touch.bytes, missing[lane]);
            }
        }
    }

    /// Where a lane's bytes are in the record of what is written.
    #[inline(always)]
    pub fn offset(&self, touch: &Touch, lane: usize) -> u64 {
        match touch.home {
            Home::Local => {
                (u64::from(touch.warp) * 32 + lane as u64) * self.local_bytes + touch.offsets[lane]
            }
            _ => touch.offsets[lane],
        }
    }

    #[inline(always)]
    fn written_at(&mut self, home: Home) -> Option<&mut super::written::Written> {
        match home {
            Home::Global(index) => self.shadow.written.get_mut(index),
            Home::Shared => Some(&mut self.shared),
            Home::Local => Some(&mut self.local),
            Home::Param => None,
        }
    }

    /// The address of a lane of an access, for people.
    pub fn address(&self, warp: &Warp, touch: &Touch, lane: usize) -> u64 {
        match touch.home {
            Home::Global(index) => warp.block.regions[index].lo + touch.offsets[lane],
            _ => touch.offsets[lane],
        }
    }
}
