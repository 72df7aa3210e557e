//! The watches: handlers that run in front of a typed instruction's own.
//!
//! [`Inst::imm`] is the index in [`Code::watched`]; the guard is the instruction's own.
//!
//! [`Code::watched`]: crate::device::soft::lower::Code::watched

use crate::device::soft::exec::access::read_place;
use crate::device::soft::exec::{Inst, Warp};

/// An instruction without memory.
pub unsafe fn registers(ip: *const Inst, _warp: &mut Warp) -> *const Inst {
    // SAFETY: a watch is not the last instruction.
    unsafe { ip.add(1) }
}

/// An instruction that accesses memory.
pub unsafe fn memory(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: operands of a decoded instruction lie in the warp's files; checked code runs with a checker,
    // which nothing else uses meanwhile.
    unsafe {
        let i = &*ip;
        let mask = warp.mask(i);
        let watched = &warp.block.code.watched[i.imm as usize];
        let checker = &mut *warp.block.checker;
        for reference in &watched.references {
            checker.reference(warp, watched.line, reference, mask);
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
        match warp.gather(ip, needed) {
            Some(next) => next,
            None if watched.references.is_empty() => registers(ip, warp),
            None => memory(ip, warp),
        }
    }
}
