//! Seeded decisions: which of the orders that PTX allows a launch takes.
//!
//! Without a seed, blocks and warps run in their order and lanes come together as soon as they can. With one,
//! blocks, warps and groups of lanes take turns at random, and lanes come together only where an instruction
//! needs them together. A kernel's results must be the same.

use std::cell::Cell;

/// Instructions until another warp's turn, at most.
const LONGEST_TURN: u32 = 256;

/// A source of decisions.
#[derive(Debug)]
pub struct Chance {
    state: Cell<u64>,
    /// Instructions left in the turn.
    turn: Cell<u32>,
}

impl Chance {
    /// None for seed 0, which is the plain order.
    pub fn new(seed: u64) -> Option<Chance> {
        (seed != 0).then(|| Chance { state: Cell::new(seed), turn: Cell::new(0) })
    }

    /// Splitmix64.
    fn next(&self) -> u64 {
        let state = self.state.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.state.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Bits, each of them 0 or 1.
    pub fn bits(&self) -> u32 {
        self.next() as u32
    }

    /// A number below `count`, which is not 0.
    pub fn below(&self, count: u32) -> u32 {
        (((self.next() >> 32) * u64::from(count)) >> 32) as u32
    }

    /// One of the bits that are set; there is one.
    pub fn bit_of(&self, mask: u32) -> u32 {
        let mut left = mask;
        for _ in 0..self.below(mask.count_ones()) {
            left &= left - 1;
        }
        left.trailing_zeros()
    }

    /// Counts an instruction; whether it is somebody else's turn before it.
    #[inline]
    pub fn turn_is_over(&self) -> bool {
        let left = self.turn.get();
        if left != 0 {
            self.turn.set(left - 1);
            return false;
        }
        // Short turns are as likely as long ones.
        let longest = LONGEST_TURN >> self.below(LONGEST_TURN.ilog2() + 1);
        self.turn.set(1 + self.below(longest));
        true
    }

    /// An order of `count` things: all of them, each once.
    pub fn shuffle(&self, count: u64) -> Shuffle {
        let mut step = (self.next() % count.max(1)) | 1;
        while gcd(step, count) != 1 {
            step += 2;
        }
        Shuffle { count, step: step % count.max(1), start: self.next() % count.max(1) }
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Steps of one length around a circle.
#[derive(Debug, Clone, Copy)]
pub struct Shuffle {
    count: u64,
    step: u64,
    start: u64,
}

impl Shuffle {
    /// What comes in place `index`.
    pub fn at(&self, index: u64) -> u64 {
        let place = u128::from(self.start) + u128::from(self.step) * u128::from(index);
        (place % u128::from(self.count)) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seed_0_decides_nothing() {
        assert!(Chance::new(0).is_none());
    }

    #[test]
    fn a_shuffle_has_everything_once() {
        for count in [1, 2, 3, 10, 64, 97, 1000] {
            for seed in 1..9 {
                let shuffle = Chance::new(seed).unwrap().shuffle(count);
                let mut all: Vec<u64> = (0..count).map(|index| shuffle.at(index)).collect();
                all.sort_unstable();
                assert!(all.into_iter().eq(0..count), "{count}, {shuffle:?}");
            }
        }
    }

    #[test]
    fn every_bit_of_a_mask_is_chosen_sometimes() {
        let chance = Chance::new(5).unwrap();
        let chosen = (0..200).fold(0u32, |bits, _| bits | 1 << chance.bit_of(0x8000_0105));
        assert_eq!(chosen, 0x8000_0105);
    }

    #[test]
    fn turns_end() {
        let chance = Chance::new(7).unwrap();
        let ends = (0..10_000).filter(|_| chance.turn_is_over()).count();
        assert!((40..5_000).contains(&ends), "{ends}");
    }
}
