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
mod shared;
mod stamp;
mod visit;

pub use stamp::Stamp;
pub use visit::{Conflict, Deed, lanes};

use crate::device::soft::lower::Code;
use crate::device::soft::memory::Region;
use crate::ptx::typed::{AddressSpace, Op};
use crowd::Crowds;
use global::GlobalShadow;
use happens_before::HappensBefore;
use shared::SharedShadow;
use visit::{Context, Sites, Strength, Visit};

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
    pub offsets: &'a [u64; 32],
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
        self.sites = Sites {
            strengths: code.watched.list.iter().map(|watched| strength(&watched.op)).collect(),
            orders_blocks: false,
        };
        if self.sites.strengths.iter().all(|strength| *strength == Strength::Weak) {
            self.sites.strengths.clear();
        }
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
        self.shared.begin_block();
    }

    /// Looks at an access and remembers it. What it is in conflict with goes to `found`.
    pub fn step(&mut self, step: &Step, regions: &[Region], found: &mut Vec<Conflict>) {
        let strength = self.sites.strength(step.site);
        let visit = Visit {
            deed: step.deed,
            warp: step.warp,
            lanes: step.lanes,
            offsets: step.offsets,
            bytes: step.bytes,
            strength,
            stamp: self.order.stamp(step.warp, step.lanes, step.site),
            horizon: self.order.horizon(step.warp),
        };
        let context = Context { order: &self.order, sites: &self.sites };
        match step.home {
            Home::Shared => self.shared.visit(&context, &mut self.crowds, &visit, found),
            Home::Global(index) => {
                let region = &regions[index];
                if region.read_only {
                    return;
                }
                let shadow = &mut self.global[index].1;
                shadow.fit(region.len, self.shift);
                shadow.visit(&context, &mut self.crowds, &visit, found);
            }
        }
    }

    /// A lane has waited for its copy to shared memory, which `began` as that stamp.
    pub fn landed(&mut self, warp: u32, lane: u32, offset: u64, bytes: u32, began: Stamp) {
        let stamp = self.order.stamp(warp, 1 << lane, began.site()).of_lane(lane);
        self.shared.replace_writes(offset, bytes, began, stamp);
    }
}

fn strength(op: &Op) -> Strength {
    match op {
        Op::Atomic { .. } => Strength::Device,
        _ => Strength::Weak,
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
