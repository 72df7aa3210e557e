//! Barriers of a block, the warp's side.

use super::super::fault::Cause;
use super::warp::BarrierRequest;
use super::{Handler, Inst, Stop, Warp};

/// [`Inst::imm`] of a barrier that only counts the warp.
pub const ARRIVE: i32 = 1;
/// [`Inst::imm`] of a barrier that also votes on predicate `c`.
pub const VOTE: i32 = 2;

/// Number of barriers of a block.
const BARRIERS: u32 = 16;

/// A barrier with `.aligned`: `a` is the slot of the barrier's number, `b` that of the thread count (0: all
/// threads).
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
        if mask != warp.active {
            let lane = mask.trailing_zeros();
            return warp.fail(warp.pc_of(ip), Cause::PartialBarrier, Some(lane));
        }
        match request(i, warp, mask) {
            Ok(request) => stop(ip, warp, request),
            Err(cause) => warp.fail(warp.pc_of(ip), cause, Some(mask.trailing_zeros())),
        }
    }
}

/// A barrier without `.aligned`; operands as for [`barrier`]. The lanes of a warp may come to it apart, at
/// several instructions even; the last of them brings the warp to the barrier.
pub unsafe fn loose_barrier(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: operands of a decoded instruction lie in the warp's files; groups wait at instructions.
    unsafe {
        let (pc, mask) = (warp.pc_of(ip), warp.mask(&*ip));
        if mask == 0 {
            return ip.add(1);
        }
        if mask != warp.active {
            return warp.split(pc, mask, pc + 1, false);
        }
        let mut request = match request(&*ip, warp, mask) {
            Ok(request) => request,
            Err(cause) => return warp.fail(pc, cause, Some(mask.trailing_zeros())),
        };
        let Some(others) = warp.others_wait() else { return warp.park(pc) };
        for (pc, lanes) in others {
            let other = &*warp.at(pc);
            let here = std::ptr::fn_addr_eq(other.run, loose_barrier as Handler) && other.imm == (*ip).imm;
            match self::request(other, warp, lanes) {
                Ok(found) if here && (found.id, found.threads) == (request.id, request.threads) => {
                    request.votes |= found.votes;
                    request.voters |= found.voters;
                }
                _ => return warp.park(warp.pc_of(ip)),
            }
        }
        warp.pass_waits();
        stop(ip, warp, request)
    }
}

/// What the lanes of `mask` ask of a barrier.
///
/// # Safety
/// The instruction is a barrier of the warp's code.
unsafe fn request(i: &Inst, warp: &Warp, mask: u32) -> Result<BarrierRequest, Cause> {
    let lane = mask.trailing_zeros() as usize;
    // SAFETY: operands of a decoded instruction lie in the warp's files.
    let (id, threads) = unsafe { (*warp.slot::<u32>(i.a).add(lane), *warp.slot::<u32>(i.b).add(lane)) };
    if id >= BARRIERS || !threads.is_multiple_of(32) {
        let message = format!("barrier {id} for {threads} threads (16 barriers, whole warps)");
        return Err(Cause::Barrier(message));
    }
    // SAFETY: as above.
    let votes = if i.imm == VOTE { unsafe { warp.pred(i.c) & mask } } else { 0 };
    let (arrive_only, reduces) = (i.imm == ARRIVE, i.imm == VOTE);
    Ok(BarrierRequest { id, threads, arrive_only, reduces, votes, voters: mask })
}

fn stop(ip: *const Inst, warp: &mut Warp, request: BarrierRequest) -> *const Inst {
    warp.barrier = request;
    warp.pc = warp.pc_of(ip) + 1;
    warp.stop = Stop::Barrier;
    std::ptr::null()
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
