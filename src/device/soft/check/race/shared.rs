//! The shadow of a block's shared memory: for each cell who wrote it last, and for each warp which of its
//! lanes have read it since.
//!
//! Most accesses never come here: they are only noted in a [`Log`] until the next barrier of the block.

use super::cell::{after, objection};
use super::crowd::{Crowd, Crowds, Party, join};
use super::log::{Log, Note};
use super::sites::Strength;
use super::spans::Spans;
use super::stamp::Stamp;
use super::visit::{Conflict, Context, Deed, Groups, Offsets, Visit, lanes};
use std::collections::HashMap;
use std::ops::Range;

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
    /// For each warp of the launch, and those of larger launches behind.
    reads: Vec<Reads>,
    warps: usize,
    /// Reads by lanes of a warp (by warp and cell) that do not know of each other's synchronisation.
    aside: HashMap<(u32, usize), Crowd>,
    log: Log,
    /// The notes are entered, and all accesses up to the next barrier of the block are.
    exact: bool,
    /// Where copies are pending or have landed since the last barrier of the block.
    copies: Spans,
}

impl SharedShadow {
    /// Makes room for a launch.
    pub fn begin_launch(&mut self, bytes: u32, warps: u32, shift: u32) {
        self.shift = shift;
        self.warps = warps as usize;
        let cells = (bytes as usize).div_ceil(1 << shift);
        if self.writes.len() < cells {
            self.writes.resize(cells, Stamp::NONE);
        }
        self.log.fit(cells);
        if self.reads.len() < self.warps {
            self.reads.resize_with(self.warps, Reads::default);
        }
        for reads in &mut self.reads[..self.warps] {
            if reads.stamps.len() < cells {
                reads.stamps.resize(cells, Stamp::NONE);
                reads.lanes.resize(cells, 0);
            }
        }
    }

    /// All that was done is in order with all that comes, except for the copies that are pending at these places.
    pub fn align(&mut self, pending: impl Iterator<Item = (u32, u32)>) {
        self.log.clear();
        self.exact = false;
        self.aside.clear();
        self.copies.clear();
        pending.for_each(|(lo, hi)| self.copies.add(lo, hi));
    }

    fn cells(&self, offset: u64, bytes: u32) -> Range<usize> {
        let first = (offset >> self.shift) as usize;
        first..first + (bytes >> self.shift) as usize
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
        if !self.exact && visit.strength == Strength::Weak && visit.deed != Deed::Copy {
            let (lo, hi) = visit.shared_span();
            if !self.copies.meet(lo, hi) && self.log.takes(visit, offsets, (lo, hi), self.shift) {
                return;
            }
        }
        self.look(context, crowds, visit, offsets, found);
    }

    /// Looks at an access cell by cell.
    #[inline(never)]
    fn look(
        &mut self,
        context: &Context,
        crowds: &mut Crowds,
        visit: &Visit,
        offsets: &Offsets,
        found: &mut Vec<Conflict>,
    ) {
        let (lo, hi) = visit.shared_span();
        let copy = visit.deed == Deed::Copy;
        if !self.exact && (!copy || self.log.meets(lo, hi)) {
            self.enter(context);
        }
        if copy {
            self.copies.add(lo, hi);
        }
        match visit.deed {
            Deed::Read => self.read(context, crowds, visit, offsets, found),
            Deed::Write | Deed::Atomic | Deed::Copy => self.write(context, crowds, visit, offsets, found),
        }
    }

    /// Enters the notes. None of them is in conflict with another.
    fn enter(&mut self, context: &Context) {
        self.exact = true;
        let notes = std::mem::take(&mut self.log.notes);
        for note in &notes {
            for lane in lanes(note.lanes) {
                for cell in self.cells(u64::from(note.offsets[lane as usize]), note.bytes) {
                    match note.writes {
                        true => self.writes[cell] = note.stamp.of_lane(lane),
                        false => self.mark(context, note, 1 << lane, cell),
                    }
                }
            }
        }
        self.log.notes = notes;
        self.log.notes.clear();
    }

    fn read(
        &mut self,
        context: &Context,
        crowds: &Crowds,
        visit: &Visit,
        offsets: &Offsets,
        found: &mut Vec<Conflict>,
    ) {
        let note = Note::of(visit, offsets);
        for (offset, lanes) in Groups::of(visit, offsets).iter() {
            let cells = self.cells(offset, visit.bytes);
            for cell in cells.clone() {
                if self.written(context, cell) >= visit.horizon.floor {
                    self.check_write(context, crowds, visit, lanes, cell, found);
                }
            }
            for cell in cells {
                self.mark(context, &note, lanes, cell);
            }
        }
    }

    /// A cell is read by some lanes.
    #[inline]
    fn mark(&mut self, context: &Context, note: &Note, lanes: u32, cell: usize) {
        let reads = &mut self.reads[note.warp as usize];
        let old = reads.stamps[cell];
        let strength = |stamp: Stamp| context.sites.strength(stamp.site());
        if old < note.base {
            (reads.stamps[cell], reads.lanes[cell]) = (note.stamp, lanes);
        } else if old.tick() == note.stamp.tick() && strength(old) == strength(note.stamp) {
            // The line of one of them stands for both.
            reads.lanes[cell] |= lanes;
        } else {
            let before = Party { stamp: old, lanes: reads.lanes[cell] };
            (reads.stamps[cell], reads.lanes[cell]) = (note.stamp, lanes);
            let crowd = self.aside.entry((note.warp, cell)).or_default();
            join(crowd, context.order, note.warp, before);
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
        mask: u32,
        cell: usize,
        found: &mut Vec<Conflict>,
    ) {
        for lane in lanes(mask) {
            if let Some(other) = objection(context, crowds, visit, lane, self.writes[cell]) {
                let offset = (cell as u64) << self.shift;
                found.push(Conflict { lane, offset, other, other_writes: true });
            }
        }
    }

    fn write(
        &mut self,
        context: &Context,
        crowds: &mut Crowds,
        visit: &Visit,
        offsets: &Offsets,
        found: &mut Vec<Conflict>,
    ) {
        for lane in visit.each_lane() {
            for cell in self.cells(offsets[lane as usize], visit.bytes) {
                let old = self.written(context, cell);
                if old >= visit.horizon.floor {
                    self.check_write(context, crowds, visit, 1 << lane, cell, found);
                }
                // Otherwise nothing that was read since the last barrier is in the shadow.
                if self.exact {
                    self.check_reads(context, visit, lane, cell, found);
                }
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
        for (warp, reads) in (0..).zip(&self.reads[..self.warps]) {
            if reads.stamps[cell] >= visit.horizon.floor {
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

    /// A copy has landed: `new` where `old` still stands.
    pub fn replace_writes(&mut self, offset: u64, bytes: u32, old: Stamp, new: Stamp) {
        let cells = self.cells(offset, bytes);
        self.writes[cells].iter_mut().filter(|stamp| **stamp == old).for_each(|stamp| *stamp = new);
    }
}
