//! Barriers of a block, the warp's side.

use super::super::fault::Cause;
use super::warp::BarrierRequest;
use super::{Inst, Stop, Warp};

/// [`Inst::imm`] of a barrier that only counts the warp.
pub const ARRIVE: i32 = 1;
/// [`Inst::imm`] of a barrier that also votes on predicate `c`.
pub const VOTE: i32 = 2;

/// Number of barriers of a block.
const BARRIERS: u32 = 16;

/// `a` is the slot of the barrier's number, `b` that of the thread count (0: all threads).
pub unsafe fn barrier(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: operands of a decoded instruction lie in the warp's files.
    unsafe {
        let i = &*ip;
        if let Some(next) = warp.gather(ip, !0) {
            return next;
        }
        let mask = warp.mask(i);
        if mask == 0 {
            return ip.add(1);
        }
        let pc = warp.pc_of(ip);
        let lane = mask.trailing_zeros() as usize;
        if mask != warp.active {
            return warp.fail(pc, Cause::PartialBarrier, Some(lane as u32));
        }
        let id = *warp.slot::<u32>(i.a).add(lane);
        let threads = *warp.slot::<u32>(i.b).add(lane);
        if id >= BARRIERS || !threads.is_multiple_of(32) {
            let message = format!("barrier {id} for {threads} threads (16 barriers, whole warps)");
            return warp.fail(pc, Cause::Barrier(message), Some(lane as u32));
        }
        let votes = if i.imm == VOTE { warp.pred(i.c) & mask } else { 0 };
        let (arrive_only, reduces) = (i.imm == ARRIVE, i.imm == VOTE);
        warp.barrier = BarrierRequest { id, threads, arrive_only, reduces, votes, voters: mask };
        warp.pc = pc + 1;
        warp.stop = Stop::Barrier;
        std::ptr::null()
    }
}

/// The result of the `bar.red` before: `imm` 0 the count to slot `d`, 1 "all", 2 "any" to predicate `d`.
pub unsafe fn result(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: operands of a decoded instruction lie in the warp's files.
    unsafe {
        let i = &*ip;
        let mask = warp.mask(i);
        let verdict = match i.imm {
            0 => {
                for lane in (0..32).filter(|lane| mask >> lane & 1 != 0) {
                    *warp.slot::<u32>(i.d).add(lane) = warp.votes.count;
                }
                return ip.add(1);
            }
            1 => warp.votes.all,
            _ => warp.votes.any,
        };
        warp.set_pred(i.d, mask, if verdict { !0 } else { 0 });
        ip.add(1)
    }
}
