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
mod happens_before;
mod log;
mod shared;
mod spans;
mod stamp;
mod visit;

pub use stamp::Stamp;
pub use visit::{Conflict, Deed, lanes};

use crate::device::soft::lower::Code;
use crate::device::soft::memory::Region;
use crate::ptx::typed::{AddressSpace, MbarrierOp, Op, Order, Reach};
use crowd::Crowds;
use global::GlobalShadow;
use happens_before::HappensBefore;
use shared::SharedShadow;
use visit::{Context, Offsets, Sites, Strength, Visit};

/// Stands for shared memory among the first addresses of allocations.
pub const SHARED: u64 = 0;

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
    sites: Sites,
    crowds: Crowds,
    shared: SharedShadow,
    /// By address, those of the launch's allocations.
    global: Vec<(u64, GlobalShadow)>,
    shift: u32,
}

impl Races {
    pub fn begin_launch(&mut self, code: &Code, regions: &[Region], shared_bytes: u32, warps: u32) {
        self.order.begin_launch();
        self.crowds.clear();
        self.sites = sites(code);
        self.shift = narrowest(code);
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
        self.order.forget_locations(SHARED);
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
            // An operation without a result does not read, as far as others are concerned.
            if step.deed == Deed::Read || (atomic && returns) {
                self.order.observe(step.warp, lane, location, reach, acquires);
            }
            if step.deed != Deed::Read {
                self.order.publish(step.warp, lane, location, reach, releases, atomic);
            }
        }
    }

    /// A fence of some lanes.
    pub fn fence(&mut self, warp: u32, lanes: u32, order: Order) {
        if let Order::Acquire(reach) | Order::AcquireRelease(reach) = order {
            self.order.fence_acquire(warp, lanes, reach);
        }
        if let Order::Release(reach) | Order::AcquireRelease(reach) = order {
            self.order.fence_release(warp, lanes, reach);
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

fn sites(code: &Code) -> Sites {
    let ops = || code.watched.list.iter().map(|watched| &watched.op);
    let mut sites = Sites {
        strengths: ops().map(|op| strength(order(op))).collect(),
        read_only: ops().map(|op| order(op) == Order::ReadOnly).collect(),
        orders: ops().any(|op| hands_on(op).is_some()),
        orders_blocks: ops().any(|op| hands_on(op).is_some_and(|reach| reach != Reach::Block)),
    };
    if sites.strengths.iter().all(|strength| *strength == Strength::Weak) {
        sites.strengths.clear();
    }
    if !sites.read_only.contains(&true) {
        sites.read_only.clear();
    }
    sites
}

/// How an instruction's access is ordered.
fn order(op: &Op) -> Order {
    match op {
        Op::Load(access) | Op::Store(access) => access.order,
        Op::Atomic { order, .. } => *order,
        // To begin with an object is like any memory; later it is used by all at once.
        Op::Mbarrier { op: MbarrierOp::Init | MbarrierOp::Invalidate, .. } => Order::Weak,
        Op::Mbarrier { .. } => Order::Relaxed(Reach::Cluster),
        _ => Order::Weak,
    }
}

fn strength(order: Order) -> Strength {
    match order {
        Order::Weak | Order::ReadOnly => Strength::Weak,
        Order::Volatile => Strength::Device,
        Order::Relaxed(reach)
        | Order::Acquire(reach)
        | Order::Release(reach)
        | Order::AcquireRelease(reach) => match reach {
            Reach::Block => Strength::Block,
            _ => Strength::Device,
        },
    }
}

/// How far an instruction can put accesses in order, other than by a barrier.
fn hands_on(op: &Op) -> Option<Reach> {
    let order = if let Op::Fence(order) = op { *order } else { order(op) };
    match order {
        Order::Acquire(reach) | Order::Release(reach) | Order::AcquireRelease(reach) => Some(reach),
        Order::Weak | Order::ReadOnly | Order::Volatile | Order::Relaxed(_) => None,
    }
}

/// Bytes of the narrowest access, 4 at most, as a power of two.
fn narrowest(code: &Code) -> u32 {
    let shared_or_global = |space| !matches!(space, AddressSpace::Local | AddressSpace::Param);
    let references = code.watched.list.iter().flat_map(|watched| &watched.references);
    let bytes =
        references.filter(|reference| shared_or_global(reference.space)).map(|reference| reference.bytes);
    bytes.min().unwrap_or(4).min(4).trailing_zeros()
}
