//! Instructions of clusters: addresses in other blocks, and the barrier of all blocks.

use super::super::fault::Cause;
use super::super::memory::{SHARED_WINDOW, WINDOW_OFFSET};
use super::access::{Place, read_place, write_place};
use super::{Inst, Stop, Warp};

/// [`Inst::imm`]: the address is a generic one, of 64 bits.
pub const GENERIC: i32 = 1;
/// [`Inst::imm`]: registers of 64 bits hold addresses of shared memory.
pub const WIDE: i32 = 2;

/// The shared address in `i.a`, and what a generic one has above it.
unsafe fn shared_address(warp: &Warp, i: &Inst, lane: usize) -> Result<(u64, u64), Cause> {
    // SAFETY: operands of a decoded instruction lie in the warp's files.
    let address = unsafe { read_place(warp, Place { slot: i.a, wide: i.imm != 0 }, lane) };
    if i.imm != GENERIC {
        return Ok((address, 0));
    }
    match address & !WINDOW_OFFSET {
        SHARED_WINDOW => Ok((address & WINDOW_OFFSET, SHARED_WINDOW)),
        _ => Err(Cause::NotShared { address }),
    }
}

/// `mapa d, a, b`: `a` in the block of rank `b`.
pub unsafe fn map_address(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: operands of a decoded instruction lie in the warp's files.
    unsafe {
        let i = &*ip;
        let mask = warp.mask(i);
        for lane in (0..32).filter(|lane| mask >> lane & 1 != 0) {
            let rank = *warp.slot::<u32>(i.b).add(lane);
            let mapped = shared_address(warp, i, lane)
                .and_then(|(address, window)| Ok(warp.block.cluster.map(address, rank)? | window));
            match mapped {
                Ok(address) => write_place(warp, Place { slot: i.d, wide: i.imm != 0 }, lane, address),
                Err(cause) => return warp.fail(warp.pc_of(ip), cause, Some(lane as u32)),
            }
        }
        ip.add(1)
    }
}

/// `getctarank d, a`
pub unsafe fn rank_of_address(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: operands of a decoded instruction lie in the warp's files.
    unsafe {
        let i = &*ip;
        let mask = warp.mask(i);
        for lane in (0..32).filter(|lane| mask >> lane & 1 != 0) {
            match shared_address(warp, i, lane) {
                Ok((address, _)) => {
                    *warp.slot::<u32>(i.d).add(lane) = warp.block.cluster.rank_of(address);
                }
                Err(cause) => return warp.fail(warp.pc_of(ip), cause, Some(lane as u32)),
            }
        }
        ip.add(1)
    }
}

/// `barrier.cluster.arrive`, or `.wait` where `imm` is not 0.
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
        if mask != warp.active {
            return warp.fail(pc, Cause::PartialBarrier, Some(mask.trailing_zeros()));
        }
        warp.pc = pc + 1;
        warp.stop = if i.imm == 0 { Stop::ClusterArrive } else { Stop::ClusterWait };
        std::ptr::null()
    }
}
