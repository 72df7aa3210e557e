//! `ldmatrix` and `movmatrix`: 8×8 matrices of 16-bit elements, two elements in each lane.
//!
//! Lane `4 row + pair` of a register has two elements of a row, so that a register's lanes in their order are the
//! matrix, row after row.

use super::access::{read_place, resolve};
use super::extent::{Shared, checked};
use super::{Body, Handler, Inst, Warp, handler};
use crate::device::soft::level::Level;

/// The eight rows of a matrix, 16 bytes each.
type Rows = [u128; 8];

/// A matrix as a register holds it: its rows one behind the other, or its columns.
#[inline(always)]
fn register_of(rows: Rows, transposed: bool) -> Rows {
    if transposed { transpose(rows) } else { rows }
}

/// Eight rows of eight 16-bit elements to eight columns.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) fn transpose(rows: Rows) -> Rows {
    use std::arch::x86_64::*;
    // SAFETY: SSE2 is part of the architecture; both types are 16 bytes of anything.
    unsafe {
        let x: [__m128i; 8] = std::mem::transmute(rows);
        let mut pairs = x;
        for k in 0..4 {
            pairs[k] = _mm_unpacklo_epi16(x[2 * k], x[2 * k + 1]);
            pairs[k + 4] = _mm_unpackhi_epi16(x[2 * k], x[2 * k + 1]);
        }
        let mut fours = pairs;
        for k in 0..4 {
            fours[2 * k] = _mm_unpacklo_epi32(pairs[2 * k], pairs[2 * k + 1]);
            fours[2 * k + 1] = _mm_unpackhi_epi32(pairs[2 * k], pairs[2 * k + 1]);
        }
        let mut columns = fours;
        for k in 0..2 {
            for j in 0..2 {
                let (top, bottom) = (fours[4 * k + j], fours[4 * k + 2 + j]);
                columns[4 * k + 2 * j] = _mm_unpacklo_epi64(top, bottom);
                columns[4 * k + 2 * j + 1] = _mm_unpackhi_epi64(top, bottom);
            }
        }
        std::mem::transmute(columns)
    }
}

/// Eight rows of eight 16-bit elements to eight columns.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
pub(super) fn transpose(rows: Rows) -> Rows {
    let element = |row: usize, column: usize| rows[row] >> (16 * column) & 0xFFFF;
    std::array::from_fn(|column| (0..8).fold(0, |bits, row| bits | element(row, column) << (16 * row)))
}

struct LoadMatrix;

impl Body for LoadMatrix {
    /// The access's list holds the destinations; `d` is 1 for `.trans`.
    #[inline(always)]
    unsafe fn run<const L: u8>(ip: *const Inst, warp: &mut Warp) -> *const Inst {
        // SAFETY: operands of a decoded instruction lie in the warp's files; addresses are checked.
        unsafe {
            let i = &*ip;
            if let Some(next) = warp.gather(ip, !0) {
                return next;
            }
            if warp.mask(i) == 0 {
                return ip.add(1);
            }
            let registers = &warp.block.code.accesses.get_unchecked(i.site as usize).elements;
            let addressed = u32::MAX >> (32 - 8 * registers.len());
            let Some(lanes) = checked::<Shared, L>(warp, i, 16, addressed) else {
                return load_any_matrix(ip, warp);
            };
            for (k, register) in registers.iter().enumerate() {
                let mut rows = [0; 8];
                for (row, bytes) in rows.iter_mut().enumerate() {
                    *bytes = lanes.at(8 * k + row).cast::<u128>().read_unaligned();
                }
                warp.slot::<Rows>(register.slot).write(register_of(rows, i.d != 0));
            }
            ip.add(1)
        }
    }
}

/// The handler of `ldmatrix`; `wide` if the address is a 64-bit register.
pub fn load_matrix(wide: bool, level: Level) -> Handler {
    if wide { load_any_matrix } else { handler::<LoadMatrix>(level) }
}

/// As [`LoadMatrix`], row after row. The warp is whole or has come together.
unsafe fn load_any_matrix(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: operands of a decoded instruction lie in the warp's files; `resolve` checks the memory.
    unsafe {
        let i = &*ip;
        if let Some(next) = warp.gather(ip, !0) {
            return next;
        }
        if warp.mask(i) == 0 {
            return ip.add(1);
        }
        let access = &warp.block.code.accesses[i.site as usize];
        let count = access.elements.len();
        let mut addresses = [0u64; 32];
        for (lane, address) in addresses.iter_mut().enumerate().take(8 * count) {
            let a = read_place(warp, access.address, lane).wrapping_add_signed(access.offset);
            *address = if access.address.wide { a } else { a & 0xFFFF_FFFF };
        }
        for (k, place) in access.elements.iter().enumerate() {
            let mut rows = [0; 8];
            for (row, bytes) in rows.iter_mut().enumerate() {
                let lane = 8 * k + row;
                match resolve(warp, access.space, addresses[lane], 16, false, lane) {
                    Ok((host, _)) => *bytes = host.cast::<u128>().read_unaligned(),
                    Err(cause) => return warp.fail(warp.pc_of(ip), cause, Some(lane as u32)),
                }
            }
            warp.slot::<Rows>(place.slot).write(register_of(rows, i.d != 0));
        }
        ip.add(1)
    }
}

/// `stmatrix`: the access's list holds the registers; `imm` is 1 for `.trans`.
pub unsafe fn store_matrix(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: operands of a decoded instruction lie in the warp's files; `resolve` checks the memory.
    unsafe {
        let i = &*ip;
        if let Some(next) = warp.gather(ip, !0) {
            return next;
        }
        if warp.mask(i) == 0 {
            return ip.add(1);
        }
        let access = &warp.block.code.accesses[i.site as usize];
        for (k, place) in access.elements.iter().enumerate() {
            let rows = register_of(warp.slot::<Rows>(place.slot).read(), i.imm != 0);
            for (row, bytes) in rows.iter().enumerate() {
                let lane = 8 * k + row;
                let address = read_place(warp, access.address, lane).wrapping_add_signed(access.offset);
                let address = if access.address.wide { address } else { address & 0xFFFF_FFFF };
                match resolve(warp, access.space, address, 16, true, lane) {
                    Ok((host, _)) => host.cast::<u128>().write_unaligned(*bytes),
                    Err(cause) => return warp.fail(warp.pc_of(ip), cause, Some(lane as u32)),
                }
            }
        }
        ip.add(1)
    }
}

/// `movmatrix.trans`
pub unsafe fn move_matrix(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: operands of a decoded instruction lie in the warp's files.
    unsafe {
        let i = &*ip;
        if let Some(next) = warp.gather(ip, !0) {
            return next;
        }
        if warp.mask(i) == 0 {
            return ip.add(1);
        }
        let rows = warp.slot::<Rows>(i.a).read();
        warp.slot::<Rows>(i.d).write(transpose(rows));
        ip.add(1)
    }
}
