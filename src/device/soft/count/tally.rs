//! What one worker counts in a launch, and the sum over all workers.

use super::footprint::{Footprint, Ground, Plot, touched_bytes};
use super::memo::{Memo, Patterns};
use super::pattern::{self, GlobalCost, SECTOR_BITS};
use super::plan::{Counting, Marks, Site};
use super::traffic::{GlobalTraffic, SharedTraffic};
use std::collections::HashMap;
use std::ops::AddAssign;
use std::sync::Arc;

/// Bits of an address on which the sectors of a pattern depend.
const IN_SECTOR: u32 = (1 << SECTOR_BITS) - 1;
/// Bits of an address on which the words of a pattern depend.
const IN_WORD: u32 = 3;

/// How often a segment was run, and by how many lanes in all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Runs {
    pub executions: u64,
    pub lanes: u64,
}

/// What the accesses of one site came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SiteTotal {
    pub lanes: u64,
    pub global: GlobalTraffic,
    pub shared: SharedTraffic,
    /// Bytes that asynchronous copies read.
    pub copied: u64,
}

/// The patterns of one site.
#[derive(Default)]
struct SiteTally {
    global: Patterns<u64, GlobalCost>,
    shared: Patterns<u32, SharedTraffic>,
    plot: Plot,
    /// Of patterns that were forgotten.
    total: SiteTotal,
}

impl SiteTotal {
    fn add_global(&mut self, memo: &Memo<u64, GlobalCost>) {
        self.lanes += memo.lanes() * memo.hits;
        self.global += memo.cost.traffic * memo.hits;
    }

    fn add_shared(&mut self, memo: &Memo<u32, SharedTraffic>) {
        self.lanes += memo.lanes() * memo.hits;
        self.shared += memo.cost * memo.hits;
    }
}

impl SiteTally {
    fn drain(&mut self) -> SiteTotal {
        let mut total = std::mem::take(&mut self.total);
        self.global.drain(|memo| total.add_global(memo));
        self.shared.drain(|memo| total.add_shared(memo));
        self.plot = Plot::default();
        total
    }
}

/// What one worker counts.
#[derive(Default)]
pub struct Tally {
    segments: Vec<Runs>,
    /// Lanes whose guard was true.
    guards: Vec<u64>,
    sites: Vec<SiteTally>,
    read: Footprint,
    written: Footprint,
    ground: Arc<Ground>,
    /// The patterns of other code that this worker has run, by [`Counting::number`].
    known: HashMap<u64, Vec<SiteTally>>,
}

impl Tally {
    /// Prepares for a launch.
    pub fn begin(&mut self, counting: &Counting, ground: &Arc<Ground>) {
        self.segments.clear();
        self.segments.resize(counting.segments, Runs::default());
        self.guards.clear();
        self.guards.resize(counting.guards, 0);
        self.sites = self.known.remove(&counting.number).unwrap_or_default();
        self.sites.resize_with(counting.sites.len(), SiteTally::default);
        self.read.resize(ground);
        self.written.resize(ground);
        self.ground = ground.clone();
    }

    /// Hands over what was counted since [`Tally::begin`].
    pub fn finish(&mut self, counting: &Counting, totals: &mut Totals) {
        totals.segments.resize(counting.segments, Runs::default());
        totals.guards.resize(counting.guards, 0);
        totals.sites.resize(counting.sites.len(), SiteTotal::default());
        for (total, runs) in totals.segments.iter_mut().zip(&self.segments) {
            total.executions += runs.executions;
            total.lanes += runs.lanes;
        }
        for (total, lanes) in totals.guards.iter_mut().zip(&self.guards) {
            *total += lanes;
        }
        for (total, site) in totals.sites.iter_mut().zip(&mut self.sites) {
            *total += site.drain();
        }
        totals.read.extend(self.read.drain());
        totals.written.extend(self.written.drain());
        self.known.insert(counting.number, std::mem::take(&mut self.sites));
    }

    /// A run of segment `index` by so many lanes.
    ///
    /// # Safety
    /// The code has the segment.
    #[inline(always)]
    pub unsafe fn segment(&mut self, index: usize, lanes: u32) {
        // SAFETY: the caller's contract.
        let runs = unsafe { self.segments.get_unchecked_mut(index) };
        runs.executions += 1;
        runs.lanes += u64::from(lanes);
    }

    /// So many lanes whose guard is true, of counter `index`.
    ///
    /// # Safety
    /// The code has the counter.
    #[inline(always)]
    pub unsafe fn guard(&mut self, index: usize, lanes: u32) {
        // SAFETY: the caller's contract.
        unsafe { *self.guards.get_unchecked_mut(index) += u64::from(lanes) };
    }

    /// A request to global memory by the lanes of `mask`, which is not empty.
    ///
    /// # Safety
    /// `addresses` points to 32 lanes, and `index` is a site of the code.
    #[inline(always)]
    pub unsafe fn global(
        &mut self,
        index: usize,
        site: &Site,
        addresses: *const u64,
        mask: u32,
        offset: i64,
    ) {
        // SAFETY: the caller's contract.
        unsafe {
            if !self.sites.get_unchecked(index).global.is_last(addresses, mask, IN_SECTOR) {
                self.learn_global(index, site.bytes, addresses, mask, offset);
            }
            let first = (*addresses.add(mask.trailing_zeros() as usize)).wrapping_add_signed(offset);
            let SiteTally { global, plot, .. } = self.sites.get_unchecked_mut(index);
            let sectors = &global.hit().sectors;
            if site.marks != Marks::Written {
                self.read.mark(&self.ground, plot, first >> SECTOR_BITS, sectors);
            }
            if site.marks != Marks::Read {
                self.written.mark(&self.ground, plot, first >> SECTOR_BITS, sectors);
            }
        }
    }

    /// # Safety
    /// As for [`Tally::global`].
    #[inline(never)]
    unsafe fn learn_global(
        &mut self,
        index: usize,
        bytes: u32,
        addresses: *const u64,
        mask: u32,
        offset: i64,
    ) {
        let SiteTally { global, total, .. } = &mut self.sites[index];
        let cost = |all: &[u64; 32]| {
            pattern::global(&all.map(|address| address.wrapping_add_signed(offset)), mask, bytes)
        };
        // SAFETY: the caller's contract.
        unsafe { global.turn_to(addresses, mask, IN_SECTOR, |memo| total.add_global(memo), cost) };
    }

    /// A request to shared memory by the lanes of `mask`, which is not empty.
    ///
    /// # Safety
    /// As for [`Tally::global`].
    #[inline(always)]
    pub unsafe fn shared(&mut self, index: usize, site: &Site, addresses: *const u32, mask: u32) {
        // SAFETY: the caller's contract.
        unsafe {
            if !self.sites.get_unchecked(index).shared.is_last(addresses, mask, IN_WORD) {
                self.learn_shared(index, site, addresses, mask);
            }
            self.sites.get_unchecked_mut(index).shared.hit();
        }
    }

    /// # Safety
    /// As for [`Tally::global`].
    #[inline(never)]
    unsafe fn learn_shared(&mut self, index: usize, site: &Site, addresses: *const u32, mask: u32) {
        let SiteTally { shared, total, .. } = &mut self.sites[index];
        let place = |address: u32| u64::from(address.wrapping_add(site.offset as u32));
        let cost = |all: &[u32; 32]| pattern::shared(&all.map(place), mask, site.bytes);
        // SAFETY: the caller's contract.
        unsafe { shared.turn_to(addresses, mask, IN_WORD, |memo| total.add_shared(memo), cost) };
    }

    /// Bytes that an asynchronous copy reads.
    pub fn copied(&mut self, index: usize, bytes: u64) {
        self.sites[index].total.copied += bytes;
    }
}

/// What all workers counted in a launch.
#[derive(Debug, Default)]
pub struct Totals {
    pub segments: Vec<Runs>,
    pub guards: Vec<u64>,
    pub sites: Vec<SiteTotal>,
    read: Vec<(usize, u64)>,
    written: Vec<(usize, u64)>,
}

impl Totals {
    /// Bytes of all sectors that were read, and of all that were written.
    pub fn touched(&mut self) -> (u64, u64) {
        (touched_bytes(std::mem::take(&mut self.read)), touched_bytes(std::mem::take(&mut self.written)))
    }
}

impl AddAssign for SiteTotal {
    fn add_assign(&mut self, other: SiteTotal) {
        self.lanes += other.lanes;
        self.global += other.global;
        self.shared += other.shared;
        self.copied += other.copied;
    }
}
