//! Races: accesses of two threads to the same bytes, one of them a write, that nothing puts in order.
//!
//! The model is that of PTX, per thread and not per warp: barriers of blocks and warps, fences with strong
//! accesses, landed copies and the boundaries of launches order accesses ([`happens_before`]); votes and
//! shuffles do not. Every byte of shared and global memory has a shadow ([`shared`], [`global`]) that tells who
//! wrote it last and who has read it since, as stamps ([`stamp`]). What is found does not depend on the order
//! in which the threads happen to run.

mod cell;
mod clock;
mod crowd;
mod global;
mod handover;
mod happens_before;
mod log;
#[cfg(test)]
mod model;
mod shared;
mod sites;
mod spans;
mod stamp;
mod visit;

pub use stamp::Stamp;
pub use visit::{Conflict, Deed, lanes};

use crate::device::soft::lower::Code;
use crate::device::soft::memory::Region;
use crate::ptx::typed::{Op, Order, Reach};
use crowd::Crowds;
use global::GlobalShadow;
use handover::{Handovers, Strong};
use happens_before::HappensBefore;
use shared::SharedShadow;
use sites::{Sites, Strength, narrowest, order, sites};
use visit::{Context, Offsets, Visit};

/// Stands for shared memory among the first addresses of allocations.
const SHARED: u64 = 0;

/// Which memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Home {
    Shared,
    /// The allocation with this index.
    Global(usize),
}

/// An access that is about to happen.
#[derive(Clone, Copy)]
pub struct Step<'a> {
    pub deed: Deed,
    pub warp: u32,
    pub lanes: u32,
    pub home: Home,
    pub offsets: &'a Offsets,
    /// The first byte that a lane accesses, and the one behind the last.
    pub span: (u64, u64),
    /// Whether the lanes access all of the span, one behind the other, all 32 of them.
    pub rows: bool,
    /// Bytes of each lane.
    pub bytes: u32,
    /// The instruction's number.
    pub site: u32,
}

/// Who has done what, of a device. It lives as long as the device.
#[derive(Debug, Default)]
pub struct Races {
    pub order: HappensBefore,
    handovers: Handovers,
    sites: Sites,
    crowds: Crowds,
    shared: SharedShadow,
    /// By address, those of the launch's allocations.
    global: Vec<(u64, GlobalShadow)>,
    shift: u32,
}

impl Races {
    pub fn begin_launch(&mut self, code: &Code, regions: &[Region], shared_bytes: u32, warps: u32) {
        self.begin(sites(code), narrowest(code), regions, shared_bytes, warps);
    }

    /// A launch of certain instructions begins; no access is narrower than `1 << shift` bytes.
    fn begin(&mut self, sites: Sites, shift: u32, regions: &[Region], shared_bytes: u32, warps: u32) {
        self.order.begin_launch();
        self.handovers.begin_launch();
        self.crowds.clear();
        (self.sites, self.shift) = (sites, shift);
        self.shared.begin_launch(shared_bytes, warps, self.shift);
        let mut old = std::mem::take(&mut self.global).into_iter().peekable();
        for region in regions {
            while old.next_if(|(lo, _)| *lo < region.lo).is_some() {}
            let kept = old.next_if(|(lo, _)| *lo == region.lo);
            self.global.push(kept.unwrap_or((region.lo, GlobalShadow::default())));
        }
    }

    pub fn begin_block(&mut self, index: [u32; 3], threads: u32) {
        self.order.begin_block(index, threads);
        self.handovers.begin_block(SHARED);
        self.shared.align(std::iter::empty());
    }

    /// A barrier of the block is complete, and the warps of `waiting` go on. `pending` are the places in shared
    /// memory to which copies are on their way.
    pub fn complete(&mut self, barrier: usize, waiting: u32, pending: impl Iterator<Item = (u32, u32)>) {
        if self.order.complete(barrier, waiting) {
            self.shared.align(pending);
        }
    }

    /// Looks at an access and remembers it. What it is in conflict with goes to `found`.
    #[inline(always)]
    pub fn step(&mut self, step: &Step, regions: &[Region], found: &mut Vec<Conflict>) {
        let strength = self.sites.strength(step.site);
        let visit = Visit {
            deed: step.deed,
            warp: step.warp,
            lanes: step.lanes,
            span: step.span,
            rows: step.rows,
            bytes: step.bytes,
            strength,
            stamp: self.order.stamp(step.warp, step.lanes, step.site),
            horizon: self.order.horizon(step.warp),
        };
        let context = Context { order: &self.order, sites: &self.sites };
        match step.home {
            Home::Shared => self.shared.visit(&context, &mut self.crowds, &visit, step.offsets, found),
            Home::Global(index) => {
                let region = &regions[index];
                if region.read_only {
                    return;
                }
                let shadow = &mut self.global[index].1;
                shadow.fit(region.len, self.shift);
                shadow.visit(&context, &mut self.crowds, &visit, step.offsets, found);
            }
        }
    }

    /// Whether an instruction can put accesses in order.
    #[inline(always)]
    pub fn orders(&self, site: u32) -> bool {
        self.sites.orders && self.sites.strength(site) != Strength::Weak
    }

    /// A strong access hands on what its lanes know, or lets them know what was handed on.
    pub fn synchronise(&mut self, step: &Step, regions: &[Region], op: &Op, returns: bool) {
        let memory = match step.home {
            Home::Shared => SHARED,
            Home::Global(index) => regions[index].lo,
        };
        let (acquires, releases, reach) = match order(op) {
            Order::Weak | Order::ReadOnly => return,
            Order::Volatile => (false, false, Reach::System),
            Order::Relaxed(reach) => (false, false, reach),
            Order::Acquire(reach) => (true, false, reach),
            Order::Release(reach) => (false, true, reach),
            Order::AcquireRelease(reach) => (true, true, reach),
        };
        let atomic = step.deed == Deed::Atomic;
        for lane in lanes(step.lanes) {
            let location = (memory, step.offsets[lane as usize]);
            let access = Strong { warp: step.warp, lane, location, reach };
            // An operation without a result does not read, as far as others are concerned.
            if step.deed == Deed::Read || (atomic && returns) {
                self.handovers.observe(&mut self.order, access, acquires);
            }
            if step.deed != Deed::Read {
                self.handovers.publish(&mut self.order, access, releases, atomic);
            }
        }
    }

    /// An `mbarrier` in shared memory begins, or ends.
    pub fn reset_object(&mut self, offset: u64) {
        self.handovers.reset_object((SHARED, offset));
    }

    /// A lane arrives at an `mbarrier`, which completes the phase or not.
    pub fn arrive_at_object(&mut self, warp: u32, lane: u32, offset: u64, completes: bool) {
        self.handovers.arrive(&mut self.order, warp, lane, (SHARED, offset), completes);
    }

    /// A lane has seen that a phase of an `mbarrier` is complete.
    pub fn wait_for_object(&mut self, warp: u32, lane: u32, offset: u64) {
        self.handovers.wait(&mut self.order, warp, 1 << lane, (SHARED, offset));
    }

    /// A fence of some lanes.
    pub fn fence(&mut self, warp: u32, lanes: u32, order: Order) {
        if let Order::Acquire(reach) | Order::AcquireRelease(reach) = order {
            self.handovers.fence_acquire(&mut self.order, warp, lanes, reach);
        }
        if let Order::Release(reach) | Order::AcquireRelease(reach) = order {
            self.handovers.fence_release(&mut self.order, warp, lanes, reach);
        }
    }

    /// Who wrote a byte of global memory last, if it was in this launch.
    pub fn writer(&self, index: usize, offset: u64) -> Option<Stamp> {
        let stamp = self.global[index].1.writer(offset)?;
        let of_crowd = self.crowds.of(&self.order, stamp).and_then(|crowd| crowd.last());
        let stamp = of_crowd.map_or(stamp, |party| party.stamp.of_lane(party.lanes.trailing_zeros()));
        self.order.is_of_launch(stamp).then_some(stamp)
    }

    /// A lane has waited for its copy to shared memory, which `began` as that stamp.
    pub fn landed(&mut self, warp: u32, lane: u32, offset: u64, bytes: u32, began: Stamp) {
        let stamp = self.order.stamp(warp, 1 << lane, began.site()).of_lane(lane);
        self.shared.replace_writes(offset, bytes, began, stamp);
    }
}
