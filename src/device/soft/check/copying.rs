//! Asynchronous copies that are asynchronous: `cp.async` as the checked device runs it.
//!
//! A copy begins when it is issued and has landed for certain when its thread has waited for it. In between it
//! may land at any time, so its target holds poison until it does, and no thread may read or write the target
//! or write the source.

use super::checker::Checker;
use super::copies::Batch;
use super::finding::Kind;
use super::race::{Conflict, Deed, Home, Step, lanes};
use crate::device::soft::exec::copy::{Copy, plan};
use crate::device::soft::exec::{Inst, Warp};
use crate::device::soft::memory::find;

/// `cp.async` in checked code, in place of the unchecked handler.
pub unsafe fn issue(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: the caller keeps the contract of `Handler`; checked code runs with a checker, and there is a watch
    // in front of this instruction.
    unsafe {
        let mask = warp.mask(&*ip);
        let mut copies = [Copy::NONE; 32];
        for lane in lanes(mask) {
            match plan(ip, warp, lane as usize) {
                Ok(copy) => copies[lane as usize] = copy,
                Err(cause) => return warp.fail(warp.pc_of(ip), cause, Some(lane)),
            }
        }
        if mask != 0 {
            let site = (*ip.sub(1)).imm as u32;
            (*warp.block.checker).issue(warp, site, Batch::new(mask, copies, warp.shared));
        }
        ip.add(1)
    }
}

/// `cp.async.commit_group`
pub unsafe fn commit(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: as in `issue`.
    unsafe {
        (*warp.block.checker).copies.commit(warp.index, warp.mask(&*ip));
        ip.add(1)
    }
}

/// `cp.async.wait_group`: `imm` groups may stay pending. `cp.async.wait_all`: `imm` is [`ALL`].
pub unsafe fn wait(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: as in `issue`.
    unsafe {
        let mask = warp.mask(&*ip);
        let checker = &mut *warp.block.checker;
        match (*ip).imm {
            ALL => checker.wait_for_all(warp, mask),
            left => checker.wait(warp, mask, left as u32),
        }
        ip.add(1)
    }
}

/// Waits for the copies that no group has, too.
pub const ALL: i32 = -1;

impl Checker {
    fn issue(&mut self, warp: &Warp, site: u32, mut batch: Batch) {
        self.read_sources(warp, site, &batch, batch.lanes, true);
        let size = batch.copies[batch.lanes.trailing_zeros() as usize].size;
        let step = Step {
            deed: Deed::Copy,
            warp: warp.index,
            lanes: batch.lanes,
            home: Home::Shared,
            offsets: &batch.offsets,
            span: batch.targets,
            rows: false,
            bytes: size,
            site,
        };
        self.step(warp, &step);
        batch.stamp = self.shadow.races.order.stamp(warp.index, batch.lanes, site).pending();
        self.copies.begin(warp.index, batch);
    }

    /// The threads' reads of the sources, when the copies begin and again when the threads have waited for them.
    fn read_sources(&mut self, warp: &Warp, site: u32, batch: &Batch, mask: u32, reports: bool) {
        let regions = warp.block.regions;
        let copy = |lane: u32| &batch.copies[lane as usize];
        let mut left = mask;
        while left != 0 {
            let first = copy(left.trailing_zeros());
            let bytes = u64::from(first.bytes);
            let region = find(regions, first.source, bytes).filter(|_| bytes != 0);
            let like = |lane: &u32| {
                let inside = |lo: u64, len: u64| copy(*lane).source.wrapping_sub(lo) < len;
                copy(*lane).bytes == first.bytes && region.is_none_or(|region| inside(region.lo, region.len))
            };
            let same = lanes(left).filter(like).fold(0, |same, lane| same | 1 << lane);
            left &= !same;
            let Some(region) = region else { continue };
            let mut offsets = [0; 32];
            let mut span = (u64::MAX, 0);
            for lane in lanes(same) {
                let offset = copy(lane).source - region.lo;
                offsets[lane as usize] = offset;
                span = (span.0.min(offset), span.1.max(offset + bytes));
            }
            let step = Step {
                deed: Deed::Read,
                warp: warp.index,
                lanes: same,
                home: Home::Global(regions.partition_point(|other| other.lo < region.lo)),
                offsets: &offsets,
                span,
                rows: false,
                bytes: first.bytes,
                site,
            };
            if reports {
                self.step(warp, &step);
            } else {
                self.shadow.races.step(&step, regions, &mut self.conflicts);
                self.conflicts.clear();
            }
        }
    }

    fn wait(&mut self, warp: &Warp, mask: u32, left: u32) {
        if !self.copies.are_pending() {
            return;
        }
        for (landed, batch) in self.copies.end(warp.index, mask, left) {
            for lane in lanes(landed) {
                let (offset, size) = (batch.offsets[lane as usize], batch.copies[lane as usize].size);
                let began = batch.stamp.of_lane(lane);
                self.shadow.races.landed(warp.index, lane, offset, size, began);
            }
            self.read_sources(warp, batch.stamp.site(), &batch, landed, false);
        }
    }

    /// All copies that lanes have issued land.
    pub(super) fn wait_for_all(&mut self, warp: &Warp, mask: u32) {
        self.copies.commit(warp.index, mask);
        self.wait(warp, mask, 0);
    }

    /// A write to global memory, of which a pending copy may be reading some; whether one is.
    pub(super) fn overwrites_source(&mut self, warp: &Warp, step: &Step) -> bool {
        let Home::Global(index) = step.home else { return false };
        if !self.copies.are_pending() || step.deed == Deed::Read {
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
        if !self.copies.are_pending() {
            return;
        }
        for (lane, stamp, offset) in self.copies.forgotten(warp.index, mask) {
            self.forgotten_copy(warp, lane, site, stamp, offset);
        }
    }
}
