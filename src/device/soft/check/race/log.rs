//! Accesses to shared memory that need not be looked at: nothing that is in conflict with them has been
//! accessed since the last barrier of the block.
//!
//! They are only noted down. The next barrier makes them irrelevant, unless before it comes an access that
//! may be in conflict with one of them: then the notes are entered in the shadow first.

use super::spans::Spans;
use super::stamp::Stamp;
use super::visit::{Deed, Offsets, Visit, lanes};

/// Notes that are kept at most.
const MOST: usize = 8192;

/// One access.
#[derive(Debug, Clone, Copy)]
pub struct Note {
    pub writes: bool,
    pub warp: u32,
    pub lanes: u32,
    /// Where each lane's first byte is.
    pub offsets: [u32; 32],
    pub bytes: u32,
    /// Of lane 0.
    pub stamp: Stamp,
    /// What the warp did itself before this was ordered before the access.
    pub base: Stamp,
}

impl Note {
    #[inline(always)]
    pub fn of(visit: &Visit, offsets: &Offsets) -> Note {
        let mut short = [0; 32];
        for (short, offset) in short.iter_mut().zip(offsets) {
            *short = *offset as u32;
        }
        Note {
            writes: visit.deed == Deed::Write,
            warp: visit.warp,
            lanes: visit.lanes,
            offsets: short,
            bytes: visit.bytes,
            stamp: visit.stamp,
            base: visit.horizon.base,
        }
    }
}

#[derive(Debug, Default)]
pub struct Log {
    pub notes: Vec<Note>,
    /// All that was read lies there.
    reads: Spans,
    /// All that was written lies there, and a bit says of each cell whether it was.
    writes: Spans,
    written: Vec<u64>,
}

impl Log {
    /// Makes room for so many cells.
    pub fn fit(&mut self, cells: usize) {
        self.written.resize(cells.div_ceil(64), 0);
    }

    pub fn clear(&mut self) {
        self.notes.clear();
        self.reads.clear();
        self.writes.clear();
        self.written.fill(0);
    }

    /// Notes an access to cells of `1 << shift` bytes; not if it may be in conflict with one that was noted, or if
    /// there is no more room.
    #[inline(always)]
    pub fn takes(&mut self, visit: &Visit, offsets: &Offsets, (lo, hi): (u32, u32), shift: u32) -> bool {
        let writes = visit.deed == Deed::Write;
        let full = self.notes.len() == MOST;
        if full || (writes && (self.reads.meet(lo, hi) || !self.claim(visit, offsets, shift))) {
            return false;
        }
        if !writes && self.writes.meet(lo, hi) && self.any_written(visit, offsets, shift) {
            return false;
        }
        if writes {
            self.writes.add(lo, hi)
        } else {
            self.reads.add(lo, hi)
        }
        self.notes.push(Note::of(visit, offsets));
        true
    }

    /// Whether an asynchronous write to `lo..hi` may be in conflict with an access that was noted.
    pub fn meets(&self, lo: u32, hi: u32) -> bool {
        self.reads.meet(lo, hi) || self.writes.meet(lo, hi)
    }

    /// Sets the bits of the cells that lanes write; not all of them if one is set already, by another lane or before.
    #[inline(always)]
    fn claim(&mut self, visit: &Visit, offsets: &Offsets, shift: u32) -> bool {
        let ones = ones(visit, shift);
        if visit.rows && ones == 1 {
            // Cells of a row of single ones fill half a word, or parts of two.
            let first = (offsets[0] >> shift) as usize;
            let (word, bit) = (first / 64, first % 64);
            let both = u128::from(u32::MAX) << bit;
            let (low, high) = (both as u64, (both >> 64) as u64);
            let next = if high != 0 { self.written[word + 1] & high } else { 0 };
            if self.written[word] & low != 0 || next != 0 {
                return false;
            }
            self.written[word] |= low;
            if high != 0 {
                self.written[word + 1] |= high;
            }
            return true;
        }
        lanes(visit.lanes).all(|lane| {
            let cell = (offsets[lane as usize] >> shift) as usize;
            let (word, bits) = (&mut self.written[cell / 64], ones << (cell % 64));
            let free = *word & bits == 0;
            *word |= bits;
            free
        })
    }

    /// Whether lanes access a cell that was written.
    #[inline(never)]
    fn any_written(&self, visit: &Visit, offsets: &Offsets, shift: u32) -> bool {
        let ones = ones(visit, shift);
        lanes(visit.lanes).any(|lane| {
            let cell = (offsets[lane as usize] >> shift) as usize;
            self.written[cell / 64] & ones << (cell % 64) != 0
        })
    }
}

/// A bit for each cell of one lane: up to 16, which never lie in two words because accesses are aligned.
#[inline(always)]
fn ones(visit: &Visit, shift: u32) -> u64 {
    (1 << (visit.bytes >> shift)) - 1
}
