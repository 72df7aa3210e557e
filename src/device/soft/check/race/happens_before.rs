//! Happens-before: which accesses are ordered before what a thread does now.
//!
//! Warps that keep in step need three ticks: what all of the block did before `floor`, and all of the warp
//! before `base`, is known to every lane, and `now` marks what the warp does. Clocks are needed only where
//! something else than a barrier of the whole block or the whole warp has put accesses in order, and clocks
//! of single lanes only while lanes of a warp know different things.

use super::clock::Clock;
use super::stamp::{Stamp, Tick};
use super::visit::lanes;
use crate::ptx::typed::Reach;
use std::sync::Arc;

/// What a release hands on: all that the releasing lanes know, and all that they did.
#[derive(Debug, Clone)]
pub struct Release {
    known: Arc<Clock>,
    block: u32,
    warp: u32,
    lanes: u32,
    tick: Tick,
    reach: Reach,
}

impl Release {
    pub fn add_to(&self, clock: &mut Clock) {
        clock.join(&self.known);
        clock.add_lanes(self.block, self.warp, self.lanes, self.tick);
    }

    pub fn reaches(&self, block: u32, reach: Reach) -> bool {
        self.block == block || (self.reach != Reach::Block && reach != Reach::Block)
    }
}

/// The clocks of a warp's lanes.
#[derive(Debug)]
enum Clocks {
    Same(Clock),
    Lanes(Box<[Clock; 32]>),
}

/// Where a warp of the block that runs stands.
#[derive(Debug)]
struct Standing {
    now: Tick,
    floor: Tick,
    base: Tick,
    /// Lanes that have not exited.
    live: u32,
    /// Lanes that have accessed memory.
    touched: u32,
    /// Lanes that have accessed memory and exited: no barrier orders what they did.
    left: u32,
    clocks: Clocks,
}

/// Bounds for quick answers about the stamps that a warp meets.
#[derive(Debug, Clone, Copy)]
pub struct Horizon {
    /// Whatever is earlier belongs to an earlier launch.
    pub launch: Stamp,
    /// Whatever is earlier belongs to another block or an earlier launch.
    pub block: Stamp,
    /// Whatever is earlier, but not earlier than `block`, is ordered before.
    pub floor: Stamp,
    /// Whatever the warp did itself and is earlier, is ordered before.
    pub base: Stamp,
}

impl Horizon {
    /// Whether an access is ordered before, as far as that can be seen at once.
    pub fn knows(&self, stamp: Stamp) -> bool {
        stamp < self.launch || (stamp < self.floor && stamp >= self.block)
    }
}

/// What is known of whom in a launch.
#[derive(Debug, Default)]
pub struct HappensBefore {
    tick: Tick,
    launch: Tick,
    /// The block that runs, counted in the order in which they begin.
    block: u32,
    block_tick: Tick,
    /// The first ticks of the blocks that have begun, and their places in the grid.
    begun: Vec<(Tick, [u32; 3])>,
    warps: Vec<Standing>,
    /// What those who have arrived at a barrier and gone on have handed on.
    arrived: [Vec<Release>; 16],
}

impl HappensBefore {
    /// Everything before is ordered before the launch.
    pub fn begin_launch(&mut self) {
        self.tick += 1;
        self.launch = self.tick;
        self.begun.clear();
    }

    /// `threads` threads begin, which nothing but the launch has put in order.
    pub fn begin_block(&mut self, index: [u32; 3], threads: u32) {
        self.tick += 1;
        self.block = self.begun.len() as u32;
        self.block_tick = self.tick;
        self.begun.push((self.tick, index));
        self.arrived.iter_mut().for_each(Vec::clear);
        self.warps.clear();
        for warp in 0..threads.div_ceil(32) {
            let count = (threads - 32 * warp).min(32);
            self.warps.push(Standing {
                now: self.tick,
                floor: self.tick,
                base: self.tick,
                live: u32::MAX >> (32 - count),
                touched: 0,
                left: 0,
                clocks: Clocks::Same(Clock::default()),
            });
        }
    }

    /// The stamp of what lane 0 of a warp does now; [`Stamp::of_lane`] makes it another lane's.
    pub fn stamp(&mut self, warp: u32, lanes: u32, site: u32) -> Stamp {
        let standing = &mut self.warps[warp as usize];
        standing.touched |= lanes;
        Stamp::new(standing.now, warp, 0, site)
    }

    pub fn horizon(&self, warp: u32) -> Horizon {
        let standing = &self.warps[warp as usize];
        Horizon {
            launch: Stamp::first(self.launch),
            block: Stamp::first(self.block_tick),
            floor: Stamp::first(standing.floor),
            base: Stamp::first(standing.base),
        }
    }

    /// Whether a lane knows of an access: it is the lane's own, or ordered before.
    pub fn knows(&self, warp: u32, lane: u32, stamp: Stamp) -> bool {
        let tick = stamp.tick();
        if tick < self.launch {
            return true;
        }
        let standing = &self.warps[warp as usize];
        let here = tick >= self.block_tick;
        if here && (tick < standing.floor || (stamp.warp() == warp && stamp.lane() == lane)) {
            return true;
        }
        if here && stamp.warp() == warp && tick < standing.base {
            return true;
        }
        let clock = match &standing.clocks {
            Clocks::Same(clock) => clock,
            Clocks::Lanes(clocks) => &clocks[lane as usize],
        };
        !clock.is_empty() && clock.knows(self.block_of(stamp), stamp.warp(), stamp.lane(), tick)
    }

    /// Whether it is an access of the launch that runs.
    pub fn is_of_launch(&self, stamp: Stamp) -> bool {
        stamp.tick() >= self.launch
    }

    /// Whether it is an access of the block that runs.
    pub fn is_here(&self, stamp: Stamp) -> bool {
        stamp.tick() >= self.block_tick
    }

    /// Whether the warp it is of has not synchronised since.
    pub fn is_now(&self, warp: u32, stamp: Stamp) -> bool {
        stamp.tick() == self.warps[warp as usize].now
    }

    /// The block in which an access of this launch happened.
    fn block_of(&self, stamp: Stamp) -> u32 {
        self.begun.partition_point(|(first, _)| *first <= stamp.tick()).saturating_sub(1) as u32
    }

    /// The place in the grid of the block in which an access of this launch happened.
    pub fn place_of(&self, stamp: Stamp) -> [u32; 3] {
        self.begun[self.block_of(stamp) as usize].1
    }

    fn next_tick(&mut self) -> Tick {
        self.tick += 1;
        self.tick
    }

    // ---- barriers

    /// A warp has arrived at a barrier and goes on.
    pub fn arrive(&mut self, barrier: usize, warp: u32) {
        let live = self.warps[warp as usize].live;
        let release = self.release(warp, live, Reach::Block);
        self.arrived[barrier].push(release);
    }

    /// A barrier is complete, and the warps of `waiting` go on; whether every thread now knows what every other
    /// has done.
    pub fn complete(&mut self, barrier: usize, waiting: u32) -> bool {
        let arrived = std::mem::take(&mut self.arrived[barrier]);
        let absent =
            |(index, warp): (usize, &Standing)| waiting >> index & 1 == 0 && warp.live | warp.left != 0;
        let partial =
            self.warps.iter().enumerate().any(absent) || self.warps.iter().any(|warp| warp.left != 0);
        let members: Vec<u32> =
            (0..self.warps.len() as u32).filter(|warp| waiting >> warp & 1 != 0).collect();
        if arrived.is_empty() && !partial {
            self.align(&members);
            return true;
        }
        let mut clock = Clock::default();
        arrived.iter().for_each(|release| release.add_to(&mut clock));
        for warp in &members {
            let live = self.warps[*warp as usize].live;
            self.release(*warp, live, Reach::Block).add_to(&mut clock);
        }
        for warp in members {
            self.settle(warp, clock.clone());
        }
        false
    }

    /// Every thread of the block knows what every other has done.
    fn align(&mut self, members: &[u32]) {
        let tick = self.next_tick();
        let mut elsewhere = Clock::default();
        for warp in &mut self.warps {
            match &warp.clocks {
                Clocks::Same(clock) if clock.is_empty() => {}
                Clocks::Same(clock) => elsewhere.join(clock),
                Clocks::Lanes(clocks) => clocks.iter().for_each(|clock| elsewhere.join(clock)),
            }
        }
        elsewhere.forget_warps(self.block);
        for warp in members {
            let standing = &mut self.warps[*warp as usize];
            (standing.now, standing.floor, standing.base) = (tick, tick, tick);
            standing.clocks = Clocks::Same(elsewhere.clone());
        }
    }

    /// All live lanes of a warp know what is in the clock, and nothing else.
    fn settle(&mut self, warp: u32, clock: Clock) {
        let standing = &mut self.warps[warp as usize];
        standing.floor = standing.floor.max(clock.block(self.block));
        standing.clocks = Clocks::Same(clock);
    }

    /// `bar.warp.sync` by some lanes of a warp.
    pub fn warp_barrier(&mut self, warp: u32, lanes: u32) {
        let standing = &self.warps[warp as usize];
        let (live, left) = (standing.live, standing.left);
        if lanes & live == live {
            let release = self.release(warp, live, Reach::Block);
            let standing = &mut self.warps[warp as usize];
            let uniform = matches!(&standing.clocks, Clocks::Same(_));
            if left == 0 {
                standing.base = standing.now;
            }
            if left != 0 || !uniform {
                let mut clock = Clock::default();
                release.add_to(&mut clock);
                self.settle(warp, clock);
            }
            return;
        }
        let mut clock = Clock::default();
        self.release(warp, lanes & live, Reach::Block).add_to(&mut clock);
        self.acquire(warp, lanes & live, &clock);
    }

    /// Lanes of a warp are gone.
    pub fn exit(&mut self, warp: u32, lanes: u32) {
        let standing = &mut self.warps[warp as usize];
        standing.live &= !lanes;
        standing.left |= lanes & standing.touched;
    }

    // ---- release and acquire

    /// What some lanes of a warp can hand on now. What they do from here on is not part of it.
    pub fn release(&mut self, warp: u32, lanes: u32, reach: Reach) -> Release {
        let tick = self.next_tick();
        let block = self.block;
        let standing = &mut self.warps[warp as usize];
        standing.now = tick;
        let mut known = match &standing.clocks {
            Clocks::Same(clock) => clock.clone(),
            Clocks::Lanes(clocks) => {
                let mut union = Clock::default();
                let chosen = clocks.iter().enumerate().filter(|(lane, _)| lanes >> lane & 1 != 0);
                chosen.for_each(|(_, clock)| union.join(clock));
                union
            }
        };
        known.add_block(block, standing.floor);
        known.add_lanes(block, warp, !0, standing.base);
        Release { known: Arc::new(known), block, warp, lanes, tick, reach }
    }

    /// What each of some lanes of a warp can hand on now.
    pub fn release_each(&mut self, warp: u32, mask: u32, reach: Reach) -> Vec<Release> {
        if let Clocks::Lanes(_) = &self.warps[warp as usize].clocks {
            return lanes(mask).map(|lane| self.release(warp, 1 << lane, reach)).collect();
        }
        let all = self.release(warp, 0, reach);
        lanes(mask).map(|lane| Release { lanes: 1 << lane, ..all.clone() }).collect()
    }

    /// Some lanes of a warp learn what was handed on to them.
    pub fn acquire(&mut self, warp: u32, lanes: u32, learnt: &Clock) {
        let standing = &mut self.warps[warp as usize];
        let all = lanes & standing.live == standing.live;
        if let (false, Clocks::Same(clock)) = (all, &standing.clocks) {
            standing.clocks = Clocks::Lanes(Box::new(std::array::from_fn(|_| clock.clone())));
        }
        match &mut standing.clocks {
            Clocks::Same(clock) => clock.join(learnt),
            Clocks::Lanes(clocks) => {
                let chosen = clocks.iter_mut().enumerate().filter(|(lane, _)| lanes >> lane & 1 != 0);
                chosen.for_each(|(_, clock)| clock.join(learnt));
            }
        }
    }

    /// Whether something was handed on from where a lane can learn of it.
    pub fn can_learn(&self, release: &Release, reach: Reach) -> bool {
        release.reaches(self.block, reach)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: u32 = 9;

    fn started(threads: u32) -> HappensBefore {
        let mut order = HappensBefore::default();
        order.begin_launch();
        order.begin_block([0, 0, 0], threads);
        order
    }

    fn act(order: &mut HappensBefore, warp: u32, lane: u32) -> Stamp {
        order.stamp(warp, 1 << lane, SITE).of_lane(lane)
    }

    #[test]
    fn threads_know_only_themselves_at_first() {
        let mut order = started(64);
        let stamp = act(&mut order, 0, 5);
        assert!(order.knows(0, 5, stamp));
        assert!(!order.knows(0, 4, stamp) && !order.knows(1, 5, stamp));
        assert_eq!((stamp.warp(), stamp.lane(), stamp.site()), (0, 5, SITE));
    }

    #[test]
    fn a_barrier_of_all_warps_orders_what_was_before_it() {
        let mut order = started(64);
        let before = act(&mut order, 0, 5);
        order.complete(0, 0b11);
        let after = act(&mut order, 0, 5);
        assert!(order.knows(1, 31, before) && !order.knows(1, 31, after));
        assert!(order.horizon(1).knows(before) && !order.horizon(1).knows(after));
    }

    #[test]
    fn a_named_barrier_orders_only_its_warps() {
        let mut order = started(96);
        let (mine, third) = (act(&mut order, 0, 0), act(&mut order, 2, 0));
        order.complete(3, 0b11);
        assert!(order.knows(1, 7, mine) && !order.knows(1, 7, third) && !order.knows(2, 0, mine));
        // The third warp learns of the first through the second.
        order.complete(4, 0b110);
        assert!(order.knows(2, 9, mine) && order.knows(1, 1, third) && !order.knows(0, 0, third));
    }

    #[test]
    fn who_only_arrives_hands_on_what_was_before() {
        let mut order = started(64);
        let before = act(&mut order, 0, 3);
        order.arrive(1, 0);
        let after = act(&mut order, 0, 3);
        let theirs = act(&mut order, 1, 0);
        order.complete(1, 0b10);
        assert!(order.knows(1, 8, before) && !order.knows(1, 8, after) && !order.knows(0, 3, theirs));
    }

    #[test]
    fn a_warp_barrier_orders_the_lanes_of_its_mask() {
        let mut order = started(32);
        let (first, other) = (act(&mut order, 0, 1), act(&mut order, 0, 9));
        order.warp_barrier(0, 0b111);
        let after = act(&mut order, 0, 1);
        assert!(order.knows(0, 2, first) && !order.knows(0, 9, first) && !order.knows(0, 2, other));
        assert!(!order.knows(0, 2, after) && order.knows(0, 1, after));
        order.warp_barrier(0, !0);
        assert!(order.knows(0, 9, first) && order.knows(0, 9, after) && order.knows(0, 1, other));
    }

    #[test]
    fn lanes_that_have_left_take_part_in_no_barrier() {
        let mut order = started(64);
        let gone = act(&mut order, 0, 4);
        let stays = act(&mut order, 0, 5);
        order.exit(0, 1 << 4);
        order.complete(0, 0b11);
        assert!(order.knows(1, 0, stays) && !order.knows(1, 0, gone));
        assert!(order.knows(0, 6, stays) && !order.knows(0, 6, gone));
    }

    #[test]
    fn lanes_that_did_nothing_may_leave() {
        let mut order = started(48);
        order.exit(1, 0xFF00);
        let before = act(&mut order, 1, 3);
        order.complete(0, 0b11);
        assert!(order.horizon(0).knows(before));
    }

    #[test]
    fn a_launch_orders_everything() {
        let mut order = started(32);
        let data = act(&mut order, 0, 7);
        order.begin_block([1, 0, 0], 32);
        assert!(!order.knows(0, 0, data));
        order.begin_launch();
        order.begin_block([0, 0, 0], 32);
        assert!(order.knows(0, 0, data));
    }
}
