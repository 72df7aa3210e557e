//! What a thread knows of the others: vector clocks, coarse where they can be.

use super::stamp::Tick;
use std::collections::BTreeMap;

/// How far the accesses of a warp's lanes are known: those before the tick.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Bound {
    Same(Tick),
    Lanes(Box<[Tick; 32]>),
}

impl Bound {
    fn of(&self, lane: u32) -> Tick {
        match self {
            Bound::Same(tick) => *tick,
            Bound::Lanes(ticks) => ticks[lane as usize],
        }
    }

    fn raise(&mut self, lanes: u32, tick: Tick) {
        if let Bound::Same(old) = self {
            if *old >= tick {
                return;
            }
            if lanes == !0 {
                *old = tick;
                return;
            }
            *self = Bound::Lanes(Box::new([*old; 32]));
        }
        if let Bound::Lanes(ticks) = self {
            let chosen = ticks.iter_mut().enumerate().filter(|(lane, _)| lanes >> lane & 1 != 0);
            chosen.for_each(|(_, old)| *old = tick.max(*old));
        }
    }

    fn join(&mut self, other: &Bound) {
        match other {
            Bound::Same(tick) => self.raise(!0, *tick),
            Bound::Lanes(ticks) => {
                ticks.iter().enumerate().for_each(|(lane, tick)| self.raise(1 << lane, *tick));
            }
        }
    }
}

/// A set of accesses that happened before: of whole blocks up to a tick, and of single warps or lanes beyond.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Clock {
    blocks: BTreeMap<u32, Tick>,
    warps: BTreeMap<(u32, u32), Bound>,
}

impl Clock {
    /// Whether the set has what a lane of a warp of a block did in `tick`.
    pub fn knows(&self, block: u32, warp: u32, lane: u32, tick: Tick) -> bool {
        self.blocks.get(&block).is_some_and(|bound| tick < *bound)
            || self.warps.get(&(block, warp)).is_some_and(|bound| tick < bound.of(lane))
    }

    /// Adds what all threads of a block did before `tick`.
    pub fn add_block(&mut self, block: u32, tick: Tick) {
        let bound = self.blocks.entry(block).or_default();
        *bound = tick.max(*bound);
    }

    /// Adds what some lanes of a warp did before `tick`.
    pub fn add_lanes(&mut self, block: u32, warp: u32, lanes: u32, tick: Tick) {
        self.warps.entry((block, warp)).or_insert(Bound::Same(0)).raise(lanes, tick);
    }

    pub fn join(&mut self, other: &Clock) {
        other.blocks.iter().for_each(|(block, tick)| self.add_block(*block, *tick));
        for (warp, bound) in &other.warps {
            self.warps.entry(*warp).or_insert(Bound::Same(0)).join(bound);
        }
    }

    /// Drops what is said of single warps of a block: all of it is known otherwise.
    pub fn forget_warps(&mut self, block: u32) {
        self.warps.retain(|(other, _), _| *other != block);
    }

    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty() && self.warps.is_empty()
    }

    /// Up to where all of a block is known.
    pub fn block(&self, block: u32) -> Tick {
        self.blocks.get(&block).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_are_told_apart_only_where_they_differ() {
        let mut clock = Clock::default();
        clock.add_lanes(7, 1, !0, 5);
        clock.add_lanes(7, 1, 1 << 3, 9);
        assert!(clock.knows(7, 1, 0, 4) && !clock.knows(7, 1, 0, 5));
        assert!(clock.knows(7, 1, 3, 8) && !clock.knows(7, 1, 3, 9));
        assert!(!clock.knows(7, 2, 3, 0) && !clock.knows(6, 1, 3, 0));
    }

    #[test]
    fn a_join_has_what_either_had() {
        let (mut one, mut two) = (Clock::default(), Clock::default());
        one.add_block(1, 10);
        one.add_lanes(2, 0, 0b11, 20);
        two.add_block(1, 8);
        two.add_lanes(2, 0, 0b110, 30);
        one.join(&two);
        assert_eq!(one.block(1), 10);
        let known: Vec<_> =
            (0..4).map(|lane| (0..40).take_while(|t| one.knows(2, 0, lane, *t)).count()).collect();
        assert_eq!(known, [20, 30, 30, 0]);
    }
}
