//! A few stretches of memory that cover all that was accessed, and some of what lies between.

/// Stretches that are kept apart.
const MOST: usize = 8;

/// Stretches from a first byte to one behind the last, in order and apart.
#[derive(Debug, Default)]
pub struct Spans {
    count: usize,
    /// With room for one that is too many for a moment.
    all: [(u32, u32); MOST + 1],
}

impl Spans {
    pub fn clear(&mut self) {
        self.count = 0;
    }

    /// Whether one of the stretches has a byte of `lo..hi`. If not, none of what was added has.
    #[inline(always)]
    pub fn meet(&self, lo: u32, hi: u32) -> bool {
        self.all[..self.count].iter().any(|span| lo < span.1 && span.0 < hi)
    }

    #[inline(always)]
    pub fn add(&mut self, lo: u32, hi: u32) {
        let within = self.all[..self.count].iter().any(|span| span.0 <= lo && hi <= span.1);
        if !within {
            self.insert(lo, hi);
        }
    }

    #[inline(never)]
    fn insert(&mut self, lo: u32, hi: u32) {
        let first = self.all[..self.count].partition_point(|span| span.1 < lo);
        let behind = first + self.all[first..self.count].partition_point(|span| span.0 <= hi);
        if first == behind {
            self.all.copy_within(first..self.count, first + 1);
            self.all[first] = (lo, hi);
            self.count += 1;
        } else {
            self.all[first] = (lo.min(self.all[first].0), hi.max(self.all[behind - 1].1));
            self.all.copy_within(behind..self.count, first + 1);
            self.count -= behind - first - 1;
        }
        if self.count > MOST {
            self.join_nearest();
        }
    }

    /// Makes one of the two that are closest to each other.
    fn join_nearest(&mut self) {
        let gap = |at: &usize| self.all[at + 1].0 - self.all[*at].1;
        let at = (0..self.count - 1).min_by_key(gap).unwrap_or(0);
        self.all[at].1 = self.all[at + 1].1;
        self.all.copy_within(at + 2..self.count, at + 1);
        self.count -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_met() {
        let mut spans = Spans::default();
        let added: Vec<(u32, u32)> =
            (0..40).map(|i| (i * 977 % 4096 * 16, i * 977 % 4096 * 16 + 16)).collect();
        for (index, (lo, hi)) in added.iter().enumerate() {
            spans.add(*lo, *hi);
            for (lo, hi) in &added[..=index] {
                assert!(
                    spans.meet(*lo, *hi)
                        && spans.meet(lo + 15, hi + 9)
                        && spans.meet(lo.saturating_sub(9), lo + 1)
                );
            }
        }
    }

    #[test]
    fn those_that_are_close_become_one() {
        let mut spans = Spans::default();
        for row in 0..32 {
            spans.add(row * 512, row * 512 + 128);
        }
        let far = 1 << 20;
        for row in 0..32 {
            spans.add(far + row * 512, far + row * 512 + 128);
        }
        assert!(!spans.meet(16384, far) && spans.meet(31 * 512, 31 * 512 + 1));
    }

    #[test]
    fn few_stretches_stay_apart() {
        let mut spans = Spans::default();
        for row in 0..64 {
            spans.add(row * 64, row * 64 + 64);
            spans.add(8192 + row * 64, 8192 + row * 64 + 64);
        }
        assert!(!spans.meet(4096, 8192) && spans.meet(4095, 4096) && spans.meet(8192, 8193));
        spans.clear();
        assert!(!spans.meet(0, u32::MAX));
    }
}
