//! Comparisons of packed 16-bit floats, and of flushed ones, one half at a time.

use super::half::{bf16_to_f32, f16_to_f32};
use super::{Inst, Warp, compare};
use crate::ptx::typed::{Comparison, Float, Logic};

const COMPARISONS: [Comparison; 14] = [
    Comparison::Eq,
    Comparison::Ne,
    Comparison::Lt,
    Comparison::Le,
    Comparison::Gt,
    Comparison::Ge,
    Comparison::Equ,
    Comparison::Neu,
    Comparison::Ltu,
    Comparison::Leu,
    Comparison::Gtu,
    Comparison::Geu,
    Comparison::Num,
    Comparison::Nan,
];

/// In [`Inst::imm`]: the halves are bf16 rather than f16.
const BF16: i32 = 16;
/// In [`Inst::imm`]: subnormal operands count as zero.
const FTZ: i32 = 32;
/// Where the comparison stands in [`Inst::imm`].
const COMPARISON: u32 = 8;

/// [`Inst::imm`] of a comparison of halves.
pub fn mode(comparison: Comparison, (ty, ftz): (Float, bool), logic: Option<Logic>) -> i32 {
    let index = COMPARISONS.iter().position(|known| *known == comparison).unwrap_or(0);
    let format = if ty == Float::Bf16x2 { BF16 } else { 0 };
    let flushed = if ftz { FTZ } else { 0 };
    (index as i32) << COMPARISON | format | flushed | compare::join(logic)
}

fn holds(comparison: Comparison, a: f32, b: f32) -> bool {
    let unordered = a.is_nan() || b.is_nan();
    match comparison {
        Comparison::Eq => a == b,
        Comparison::Ne => !unordered && a != b,
        Comparison::Lt => a < b,
        Comparison::Le => a <= b,
        Comparison::Gt => a > b,
        Comparison::Ge => a >= b,
        Comparison::Equ => unordered || a == b,
        Comparison::Neu => a != b,
        Comparison::Ltu => unordered || a < b,
        Comparison::Leu => unordered || a <= b,
        Comparison::Gtu => unordered || a > b,
        Comparison::Geu => unordered || a >= b,
        Comparison::Num => !unordered,
        Comparison::Nan => unordered,
    }
}

/// The lanes whose low and whose high halves compare, joined with the predicate.
///
/// # Safety
/// The instruction belongs to the warp's code.
unsafe fn compared(i: &Inst, warp: &Warp) -> [u32; 2] {
    let comparison = COMPARISONS[(i.imm >> COMPARISON) as usize];
    let value = |word: u32, shift: u32| {
        let half = word >> shift & 0xFFFF;
        let subnormal = i.imm & FTZ != 0 && half & 0x7C00 == 0;
        match i.imm & BF16 {
            0 if subnormal => f32::from_bits((half & 0x8000) << 16),
            0 => f16_to_f32(half),
            _ => bf16_to_f32(half),
        }
    };
    // SAFETY: operands of a decoded instruction lie in the warp's files.
    unsafe {
        let (a, b) = (warp.slot::<[u32; 32]>(i.a).read(), warp.slot::<[u32; 32]>(i.b).read());
        let other = warp.pred(i.c);
        [0, 16].map(|shift| {
            let bits = (0..32).fold(0u32, |bits, lane| {
                let held = holds(comparison, value(a[lane], shift), value(b[lane], shift));
                bits | u32::from(held) << lane
            });
            match i.imm & 3 {
                compare::JOIN_AND => bits & other,
                compare::JOIN_OR => bits | other,
                compare::JOIN_XOR => bits ^ other,
                _ => bits,
            }
        })
    }
}

/// `setp`: `d` takes the low halves, `site` the high ones.
pub unsafe fn set_pred(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: operands of a decoded instruction lie in the warp's files.
    unsafe {
        let i = &*ip;
        let mask = warp.mask(i);
        let [low, high] = compared(i, warp);
        // A single half has both results in one predicate; the low one is its own.
        warp.set_pred(i.site, mask, high);
        warp.set_pred(i.d, mask, low);
        ip.add(1)
    }
}

/// `set`: each half of `d` is that of slot `site` or 0.
pub unsafe fn set(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: operands of a decoded instruction lie in the warp's files.
    unsafe {
        let i = &*ip;
        let mask = warp.mask(i);
        let [low, high] = compared(i, warp);
        let one = *warp.slot::<u32>(i.site);
        for lane in (0..32).filter(|lane| mask >> lane & 1 != 0) {
            let half = |bits: u32, keep: u32| if bits >> lane & 1 != 0 { one & keep } else { 0 };
            *warp.slot::<u32>(i.d).add(lane) = half(low, 0xFFFF) | half(high, 0xFFFF_0000);
        }
        ip.add(1)
    }
}
