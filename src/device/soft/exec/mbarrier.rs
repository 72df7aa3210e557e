//! `mbarrier`: barriers that are objects in shared memory.

mod state;

use super::super::fault::Cause;
use super::super::memory::{SHARED_WINDOW, WINDOW_OFFSET};
use super::access::{Access, read_place, resolve, write_place};
use super::{Inst, Stop, Warp};
use crate::ptx::typed::{AddressSpace, MbarrierOp};
use state::State;

/// Bytes of an object.
pub const BYTES: u32 = 8;

const INIT: i32 = 0;
const INVALIDATE: i32 = 1;
const ARRIVE: i32 = 2;
const ARRIVE_EARLY: i32 = 3;
const DROP: i32 = 4;
const DROP_EARLY: i32 = 5;
const TEST_STATE: i32 = 6;
const TEST_PARITY: i32 = 7;
const COPIES: i32 = 8;
const COPIES_COUNTED: i32 = 9;
const ARRIVE_EXPECTING: i32 = 10;
const EXPECT_BYTES: i32 = 11;
const COMPLETE_BYTES: i32 = 12;

/// [`Inst::imm`] of an operation.
pub fn mode(op: MbarrierOp) -> i32 {
    match op {
        MbarrierOp::Init => INIT,
        MbarrierOp::Invalidate => INVALIDATE,
        MbarrierOp::Arrive { drop: false, no_complete: false } => ARRIVE,
        MbarrierOp::Arrive { drop: false, no_complete: true } => ARRIVE_EARLY,
        MbarrierOp::Arrive { drop: true, no_complete: false } => DROP,
        MbarrierOp::Arrive { drop: true, no_complete: true } => DROP_EARLY,
        MbarrierOp::ArriveExpecting => ARRIVE_EXPECTING,
        MbarrierOp::ExpectBytes => EXPECT_BYTES,
        MbarrierOp::CompleteBytes => COMPLETE_BYTES,
        MbarrierOp::TestState => TEST_STATE,
        MbarrierOp::TestParity => TEST_PARITY,
        MbarrierOp::ArriveOnCopies { counted: false } => COPIES,
        MbarrierOp::ArriveOnCopies { counted: true } => COPIES_COUNTED,
    }
}

/// The object of a lane in host memory.
fn object(warp: &Warp, access: &Access, lane: usize) -> Result<*mut u64, Cause> {
    // SAFETY: operands of a decoded instruction lie in the warp's files.
    let address = unsafe { read_place(warp, access.address, lane) }.wrapping_add_signed(access.offset);
    let address = if access.address.wide { address } else { address & 0xFFFF_FFFF };
    if access.space == AddressSpace::Cluster {
        let (host, _) = resolve(warp, AddressSpace::Cluster, address, BYTES, true, lane)?;
        return Ok(host.cast());
    }
    let offset = match access.space {
        AddressSpace::Generic if address & !WINDOW_OFFSET != SHARED_WINDOW => {
            let message = format!("an mbarrier at {address:#x}, which is not in shared memory");
            return Err(Cause::Barrier(message));
        }
        AddressSpace::Generic => address & WINDOW_OFFSET,
        _ => address,
    };
    let (host, _) = resolve(warp, AddressSpace::Shared, offset, BYTES, true, lane)?;
    Ok(host.cast())
}

/// The object's bits after an operation of one lane, whose count, of arrivals or of bytes, is `count`.
fn operate(op: i32, bits: u64, count: u32) -> Result<u64, Cause> {
    let misuse = |misuse: state::Misuse| Cause::Barrier(misuse.to_string());
    match op {
        INIT => return Ok(State::new(count).map_err(misuse)?.pack()),
        INVALIDATE => return Ok(0),
        _ => {}
    }
    let Some(mut state) = State::unpack(bits) else {
        return Err(Cause::Barrier("an mbarrier that was not initialised".to_string()));
    };
    let done = match op {
        ARRIVE => state.arrive(count),
        ARRIVE_EARLY => state.arrive_early(count),
        DROP => state.drop(count).and_then(|()| state.arrive(count)),
        DROP_EARLY => state.drop(count).and_then(|()| state.arrive_early(count)),
        ARRIVE_EXPECTING => state.expect_bytes(count).and_then(|()| state.arrive(1)),
        EXPECT_BYTES => state.expect_bytes(count),
        COMPLETE_BYTES => state.complete_bytes(count),
        // Copies have landed when they are issued, so their arrival is due at once.
        COPIES => state.expect_one_more().and_then(|()| state.arrive(1)),
        _ => state.arrive(1),
    };
    done.map_err(misuse)?;
    Ok(state.pack())
}

/// The access's list holds the operand (a count, if there is one) and, behind it, the destination if there is
/// one; `c` is the number of operands.
pub unsafe fn update(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: operands of a decoded instruction lie in the warp's files; `object` checks the memory.
    unsafe {
        let i = &*ip;
        let mask = warp.mask(i);
        let access = &warp.block.code.accesses[i.site as usize];
        for lane in (0..32).filter(|lane| mask >> lane & 1 != 0) {
            let object = match object(warp, access, lane) {
                Ok(object) => object,
                Err(cause) => return warp.fail(warp.pc_of(ip), cause, Some(lane as u32)),
            };
            let count = if i.c == 1 { read_place(warp, access.elements[0], lane) } else { 1 };
            let before = object.read();
            match operate(i.imm, before, count as u32) {
                Ok(after) => {
                    object.write(after);
                    tell(warp, i.imm, lane as u32, object, before);
                }
                Err(cause) => return warp.fail(warp.pc_of(ip), cause, Some(lane as u32)),
            }
            if let Some(destination) = access.elements.get(i.c as usize) {
                write_place(warp, *destination, lane, before);
            }
        }
        ip.add(1)
    }
}

/// Tells the checks, if there are any, of an operation on an object, which had other bits before.
unsafe fn tell(warp: &Warp, op: i32, lane: u32, object: *const u64, before: u64) {
    // SAFETY: checked code runs with a checker, which nothing else uses meanwhile; the object is one.
    let (checker, after) = unsafe { (warp.block.checker.as_mut(), object.read()) };
    let Some(checker) = checker else { return };
    let phase = |bits: u64| State::unpack(bits).map(|state| state.phase);
    match op {
        INIT | INVALIDATE => checker.reset(warp, object),
        EXPECT_BYTES => {}
        _ => checker.arrive(warp, lane, object, phase(before) != phase(after)),
    }
}

/// `test_wait`: the operand is a state or a parity, `d` the predicate. Where a phase is not complete other
/// warps get their turn.
pub unsafe fn test(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: operands of a decoded instruction lie in the warp's files; `object` checks the memory.
    unsafe {
        let i = &*ip;
        let mask = warp.mask(i);
        let access = &warp.block.code.accesses[i.site as usize];
        let mut complete = 0u32;
        for lane in (0..32).filter(|lane| mask >> lane & 1 != 0) {
            let object = match object(warp, access, lane) {
                Ok(object) => object,
                Err(cause) => return warp.fail(warp.pc_of(ip), cause, Some(lane as u32)),
            };
            let operand = read_place(warp, access.elements[0], lane);
            let asked = match i.imm {
                TEST_STATE => State::unpack(operand).map(|state| state.phase),
                _ => Some(operand & 1 != 0),
            };
            let (Some(state), Some(asked)) = (State::unpack(object.read()), asked) else {
                let cause = Cause::Barrier("an mbarrier or a state that was not initialised".to_string());
                return warp.fail(warp.pc_of(ip), cause, Some(lane as u32));
            };
            complete |= u32::from(state.is_complete(asked)) << lane;
            if state.is_complete(asked) && !warp.block.checker.is_null() {
                (*warp.block.checker).waited(warp, lane as u32, object);
            }
        }
        warp.set_pred(i.d, mask, complete);
        if complete == mask {
            return ip.add(1);
        }
        let next = warp.take_turns(warp.pc_of(ip) + 1);
        if warp.stop == Stop::Yield {
            warp.stop = Stop::Wait;
        }
        next
    }
}

/// `mbarrier.pending_count`: the arrivals that a state still waits for.
pub fn pending_count(bits: u64) -> u64 {
    State::unpack(bits).map_or(0, |state| u64::from(state.pending))
}
