//! What a checked device knows of its memory between launches.

use super::race::Races;
use super::written::Written;
use crate::device::soft::memory::Region;

/// An allocation that was freed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freed {
    pub lo: u64,
    pub len: u64,
}

/// Beside the table of allocations: which bytes are written, what was freed, who accessed what.
#[derive(Debug, Default)]
pub struct Shadow {
    /// In the order of the allocations.
    pub written: Vec<Written>,
    /// By address; addresses are not used again.
    freed: Vec<Freed>,
    /// Who has done what.
    pub races: Races,
}

impl Shadow {
    /// Knows of all allocations. If it does not, since a launch panicked that had borrowed it, they are taken
    /// to be written.
    pub fn fit(&mut self, regions: &[Region]) {
        if self.written.len() != regions.len() {
            self.written = regions.iter().map(|region| Written::all(region.len)).collect();
        }
    }

    /// A new allocation. What the host lends it may write at any time.
    pub fn insert(&mut self, index: usize, region: &Region) {
        let written = if region.borrowed { Written::all(region.len) } else { Written::new(region.len) };
        self.written.insert(index, written);
    }

    /// The allocation with this index goes away.
    pub fn free(&mut self, index: usize, lo: u64, len: u64) {
        self.written.remove(index);
        let at = self.freed.partition_point(|freed| freed.lo < lo);
        self.freed.insert(at, Freed { lo, len });
    }

    /// The allocation that `address` was in.
    pub fn freed(&self, address: u64) -> Option<Freed> {
        let after = self.freed.partition_point(|freed| freed.lo <= address);
        let freed = self.freed[after.checked_sub(1)?];
        (address - freed.lo < freed.len).then_some(freed)
    }
}
