//! Branches, labels and exits.

use super::super::fault::Cause;
use super::{Inst, Warp};

/// A label that is a branch target.
pub unsafe fn label(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: code does not end with a label.
    let next = unsafe { ip.add(1) };
    if warp.converged() { next } else { warp.meet(warp.pc_of(next)) }
}

/// A branch to a later instruction, `imm`.
pub unsafe fn branch_forward(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: `ip` is an instruction of the warp's code, which does not end with a branch.
    let (i, next) = unsafe { (&*ip, ip.add(1)) };
    // SAFETY: as above.
    let taken = unsafe { warp.mask(i) };
    if warp.converged() {
        if taken == warp.active {
            return warp.at(i.imm as u32);
        }
        if taken == 0 {
            return next;
        }
    }
    warp.split(i.imm as u32, taken, warp.pc_of(next), false)
}

/// A branch to an earlier instruction, `imm`; it uses up as much fuel as the loop has instructions.
pub unsafe fn branch_backward(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: as in `branch_forward`.
    let (i, next) = unsafe { (&*ip, ip.add(1)) };
    // SAFETY: as above.
    let taken = unsafe { warp.mask(i) };
    let pc = warp.pc_of(ip);
    warp.fuel -= i64::from(pc - i.imm as u32) + 1;
    let target = if warp.converged() && taken == warp.active {
        warp.at(i.imm as u32)
    } else if warp.converged() && taken == 0 {
        next
    } else {
        warp.split(i.imm as u32, taken, warp.pc_of(next), true)
    };
    if warp.fuel >= 0 || target.is_null() { target } else { warp.interrupt(warp.pc_of(target)) }
}

/// `brx.idx`: `a` is the index, `imm` the first of `d` targets in the branch table.
pub unsafe fn branch_indexed(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: as in `branch_forward`; the slot is in the register file.
    let (i, next, index) = unsafe { (&*ip, ip.add(1), warp.slot::<u32>((*ip).a).cast::<[u32; 32]>().read()) };
    // SAFETY: as above.
    let mut left = unsafe { warp.mask(i) };
    let count = u32::from(i.d);
    warp.fuel -= 16;
    let (all, here) = (warp.active, warp.pc_of(ip));
    // Peel off the lanes of one target after the other; they wait as groups of their own.
    let mut target = warp.pc_of(next);
    let mut remaining = all & !left;
    while left != 0 {
        let lane = left.trailing_zeros();
        let chosen = index[lane as usize];
        if chosen >= count {
            return warp.fail(here, Cause::BranchIndex { index: chosen, count }, Some(lane));
        }
        let same = (0..32).filter(|l| index[*l] == chosen).fold(0u32, |lanes, l| lanes | 1 << l) & left;
        left &= !same;
        let pc = warp.block.code.branches[i.imm as usize + chosen as usize];
        if remaining == 0 && left == 0 && same == all && warp.converged() {
            return if warp.fuel >= 0 { warp.at(pc) } else { warp.interrupt(pc) };
        }
        if remaining == 0 {
            target = pc;
            remaining = same;
        } else {
            warp.wait_at(pc, same);
        }
    }
    warp.active = remaining;
    let chosen = warp.split(target, remaining, target, true);
    if warp.fuel >= 0 || chosen.is_null() { chosen } else { warp.interrupt(warp.pc_of(chosen)) }
}

/// `exit`, and `ret` in an entry.
pub unsafe fn exit(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: `ip` is an instruction of the warp's code.
    let lanes = unsafe { warp.mask(&*ip) };
    // SAFETY: a guarded exit is not the last instruction.
    if lanes == 0 { unsafe { ip.add(1) } } else { warp.exit(ip, lanes) }
}

/// `trap`
pub unsafe fn trap(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: `ip` is an instruction of the warp's code, and not the last one.
    let (lanes, next) = unsafe { (warp.mask(&*ip), ip.add(1)) };
    match lanes {
        0 => next,
        _ => warp.fail(warp.pc_of(ip), Cause::Trap, Some(lanes.trailing_zeros())),
    }
}

/// `nanosleep`: the other warps' turn.
pub unsafe fn sleep(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: `ip` is an instruction of the warp's code, and not the last one.
    let (lanes, next) = unsafe { (warp.mask(&*ip), ip.add(1)) };
    if lanes == 0 { next } else { warp.interrupt(warp.pc_of(next)) }
}
