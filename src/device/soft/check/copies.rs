//! Asynchronous copies that are asynchronous: `cp.async` as the checked device runs it.
//!
//! A copy begins when it is issued and has landed for certain when its thread has waited for it. In between it
//! may land at any time, so its target holds poison until it does, and no thread may read or write the target
//! or write the source. Each thread has an open group and a queue of groups that it has committed.

use super::checker::Checker;
use super::finding::Kind;
use super::race::{Conflict, Deed, Home, Stamp, Step, lanes};
use crate::device::soft::chance::Chance;
use crate::device::soft::exec::copy::{Copy, plan};
use crate::device::soft::exec::{Inst, Warp};
use crate::device::soft::memory::{POISON, find};
use std::collections::VecDeque;

/// When copies land, between issue and wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Landing {
    #[default]
    Eager,
    Lazy,
    Random,
}

/// A copy that its thread has not waited for.
#[derive(Debug, Clone, Copy)]
struct Pending {
    copy: Copy,
    /// Where the target is in shared memory.
    offset: u64,
    group: u32,
    stamp: Stamp,
    landed: bool,
}

/// The copies of one thread, oldest first.
#[derive(Debug, Default)]
struct Thread {
    pending: VecDeque<Pending>,
    /// Groups that it has committed; the number of the open one.
    committed: u32,
}

/// The copies of a block.
#[derive(Debug, Default)]
pub struct Copies {
    threads: Vec<Thread>,
    landing: Landing,
    count: usize,
    /// All sources that are read lie between these addresses.
    sources: (u64, u64),
}

impl Copies {
    pub fn begin_block(&mut self, threads: u32, chance: Option<&Chance>) {
        self.threads.resize_with(threads.next_multiple_of(32) as usize, Thread::default);
        for thread in &mut self.threads {
            thread.pending.clear();
            thread.committed = 0;
        }
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

    fn thread(&mut self, warp: u32, lane: u32) -> &mut Thread {
        &mut self.threads[(32 * warp + lane) as usize]
    }

    /// Where copies are on their way to, from the first byte to the one behind the last.
    pub fn targets(&self) -> impl Iterator<Item = (u32, u32)> {
        let all = self.threads.iter().filter(|_| self.count != 0).flat_map(|thread| &thread.pending);
        all.map(|pending| (pending.offset as u32, pending.offset as u32 + pending.copy.size))
    }

    /// Some copies of a warp land, if they land at random.
    pub fn land_some(&mut self, warp: u32, chance: &Chance) {
        if self.count == 0 || self.landing != Landing::Random {
            return;
        }
        for lane in 0..32 {
            let pending = &mut self.thread(warp, lane).pending;
            let Some(oldest) = pending.iter().find(|copy| !copy.landed).map(|copy| copy.group) else {
                continue;
            };
            for copy in pending.iter_mut().filter(|copy| copy.group == oldest && !copy.landed) {
                if chance.below(2) == 0 {
                    land(copy);
                }
            }
        }
    }

    /// A copy that reads some of `bytes` bytes at a device address.
    fn reader(&self, address: u64, bytes: u64) -> Option<Stamp> {
        if self.count == 0 || address >= self.sources.1 || address + bytes <= self.sources.0 {
            return None;
        }
        let overlaps = |pending: &&Pending| {
            let copy = &pending.copy;
            address < copy.source + u64::from(copy.bytes) && copy.source < address + bytes
        };
        let all = self.threads.iter().flat_map(|thread| &thread.pending);
        all.into_iter().find(overlaps).map(|pending| pending.stamp)
    }
}

fn land(pending: &mut Pending) {
    if !pending.landed {
        pending.landed = true;
        // SAFETY: the places were checked when the copy was issued, and both memories live as long as the launch.
        unsafe { pending.copy.perform() };
    }
}

/// `cp.async` in checked code, in place of the unchecked handler.
pub unsafe fn issue(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: the caller keeps the contract of `Handler`; checked code runs with a checker, and there is a watch
    // in front of this instruction.
    unsafe {
        let mask = warp.mask(&*ip);
        let site = (*ip.sub(1)).imm as u32;
        let checker = &mut *warp.block.checker;
        for lane in lanes(mask) {
            match plan(ip, warp, lane as usize) {
                Ok(copy) => checker.issue(warp, lane, site, copy),
                Err(cause) => return warp.fail(warp.pc_of(ip), cause, Some(lane)),
            }
        }
        ip.add(1)
    }
}

/// `cp.async.commit_group`
pub unsafe fn commit(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: as in `issue`.
    unsafe {
        let checker = &mut *warp.block.checker;
        for lane in lanes(warp.mask(&*ip)) {
            checker.copies.thread(warp.index, lane).committed += 1;
        }
        ip.add(1)
    }
}

/// `cp.async.wait_group`: `imm` groups may stay pending. `cp.async.wait_all`: `imm` is [`ALL`].
pub unsafe fn wait(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: as in `issue`.
    unsafe {
        let checker = &mut *warp.block.checker;
        for lane in lanes(warp.mask(&*ip)) {
            checker.wait(warp, lane, (*ip).imm);
        }
        ip.add(1)
    }
}

/// Waits for the copies that no group has, too.
pub const ALL: i32 = -1;

impl Checker {
    fn issue(&mut self, warp: &Warp, lane: u32, site: u32, copy: Copy) {
        let offset = copy.to as u64 - warp.shared as u64;
        self.read_source(warp, lane, site, &copy, true);
        let mut offsets = [0; 32];
        offsets[lane as usize] = offset;
        let step = Step {
            deed: Deed::Copy,
            warp: warp.index,
            lanes: 1 << lane,
            home: Home::Shared,
            offsets: &offsets,
            span: (offset, offset + u64::from(copy.size)),
            rows: false,
            bytes: copy.size,
            site,
        };
        self.step(warp, &step);
        let stamp = self.shadow.races.order.stamp(warp.index, 1 << lane, site).of_lane(lane).pending();
        let landing = self.copies.landing;
        let thread = self.copies.thread(warp.index, lane);
        let mut pending = Pending { copy, offset, group: thread.committed, stamp, landed: false };
        if landing == Landing::Eager {
            land(&mut pending);
        } else {
            // SAFETY: the target was checked.
            unsafe { copy.to.write_bytes(POISON, copy.size as usize) };
        }
        thread.pending.push_back(pending);
        let (low, high) = (copy.source, copy.source + u64::from(copy.bytes));
        let old = if self.copies.count == 0 { (low, high) } else { self.copies.sources };
        self.copies.sources = (old.0.min(low), old.1.max(high));
        self.copies.count += 1;
    }

    /// The thread's read of the source, when the copy begins and again when the thread has waited for it.
    fn read_source(&mut self, warp: &Warp, lane: u32, site: u32, copy: &Copy, reports: bool) {
        let regions = warp.block.regions;
        let Some(region) = find(regions, copy.source, u64::from(copy.bytes)).filter(|_| copy.bytes != 0)
        else {
            return;
        };
        let index = regions.partition_point(|other| other.lo < region.lo);
        let mut offsets = [0; 32];
        let offset = copy.source - region.lo;
        offsets[lane as usize] = offset;
        let step = Step {
            deed: Deed::Read,
            warp: warp.index,
            lanes: 1 << lane,
            home: Home::Global(index),
            offsets: &offsets,
            span: (offset, offset + u64::from(copy.bytes)),
            rows: false,
            bytes: copy.bytes.next_multiple_of(4),
            site,
        };
        if reports {
            self.step(warp, &step);
        } else {
            self.shadow.races.step(&step, regions, &mut self.conflicts);
            self.conflicts.clear();
        }
    }

    fn wait(&mut self, warp: &Warp, lane: u32, left: i32) {
        let thread = self.copies.thread(warp.index, lane);
        if left == ALL {
            thread.committed += 1;
        }
        let landed = thread.committed.saturating_sub(left.max(0) as u32);
        while let Some(mut pending) =
            self.copies.thread(warp.index, lane).pending.pop_front_if(|p| p.group < landed)
        {
            land(&mut pending);
            self.copies.count -= 1;
            let site = pending.stamp.site();
            self.shadow.races.landed(warp.index, lane, pending.offset, pending.copy.size, pending.stamp);
            self.read_source(warp, lane, site, &pending.copy, false);
        }
    }

    /// All copies that lanes have issued land, for whoever is told that they have.
    pub(super) fn land_all(&mut self, warp: &Warp, mask: u32) {
        lanes(mask).for_each(|lane| self.wait(warp, lane, ALL));
    }

    /// Whether two copies of a thread to one place are in one group, the newer one being issued now.
    pub(super) fn same_group(&mut self, warp: u32, lane: u32, offset: u64) -> bool {
        let thread = self.copies.thread(warp, lane);
        let covers = |pending: &Pending| {
            pending.group == thread.committed
                && (pending.offset..pending.offset + u64::from(pending.copy.size)).contains(&offset)
        };
        thread.pending.iter().any(covers)
    }

    /// A write to global memory, of which a pending copy may be reading some; whether one is.
    pub(super) fn overwrites_source(&mut self, warp: &Warp, step: &Step) -> bool {
        let Home::Global(index) = step.home else { return false };
        if self.copies.count == 0 || step.deed == Deed::Read {
            return false;
        }
        let lo = warp.block.regions[index].lo;
        let mut any = false;
        for lane in lanes(step.lanes) {
            let offset = step.offsets[lane as usize];
            let Some(other) = self.copies.reader(lo + offset, u64::from(step.bytes)) else { continue };
            let conflict = Conflict { lane, offset, other, other_writes: false };
            match (other.warp(), other.lane()) == (step.warp, lane) {
                true => self.one_sided(warp, step, &conflict, Kind::PendingCopy),
                false => self.race(warp, step, &conflict),
            }
            any = true;
        }
        any
    }

    /// Lanes exit; they should have waited for their copies.
    pub(super) fn exit_copies(&mut self, warp: &Warp, mask: u32, site: u32) {
        if self.copies.count == 0 {
            return;
        }
        for lane in lanes(mask) {
            let first = self.copies.thread(warp.index, lane).pending.front().copied();
            if let Some(pending) = first {
                self.forgotten_copy(warp, lane, site, pending.stamp, pending.offset);
            }
        }
    }
}
