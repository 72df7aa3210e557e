//! The watches: handlers that run in front of a typed instruction's own.
//!
//! [`Inst::imm`] is the index in [`Code::watched`]; the guard is the instruction's own.
//!
//! [`Code::watched`]: crate::device::soft::lower::Code::watched

use crate::device::soft::exec::access::read_place;
use crate::device::soft::exec::{Inst, Warp};
use crate::ptx::typed::Op;

/// An instruction without memory.
pub unsafe fn registers(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: a watch is not the last instruction.
    if turn_is_over(warp) { warp.take_turns(warp.pc_of(ip)) } else { unsafe { ip.add(1) } }
}

/// Whether another warp, or another group of the warp, goes on before the next instruction.
#[inline]
fn turn_is_over(warp: &Warp) -> bool {
    let Some(chance) = warp.block.chance.filter(|chance| chance.turn_is_over()) else { return false };
    // SAFETY: checked code runs with a checker, which nothing else uses meanwhile.
    let checker = unsafe { &mut *warp.block.checker };
    checker.copies.land_some(warp.index, chance);
    true
}

/// `exit`
pub unsafe fn exit(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: as in `memory`.
    unsafe {
        let i = &*ip;
        let mask = warp.mask(i);
        let checker = &mut *warp.block.checker;
        checker.exit_copies(warp, mask, i.imm as u32);
        checker.races.order.exit(warp.index, mask);
        ip.add(1)
    }
}

/// An instruction that accesses memory.
pub unsafe fn memory(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: operands of a decoded instruction lie in the warp's files; checked code runs with a checker,
    // which nothing else uses meanwhile.
    unsafe {
        if turn_is_over(warp) {
            return warp.take_turns(warp.pc_of(ip));
        }
        let i = &*ip;
        let mask = warp.mask(i);
        let watched = &warp.block.code.watched[i.imm as usize];
        let checker = &mut *warp.block.checker;
        for reference in &watched.references {
            checker.reference(warp, i.imm as u32, reference, mask);
        }
        ip.add(1)
    }
}

/// An instruction that waits for other lanes of the warp: it waits here, so that what follows sees them all.
pub unsafe fn sync(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: as in `memory`.
    unsafe {
        let i = &*ip;
        let watched = &warp.block.code.watched[i.imm as usize];
        let needed = match watched.members {
            Some(place) => read_place(warp, place, warp.active.trailing_zeros() as usize) as u32,
            None => !0,
        };
        if let Some(next) = warp.gather(ip, needed) {
            return next;
        }
        if let Op::WarpBarrier = watched.op {
            let lanes = warp.mask(i) & needed;
            (*warp.block.checker).races.order.warp_barrier(warp.index, lanes);
        }
        if watched.references.is_empty() { registers(ip, warp) } else { memory(ip, warp) }
    }
}
