//! Which sectors of global memory a launch touches: one bit for each.

use super::pattern::{SECTOR, SECTOR_BITS};
use crate::device::soft::memory::Region;

/// Sectors that a chunk can cover: with a shift of up to 7 bits they fit a word of 64.
const CHUNK: i64 = 57;
/// Bytes of a word of bits.
const WORD: usize = 8;

/// The sectors of one request, relative to that of its first lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sectors {
    chunks: Vec<Chunk>,
    /// The lowest of them, and one more than the highest.
    lowest: i64,
    end: i64,
}

/// Neighbouring sectors, some of which are touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Chunk {
    first: i64,
    /// Bit k stands for sector `first + k`; bit 0 is set.
    bits: u64,
}

impl Sectors {
    /// `sectors`, which are ascending, relative to the sector `origin`.
    pub fn new(sectors: &[u64], origin: u64) -> Sectors {
        let mut chunks: Vec<Chunk> = vec![];
        let (mut lowest, mut end) = (0, 0);
        for sector in sectors {
            let place = sector.wrapping_sub(origin) as i64;
            match chunks.last_mut() {
                Some(chunk) if place - chunk.first < CHUNK => chunk.bits |= 1 << (place - chunk.first),
                _ => chunks.push(Chunk { first: place, bits: 1 }),
            }
            lowest = chunks[0].first;
            end = place + 1;
        }
        Sectors { chunks, lowest, end }
    }
}

/// Where the bits of an allocation are.
#[derive(Debug, Clone, Copy, Default)]
pub struct Plot {
    /// The first sector of the allocation, and how many there are.
    first: u64,
    sectors: u64,
    /// The byte in which its bits begin.
    byte: usize,
    number: usize,
}

impl Plot {
    fn bytes(self) -> usize {
        self.sectors.div_ceil(8) as usize
    }
}

/// The bits of all allocations, one behind the other.
#[derive(Debug, Default)]
pub struct Ground {
    plots: Vec<Plot>,
    words: usize,
}

impl Ground {
    /// Bits for the allocations `regions`, which are in the order of their addresses.
    pub fn of(regions: &[Region]) -> Ground {
        let mut ground = Ground::default();
        for (number, region) in regions.iter().enumerate() {
            let sectors = region.len.div_ceil(SECTOR);
            let plot = Plot { first: region.lo >> SECTOR_BITS, sectors, byte: WORD * ground.words, number };
            // A word may begin in the last byte.
            ground.words += (plot.bytes() + WORD).div_ceil(WORD);
            ground.plots.push(plot);
        }
        ground
    }

    /// The plot of a sector.
    #[inline(never)]
    fn find(&self, sector: u64) -> Option<Plot> {
        let after = self.plots.partition_point(|plot| plot.first <= sector);
        let plot = self.plots[after.checked_sub(1)?];
        (sector - plot.first < plot.sectors).then_some(plot)
    }
}

/// The sectors that one worker has touched.
#[derive(Debug, Default)]
pub struct Footprint {
    /// In the order of bytes in memory, whatever the machine's words are.
    bits: Vec<u64>,
    /// For each plot the bytes between which all its bits are that are set.
    used: Vec<(usize, usize)>,
}

/// Nothing is used.
const UNUSED: (usize, usize) = (usize::MAX, 0);

impl Footprint {
    /// Makes room. All bits are 0, as they were made by [`Footprint::drain`] before.
    pub fn resize(&mut self, ground: &Ground) {
        self.bits.resize(ground.words, 0);
        self.used.clear();
        self.used.resize(ground.plots.len(), UNUSED);
    }

    /// Marks `sectors` relative to sector `origin`; `plot` is the allocation touched last. Places in no
    /// allocation are left out: the access that follows reports them.
    #[inline(always)]
    pub fn mark(&mut self, ground: &Ground, plot: &mut Plot, origin: u64, sectors: &Sectors) {
        let lowest = origin.wrapping_add_signed(sectors.lowest);
        let span = (sectors.end - sectors.lowest) as u64;
        let inside = |plot: &Plot| {
            let place = lowest.wrapping_sub(plot.first);
            place < plot.sectors && span <= plot.sectors - place
        };
        if !inside(plot) {
            *plot = ground.find(lowest).unwrap_or_default();
            if !inside(plot) {
                return self.mark_each(ground, origin, sectors);
            }
        }
        let place = lowest - plot.first;
        let used = &mut self.used[plot.number];
        used.0 = used.0.min(plot.byte + (place >> 3) as usize);
        used.1 = used.1.max(plot.byte + ((place + span) >> 3) as usize + 1);
        for chunk in &sectors.chunks {
            let place = origin.wrapping_add_signed(chunk.first) - plot.first;
            let byte = plot.byte + (place >> 3) as usize;
            // SAFETY: the place is inside the plot, behind which there is room for a word.
            unsafe {
                let word = self.bits.as_mut_ptr().cast::<u8>().add(byte).cast::<u64>();
                let old = u64::from_le(word.read_unaligned());
                word.write_unaligned((old | chunk.bits << (place & 7)).to_le());
            }
        }
    }

    /// Sectors in several allocations, or not wholly in one.
    #[cold]
    #[inline(never)]
    fn mark_each(&mut self, ground: &Ground, origin: u64, sectors: &Sectors) {
        for chunk in &sectors.chunks {
            for k in (0..CHUNK).filter(|k| chunk.bits >> k & 1 != 0) {
                let sector = origin.wrapping_add_signed(chunk.first + k);
                let Some(plot) = ground.find(sector) else { continue };
                let place = sector - plot.first;
                let byte = plot.byte + (place >> 3) as usize;
                self.bits[byte / WORD] |= (1u64 << (8 * (byte % WORD) as u64 + (place & 7))).to_le();
                let used = &mut self.used[plot.number];
                *used = (used.0.min(byte), used.1.max(byte + 1));
            }
        }
    }

    /// All that is marked, as words and their places, ascending; nothing is marked any more.
    pub fn drain(&mut self) -> Vec<(usize, u64)> {
        let mut found = vec![];
        for (from, to) in self.used.iter_mut().map(|used| std::mem::replace(used, UNUSED)) {
            for place in from / WORD..to.div_ceil(WORD) {
                let word = std::mem::take(&mut self.bits[place]);
                if word != 0 {
                    found.push((place, word));
                }
            }
        }
        found
    }
}

/// Bytes of all sectors that are in one of the workers' footprints.
pub fn touched_bytes(mut words: Vec<(usize, u64)>) -> u64 {
    // Quick, as those of each worker are in order.
    words.sort_by_key(|(place, _)| *place);
    let union = words.chunk_by(|a, b| a.0 == b.0);
    let sectors = union.map(|same| same.iter().fold(0, |bits, (_, word)| bits | word).count_ones());
    sectors.map(u64::from).sum::<u64>() * SECTOR
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(lo: u64, len: u64) -> Region {
        Region { lo, len, host: std::ptr::null_mut(), read_only: false, borrowed: false }
    }

    fn bytes(footprint: &mut Footprint) -> u64 {
        touched_bytes(footprint.drain())
    }

    #[test]
    fn chunks_cover_sectors() {
        let Sectors { chunks, lowest, end } = Sectors::new(&[10, 11, 66, 67, 200], 12);
        let expected = [(-2, 1 | 2 | 1 << 56), (55, 1), (188, 1)];
        assert_eq!(chunks, expected.map(|(first, bits)| Chunk { first, bits }));
        assert_eq!((lowest, end), (-2, 189));
    }

    #[test]
    fn marks_count_once() {
        let ground = Ground::of(&[region(0x1000, 100 * 32), region(0x8000, 10)]);
        let mut footprint = Footprint::default();
        footprint.resize(&ground);
        let mut plot = Plot::default();
        let row = Sectors::new(&[5, 6, 7, 8, 9, 10, 11, 12], 5);
        for _ in 0..2 {
            footprint.mark(&ground, &mut plot, 0x1000 / 32 + 60, &row);
        }
        footprint.mark(&ground, &mut plot, 0x1000 / 32 + 64, &row);
        footprint.mark(&ground, &mut plot, 0x1000 / 32 + 92, &row);
        assert_eq!(bytes(&mut footprint), 20 * 32);
        assert_eq!(bytes(&mut footprint), 0, "drained");
    }

    #[test]
    fn places_outside_are_left_out() {
        let ground = Ground::of(&[region(0x1000, 100 * 32), region(0x8000, 10)]);
        let mut footprint = Footprint::default();
        footprint.resize(&ground);
        let mut plot = Plot::default();
        let one = Sectors::new(&[0], 0);
        footprint.mark(&ground, &mut plot, 0x1000 / 32 + 99, &Sectors::new(&[0, 1], 0));
        footprint.mark(&ground, &mut plot, 0x8000 / 32, &one);
        footprint.mark(&ground, &mut plot, 0x9000 / 32, &one);
        footprint.mark(&ground, &mut plot, 0, &Sectors::new(&[0], 4));
        // From one allocation to the other.
        footprint.mark(&ground, &mut plot, 0x1000 / 32, &Sectors::new(&[0, 0x7000 / 32], 0));
        assert_eq!(bytes(&mut footprint), 3 * 32);
    }

    #[test]
    fn workers_are_joined() {
        assert_eq!(touched_bytes(vec![(3, 0b11), (0, 1), (3, 0b110)]), 4 * 32);
    }
}
