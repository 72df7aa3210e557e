//! Rare instructions, as a function that is called for each active lane.

use super::{Inst, Warp};

/// A function of up to four values, as bits, and where its operands are.
pub struct Scalar {
    pub run: Box<dyn Fn([u64; 4]) -> u64 + Send + Sync>,
    /// Source slots and whether they are 64 bits wide.
    pub src: Vec<(u16, bool)>,
    pub dst: (u16, bool),
}

/// Runs the scalar function number `imm` of the code.
pub unsafe fn call(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: operands of a decoded instruction lie in the warp's files.
    unsafe {
        let i = &*ip;
        let mask = warp.mask(i);
        let scalar = &warp.block.code.scalars[i.imm as usize];
        for lane in (0..32).filter(|lane| mask >> lane & 1 != 0) {
            let mut values = [0u64; 4];
            for (value, (slot, wide)) in values.iter_mut().zip(&scalar.src) {
                *value = match wide {
                    true => *warp.slot::<u64>(*slot).add(lane),
                    false => u64::from(*warp.slot::<u32>(*slot).add(lane)),
                };
            }
            let result = (scalar.run)(values);
            match scalar.dst {
                (slot, true) => *warp.slot::<u64>(slot).add(lane) = result,
                (slot, false) => *warp.slot::<u32>(slot).add(lane) = result as u32,
            }
        }
        ip.add(1)
    }
}
