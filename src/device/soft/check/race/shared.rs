//! The shadow of a block's shared memory: for each cell who wrote it last, and for each warp which of its
//! lanes have read it since.

use super::cell::{after, objection};
use super::crowd::{Crowd, Crowds, Party, join};
use super::stamp::Stamp;
use super::visit::{Conflict, Context, Deed, Groups, Strength, Visit};
use std::collections::HashMap;

/// What one warp has read.
#[derive(Debug, Default)]
struct Reads {
    /// Of lane 0.
    stamps: Vec<Stamp>,
    lanes: Vec<u32>,
}

#[derive(Debug, Default)]
pub struct SharedShadow {
    /// Bytes of a cell, as a power of two: those of the narrowest access of the launch, 4 at most.
    shift: u32,
    writes: Vec<Stamp>,
    /// For each warp.
    reads: Vec<Reads>,
    /// Reads by lanes of a warp (by warp and cell) that do not know of each other's synchronisation.
    aside: HashMap<(u32, usize), Crowd>,
}

impl SharedShadow {
    /// Makes room for a launch.
    pub fn begin_launch(&mut self, bytes: u32, warps: u32, shift: u32) {
        self.shift = shift;
        let cells = (bytes as usize).div_ceil(1 << shift);
        if self.writes.len() < cells {
            self.writes.resize(cells, Stamp::NONE);
        }
        if self.reads.len() < warps as usize {
            self.reads.resize_with(warps as usize, Reads::default);
        }
        for reads in &mut self.reads {
            if reads.stamps.len() < cells {
                reads.stamps.resize(cells, Stamp::NONE);
                reads.lanes.resize(cells, 0);
            }
        }
        self.aside.clear();
    }

    pub fn begin_block(&mut self) {
        self.aside.clear();
    }

    fn cells(&self, offset: u64, bytes: u32) -> std::ops::Range<usize> {
        let first = (offset >> self.shift) as usize;
        first..first + (bytes >> self.shift) as usize
    }

    pub fn visit(
        &mut self,
        context: &Context,
        crowds: &mut Crowds,
        visit: &Visit,
        found: &mut Vec<Conflict>,
    ) {
        match visit.deed {
            Deed::Read => self.read(context, crowds, visit, found),
            Deed::Write | Deed::Atomic | Deed::Copy => self.write(context, crowds, visit, found),
        }
    }

    fn read(&mut self, context: &Context, crowds: &Crowds, visit: &Visit, found: &mut Vec<Conflict>) {
        if visit.is_row() {
            let all = self.cells(visit.offsets[0], 32 * visit.bytes);
            if self.writes[all.clone()].iter().all(|stamp| *stamp < visit.horizon.floor)
                && self.mark_row(visit, all)
            {
                return;
            }
        }
        for (offset, lanes) in Groups::of(visit).iter() {
            let cells = self.cells(offset, visit.bytes);
            for cell in cells.clone() {
                if self.written(context, cell) >= visit.horizon.floor {
                    self.check_write(context, crowds, visit, lanes, cell, found);
                }
            }
            for cell in cells {
                self.mark(context, visit, lanes, cell);
            }
        }
    }

    /// Marks cells that the lanes read one behind the other; not if some of the warp's reads must be kept.
    fn mark_row(&mut self, visit: &Visit, all: std::ops::Range<usize>) -> bool {
        let reads = &mut self.reads[visit.warp as usize];
        let stamps = &mut reads.stamps[all.clone()];
        if !stamps.iter().all(|stamp| *stamp < visit.horizon.base) {
            return false;
        }
        stamps.fill(visit.stamp);
        let each = (visit.bytes >> self.shift) as usize;
        let mut lane = 1u32;
        for lanes in reads.lanes[all].chunks_exact_mut(each) {
            lanes.fill(lane);
            lane = lane.rotate_left(1);
        }
        true
    }

    #[inline]
    fn mark(&mut self, context: &Context, visit: &Visit, lanes: u32, cell: usize) {
        let reads = &mut self.reads[visit.warp as usize];
        let old = reads.stamps[cell];
        if old < visit.horizon.base {
            (reads.stamps[cell], reads.lanes[cell]) = (visit.stamp, lanes);
        } else if old.tick() == visit.stamp.tick() && context.sites.strength(old.site()) == visit.strength {
            // The line of one of them stands for both.
            reads.lanes[cell] |= lanes;
        } else {
            let before = Party { stamp: old, lanes: reads.lanes[cell] };
            (reads.stamps[cell], reads.lanes[cell]) = (visit.stamp, lanes);
            let crowd = self.aside.entry((visit.warp, cell)).or_default();
            join(crowd, context.order, visit.warp, before);
        }
    }

    /// Who wrote a cell in this block; crowds of earlier blocks compare as new as any.
    fn written(&self, context: &Context, cell: usize) -> Stamp {
        let stamp = self.writes[cell];
        if context.order.is_here(stamp) { stamp } else { Stamp::NONE }
    }

    fn check_write(
        &self,
        context: &Context,
        crowds: &Crowds,
        visit: &Visit,
        lanes: u32,
        cell: usize,
        found: &mut Vec<Conflict>,
    ) {
        for lane in super::visit::lanes(lanes) {
            if let Some(other) = objection(context, crowds, visit, lane, self.writes[cell]) {
                let offset = (cell as u64) << self.shift;
                found.push(Conflict { lane, offset, other, other_writes: true });
            }
        }
    }

    fn write(&mut self, context: &Context, crowds: &mut Crowds, visit: &Visit, found: &mut Vec<Conflict>) {
        let floor = visit.horizon.floor;
        if visit.is_row() && visit.strength == Strength::Weak {
            let all = self.cells(visit.offsets[0], 32 * visit.bytes);
            let old = |stamps: &[Stamp]| stamps[all.clone()].iter().all(|stamp| *stamp < floor);
            if self.aside.is_empty() && old(&self.writes) && self.reads.iter().all(|reads| old(&reads.stamps))
            {
                let each = (visit.bytes >> self.shift) as usize;
                for (lane, stamps) in (0..).zip(self.writes[all].chunks_exact_mut(each)) {
                    stamps.fill(visit.stamp_of(lane));
                }
                return;
            }
        }
        for lane in visit.each_lane() {
            for cell in self.cells(visit.offsets[lane as usize], visit.bytes) {
                let old = self.written(context, cell);
                if old >= floor {
                    self.check_write(context, crowds, visit, 1 << lane, cell, found);
                }
                self.check_reads(context, visit, lane, cell, found);
                self.writes[cell] = match visit.strength {
                    Strength::Weak => visit.stamp_of(lane),
                    _ => after(context, crowds, visit, 1 << lane, old),
                };
            }
        }
    }

    #[inline]
    fn check_reads(
        &self,
        context: &Context,
        visit: &Visit,
        lane: u32,
        cell: usize,
        found: &mut Vec<Conflict>,
    ) {
        for (warp, reads) in (0..).zip(&self.reads) {
            let recent = reads.stamps.get(cell).is_some_and(|stamp| *stamp >= visit.horizon.floor);
            if recent {
                self.check_reads_of(context, visit, lane, warp, cell, found);
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn check_reads_of(
        &self,
        context: &Context,
        visit: &Visit,
        lane: u32,
        warp: u32,
        cell: usize,
        found: &mut Vec<Conflict>,
    ) {
        let reads = &self.reads[warp as usize];
        let last = Party { stamp: reads.stamps[cell], lanes: reads.lanes[cell] };
        let earlier = self.aside.get(&(warp, cell)).into_iter().flatten();
        let mut members = std::iter::once(&last).chain(earlier).flat_map(Party::members);
        if let Some(other) = members.find(|stamp| !context.tolerates(visit, lane, *stamp)) {
            let offset = (cell as u64) << self.shift;
            found.push(Conflict { lane, offset, other, other_writes: false });
        }
    }

    // ---- asynchronous copies

    /// A copy has landed: `new` where `old` still stands.
    pub fn replace_writes(&mut self, offset: u64, bytes: u32, old: Stamp, new: Stamp) {
        let cells = self.cells(offset, bytes);
        self.writes[cells].iter_mut().filter(|stamp| **stamp == old).for_each(|stamp| *stamp = new);
    }
}
