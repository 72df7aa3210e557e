//! One launch in several orders: what it leaves in memory must be the same.

use super::launch::Geometry;
use super::memory::{Memory, Region, find};
use std::hash::{DefaultHasher, Hash, Hasher};

/// The memory that a launch can reach, as it was at some time.
pub struct Snapshot {
    /// Allocations and their bytes.
    kept: Vec<(u64, Vec<u8>)>,
}

impl Snapshot {
    /// The allocations that parameters and variables point into.
    pub fn take(memory: &Memory, params: &[u8], variables: impl Iterator<Item = u64>) -> Snapshot {
        let reached = words(params).chain(variables).filter_map(|address| find(memory.regions(), address, 1));
        let mut regions: Vec<&Region> = reached.filter(|region| !region.read_only).collect();
        regions.sort_by_key(|region| region.lo);
        regions.dedup_by_key(|region| region.lo);
        Snapshot { kept: regions.into_iter().map(|region| (region.lo, bytes(region).to_vec())).collect() }
    }

    /// Puts everything back.
    pub fn restore(&self, memory: &Memory) {
        for (lo, kept) in &self.kept {
            if let Some(host) = memory.host(*lo, kept.len() as u64) {
                // SAFETY: `host` has that many bytes, and the device is locked.
                unsafe { std::ptr::copy_nonoverlapping(kept.as_ptr(), host, kept.len()) };
            }
        }
    }

    /// The first byte that is different now: its allocation and its place there.
    pub fn difference(&self, regions: &[Region]) -> Option<(usize, u64)> {
        self.kept.iter().find_map(|(lo, kept)| {
            let index = regions.binary_search_by_key(lo, |region| region.lo).ok()?;
            let at = kept.iter().zip(bytes(&regions[index])).position(|(then, now)| then != now)?;
            Some((index, at as u64))
        })
    }
}

/// What launches have in common that differ in addresses and in data only.
pub fn likeness(memory: &Memory, module: &str, entry: &str, geometry: &Geometry, params: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (module, entry, geometry).hash(&mut hasher);
    for word in words(params) {
        find(memory.regions(), word, 1).map_or((false, word), |region| (true, region.len)).hash(&mut hasher);
    }
    params.chunks_exact(8).remainder().hash(&mut hasher);
    hasher.finish()
}

/// Parameters where addresses can be.
fn words(params: &[u8]) -> impl Iterator<Item = u64> {
    let words = params.chunks_exact(8);
    words.map(|bytes| bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)))
}

fn bytes(region: &Region) -> &[u8] {
    // SAFETY: an allocation has that many bytes, and while the device is locked nobody writes them.
    unsafe { std::slice::from_raw_parts(region.host, region.len as usize) }
}
