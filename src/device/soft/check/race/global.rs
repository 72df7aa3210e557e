//! The shadow of global memory: for each cell who wrote it last, and who has read it since.

use super::cell::{after, objection};
use super::crowd::Crowds;
use super::sites::Strength;
use super::stamp::Stamp;
use super::visit::{Conflict, Context, Deed, Groups, Offsets, Visit};
use std::ops::Range;

/// The shadow of one allocation.
#[derive(Debug, Default)]
pub struct GlobalShadow {
    /// Bytes of a cell, as a power of two.
    shift: u32,
    writes: Vec<Stamp>,
    reads: Vec<Stamp>,
}

impl GlobalShadow {
    /// Makes room: for an allocation of `bytes` bytes in cells of `1 << shift`.
    pub fn fit(&mut self, bytes: u64, shift: u32) {
        self.shift = shift;
        let cells = (bytes as usize).div_ceil(1 << shift);
        if self.writes.len() < cells {
            // What is known so far is of earlier launches, so nothing is lost; and untouched pages cost nothing.
            self.writes = vec![Stamp::NONE; cells];
            self.reads = vec![Stamp::NONE; cells];
        }
    }

    /// Who wrote a byte last; `None` if that was never looked at.
    pub fn writer(&self, offset: u64) -> Option<Stamp> {
        self.writes.get((offset >> self.shift) as usize).copied()
    }

    #[inline(always)]
    fn cells(&self, offset: u64, bytes: u32) -> Range<usize> {
        let first = (offset >> self.shift) as usize;
        first..first + bytes.div_ceil(1 << self.shift) as usize
    }

    #[inline(always)]
    pub fn visit(
        &mut self,
        context: &Context,
        crowds: &mut Crowds,
        visit: &Visit,
        offsets: &Offsets,
        found: &mut Vec<Conflict>,
    ) {
        if visit.strength == Strength::Weak && visit.rows && self.visit_row(context, visit, offsets[0]) {
            return;
        }
        match visit.deed {
            Deed::Read => self.read(context, crowds, visit, offsets, found),
            Deed::Write | Deed::Atomic | Deed::Copy => self.write(context, crowds, visit, offsets, found),
        }
    }

    /// A row of cells that nobody else of the launch has touched, or has only read.
    #[inline(always)]
    fn visit_row(&mut self, context: &Context, visit: &Visit, start: u64) -> bool {
        let all = self.cells(start, 32 * visit.bytes);
        let launch = visit.horizon.launch;
        if !self.writes[all.clone()].iter().all(|stamp| *stamp < launch) {
            return false;
        }
        let reads = &mut self.reads[all.clone()];
        let each = (visit.bytes >> self.shift) as usize;
        let stamped = |cells: &mut [Stamp]| {
            for (lane, stamps) in (0..).zip(cells.chunks_exact_mut(each)) {
                stamps.fill(visit.stamp.of_lane(lane));
            }
        };
        let careful = context.is_careful(visit);
        let own = |reads: &[Stamp]| {
            let lanes = (0..).zip(reads.chunks_exact(each));
            lanes.into_iter().all(|(lane, stamps)| {
                stamps.iter().all(|stamp| *stamp < launch || (!careful && is_own(visit, lane, *stamp)))
            })
        };
        match visit.deed {
            Deed::Read if reads.iter().all(|stamp| skips(context, visit, *stamp)) => {}
            Deed::Read if own(reads) => stamped(reads),
            Deed::Write if own(reads) => stamped(&mut self.writes[all]),
            _ => return false,
        }
        true
    }

    #[inline(never)]
    fn read(
        &mut self,
        context: &Context,
        crowds: &mut Crowds,
        visit: &Visit,
        offsets: &Offsets,
        found: &mut Vec<Conflict>,
    ) {
        let careful = context.is_careful(visit);
        if !careful && self.was_read(context, visit, offsets) {
            return;
        }
        for (offset, lanes) in Groups::of(visit, offsets).iter() {
            for cell in self.cells(offset, visit.bytes) {
                if careful || !visit.horizon.knows(self.writes[cell]) {
                    self.check(context, crowds, visit, lanes, cell, true, found);
                }
                let old = self.reads[cell];
                if skips(context, visit, old) {
                    continue;
                }
                self.reads[cell] = match visit.horizon.knows(old) && lanes & (lanes - 1) == 0 {
                    true => visit.stamp.of_lane(lanes.trailing_zeros()),
                    false => after(context, crowds, visit, lanes, old),
                };
            }
        }
    }

    /// Whether all cells were read by an earlier block and written by nobody: then there is nothing to remember.
    fn was_read(&self, context: &Context, visit: &Visit, offsets: &Offsets) -> bool {
        visit.each_lane().all(|lane| {
            let cells = self.cells(offsets[lane as usize], visit.bytes);
            let untouched = |stamp: &Stamp| *stamp < visit.horizon.launch;
            self.reads[cells.clone()].iter().all(|stamp| skips(context, visit, *stamp))
                && self.writes[cells].iter().all(untouched)
        })
    }

    #[inline(never)]
    fn write(
        &mut self,
        context: &Context,
        crowds: &mut Crowds,
        visit: &Visit,
        offsets: &Offsets,
        found: &mut Vec<Conflict>,
    ) {
        let careful = context.is_careful(visit);
        for lane in visit.each_lane() {
            for cell in self.cells(offsets[lane as usize], visit.bytes) {
                let (written, read) = (self.writes[cell], self.reads[cell]);
                if careful || !(visit.horizon.knows(written) || is_own(visit, lane, written)) {
                    self.check(context, crowds, visit, 1 << lane, cell, true, found);
                }
                if careful || !(visit.horizon.knows(read) || is_own(visit, lane, read)) {
                    self.check(context, crowds, visit, 1 << lane, cell, false, found);
                }
                self.writes[cell] = match visit.strength {
                    Strength::Weak => visit.stamp.of_lane(lane),
                    _ => after(context, crowds, visit, 1 << lane, written),
                };
            }
        }
    }

    #[cold]
    #[inline(never)]
    #[allow(clippy::too_many_arguments)]
    fn check(
        &self,
        context: &Context,
        crowds: &Crowds,
        visit: &Visit,
        lanes: u32,
        cell: usize,
        writes: bool,
        found: &mut Vec<Conflict>,
    ) {
        let stamp = if writes { self.writes[cell] } else { self.reads[cell] };
        for lane in super::visit::lanes(lanes) {
            if let Some(other) = objection(context, crowds, visit, lane, stamp) {
                let offset = (cell as u64) << self.shift;
                found.push(Conflict { lane, offset, other, other_writes: writes });
            }
        }
    }
}

/// Whether a read need not be remembered: the thread of an earlier block has read the cell, and nothing orders
/// that before anything in this block or a later one. So every write of the launch is in conflict already.
#[inline]
fn skips(context: &Context, visit: &Visit, old: Stamp) -> bool {
    let plain = old.plain();
    plain >= visit.horizon.launch && plain < visit.horizon.block && !context.sites.orders_blocks
}

/// Whether it is an access of the lane itself, in this block.
#[inline]
fn is_own(visit: &Visit, lane: u32, stamp: Stamp) -> bool {
    stamp >= visit.horizon.block
        && stamp.as_crowd().is_none()
        && stamp.is_same_thread(visit.stamp.of_lane(lane))
}
