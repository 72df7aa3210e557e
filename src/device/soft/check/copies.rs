//! The asynchronous copies of a block that their threads have not waited for.
//!
//! Each thread has an open group and the groups that it has committed. The lanes of a warp mostly do the same, so
//! what one instruction began is kept together.

use super::race::{Stamp, lanes};
use crate::device::soft::chance::Chance;
use crate::device::soft::exec::copy::Copy;
use crate::device::soft::memory::POISON;

/// When copies land, between issue and wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Landing {
    #[default]
    Eager,
    Lazy,
    Random,
}

/// What the lanes of a warp began to copy with one instruction.
#[derive(Clone)]
pub struct Batch {
    /// Lanes that have not waited for it.
    pub lanes: u32,
    /// Lanes whose copy has happened.
    landed: u32,
    pub copies: [Copy; 32],
    /// Where each lane's target is in shared memory.
    pub offsets: [u64; 32],
    /// The group of each lane.
    groups: [u32; 32],
    /// Of lane 0.
    pub stamp: Stamp,
    /// The first byte of all targets, and the one behind the last.
    pub targets: (u64, u64),
    /// The same of all sources, as addresses.
    sources: (u64, u64),
}

impl Batch {
    /// The copies of `mask`, whose targets are in shared memory that begins at `shared`.
    pub fn new(mask: u32, copies: [Copy; 32], shared: *const u8) -> Batch {
        let mut offsets = [0; 32];
        let (mut targets, mut sources) = ((u64::MAX, 0), (u64::MAX, 0));
        for lane in lanes(mask) {
            let copy = &copies[lane as usize];
            let offset = copy.to as u64 - shared as u64;
            offsets[lane as usize] = offset;
            targets = (targets.0.min(offset), targets.1.max(offset + u64::from(copy.size)));
            sources = (sources.0.min(copy.source), sources.1.max(copy.source + u64::from(copy.bytes)));
        }
        let (stamp, groups) = (Stamp::NONE, [0; 32]);
        Batch { lanes: mask, landed: 0, copies, offsets, groups, stamp, targets, sources }
    }

    /// The copies of `mask` happen, if they have not yet.
    fn land(&mut self, mask: u32) {
        for lane in lanes(mask & !self.landed) {
            // SAFETY: the places were checked when the copy was issued, and both memories live as long as the launch.
            unsafe { self.copies[lane as usize].perform() };
        }
        self.landed |= mask;
    }

    /// Whether the target of a lane has a byte.
    fn covers(&self, lane: u32, offset: u64) -> bool {
        let start = self.offsets[lane as usize];
        (start..start + u64::from(self.copies[lane as usize].size)).contains(&offset)
    }
}

/// The copies of one warp, oldest first.
#[derive(Default)]
struct Queue {
    batches: Vec<Batch>,
    /// Groups that each lane has committed; the number of its open one.
    committed: [u32; 32],
}

/// The copies of a block.
#[derive(Default)]
pub struct Copies {
    queues: Vec<Queue>,
    landing: Landing,
    /// Batches in all queues.
    count: usize,
}

impl Copies {
    pub fn begin_block(&mut self, threads: u32, chance: Option<&Chance>) {
        self.queues.clear();
        self.queues.resize_with(threads.div_ceil(32) as usize, Queue::default);
        self.count = 0;
        self.landing = match chance.map(|chance| chance.below(3)) {
            None | Some(0) => Landing::Eager,
            Some(1) => Landing::Lazy,
            _ => Landing::Random,
        };
    }

    #[inline(always)]
    pub fn are_pending(&self) -> bool {
        self.count != 0
    }

    /// Copies begin. Until they land their targets hold poison.
    pub fn begin(&mut self, warp: u32, mut batch: Batch) {
        let queue = &mut self.queues[warp as usize];
        batch.groups = queue.committed;
        if self.landing == Landing::Eager {
            batch.land(batch.lanes);
        } else {
            for copy in lanes(batch.lanes).map(|lane| &batch.copies[lane as usize]) {
                // SAFETY: the target was checked.
                unsafe { copy.to.write_bytes(POISON, copy.size as usize) };
            }
        }
        queue.batches.push(batch);
        self.count += 1;
    }

    pub fn commit(&mut self, warp: u32, mask: u32) {
        let committed = &mut self.queues[warp as usize].committed;
        lanes(mask).for_each(|lane| committed[lane as usize] += 1);
    }

    /// The copies that lanes have waited for when at most `left` of their groups may be pending: they have landed now.
    /// Each comes with the lanes in question.
    pub fn end(&mut self, warp: u32, mask: u32, left: u32) -> Vec<(u32, Batch)> {
        let queue = &mut self.queues[warp as usize];
        let mut ended = Vec::new();
        for mut batch in std::mem::take(&mut queue.batches) {
            let due = |lane: &u32| {
                let lane = *lane as usize;
                batch.groups[lane] < queue.committed[lane].saturating_sub(left)
            };
            let due = lanes(batch.lanes & mask).filter(due).fold(0, |due, lane| due | 1 << lane);
            batch.land(due);
            batch.lanes &= !due;
            if batch.lanes == 0 {
                self.count -= 1;
                ended.push((due, batch));
                continue;
            }
            if due != 0 {
                ended.push((due, batch.clone()));
            }
            queue.batches.push(batch);
        }
        ended
    }

    /// Some copies of a warp land, if they land at random: copies of one group in any order.
    pub fn land_some(&mut self, warp: u32, chance: &Chance) {
        if self.count == 0 || self.landing != Landing::Random {
            return;
        }
        let batches = &mut self.queues[warp as usize].batches;
        let Some(oldest) = batches.iter().position(|batch| batch.lanes & !batch.landed != 0) else { return };
        let groups = batches[oldest].groups;
        for batch in batches[oldest..].iter_mut().filter(|batch| batch.groups == groups) {
            batch.land(batch.lanes & chance.bits());
        }
    }

    /// Where copies are on their way to, from the first byte to the one behind the last.
    pub fn targets(&self) -> impl Iterator<Item = (u32, u32)> {
        let batches = self.queues.iter().filter(|_| self.count != 0).flat_map(|queue| &queue.batches);
        batches.map(|batch| (batch.targets.0 as u32, batch.targets.1 as u32))
    }

    /// A copy that reads some of `bytes` bytes at a device address.
    pub fn reader(&self, address: u64, bytes: u64) -> Option<Stamp> {
        let all = self.queues.iter().flat_map(|queue| &queue.batches);
        let near = all.filter(|batch| address < batch.sources.1 && batch.sources.0 < address + bytes);
        let mut those = near.flat_map(|batch| lanes(batch.lanes).map(move |lane| (batch, lane)));
        let found = those.find(|(batch, lane)| {
            let copy = &batch.copies[*lane as usize];
            address < copy.source + u64::from(copy.bytes) && copy.source < address + bytes
        });
        found.map(|(batch, lane)| batch.stamp.of_lane(lane))
    }

    /// Whether a copy of a lane's open group goes to a byte.
    pub fn in_open_group(&self, warp: u32, lane: u32, offset: u64) -> bool {
        let queue = &self.queues[warp as usize];
        let open = |batch: &&Batch| {
            batch.lanes >> lane & 1 != 0 && batch.groups[lane as usize] == queue.committed[lane as usize]
        };
        queue.batches.iter().filter(open).any(|batch| batch.covers(lane, offset))
    }

    /// For each of some lanes the first copy that it has not waited for, and its target.
    pub fn forgotten(&self, warp: u32, mask: u32) -> Vec<(u32, Stamp, u64)> {
        let batches = &self.queues[warp as usize].batches;
        let first = |lane: u32| {
            let batch = batches.iter().find(|batch| batch.lanes >> lane & 1 != 0)?;
            Some((lane, batch.stamp.of_lane(lane), batch.offsets[lane as usize]))
        };
        lanes(mask).filter_map(first).collect()
    }
}
