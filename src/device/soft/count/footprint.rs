//! Which sectors of global memory a launch touches: one bit for each.

use super::pattern::{SECTOR, SECTOR_BITS};
use crate::device::soft::memory::Region;

/// Up to 64 neighbouring sectors, some of which are touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    /// The first of them, relative to the sector of an access's first lane.
    first: i64,
    /// Bit k stands for sector `first + k`; bit 0 is set.
    sectors: u64,
}

impl Chunk {
    /// Chunks for `sectors`, ascending, relative to the sector `origin`.
    pub fn cover(sectors: &[u64], origin: u64) -> Vec<Chunk> {
        let mut chunks: Vec<Chunk> = vec![];
        for sector in sectors {
            let place = sector.wrapping_sub(origin) as i64;
            match chunks.last_mut() {
                Some(chunk) if place - chunk.first < 64 => chunk.sectors |= 1 << (place - chunk.first),
                _ => chunks.push(Chunk { first: place, sectors: 1 }),
            }
        }
        chunks
    }

    /// Sectors from the first to the last.
    fn span(self) -> u64 {
        64 - u64::from(self.sectors.leading_zeros())
    }
}

/// Where the bits of an allocation are.
#[derive(Debug, Clone, Copy, Default)]
pub struct Plot {
    /// The first sector of the allocation, and how many there are.
    first: u64,
    sectors: u64,
    /// The word in which its bits begin.
    word: usize,
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
        for region in regions {
            let sectors = region.len.div_ceil(SECTOR);
            ground.plots.push(Plot { first: region.lo >> SECTOR_BITS, sectors, word: ground.words });
            // A chunk at the end may reach into one word more.
            ground.words += sectors.div_ceil(64) as usize + 1;
        }
        ground
    }

    /// The plot of a sector.
    fn find(&self, sector: u64) -> Option<Plot> {
        let after = self.plots.partition_point(|plot| plot.first <= sector);
        let plot = self.plots[after.checked_sub(1)?];
        (sector - plot.first < plot.sectors).then_some(plot)
    }
}

/// The sectors that one worker has touched.
#[derive(Debug, Default)]
pub struct Footprint {
    words: Vec<u64>,
    /// The words that are not zero.
    used: Vec<usize>,
}

impl Footprint {
    /// Makes room. All bits are 0, as they were made by [`Footprint::drain`] before.
    pub fn resize(&mut self, ground: &Ground) {
        self.words.resize(ground.words, 0);
    }

    /// Marks `chunk` relative to `sector`; `plot` is the allocation touched last. Places in no allocation are
    /// left out: the access that follows reports them.
    #[inline(always)]
    pub fn mark(&mut self, ground: &Ground, plot: &mut Plot, sector: u64, chunk: Chunk) {
        let at = sector.wrapping_add_signed(chunk.first);
        let inside = |plot: &Plot| {
            let place = at.wrapping_sub(plot.first);
            place < plot.sectors && chunk.span() <= plot.sectors - place
        };
        if !inside(plot) {
            match ground.find(at).filter(inside) {
                Some(found) => *plot = found,
                None => return self.mark_each(ground, at, chunk),
            }
        }
        let place = at - plot.first;
        let (word, shift) = (plot.word + (place >> 6) as usize, place & 63);
        self.set(word, chunk.sectors << shift);
        if shift > 0 {
            self.set(word + 1, chunk.sectors >> (64 - shift));
        }
    }

    /// A chunk that lies in several allocations, or not wholly in one.
    #[cold]
    fn mark_each(&mut self, ground: &Ground, at: u64, chunk: Chunk) {
        for k in (0..64).filter(|k| chunk.sectors >> k & 1 != 0) {
            if let Some(plot) = ground.find(at + k) {
                let place = at + k - plot.first;
                self.set(plot.word + (place >> 6) as usize, 1 << (place & 63));
            }
        }
    }

    #[inline(always)]
    fn set(&mut self, word: usize, bits: u64) {
        let old = self.words[word];
        if bits & !old != 0 {
            if old == 0 {
                self.used.push(word);
            }
            self.words[word] = old | bits;
        }
    }

    /// All that is marked, as words and their places; nothing is marked any more.
    pub fn drain(&mut self) -> Vec<(usize, u64)> {
        let words = &mut self.words;
        self.used.drain(..).map(|word| (word, std::mem::take(&mut words[word]))).collect()
    }
}

/// Bytes of all sectors that are in one of the workers' footprints.
pub fn touched_bytes(mut words: Vec<(usize, u64)>) -> u64 {
    words.sort_unstable_by_key(|(word, _)| *word);
    let union = words.chunk_by(|a, b| a.0 == b.0);
    let sectors = union.map(|same| same.iter().fold(0, |bits, (_, word)| bits | word).count_ones());
    sectors.map(u64::from).sum::<u64>() * SECTOR
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(lo: u64, len: u64) -> Region {
        Region { lo, len, host: std::ptr::null_mut(), read_only: false }
    }

    fn bytes(footprint: &mut Footprint) -> u64 {
        touched_bytes(footprint.drain())
    }

    #[test]
    fn chunks_cover_sectors() {
        let chunks = Chunk::cover(&[10, 11, 73, 74, 200], 12);
        let expected = [(-2, 1 | 2 | 1 << 63), (62, 1), (188, 1)];
        assert_eq!(chunks, expected.map(|(first, sectors)| Chunk { first, sectors }));
    }

    #[test]
    fn marks_count_once() {
        let ground = Ground::of(&[region(0x1000, 100 * 32), region(0x8000, 10)]);
        let mut footprint = Footprint::default();
        footprint.resize(&ground);
        let mut plot = Plot::default();
        let row = Chunk { first: 0, sectors: 0xFF };
        for _ in 0..2 {
            footprint.mark(&ground, &mut plot, 0x1000 / 32 + 60, row);
        }
        footprint.mark(&ground, &mut plot, 0x1000 / 32 + 64, row);
        assert_eq!(bytes(&mut footprint), 12 * 32);
        assert_eq!(bytes(&mut footprint), 0, "drained");
    }

    #[test]
    fn places_outside_are_left_out() {
        let ground = Ground::of(&[region(0x1000, 100 * 32), region(0x8000, 10)]);
        let mut footprint = Footprint::default();
        footprint.resize(&ground);
        let mut plot = Plot::default();
        footprint.mark(&ground, &mut plot, 0x1000 / 32 + 99, Chunk { first: 0, sectors: 3 });
        footprint.mark(&ground, &mut plot, 0x8000 / 32, Chunk { first: 0, sectors: 1 });
        footprint.mark(&ground, &mut plot, 0x9000 / 32, Chunk { first: 0, sectors: 1 });
        footprint.mark(&ground, &mut plot, 0, Chunk { first: -4, sectors: 1 });
        assert_eq!(bytes(&mut footprint), 2 * 32);
    }

    #[test]
    fn workers_are_joined() {
        assert_eq!(touched_bytes(vec![(3, 0b11), (0, 1), (3, 0b110)]), 4 * 32);
    }
}
