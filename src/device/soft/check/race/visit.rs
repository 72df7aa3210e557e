//! One instruction's access to one memory, and what is wrong with it.

use super::happens_before::{HappensBefore, Horizon};
use super::sites::{Sites, Strength};
use super::stamp::Stamp;

/// What an access does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    Read,
    Write,
    /// Reads and writes as one.
    Atomic,
    /// Begins to write, asynchronously.
    Copy,
}

/// Where each lane's first byte is, counted from the start of the memory.
pub type Offsets = [u64; 32];

/// An access by lanes of a warp.
#[derive(Clone, Copy)]
pub struct Visit {
    pub deed: Deed,
    pub warp: u32,
    pub lanes: u32,
    /// The first byte that a lane accesses, and the one behind the last.
    pub span: (u64, u64),
    /// Whether the lanes access all of the span, one behind the other, all 32 of them.
    pub rows: bool,
    /// Bytes of each lane.
    pub bytes: u32,
    pub strength: Strength,
    /// Of lane 0.
    pub stamp: Stamp,
    pub horizon: Horizon,
}

impl Visit {
    /// The lanes, lowest first.
    pub fn each_lane(&self) -> impl Iterator<Item = u32> + use<> {
        lanes(self.lanes)
    }

    /// The span in shared memory, which is small.
    #[inline(always)]
    pub fn shared_span(&self) -> (u32, u32) {
        (self.span.0 as u32, self.span.1 as u32)
    }

    /// What a cell remembers of one lane.
    pub fn stamp_of(&self, lane: u32) -> Stamp {
        let stamp = self.stamp.of_lane(lane);
        if self.deed == Deed::Copy { stamp.pending() } else { stamp }
    }
}

/// The lanes of a mask, lowest first.
pub fn lanes(mut mask: u32) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let lane = mask.trailing_zeros();
        mask &= mask.wrapping_sub(1);
        (lane < 32).then_some(lane)
    })
}

/// An access that is not ordered with an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conflict {
    pub lane: u32,
    /// The first byte in question, from the start of the memory.
    pub offset: u64,
    /// The earlier access, and whether it was a write.
    pub other: Stamp,
    pub other_writes: bool,
}

/// What an access meets: who knows whom, and which accesses are atomic.
pub struct Context<'a> {
    pub order: &'a HappensBefore,
    pub sites: &'a Sites,
}

impl Context<'_> {
    /// Whether a lane may access what `other` did: it is ordered, or both are atomic.
    pub fn tolerates(&self, visit: &Visit, lane: u32, other: Stamp) -> bool {
        if other.is_pending() || self.breaks_promise(visit, other) {
            return false;
        }
        self.order.knows(visit.warp, lane, other) || self.both_atomic(visit, other)
    }

    /// Whether one of them reads what nobody may write, and the other one writes it.
    fn breaks_promise(&self, visit: &Visit, other: Stamp) -> bool {
        let promised = |stamp: Stamp| self.sites.is_read_only(stamp.site());
        (promised(visit.stamp) || promised(other)) && self.order.is_of_launch(other)
    }

    /// Whether more than the order of accesses counts for this one.
    pub fn is_careful(&self, visit: &Visit) -> bool {
        match visit.deed {
            Deed::Read => self.sites.is_read_only(visit.stamp.site()),
            _ => !self.sites.read_only.is_empty(),
        }
    }

    fn both_atomic(&self, visit: &Visit, other: Stamp) -> bool {
        if visit.strength == Strength::Weak {
            return false;
        }
        let needed = if self.order.is_here(other) { Strength::Block } else { Strength::Device };
        visit.strength >= needed && self.sites.strength(other.site()) >= needed
    }
}

/// Places that lanes access, those of the same place together.
pub struct Groups {
    count: usize,
    offsets: [u64; 32],
    lanes: [u32; 32],
}

/// Places among which a lane looks for its own.
const COMPARED: usize = 8;

impl Groups {
    pub fn of(visit: &Visit, offsets: &Offsets) -> Groups {
        let mut groups = Groups { count: 0, offsets: [0; 32], lanes: [0; 32] };
        for lane in visit.each_lane() {
            groups.add(offsets[lane as usize], lane);
        }
        groups
    }

    fn add(&mut self, offset: u64, lane: u32) {
        let last = self.count.wrapping_sub(1);
        let found = match self.count {
            0 => None,
            _ if self.offsets[last] == offset => Some(last),
            count => self.offsets[..count.min(COMPARED)].iter().position(|other| *other == offset),
        };
        let index = found.unwrap_or(self.count);
        self.offsets[index] = offset;
        self.lanes[index] |= 1 << lane;
        self.count += usize::from(found.is_none());
    }

    pub fn iter(&self) -> impl Iterator<Item = (u64, u32)> {
        self.offsets.iter().copied().zip(self.lanes).take(self.count)
    }
}
