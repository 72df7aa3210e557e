//! How threads hand on what they know without a barrier of the block: strong accesses and fences, and `mbarrier`.

use super::clock::Clock;
use super::happens_before::{HappensBefore, Release};
use super::visit::lanes;
use crate::ptx::typed::Reach;
use std::collections::HashMap;

/// A place in memory through which threads put their accesses in order: a memory, and a place there.
pub type Location = (u64, u64);

/// A strong access of a lane.
#[derive(Debug, Clone, Copy)]
pub struct Strong {
    pub warp: u32,
    pub lane: u32,
    pub location: Location,
    pub reach: Reach,
}

/// What a lane has read with strong accesses, and what its last fence lets it hand on.
#[derive(Debug, Default)]
struct Fenced {
    observed: Vec<Release>,
    released: Option<Release>,
}

/// An `mbarrier`: what the arrivals of the phase hand on, and those of all complete phases.
#[derive(Debug, Default)]
struct Object {
    arrivals: Vec<Release>,
    complete: Clock,
}

/// What waits to be learnt in a launch.
#[derive(Debug, Default)]
pub struct Handovers {
    locations: HashMap<Location, Vec<Release>>,
    objects: HashMap<Location, Object>,
    /// By warp and lane, of the block that runs.
    fenced: HashMap<(u32, u32), Fenced>,
}

impl Handovers {
    pub fn begin_launch(&mut self) {
        self.locations.clear();
        self.objects.clear();
    }

    /// Locations of `memory`, the shared one, no longer mean what they did.
    pub fn begin_block(&mut self, memory: u64) {
        self.fenced.clear();
        self.locations.retain(|(other, _), _| *other != memory);
        self.objects.retain(|(other, _), _| *other != memory);
    }

    /// What lanes have observed is known from here on.
    pub fn fence_acquire(&mut self, order: &mut HappensBefore, warp: u32, mask: u32, reach: Reach) {
        for lane in lanes(mask) {
            if let Some(fenced) = self.fenced.get_mut(&(warp, lane)) {
                learn(order, warp, lane, &std::mem::take(&mut fenced.observed), reach);
            }
        }
    }

    /// What lanes write with strong writes from here on hands on what they know now.
    pub fn fence_release(&mut self, order: &mut HappensBefore, warp: u32, mask: u32, reach: Reach) {
        for (lane, release) in lanes(mask).zip(order.release_each(warp, mask, reach)) {
            self.fenced.entry((warp, lane)).or_default().released = Some(release);
        }
    }

    /// A strong read; `acquires` if what was handed on there is known at once, and not only after a fence.
    pub fn observe(&mut self, order: &mut HappensBefore, access: Strong, acquires: bool) {
        let Strong { warp, lane, location, reach } = access;
        let Some(releases) = self.locations.get(&location).filter(|releases| !releases.is_empty()) else {
            return;
        };
        if acquires {
            learn(order, warp, lane, releases, reach);
        } else {
            self.fenced.entry((warp, lane)).or_default().observed = releases.clone();
        }
    }

    /// A strong write. One that also reads (`continues`) adds to what was handed on there.
    pub fn publish(&mut self, order: &mut HappensBefore, access: Strong, releases: bool, continues: bool) {
        let Strong { warp, lane, location, reach } = access;
        let release = match releases {
            true => Some(order.release(warp, 1 << lane, reach)),
            false => self.fenced.get(&(warp, lane)).and_then(|fenced| fenced.released.clone()),
        };
        let list = self.locations.entry(location).or_default();
        if !continues {
            list.clear();
        }
        list.extend(release);
    }

    /// An `mbarrier` begins, or ends.
    pub fn reset_object(&mut self, location: Location) {
        self.objects.remove(&location);
    }

    /// A lane arrives at an `mbarrier`, which completes the phase or not.
    pub fn arrive(
        &mut self,
        order: &mut HappensBefore,
        warp: u32,
        lane: u32,
        location: Location,
        completes: bool,
    ) {
        let object = self.objects.entry(location).or_default();
        object.arrivals.push(order.release(warp, 1 << lane, Reach::Block));
        if completes {
            object.arrivals.drain(..).for_each(|release| release.add_to(&mut object.complete));
        }
    }

    /// Lanes have seen that a phase of an `mbarrier` is complete.
    pub fn wait(&mut self, order: &mut HappensBefore, warp: u32, lanes: u32, location: Location) {
        if let Some(object) = self.objects.get(&location) {
            order.acquire(warp, lanes, &object.complete);
        }
    }
}

/// One lane learns what was handed on to it.
fn learn(order: &mut HappensBefore, warp: u32, lane: u32, releases: &[Release], reach: Reach) {
    let mut clock = Clock::default();
    for release in releases.iter().filter(|release| order.can_learn(release, reach)) {
        release.add_to(&mut clock);
    }
    if !clock.is_empty() {
        order.acquire(warp, 1 << lane, &clock);
    }
}

#[cfg(test)]
mod tests {
    use super::super::stamp::Stamp;
    use super::*;

    fn started(threads: u32) -> (HappensBefore, Handovers) {
        let mut order = HappensBefore::default();
        order.begin_launch();
        order.begin_block([0; 3], threads);
        (order, Handovers::default())
    }

    fn act(order: &mut HappensBefore, warp: u32, lane: u32) -> Stamp {
        order.stamp(warp, 1 << lane, 9).of_lane(lane)
    }

    const FLAG: Location = (1, 0);

    fn strong(lane: u32, reach: Reach) -> Strong {
        Strong { warp: 0, lane, location: FLAG, reach }
    }

    #[test]
    fn a_fence_and_a_flag_order_blocks() {
        let (mut order, mut handovers) = started(32);
        let data = act(&mut order, 0, 7);
        handovers.fence_release(&mut order, 0, 1 << 7, Reach::Device);
        handovers.publish(&mut order, strong(7, Reach::Device), false, false);
        let late = act(&mut order, 0, 7);
        order.begin_block([1, 0, 0], 32);
        handovers.begin_block(0);
        handovers.observe(&mut order, strong(2, Reach::Device), false);
        assert!(!order.knows(0, 2, data));
        handovers.fence_acquire(&mut order, 0, 1 << 2, Reach::Device);
        assert!(order.knows(0, 2, data) && !order.knows(0, 2, late) && !order.knows(0, 3, data));
        order.warp_barrier(0, !0);
        assert!(order.knows(0, 3, data));
    }

    #[test]
    fn a_flag_without_fence_orders_nothing() {
        let (mut order, mut handovers) = started(32);
        let data = act(&mut order, 0, 7);
        handovers.publish(&mut order, strong(7, Reach::Device), false, false);
        handovers.observe(&mut order, strong(2, Reach::Device), true);
        assert!(!order.knows(0, 2, data));
    }

    #[test]
    fn a_release_to_the_block_does_not_reach_another_block() {
        let (mut order, mut handovers) = started(32);
        let data = act(&mut order, 0, 7);
        handovers.publish(&mut order, strong(7, Reach::Block), true, false);
        handovers.observe(&mut order, strong(1, Reach::Block), true);
        assert!(order.knows(0, 1, data));
        order.begin_block([1, 0, 0], 32);
        handovers.observe(&mut order, strong(2, Reach::Device), true);
        assert!(!order.knows(0, 2, data));
    }

    #[test]
    fn operations_that_read_and_write_carry_on_what_was_handed_on() {
        let (mut order, mut handovers) = started(64);
        let data = act(&mut order, 0, 7);
        handovers.publish(&mut order, strong(7, Reach::Device), true, false);
        handovers.publish(&mut order, strong(8, Reach::Device), false, true);
        handovers.observe(&mut order, strong(1, Reach::Device), true);
        assert!(order.knows(0, 1, data));
        handovers.publish(&mut order, strong(9, Reach::Device), false, false);
        handovers.observe(&mut order, strong(2, Reach::Device), true);
        assert!(!order.knows(0, 2, data));
    }

    #[test]
    fn a_barrier_object_orders_those_of_complete_phases() {
        let (mut order, mut handovers) = started(64);
        let (first, second) = (act(&mut order, 0, 3), act(&mut order, 0, 4));
        handovers.arrive(&mut order, 0, 3, FLAG, false);
        handovers.wait(&mut order, 1, !0, FLAG);
        assert!(!order.knows(1, 0, first));
        handovers.arrive(&mut order, 0, 4, FLAG, true);
        let late = act(&mut order, 0, 4);
        handovers.wait(&mut order, 1, !0, FLAG);
        assert!(order.knows(1, 0, first) && order.knows(1, 31, second) && !order.knows(1, 0, late));
    }
}
