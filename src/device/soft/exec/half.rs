//! f16 and bf16: conversions, and arithmetic on one or a pair of them in a 32-bit lane.
//!
//! A sum or product computed in f32 and rounded again is the correctly rounded one, since f32 has more than
//! twice the bits; a fused product goes through f64 and is rounded to odd on the way.

use super::Handler;
use super::lanes::{map1, map2, map3};
use super::math;
use crate::device::soft::level::Level;
use crate::ptx::typed::{Float, FloatBinary, FloatUnary};

#[inline(always)]
pub fn bf16_to_f32(h: u32) -> f32 {
    f32::from_bits(h << 16)
}

/// To nearest even; NaN to 0x7FFF.
#[inline(always)]
pub fn f32_to_bf16(x: f32) -> u32 {
    let bits = x.to_bits();
    let rounded = bits.wrapping_add(0x7FFF + ((bits >> 16) & 1)) >> 16;
    if x.is_nan() { 0x7FFF } else { rounded }
}

#[inline(always)]
pub fn f16_to_f32(h: u32) -> f32 {
    let magnitude = (h & 0x7FFF) << 13;
    // 2^112 moves the exponent's bias from 15 to 127 and makes subnormals normal.
    let value = f32::from_bits(magnitude) * f32::from_bits(239 << 23);
    let special = magnitude >= 31 << 23;
    let bits = if special { magnitude | 0x7F80_0000 } else { value.to_bits() };
    f32::from_bits(bits | (h & 0x8000) << 16)
}

/// To nearest even; NaN to 0x7FFF.
#[inline(always)]
pub fn f32_to_f16(x: f32) -> u32 {
    let sign = (x.to_bits() >> 16) & 0x8000;
    let bits = x.to_bits() & 0x7FFF_FFFF;
    // Below 2^-14 the addition of 1/2 puts the rounding where a subnormal's last bit is.
    let subnormal = (f32::from_bits(bits) + 0.5).to_bits().wrapping_sub(0.5f32.to_bits());
    let rebased = bits.wrapping_sub(112 << 23);
    let normal = rebased.wrapping_add(0xFFF + ((bits >> 13) & 1)) >> 13;
    let finite = if bits < 113 << 23 { subnormal } else { normal };
    let limited = if bits >= 0x477F_F000 { 0x7C00 } else { finite };
    if x.is_nan() { 0x7FFF } else { limited | sign }
}

/// How a type's lanes are read, computed and written.
trait Format: Copy + 'static {
    fn widen(h: u32) -> f32;
    fn narrow(x: f32) -> u32;
}

#[derive(Clone, Copy)]
struct F16;
#[derive(Clone, Copy)]
struct Bf16;

impl Format for F16 {
    #[inline(always)]
    fn widen(h: u32) -> f32 {
        f16_to_f32(h & 0xFFFF)
    }
    #[inline(always)]
    fn narrow(x: f32) -> u32 {
        f32_to_f16(x)
    }
}

impl Format for Bf16 {
    #[inline(always)]
    fn widen(h: u32) -> f32 {
        bf16_to_f32(h & 0xFFFF)
    }
    #[inline(always)]
    fn narrow(x: f32) -> u32 {
        f32_to_bf16(x)
    }
}

/// `a * b + c` in f64, rounded to odd to f32.
#[inline(always)]
pub fn fused(a: f32, b: f32, c: f32) -> f32 {
    math::to_f32_odd(math::sum_to_odd(f64::from(a) * f64::from(b), f64::from(c)))
}

fn lanes1<T: Format, F: Fn(f32) -> f32 + Copy + 'static>(packed: bool, level: Level, f: F) -> Handler {
    match packed {
        false => map1(level, move |a: u32| T::narrow(f(T::widen(a)))),
        true => map1(level, move |a: u32| T::narrow(f(T::widen(a))) | T::narrow(f(T::widen(a >> 16))) << 16),
    }
}

fn lanes2<T: Format, F: Fn(f32, f32) -> f32 + Copy + 'static>(packed: bool, level: Level, f: F) -> Handler {
    match packed {
        false => map2(level, move |a: u32, b: u32| T::narrow(f(T::widen(a), T::widen(b)))),
        true => map2(level, move |a: u32, b: u32| {
            let low = T::narrow(f(T::widen(a), T::widen(b)));
            low | T::narrow(f(T::widen(a >> 16), T::widen(b >> 16))) << 16
        }),
    }
}

fn lanes3<T: Format>(packed: bool, level: Level) -> Handler {
    let one = |a: u32, b: u32, c: u32| T::narrow(fused(T::widen(a), T::widen(b), T::widen(c)));
    match packed {
        false => map3(level, one),
        true => {
            map3(level, move |a: u32, b: u32, c: u32| one(a, b, c) | one(a >> 16, b >> 16, c >> 16) << 16)
        }
    }
}

fn unary_of<T: Format>(op: FloatUnary, packed: bool, level: Level) -> Option<Handler> {
    Some(match op {
        FloatUnary::Ex2 => lanes1::<T, _>(packed, level, math::ex2),
        FloatUnary::Tanh => lanes1::<T, _>(packed, level, math::tanh),
        _ => return None,
    })
}

fn binary_of<T: Format>(op: FloatBinary, packed: bool, level: Level) -> Option<Handler> {
    Some(match op {
        FloatBinary::Add => lanes2::<T, _>(packed, level, |a, b| a + b),
        FloatBinary::Sub => lanes2::<T, _>(packed, level, |a, b| a - b),
        FloatBinary::Mul => lanes2::<T, _>(packed, level, |a, b| a * b),
        FloatBinary::Min => lanes2::<T, _>(packed, level, math::min),
        FloatBinary::Max => lanes2::<T, _>(packed, level, math::max),
        FloatBinary::MinNan => lanes2::<T, _>(packed, level, math::min_nan),
        FloatBinary::MaxNan => lanes2::<T, _>(packed, level, math::max_nan),
        _ => return None,
    })
}

/// Whether a type is f16 rather than bf16, and whether it is packed.
fn shape(ty: Float) -> (bool, bool) {
    (matches!(ty, Float::F16 | Float::F16x2), matches!(ty, Float::F16x2 | Float::Bf16x2))
}

pub fn unary(op: FloatUnary, ty: Float, level: Level) -> Option<Handler> {
    let (f16, packed) = shape(ty);
    match (op, packed) {
        (FloatUnary::Neg, false) => Some(map1(level, |a: u32| (a ^ 0x8000) & 0xFFFF)),
        (FloatUnary::Neg, true) => Some(map1(level, |a: u32| a ^ 0x8000_8000)),
        (FloatUnary::Abs, false) => Some(map1(level, |a: u32| a & 0x7FFF)),
        (FloatUnary::Abs, true) => Some(map1(level, |a: u32| a & 0x7FFF_7FFF)),
        _ if f16 => unary_of::<F16>(op, packed, level),
        _ => unary_of::<Bf16>(op, packed, level),
    }
}

pub fn binary(op: FloatBinary, ty: Float, level: Level) -> Option<Handler> {
    let (f16, packed) = shape(ty);
    if f16 { binary_of::<F16>(op, packed, level) } else { binary_of::<Bf16>(op, packed, level) }
}

pub fn fma(ty: Float, level: Level) -> Handler {
    let (f16, packed) = shape(ty);
    if f16 { lanes3::<F16>(packed, level) } else { lanes3::<Bf16>(packed, level) }
}

/// `.sat` on a result.
pub fn saturate(ty: Float, level: Level) -> Handler {
    let (f16, packed) = shape(ty);
    let f = math::saturate;
    if f16 { lanes1::<F16, _>(packed, level, f) } else { lanes1::<Bf16, _>(packed, level, f) }
}

/// `.relu` on a result: negative numbers to +0, NaN stays.
pub fn relu(ty: Float, level: Level) -> Handler {
    let (f16, packed) = shape(ty);
    let f = |x: f32| if x <= 0.0 { 0.0 } else { x };
    if f16 { lanes1::<F16, _>(packed, level, f) } else { lanes1::<Bf16, _>(packed, level, f) }
}
