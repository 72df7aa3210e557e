//! Floating-point arithmetic with modifiers that have no vector code, one lane at a time.

use super::half::{bf16_to_f32, f16_to_f32, f32_to_bf16, f32_to_f16, fused};
use super::math;
use crate::ptx::typed::{Float, FloatBinary, FloatMode, FloatUnary};

/// A 16-bit format.
#[derive(Clone, Copy)]
struct Format {
    widen: fn(u32) -> f32,
    narrow: fn(f32) -> u32,
    /// Bits of the exponent.
    exponent: u32,
}

const F16: Format = Format { widen: f16_to_f32, narrow: f32_to_f16, exponent: 0x7C00 };
const BF16: Format = Format { widen: bf16_to_f32, narrow: f32_to_bf16, exponent: 0x7F80 };

impl Format {
    /// Subnormals to zero of the same sign.
    fn flush(self, half: u32) -> u32 {
        if half & self.exponent == 0 { half & 0x8000 } else { half }
    }
}

/// `f` of 16-bit floats, in one half or two, flushed on both sides if `ftz`.
fn halves(ty: Float, ftz: bool, operands: [u64; 4], f: impl Fn([f32; 3]) -> f32) -> u64 {
    let format = if matches!(ty, Float::F16 | Float::F16x2) { F16 } else { BF16 };
    let part = |shift: u32| {
        let flush = |half: u32| if ftz { format.flush(half) } else { half };
        let read = |word: u64| (format.widen)(flush((word >> shift) as u32 & 0xFFFF));
        let result = f([read(operands[0]), read(operands[1]), read(operands[2])]);
        u64::from(flush((format.narrow)(result))) << shift
    };
    match ty {
        Float::F16x2 | Float::Bf16x2 => part(0) | part(16),
        _ => part(0),
    }
}

/// `op` of 16-bit floats with `.ftz`.
pub fn flushed_unary(op: FloatUnary, ty: Float, operands: [u64; 4]) -> u64 {
    halves(ty, true, operands, |[a, ..]| match op {
        FloatUnary::Neg => -a,
        FloatUnary::Abs => a.abs(),
        FloatUnary::Tanh => math::tanh(a),
        _ => math::ex2(a),
    })
}

/// `op` of 16-bit floats with `.ftz`.
pub fn flushed_binary(op: FloatBinary, ty: Float, operands: [u64; 4]) -> u64 {
    halves(ty, true, operands, |[a, b, _]| match op {
        FloatBinary::Add => a + b,
        FloatBinary::Sub => a - b,
        FloatBinary::Mul => a * b,
        op => extreme(op, a, b),
    })
}

/// `fma.ftz` of 16-bit floats.
pub fn flushed_fma(ty: Float, operands: [u64; 4]) -> u64 {
    halves(ty, true, operands, |[a, b, c]| fused(a, b, c))
}

fn extreme(op: FloatBinary, a: f32, b: f32) -> f32 {
    match op {
        FloatBinary::Min => math::min(a, b),
        FloatBinary::MinNan => math::min_nan(a, b),
        FloatBinary::Max => math::max(a, b),
        _ => math::max_nan(a, b),
    }
}

/// `.xorsign.abs`: of the magnitudes, with the product of the signs. NaN has no sign here.
fn signed_extreme(op: FloatBinary, a: f32, b: f32) -> f32 {
    let size = extreme(op, a.abs(), b.abs());
    let negative = a.is_sign_negative() != b.is_sign_negative();
    if negative && !size.is_nan() { -size } else { size }
}

/// `min` and `max` with `.xorsign.abs`.
pub fn xorsign(op: FloatBinary, ty: Float, mode: FloatMode, operands: [u64; 4]) -> u64 {
    if ty == Float::F32 {
        let read = |word: u64| {
            let x = f32::from_bits(word as u32);
            if mode.ftz { math::flush(x) } else { x }
        };
        return u64::from(signed_extreme(op, read(operands[0]), read(operands[1])).to_bits());
    }
    halves(ty, mode.ftz, operands, |[a, b, _]| signed_extreme(op, a, b))
}
