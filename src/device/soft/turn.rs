//! Which warps of a block can run, and the barriers that the others wait at.

use super::exec::warp::{BarrierRequest, BarrierVotes};
use super::exec::{Stop, Warp};
use super::fault::Cause;

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
    /// Warps that have arrived.
    came: u32,
    /// The warp that came first, and its instruction.
    first: (u32, u32),
    /// Whether it votes.
    votes: bool,
    count: u32,
    dissent: bool,
    any: bool,
}

impl Barrier {
    /// Why a warp may not come to a barrier that others have come to.
    fn objection(&self, index: usize, request: BarrierRequest) -> Option<String> {
        let id = request.id;
        let (first, second) = (self.expected.min(request.threads), self.expected.max(request.threads));
        if first != second {
            return Some(format!(
                "barrier {id} is used for {first} and for {second} threads at the same time"
            ));
        }
        if self.votes != request.reduces {
            return Some(format!("barrier {id} is used with and without a reduction at the same time"));
        }
        let again = self.came >> index & 1 != 0;
        again.then(|| format!("warp {index} comes to barrier {id} twice before it is complete"))
    }
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
    /// Turns of each warp that ended by chance since it last looked in vain.
    idle: Vec<u32>,
}

/// Turns by chance after which a warp is busy with something else than waiting.
const BUSY: u32 = 16;

impl Turn {
    pub fn new(warps: usize) -> Turn {
        let all = if warps >= 32 { !0 } else { (1 << warps) - 1 };
        Turn {
            running: all,
            ready: all,
            barriers: [Barrier::default(); BARRIERS],
            spent: vec![0; warps],
            waits: 0,
            idle: vec![0; warps],
        }
    }

    /// A warp has come to a barrier with instruction `pc`; an error if that does not fit with the others.
    pub fn arrive(&mut self, index: usize, request: BarrierRequest, pc: u32) -> Result<(), Cause> {
        let barrier = &mut self.barriers[request.id as usize];
        let here = (index as u32, pc);
        if barrier.came == 0 {
            barrier.first = here;
        } else if let Some(message) = barrier.objection(index, request) {
            return Err(Cause::Mismatch { message, warps: [barrier.first, here] });
        }
        barrier.came |= 1 << index;
        barrier.votes = request.reduces;
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

    /// Whether a warp that stopped may only be waiting. Where turns end `by_chance` that says nothing, unless many do
    /// so one after the other.
    pub fn may_wait(&mut self, index: usize, stop: Stop, sleeps: bool, by_chance: bool) -> bool {
        let idle = &mut self.idle[index];
        *idle = if by_chance && stop == Stop::Yield { *idle + 1 } else { 0 };
        stop == Stop::Wait || (stop == Stop::Yield && sleeps && *idle < BUSY)
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
