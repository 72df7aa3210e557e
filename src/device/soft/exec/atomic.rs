//! `atom` and `red`: atomic for all threads of the grid, whichever worker runs them.

use super::access::{Access, Arithmetic, read_place, resolve, write_place};
use super::half::{bf16_to_f32, f16_to_f32, f32_to_bf16, f32_to_f16};
use super::math::flush;
use super::{Inst, Warp};
use crate::ptx::typed::{AddressSpace, AtomicOp};
use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering::Relaxed};

/// The access's list holds the destination (last, if any) behind the operands; `d` says whether there is one.
pub unsafe fn atomic(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: operands of a decoded instruction lie in the warp's files; `resolve` checks the memory.
    unsafe {
        let i = &*ip;
        let mask = warp.mask(i);
        let access = &warp.block.code.accesses[i.site as usize];
        let (op, arithmetic) = access.atomic.expect("an atomic access");
        let operands = if op == AtomicOp::Cas { 2 } else { 1 };
        for lane in (0..32).filter(|lane| mask >> lane & 1 != 0) {
            let address = read_place(warp, access.address, lane).wrapping_add_signed(access.offset);
            let address = if access.address.wide { address } else { address & 0xFFFF_FFFF };
            let host = match resolve(warp, access.space, address, access.bytes, true, lane) {
                Ok((host, _)) => host,
                Err(cause) => return warp.fail(warp.pc_of(ip), cause, Some(lane as u32)),
            };
            let b = read_place(warp, access.elements[0], lane);
            let c = if operands == 2 { read_place(warp, access.elements[1], lane) } else { 0 };
            let next = |old: u64| combine(op, arithmetic, access, old, b, c);
            let old = match access.bytes {
                8 => {
                    let cell = AtomicU64::from_ptr(host.cast());
                    cell.fetch_update(Relaxed, Relaxed, |old| Some(next(old))).expect("always some")
                }
                2 => {
                    let cell = AtomicU16::from_ptr(host.cast());
                    let update = |old: u16| Some(next(u64::from(old)) as u16);
                    u64::from(cell.fetch_update(Relaxed, Relaxed, update).expect("always some"))
                }
                _ => {
                    let cell = AtomicU32::from_ptr(host.cast());
                    let update = |old: u32| Some(next(u64::from(old)) as u32);
                    u64::from(cell.fetch_update(Relaxed, Relaxed, update).expect("always some"))
                }
            };
            if let Some(destination) = access.elements.get(operands) {
                write_place(warp, *destination, lane, old);
            }
        }
        ip.add(1)
    }
}

/// What the memory holds after the operation.
fn combine(op: AtomicOp, arithmetic: Arithmetic, access: &Access, old: u64, b: u64, c: u64) -> u64 {
    let wide = access.bytes == 8;
    let signed = arithmetic == Arithmetic::Signed;
    let less = match (wide, signed) {
        (true, true) => (b as i64) < old as i64,
        (false, true) => (b as i32) < old as i32,
        (_, false) => b < old,
    };
    match op {
        AtomicOp::Add if arithmetic == Arithmetic::Float => add_float(access, old, b),
        AtomicOp::Add if arithmetic == Arithmetic::F16 => add_halves(access, old, b, f16_to_f32, f32_to_f16),
        AtomicOp::Add if arithmetic == Arithmetic::Bf16 => {
            add_halves(access, old, b, bf16_to_f32, f32_to_bf16)
        }
        AtomicOp::Add => old.wrapping_add(b),
        AtomicOp::And => old & b,
        AtomicOp::Or => old | b,
        AtomicOp::Xor => old ^ b,
        AtomicOp::Min => {
            if less {
                b
            } else {
                old
            }
        }
        AtomicOp::Max => {
            if less {
                old
            } else {
                b
            }
        }
        AtomicOp::Inc => {
            if old >= b {
                0
            } else {
                old + 1
            }
        }
        AtomicOp::Dec => {
            if old == 0 || old > b {
                b
            } else {
                old - 1
            }
        }
        AtomicOp::Exch => b,
        AtomicOp::Cas => {
            let wanted = b & (u64::MAX >> (64 - 8 * access.bytes));
            if old == wanted { c } else { old }
        }
    }
}

/// The GPU's f32 addition in global memory flushes subnormals, the one in shared memory does not.
fn add_float(access: &Access, old: u64, b: u64) -> u64 {
    if access.bytes == 8 {
        return (f64::from_bits(old) + f64::from_bits(b)).to_bits();
    }
    let (x, y) = (f32::from_bits(old as u32), f32::from_bits(b as u32));
    let sum = match access.space {
        AddressSpace::Shared | AddressSpace::Cluster => x + y,
        _ => flush(flush(x) + flush(y)),
    };
    u64::from(sum.to_bits())
}

/// A sum of 16-bit floats, or of the two in a word, each rounded by itself; subnormals are kept.
fn add_halves(access: &Access, old: u64, b: u64, widen: fn(u32) -> f32, narrow: fn(f32) -> u32) -> u64 {
    let half = |shift: u32| {
        let part = |word: u64| widen((word >> shift) as u32 & 0xFFFF);
        u64::from(narrow(part(old) + part(b))) << shift
    };
    if access.bytes == 2 { half(0) } else { half(0) | half(16) }
}
