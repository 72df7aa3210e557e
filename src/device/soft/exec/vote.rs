//! Votes, matches and reductions over a warp.

use super::{Inst, Warp};
use crate::ptx::typed::{ReduceOp, VoteMode};

/// Waits for the members in the mask of slot `members`: the next instruction to run, if it is not this one.
///
/// # Safety
/// As for [`super::Handler`].
unsafe fn gather(ip: *const Inst, warp: &mut Warp, members: u16) -> Option<*const Inst> {
    if warp.converged() {
        return None;
    }
    // SAFETY: operands of a decoded instruction lie in the warp's files.
    let members = unsafe { *warp.slot::<u32>(members).add(warp.active.trailing_zeros() as usize) };
    warp.gather(ip, members)
}

/// # Safety
/// The slot lies in the register file.
unsafe fn write_all(warp: &Warp, slot: u16, mask: u32, value: u32) {
    for lane in (0..32).filter(|lane| mask >> lane & 1 != 0) {
        // SAFETY: the caller's contract.
        unsafe { *warp.slot::<u32>(slot).add(lane) = value };
    }
}

/// `a` is the predicate, `b` the member mask, `imm` the mode; `d` is a predicate or, for ballot, a slot.
pub unsafe fn vote(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: operands of a decoded instruction lie in the warp's files.
    unsafe {
        let i = &*ip;
        if let Some(next) = gather(ip, warp, i.b) {
            return next;
        }
        let mask = warp.mask(i);
        let votes = warp.pred(i.a) & mask;
        let verdict = match i.imm {
            ALL => votes == mask,
            ANY => votes != 0,
            UNI => votes == mask || votes == 0,
            _ => {
                write_all(warp, i.d, mask, votes);
                return ip.add(1);
            }
        };
        warp.set_pred(i.d, mask, if verdict { !0 } else { 0 });
        ip.add(1)
    }
}

const ALL: i32 = 0;
const ANY: i32 = 1;
const UNI: i32 = 2;
const BALLOT: i32 = 3;

/// [`Inst::imm`] of a vote.
pub fn vote_mode(mode: VoteMode) -> i32 {
    match mode {
        VoteMode::All => ALL,
        VoteMode::Any => ANY,
        VoteMode::Uni => UNI,
        VoteMode::Ballot => BALLOT,
    }
}

/// `a` is the value, `b` the member mask, `c` the predicate of `match.all`; bit 0 of `imm` means all, bit 1
/// 64-bit values.
pub unsafe fn matching(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: operands of a decoded instruction lie in the warp's files.
    unsafe {
        let i = &*ip;
        if let Some(next) = gather(ip, warp, i.b) {
            return next;
        }
        let mask = warp.mask(i);
        let values: [u64; 32] = std::array::from_fn(|lane| match i.imm & 2 {
            0 => u64::from(*warp.slot::<u32>(i.a).add(lane)),
            _ => *warp.slot::<u64>(i.a).add(lane),
        });
        let equal_to = |value: u64| {
            (0..32)
                .filter(|lane| mask >> lane & 1 != 0 && values[*lane] == value)
                .fold(0u32, |m, lane| m | 1 << lane)
        };
        for lane in (0..32).filter(|lane| mask >> lane & 1 != 0) {
            let same = equal_to(values[lane]);
            let result = if i.imm & 1 != 0 && same != mask { 0 } else { same };
            *warp.slot::<u32>(i.d).add(lane) = result;
        }
        if i.imm & 1 != 0 && mask != 0 {
            let all = equal_to(values[mask.trailing_zeros() as usize]) == mask;
            warp.set_pred(i.c, mask, if all { !0 } else { 0 });
        }
        ip.add(1)
    }
}

/// `a` is the value, `b` the member mask; `imm` is the operation of [`reduce_mode`].
pub unsafe fn reduce(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: operands of a decoded instruction lie in the warp's files.
    unsafe {
        let i = &*ip;
        if let Some(next) = gather(ip, warp, i.b) {
            return next;
        }
        let mask = warp.mask(i);
        let values =
            (0..32).filter(|lane| mask >> lane & 1 != 0).map(|lane| *warp.slot::<u32>(i.a).add(lane));
        let join = |x: u32, y: u32| match i.imm {
            0 => x.wrapping_add(y),
            1 => x.min(y),
            2 => x.max(y),
            3 => x & y,
            4 => x | y,
            5 => x ^ y,
            6 => (x as i32).min(y as i32) as u32,
            _ => (x as i32).max(y as i32) as u32,
        };
        let result = values.reduce(join).unwrap_or(0);
        write_all(warp, i.d, mask, result);
        ip.add(1)
    }
}

/// [`Inst::imm`] of a reduction.
pub fn reduce_mode(op: ReduceOp, signed: bool) -> i32 {
    match (op, signed) {
        (ReduceOp::Add, _) => 0,
        (ReduceOp::Min, false) => 1,
        (ReduceOp::Max, false) => 2,
        (ReduceOp::And, _) => 3,
        (ReduceOp::Or, _) => 4,
        (ReduceOp::Xor, _) => 5,
        (ReduceOp::Min, true) => 6,
        (ReduceOp::Max, true) => 7,
    }
}

/// `elect.sync`: the lowest lane. `d` is a slot, `c` a predicate, `b` the member mask.
pub unsafe fn elect(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: operands of a decoded instruction lie in the warp's files.
    unsafe {
        let i = &*ip;
        if let Some(next) = gather(ip, warp, i.b) {
            return next;
        }
        let mask = warp.mask(i);
        write_all(warp, i.d, mask, mask.trailing_zeros());
        warp.set_pred(i.c, mask, mask & mask.wrapping_neg());
        ip.add(1)
    }
}

/// `activemask`
pub unsafe fn active_mask(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: operands of a decoded instruction lie in the warp's files.
    unsafe {
        let i = &*ip;
        write_all(warp, i.d, warp.mask(i), warp.active);
        ip.add(1)
    }
}

/// `bar.warp.sync`: `a` is the member mask.
pub unsafe fn warp_barrier(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: operands of a decoded instruction lie in the warp's files.
    unsafe {
        let i = &*ip;
        match gather(ip, warp, i.a) {
            Some(next) => next,
            None => ip.add(1),
        }
    }
}
