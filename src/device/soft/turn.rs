//! Which warps of a block can run, and the barriers that the others wait at.

use super::exec::Warp;
use super::exec::warp::{BarrierRequest, BarrierVotes};

/// Threads of a warp.
const LANES: u32 = 32;

/// Barriers of a block.
pub const BARRIERS: usize = 16;

/// A barrier that warps have come to.
#[derive(Clone, Copy, Default)]
struct Barrier {
    /// Threads that have arrived, whole warps.
    arrived: u32,
    /// Threads that must arrive; 0 means all that have not exited.
    expected: u32,
    waiting: u32,
    count: u32,
    dissent: bool,
    any: bool,
}

/// Which warps of a block can run.
pub struct Turn {
    /// Have not exited.
    pub running: u32,
    pub ready: u32,
    barriers: [Barrier; BARRIERS],
    /// Loop instructions that each warp has executed.
    pub spent: Vec<u64>,
    /// Looks at mbarriers in vain since a warp last did something else.
    pub waits: u32,
}

impl Turn {
    pub fn new(warps: usize) -> Turn {
        let all = if warps >= 32 { !0 } else { (1 << warps) - 1 };
        Turn {
            running: all,
            ready: all,
            barriers: [Barrier::default(); BARRIERS],
            spent: vec![0; warps],
            waits: 0,
        }
    }

    /// A warp has come to a barrier; an error if that does not fit with the others.
    pub fn arrive(&mut self, index: usize, request: BarrierRequest) -> Result<(), String> {
        let barrier = &mut self.barriers[request.id as usize];
        if barrier.arrived != 0 && barrier.expected != request.threads {
            let (id, first, second) = (request.id, barrier.expected, request.threads);
            return Err(format!(
                "barrier {id} is used for {first} and for {second} threads at the same time"
            ));
        }
        barrier.expected = request.threads;
        barrier.arrived += LANES;
        barrier.count += request.votes.count_ones();
        barrier.dissent |= request.votes != request.voters;
        barrier.any |= request.votes != 0;
        if !request.arrive_only {
            barrier.waiting |= 1 << index;
            self.ready &= !(1 << index);
        }
        Ok(())
    }

    /// Lets the warps of a complete barrier go, and says which; `None` if it is not complete.
    pub fn release(&mut self, id: usize, warps: &mut [Warp]) -> Option<u32> {
        let barrier = self.barriers[id];
        let expected = match barrier.expected {
            0 => self.running.count_ones() * LANES,
            threads => threads,
        };
        if barrier.arrived == 0 || barrier.arrived < expected {
            return None;
        }
        let votes = BarrierVotes { count: barrier.count, all: !barrier.dissent, any: barrier.any };
        for index in (0..warps.len()).filter(|index| barrier.waiting >> index & 1 != 0) {
            warps[index].votes = votes;
        }
        self.ready |= barrier.waiting;
        self.barriers[id] = Barrier::default();
        Some(barrier.waiting)
    }
}
