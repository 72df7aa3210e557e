//! Accesses that are outside, misaligned or forbidden.

use super::checker::Checker;
use super::collect::Found;
use super::finding::Kind;
use super::memory::{Home, place};
use super::watched::Reference;
use crate::device::soft::exec::Warp;
use crate::device::soft::memory::Region;

/// Bytes of a memory.
pub fn length(warp: &Warp, home: Home) -> u64 {
    match home {
        Home::Global(index) => warp.block.regions[index].len,
        Home::Shared => u64::from(warp.shared_len),
        Home::Local => u64::from(warp.block.code.local_bytes),
        Home::Param => warp.block.params.len() as u64,
    }
}

/// Whether kernels may write there.
pub fn writable(warp: &Warp, home: Home) -> bool {
    match home {
        Home::Global(index) => !warp.block.regions[index].read_only,
        Home::Param => false,
        _ => true,
    }
}

impl Checker {
    /// Why a lane may not access an address, if it may not.
    pub fn objection(
        &self,
        warp: &Warp,
        site: u32,
        reference: &Reference,
        address: u64,
        lane: u32,
    ) -> Option<Found> {
        let (bytes, verb, line) = (
            u64::from(reference.bytes),
            reference.mode.verb(),
            warp.block.code.watched.list[site as usize].line,
        );
        let fail = |kind: Kind, message: String| {
            let found = Found::new(kind, line, self.who(warp, lane));
            Some(Found { address: Some(address), message, ..found })
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
        None
    }

    /// Names what an address outside of everything is close to.
    fn outside(&self, warp: &Warp, there: Option<(Home, u64)>, address: u64, bytes: u64) -> (Kind, String) {
        let limited = |what: &str, home: Home, offset: u64| {
            let len = length(warp, home);
            let past = offset.saturating_add(bytes).saturating_sub(len);
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
        let below = index.map(|index| (offset.saturating_add(bytes) - regions[index].len, index));
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
}
