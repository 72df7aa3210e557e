//! `ldmatrix` and `movmatrix`: 8×8 matrices of 16-bit elements, two elements in each lane.

use super::access::{read_place, resolve};
use super::{Inst, Warp};
use crate::ptx::typed::AddressSpace;

/// A matrix as its lanes hold it: lane `4 row + column pair`.
fn lanes_of(matrix: &[[u16; 8]; 8], transposed: bool) -> [u32; 32] {
    std::array::from_fn(|lane| {
        let (row, column) = (lane >> 2, 2 * (lane & 3));
        let (low, high) = match transposed {
            false => (matrix[row][column], matrix[row][column + 1]),
            true => (matrix[column][row], matrix[column + 1][row]),
        };
        u32::from(low) | u32::from(high) << 16
    })
}

/// The access's list holds the destinations; `imm` is 1 for `.trans`.
pub unsafe fn load_matrix(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: operands of a decoded instruction lie in the warp's files; `resolve` checks the memory.
    unsafe {
        let i = &*ip;
        if let Some(next) = warp.gather(ip, !0) {
            return next;
        }
        let mask = warp.mask(i);
        if mask == 0 {
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
            let mut matrix = [[0u16; 8]; 8];
            for (row, elements) in matrix.iter_mut().enumerate() {
                let lane = 8 * k + row;
                match resolve(warp, AddressSpace::Shared, addresses[lane], 16, false, lane) {
                    Ok((host, _)) => *elements = host.cast::<[u16; 8]>().read_unaligned(),
                    Err(cause) => return warp.fail(warp.pc_of(ip), cause, Some(lane as u32)),
                }
            }
            warp.slot::<u32>(place.slot).cast::<[u32; 32]>().write(lanes_of(&matrix, i.imm != 0));
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
        let words = warp.slot::<u32>(i.a).cast::<[u32; 32]>().read();
        let mut matrix = [[0u16; 8]; 8];
        for (lane, word) in words.iter().enumerate() {
            let (row, column) = (lane >> 2, 2 * (lane & 3));
            matrix[row][column] = *word as u16;
            matrix[row][column + 1] = (word >> 16) as u16;
        }
        warp.slot::<u32>(i.d).cast::<[u32; 32]>().write(lanes_of(&matrix, true));
        ip.add(1)
    }
}
