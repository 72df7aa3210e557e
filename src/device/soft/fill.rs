//! What stands in registers before a block runs: literals, parameters, special registers.

use super::block::Job;
use super::cluster::{Place, is_of_block};
use super::exec::Warp;
use super::lower::Constant;
use crate::ptx::typed::Special;

/// Threads of a warp.
const LANES: u32 = 32;

impl Job<'_> {
    /// Fills the slots that are the same for all blocks.
    pub(super) fn fill_constants(&self, warp: &mut Warp) {
        // SAFETY: there is a predicate 0, and constants have slots in the register file.
        unsafe { *warp.preds = !0 };
        for (slot, constant) in &self.code.constants {
            match *constant {
                Constant::Bits32(bits) => fill(warp, *slot, false, u64::from(bits)),
                Constant::Bits64(bits) => fill(warp, *slot, true, bits),
                Constant::Param { offset, bytes, signed, wide } => {
                    fill(warp, *slot, wide, param(self.params, offset, bytes, signed));
                }
                Constant::Special { register, .. } if is_of_block(register) => {}
                Constant::Special { register, wide } => {
                    let first = warp.index * LANES;
                    fill_lanes(warp, *slot, wide, |lane| {
                        u64::from(self.special(register, first + lane, lane))
                    });
                }
            }
        }
    }

    /// Fills the slots that depend on where the block stands.
    pub(super) fn fill_block_constants(&self, warp: &mut Warp, place: &Place) {
        for (slot, constant) in &self.code.constants {
            if let Constant::Special { register, wide } = *constant
                && is_of_block(register)
            {
                fill(warp, *slot, wide, u64::from(place.special(register)));
            }
        }
    }

    /// A special register of one thread, where it does not depend on the block.
    fn special(&self, register: Special, thread: u32, lane: u32) -> u32 {
        let [x, y, _] = self.block;
        let below = (1u32 << lane) - 1;
        match register {
            Special::Tid(0) => thread % x,
            Special::Tid(1) => thread / x % y,
            Special::Tid(_) => thread / x / y,
            Special::Ntid(axis) => self.block[axis as usize],
            Special::Nctaid(axis) => self.grid[axis as usize],
            Special::ClusterCount(axis) => self.clusters()[axis as usize],
            Special::ClusterExtent(axis) => self.cluster[axis as usize],
            Special::ClusterSize => self.cluster.iter().product(),
            Special::LaneId => lane,
            Special::WarpId => thread / LANES,
            Special::WarpCount => self.warps(),
            Special::SmCount => self.workers,
            Special::LaneMaskEq => 1 << lane,
            Special::LaneMaskLt => below,
            Special::LaneMaskLe => below | 1 << lane,
            Special::LaneMaskGt => !(below | 1 << lane),
            Special::LaneMaskGe => !below,
            Special::DynamicSharedBytes => self.dynamic_bytes,
            Special::TotalSharedBytes => self.code.shared_bytes + self.dynamic_bytes,
            _ => 0,
        }
    }
}

/// The parameter's value, extended to 64 bits. A sink is a parameter past the end and reads 0.
fn param(params: &[u8], offset: u32, bytes: u32, signed: bool) -> u64 {
    let start = offset as usize;
    let mut value = [0u8; 8];
    if let Some(from) = params.get(start..start.saturating_add(bytes as usize)) {
        value[..from.len()].copy_from_slice(from);
    }
    let value = u64::from_le_bytes(value);
    match (signed, bytes) {
        (true, 1) => value as i8 as i64 as u64,
        (true, 2) => value as i16 as i64 as u64,
        (true, 4) => value as i32 as i64 as u64,
        _ => value,
    }
}

/// The same value in all lanes.
fn fill(warp: &mut Warp, slot: u16, wide: bool, value: u64) {
    // SAFETY: constants have slots in the register file.
    unsafe {
        match wide {
            true => warp.slot::<[u64; 32]>(slot).write([value; 32]),
            false => warp.slot::<[u32; 32]>(slot).write([value as u32; 32]),
        }
    }
}

/// A value for each lane.
fn fill_lanes(warp: &mut Warp, slot: u16, wide: bool, value: impl Fn(u32) -> u64) {
    for lane in 0..LANES {
        let value = value(lane);
        // SAFETY: constants have slots in the register file.
        unsafe {
            match wide {
                true => *warp.slot::<u64>(slot).add(lane as usize) = value,
                false => *warp.slot::<u32>(slot).add(lane as usize) = value as u32,
            }
        }
    }
}
