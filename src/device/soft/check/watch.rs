//! The watches: handlers that run in front of a typed instruction's own.
//!
//! [`Inst::imm`] is the index in the [`Table`](super::watched::Table); the guard is the instruction's own, and
//! [`Inst::site`] the number of its predicate. Lanes that cannot do what the instruction wants sit it out.

use super::checker::Checker;
use super::memory::Touch;
use super::registers::{set_valid, valid};
use super::watched::{Mode, Run, Watched};
use crate::device::soft::exec::access::read_place;
use crate::device::soft::exec::tile::put_back;
use crate::device::soft::exec::{Body, Inst, Warp};
use crate::ptx::typed::{MbarrierOp, Op};

/// What the watches share: the instruction's entry in the table, and the checker, which nothing else uses
/// while a watch does.
///
/// # Safety
/// As for [`Handler`](crate::device::soft::exec::Handler), in checked code.
#[inline(always)]
unsafe fn parts<'a>(ip: *const Inst, warp: &Warp<'a>) -> (&'a Watched, &'a mut Checker) {
    // SAFETY: the caller's contract.
    unsafe { (&warp.block.code.watched.list[(*ip).imm as usize], &mut *warp.block.checker) }
}

/// The lanes that execute the instruction; the guard must be valid to tell.
///
/// # Safety
/// As for [`parts`].
#[inline(always)]
unsafe fn executing(ip: *const Inst, warp: &Warp) -> u32 {
    // SAFETY: the caller's contract.
    unsafe {
        let i = &*ip;
        if warp.active & !valid(warp, i.site) != 0 {
            let (_, checker) = parts(ip, warp);
            checker.use_one(warp, i.imm as u32, i.site, warp.active);
        }
        warp.mask(i)
    }
}

/// Whether another warp, or another group of the warp, goes on before the next instruction.
#[inline(always)]
fn turn_is_over(warp: &Warp) -> bool {
    let Some(chance) = warp.block.chance.filter(|chance| chance.turn_is_over()) else { return false };
    // SAFETY: checked code runs with a checker, which nothing else uses meanwhile.
    let checker = unsafe { &mut *warp.block.checker };
    checker.copies.land_some(warp.index, chance);
    true
}

/// Most instructions: up to three sources `a`, `b` and `c`, up to one destination `d`, all by number.
pub unsafe fn registers(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: the caller keeps the contract of `Handler`; a watch is not the last instruction.
    unsafe {
        if turn_is_over(warp) {
            return warp.take_turns(warp.pc_of(ip));
        }
        let i = &*ip;
        let mask = warp.mask(i);
        let sources = valid(warp, i.a) & valid(warp, i.b) & valid(warp, i.c);
        if (warp.active & !valid(warp, i.site)) | (mask & !sources) != 0 {
            return closely(ip, warp);
        }
        set_valid(warp, i.d, mask, !0);
        ip.add(1)
    }
}

/// As [`registers`] for any number of registers, and for instructions that the checks look at closely.
pub unsafe fn many(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: the caller keeps the contract of `Handler`.
    unsafe { if turn_is_over(warp) { warp.take_turns(warp.pc_of(ip)) } else { closely(ip, warp) } }
}

/// The registers, remarks and values of an instruction.
///
/// # Safety
/// As for [`parts`].
unsafe fn closely(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: the caller's contract; a watch is not the last instruction.
    unsafe {
        let lanes = executing(ip, warp);
        let (watched, checker) = parts(ip, warp);
        checker.remark(warp, watched, lanes);
        let all = watched.reads.iter().fold(!0, |all, read| all & valid(warp, *read));
        if lanes & !all == 0 {
            checker.results_are_valid(warp, watched, lanes);
        } else {
            checker.pass_on(warp, (*ip).imm as u32, lanes);
        }
        match checker.values(warp, watched, lanes) {
            0 => ip.add(1),
            wrong => without(ip, warp, wrong),
        }
    }
}

/// Runs the instruction in all lanes but `wrong`.
///
/// # Safety
/// As for [`parts`]; the instruction is none that waits or branches.
#[cold]
unsafe fn without(ip: *const Inst, warp: &mut Warp, wrong: u32) -> *const Inst {
    // SAFETY: the caller's contract.
    unsafe {
        let (watched, _) = parts(ip, warp);
        let end = warp.at(watched.end);
        let active = warp.active;
        warp.active &= !wrong;
        for write in &watched.writes {
            set_valid(warp, *write, wrong, !0);
        }
        let mut next = ip.add(1);
        while next != end && !next.is_null() {
            next = ((*next).run)(next, warp);
        }
        warp.active = active;
        next
    }
}

/// An instruction that accesses memory.
pub struct Memory;

impl Body for Memory {
    #[inline(always)]
    unsafe fn run<const L: u8>(ip: *const Inst, warp: &mut Warp) -> *const Inst {
        // SAFETY: the caller keeps the contract of `Handler`; a watch is not the last instruction.
        unsafe {
            if turn_is_over(warp) {
                return warp.take_turns(warp.pc_of(ip));
            }
            let lanes = executing(ip, warp);
            if lanes == 0 {
                return ip.add(1);
            }
            let site = (*ip).imm as u32;
            let (watched, checker) = parts(ip, warp);
            let reference = &watched.references[0];
            // The address comes first; the other registers are looked at with the access.
            let wrong = if reference.mode == Mode::CopySource {
                checker.use_all(warp, site, &watched.reads, lanes);
                checker.copy(warp, site, lanes)
            } else {
                checker.use_one(warp, site, watched.reads[0], lanes);
                if let Op::Mbarrier { op: MbarrierOp::ArriveOnCopies { .. }, .. } = watched.op {
                    checker.wait_for_all(warp, lanes);
                }
                checker.reference(warp, site, reference, lanes, |checker, touch| {
                    checker.transfer(warp, watched, touch);
                })
            };
            if wrong == 0 { ip.add(1) } else { without(ip, warp, wrong) }
        }
    }
}

/// A superinstruction, which stands behind this watch, and behind it stand the instructions that it is for.
pub struct WholeRun;

impl Body for WholeRun {
    /// Goes on with the superinstruction if all is well; else with the single instructions, for a closer look.
    #[inline(always)]
    unsafe fn run<const L: u8>(ip: *const Inst, warp: &mut Warp) -> *const Inst {
        // SAFETY: the caller keeps the contract of `Handler`.
        unsafe {
            let (together, single) = (ip.add(1), ip.add(2));
            let run = &warp.block.code.watched.runs[(*ip).imm as usize];
            // By chance other warps come in between the single instructions, sometimes.
            let whole = warp.active == !0 && warp.block.chance.is_none_or(|chance| chance.below(4) != 0);
            if whole && !run.is_close && is_clean(warp, run) {
                return together;
            }
            put_back::<L>(warp, run.tiles);
            single
        }
    }
}

/// Whether nothing is wrong with the registers and memory that a run of a whole warp reads. What it writes is valid
/// then.
///
/// # Safety
/// As for [`parts`].
#[inline(always)]
unsafe fn is_clean(warp: &Warp, run: &Run) -> bool {
    // SAFETY: the caller's contract.
    unsafe {
        if run.reads.iter().any(|read| valid(warp, *read) != !0) {
            return false;
        }
        let checker = &mut *warp.block.checker;
        for load in &run.loads {
            let site = run.first + load;
            let reference = &warp.block.code.watched.list[site as usize].references[0];
            let mut written = true;
            let wrong = checker.reference(warp, site, reference, reference.lanes, |checker, touch| {
                checker.races(warp, touch);
                written &= checker.missing(touch).is_none();
            });
            if wrong != 0 || !written {
                return false;
            }
        }
        for write in &run.writes {
            set_valid(warp, *write, !0, !0);
        }
        true
    }
}

/// `exit`
pub unsafe fn exit(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: the caller keeps the contract of `Handler`; a watch is not the last instruction.
    unsafe {
        let lanes = executing(ip, warp);
        let (_, checker) = parts(ip, warp);
        checker.exit_copies(warp, lanes, (*ip).imm as u32);
        checker.shadow.races.order.exit(warp.index, lanes);
        ip.add(1)
    }
}

/// `fence`, `membar`
pub unsafe fn fence(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: the caller keeps the contract of `Handler`; a watch is not the last instruction.
    unsafe {
        let lanes = executing(ip, warp);
        let (watched, checker) = parts(ip, warp);
        if let Op::Fence(order) = watched.op {
            checker.shadow.races.fence(warp.index, lanes, order);
        }
        ip.add(1)
    }
}

/// An instruction that waits for other lanes of the warp: it waits here, so that what follows sees them all.
pub unsafe fn sync(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: the caller keeps the contract of `Handler`; the end of an instruction is inside the code.
    unsafe {
        if turn_is_over(warp) {
            return warp.take_turns(warp.pc_of(ip));
        }
        let (watched, checker) = parts(ip, warp);
        let needed = match watched.members() {
            Some(place) => read_place(warp, place, warp.active.trailing_zeros() as usize) as u32,
            None => !0,
        };
        if let Some(next) = warp.gather(ip, needed) {
            return next;
        }
        let lanes = executing(ip, warp);
        checker.remark(warp, watched, lanes);
        if lanes == 0 {
            return ip.add(1);
        }
        if let Op::WarpBarrier = watched.op {
            checker.shadow.races.order.warp_barrier(warp.index, lanes & needed);
        }
        let possible = checker.together(warp, watched, lanes)
            && if watched.references.is_empty() {
                checker.exchange(warp, (*ip).imm as u32, lanes);
                checker.values(warp, watched, lanes) == 0
            } else {
                matrix(checker, warp, (*ip).imm as u32, lanes)
            };
        if possible {
            return ip.add(1);
        }
        checker.results_are_valid(warp, watched, lanes);
        warp.at(watched.end)
    }
}

/// The rows of an `ldmatrix` or `stmatrix`; whether all of them can be accessed.
unsafe fn matrix(checker: &mut Checker, warp: &Warp, site: u32, lanes: u32) -> bool {
    let watched = &warp.block.code.watched.list[site as usize];
    let reference = &watched.references[0];
    let rows = lanes & reference.lanes;
    // SAFETY: the caller keeps the contract of `Handler`.
    unsafe {
        checker.use_one(warp, site, watched.reads[0], rows);
        checker.use_all(warp, site, &watched.reads[1..], lanes);
        checker.results_are_valid(warp, watched, lanes);
        let wrong = checker.reference(warp, site, reference, rows, |checker, touch: &Touch| {
            checker.races(warp, touch);
            if touch.mode == Mode::Write {
                checker.written(touch);
            } else if let Some(missing) = checker.missing(touch) {
                checker.load_matrix(warp, watched, touch, &missing);
            }
        });
        wrong == 0
    }
}
