//! Which bytes of a memory hold something that was written: one bit for each byte.

/// The written bytes of one memory.
#[derive(Debug, Default)]
pub struct Written {
    bits: Vec<u64>,
    len: u64,
    /// Bytes that are not written.
    missing: u64,
}

impl Written {
    /// `len` bytes that nothing wrote.
    pub fn new(len: u64) -> Written {
        let mut written = Written::default();
        written.reset(len);
        written
    }

    /// `len` bytes that are written.
    pub fn all(len: u64) -> Written {
        let mut written = Written::new(len);
        written.add(0, len);
        written
    }

    /// Forgets everything; there are `len` bytes from now on.
    pub fn reset(&mut self, len: u64) {
        self.bits.clear();
        // One word more, so that any 64 bits can be read from two words.
        self.bits.resize(len.div_ceil(64) as usize + 1, 0);
        (self.len, self.missing) = (len, len);
    }

    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether every byte is written, so that there is nothing to look up.
    #[inline(always)]
    pub fn is_complete(&self) -> bool {
        self.missing == 0
    }

    /// Which of up to 16 bytes at `offset` are not written.
    #[inline(always)]
    pub fn missing(&self, offset: u64, bytes: u32) -> u16 {
        let (word, bit) = ((offset / 64) as usize, offset % 64);
        let mut bits = self.bits[word] >> bit;
        if bit > 48 {
            bits |= self.bits[word + 1] << (64 - bit);
        }
        !bits as u16 & few(bytes)
    }

    /// Whether all of a range is written.
    #[inline(always)]
    pub fn has(&self, start: u64, bytes: u64) -> bool {
        let mut has = true;
        each_word(start, bytes, |word, mask| has &= self.bits[word] & mask == mask);
        has
    }

    /// A range is written.
    #[inline(always)]
    pub fn add(&mut self, start: u64, bytes: u64) {
        each_word(start, bytes, |word, mask| {
            self.missing -= u64::from((mask & !self.bits[word]).count_ones());
            self.bits[word] |= mask;
        });
    }

    /// A range holds nothing sensible any more.
    pub fn remove(&mut self, start: u64, bytes: u64) {
        each_word(start, bytes, |word, mask| {
            self.missing += u64::from((mask & self.bits[word]).count_ones());
            self.bits[word] &= !mask;
        });
    }

    /// Sets up to 16 bytes at `offset`: those of `missing` hold nothing, the others are written.
    pub fn set(&mut self, offset: u64, bytes: u32, missing: u16) {
        for byte in 0..bytes {
            match missing >> byte & 1 {
                0 => self.add(offset + u64::from(byte), 1),
                _ => self.remove(offset + u64::from(byte), 1),
            }
        }
    }
}

/// The lowest `bytes` bits.
#[inline(always)]
fn few(bytes: u32) -> u16 {
    ((1u32 << bytes) - 1) as u16
}

/// The words of a range, and the bits of each that belong to it.
#[inline(always)]
fn each_word(start: u64, bytes: u64, mut run: impl FnMut(usize, u64)) {
    let (mut at, end) = (start, start + bytes);
    while at < end {
        let bit = at % 64;
        let count = (64 - bit).min(end - at);
        run((at / 64) as usize, (u64::MAX >> (64 - count)) << bit);
        at += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against a list of truths.
    #[test]
    fn ranges_agree_with_single_bytes() {
        const LEN: usize = 300;
        let (mut written, mut truth) = (Written::new(LEN as u64), vec![false; LEN]);
        let mut random = 12345u64;
        for step in 0..2000 {
            random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let start = (random >> 33) as usize % LEN;
            let bytes = ((random >> 20) as usize % 100).min(LEN - start);
            if step % 3 == 0 {
                written.remove(start as u64, bytes as u64);
            } else {
                written.add(start as u64, bytes as u64);
            }
            truth[start..start + bytes].fill(step % 3 != 0);
            assert_eq!(written.missing, truth.iter().filter(|written| !**written).count() as u64);
            let at = (random >> 40) as usize % (LEN - 16);
            let missing = (0..16).fold(0, |bits, k| bits | u16::from(!truth[at + k]) << k);
            assert_eq!(written.missing(at as u64, 16), missing);
            assert_eq!(written.has(at as u64, 16), missing == 0);
        }
    }

    #[test]
    fn single_bytes() {
        let mut written = Written::new(80);
        written.set(60, 8, 0b0101_0000);
        assert_eq!(written.missing(60, 8), 0b0101_0000);
        assert_eq!(written.missing(56, 16), 0b1111_0101_0000_1111);
        written.add(0, 80);
        assert!(written.is_complete());
        written.set(79, 1, 1);
        assert!(!written.is_complete() && written.len() == 80);
    }
}
