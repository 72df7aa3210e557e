//! What one request costs, from the addresses of its lanes.

use super::footprint::Sectors;
use super::traffic::{GlobalTraffic, SharedTraffic};

/// Lanes of a warp.
const LANES: usize = 32;
/// log2 of the bytes of a sector.
pub const SECTOR_BITS: u32 = 5;
/// Bytes of a sector.
pub const SECTOR: u64 = 1 << SECTOR_BITS;
/// Sectors of a line.
const LINE_SECTORS: u64 = 4;
/// Bytes of a bank's word.
const WORD: u64 = 4;
const BANKS: u64 = 32;

/// The cost of a request to global memory, and the sectors that it touches, relative to that of the first lane
/// of the mask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GlobalCost {
    pub traffic: GlobalTraffic,
    pub sectors: Sectors,
}

fn lanes_of(mask: u32) -> impl Iterator<Item = usize> {
    (0..LANES).filter(move |lane| mask >> lane & 1 != 0)
}

fn sorted(values: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut values: Vec<u64> = values.collect();
    values.sort_unstable();
    values.dedup();
    values
}

/// Accesses of `bytes` bytes at naturally aligned addresses, by the lanes of `mask`, which is not empty.
pub fn global(addresses: &[u64; LANES], mask: u32, bytes: u32) -> GlobalCost {
    let starts = sorted(lanes_of(mask).map(|lane| addresses[lane]));
    // An access is aligned to its own size, so it lies in one sector.
    let sectors = sorted(starts.iter().map(|address| address >> SECTOR_BITS));
    let lines = sorted(sectors.iter().map(|sector| sector / LINE_SECTORS));
    let width = u64::from(bytes);
    let traffic = GlobalTraffic {
        requests: 1,
        bytes: u64::from(mask.count_ones()) * width,
        sectors: sectors.len() as u64,
        ideal_sectors: (starts.len() as u64 * width).div_ceil(SECTOR),
        lines: lines.len() as u64,
    };
    let first = addresses[mask.trailing_zeros() as usize] >> SECTOR_BITS;
    GlobalCost { traffic, sectors: Sectors::new(&sectors, first) }
}

/// Accesses of `bytes` bytes of shared memory by the lanes of `mask`, which is not empty.
pub fn shared(addresses: &[u64; LANES], mask: u32, bytes: u32) -> SharedTraffic {
    let words = u64::from(bytes).div_ceil(WORD).max(1);
    let lanes_at_once = LANES / words as usize;
    let mut traffic = SharedTraffic {
        requests: 1,
        bytes: u64::from(mask.count_ones() * bytes),
        ..SharedTraffic::default()
    };
    for first in (0..LANES).step_by(lanes_at_once) {
        let phase = lanes_of(mask).filter(|lane| (first..first + lanes_at_once).contains(lane));
        let touched = sorted(phase.flat_map(|lane| (0..words).map(move |k| addresses[lane] / WORD + k)));
        if touched.is_empty() {
            continue;
        }
        let mut banks = [0u64; BANKS as usize];
        for word in touched {
            banks[(word % BANKS) as usize] += 1;
        }
        traffic.wavefronts += banks.into_iter().max().unwrap_or(0);
        traffic.ideal_wavefronts += 1;
    }
    traffic
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: u32 = !0;

    fn every(step: u64, start: u64) -> [u64; LANES] {
        std::array::from_fn(|lane| start + step * lane as u64)
    }

    fn sectors(addresses: [u64; LANES], mask: u32, bytes: u32) -> [u64; 3] {
        let GlobalTraffic { sectors, ideal_sectors, lines, .. } = global(&addresses, mask, bytes).traffic;
        [sectors, ideal_sectors, lines]
    }

    fn wavefronts(addresses: [u64; LANES], mask: u32, bytes: u32) -> [u64; 2] {
        let SharedTraffic { wavefronts, ideal_wavefronts, .. } = shared(&addresses, mask, bytes);
        [wavefronts, ideal_wavefronts]
    }

    #[test]
    fn global_sectors() {
        assert_eq!(sectors(every(4, 1024), ALL, 4), [4, 4, 1], "a row");
        assert_eq!(sectors(every(4, 1024 + 16), ALL, 4), [5, 4, 2], "a row between sectors");
        assert_eq!(sectors(every(0, 1028), ALL, 4), [1, 1, 1], "one place");
        assert_eq!(sectors(every(8, 0), ALL, 4), [8, 4, 2], "every other word");
        assert_eq!(sectors(every(128, 0), ALL, 4), [32, 4, 32], "a column");
        assert_eq!(sectors(every(16, 0), ALL, 16), [16, 16, 4], "a row of vectors");
        assert_eq!(sectors(every(1, 7), ALL, 1), [2, 1, 1], "bytes across a sector's end");
        assert_eq!(sectors(every(4, 0), 0x0000_00FF, 4), [1, 1, 1], "eight lanes");
        assert_eq!(sectors(every(4, 0), 0x8000_0001, 4), [2, 1, 1], "the first and the last lane");
    }

    #[test]
    fn shared_words() {
        assert_eq!(wavefronts(every(4, 0), ALL, 4), [1, 1], "a row");
        assert_eq!(wavefronts(every(0, 64), ALL, 4), [1, 1], "broadcast");
        assert_eq!(wavefronts(every(8, 0), ALL, 4), [2, 1], "every other word");
        assert_eq!(wavefronts(every(32, 0), ALL, 4), [8, 1], "every eighth word");
        assert_eq!(wavefronts(every(128, 0), ALL, 4), [32, 1], "a column");
        assert_eq!(wavefronts(every(132, 0), ALL, 4), [1, 1], "a padded column");
        assert_eq!(wavefronts(every(1, 0), ALL, 1), [1, 1], "four lanes to a word");
        assert_eq!(wavefronts(every(2, 0), ALL, 2), [1, 1], "two lanes to a word");
        assert_eq!(wavefronts(every(128, 0), 0xFF, 4), [8, 1], "eight lanes of a column");
    }

    #[test]
    fn shared_vectors() {
        assert_eq!(wavefronts(every(8, 0), ALL, 8), [2, 2], "a row of pairs");
        assert_eq!(wavefronts(every(16, 0), ALL, 8), [4, 2], "every other pair");
        assert_eq!(wavefronts(every(8, 0), 0xFFFF, 8), [1, 1], "half a row of pairs");
        assert_eq!(wavefronts(every(16, 0), ALL, 16), [4, 4], "a row of fours");
        assert_eq!(wavefronts(every(0, 0), ALL, 16), [4, 4], "one four");
        assert_eq!(wavefronts(every(32, 0), ALL, 16), [8, 4], "every other four");
        assert_eq!(wavefronts(every(16, 0), 0xFF, 16), [1, 1], "a quarter of a row of fours");
    }

    /// `ldmatrix`: eight rows of 16 bytes at a pitch of 128 bytes are in 4 banks as they are, in 8, 16 or 32
    /// of them with the swizzles of 32, 64 and 128 bytes.
    #[test]
    fn matrix_rows_at_a_pitch_of_128() {
        let rows = every(128, 0).map(|address| address % 1024);
        assert_eq!(wavefronts(rows, 0xFF, 16), [8, 1]);
        for (bits, expected) in [(1, 4), (3, 2), (7, 1)] {
            let swizzled = rows.map(|address| address ^ (address >> 7 & bits) << 4);
            assert_eq!(wavefronts(swizzled, 0xFF, 16), [expected, 1], "swizzle {bits}");
            assert_eq!(wavefronts(swizzled, ALL, 16), [4 * expected, 4], "swizzle {bits}, four matrices");
        }
    }
}
