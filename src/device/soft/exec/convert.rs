//! `cvt`: vector code for the common conversions, one function for all others.

use super::Handler;
use super::exact::{self, Exact, Format};
use super::half::{bf16_to_f32, f16_to_f32, f32_to_bf16, f32_to_f16};
use super::lanes::{map1, map2};
use super::math::{self, flush};
use super::rounding::integral;
use crate::device::soft::level::Level;
use crate::ptx::typed::{FloatMode, Int, Rounding, Scalar};

const fn int(bits: u32, signed: bool) -> Scalar {
    Scalar::Int(Int { bits, signed })
}
const U8: Scalar = int(8, false);
const S8: Scalar = int(8, true);
const U16: Scalar = int(16, false);
const S16: Scalar = int(16, true);
const U32: Scalar = int(32, false);
const S32: Scalar = int(32, true);
const U64: Scalar = int(64, false);
const S64: Scalar = int(64, true);

/// The vector code of a conversion whose registers are as wide as its types (8-bit integers lie in
/// registers of 16 or 32 bits); `None` if there is none.
pub fn fast(to: Scalar, from: Scalar, mode: FloatMode, level: Level) -> Option<Handler> {
    if mode.ftz || mode.sat || mode.relu || mode.finite {
        return None;
    }
    between_ints(to, from, level)
        .or_else(|| int_to_float(to, from, mode.rounding, level))
        .or_else(|| float_to_int(to, from, mode.rounding, level))
        .or_else(|| between_floats(to, from, mode.rounding, level))
}

fn between_ints(to: Scalar, from: Scalar, level: Level) -> Option<Handler> {
    Some(match (from, to) {
        (U8, U16 | S16 | U32 | S32) => map1(level, |a: u32| a & 0xFF),
        (S8, U32 | S32) => map1(level, |a: u32| a as i8 as i32),
        (S8, U16 | S16) => map1(level, |a: u32| a as i8 as u16 as u32),
        (U16, U32 | S32) => map1(level, |a: u32| a & 0xFFFF),
        (S16, U32 | S32) => map1(level, |a: u32| a as i16 as i32),
        (U32 | S32, U16 | S16) => map1(level, |a: u32| a & 0xFFFF),
        (U32 | S32 | U16 | S16, U8) => map1(level, |a: u32| a & 0xFF),
        (U32 | S32, U32 | S32) => map1(level, |a: u32| a),
        (U64 | S64, U64 | S64) => map1(level, |a: u64| a),
        (U32, U64 | S64) => map1(level, |a: u32| u64::from(a)),
        (S32, U64 | S64) => map1(level, |a: i32| i64::from(a)),
        (U16, U64 | S64) => map1(level, |a: u32| u64::from(a as u16)),
        (U64 | S64, U32 | S32) => map1(level, |a: u64| a as u32),
        (U64 | S64, U16 | S16) => map1(level, |a: u64| a as u32 & 0xFFFF),
        _ => return None,
    })
}

fn int_to_float(to: Scalar, from: Scalar, rounding: Rounding, level: Level) -> Option<Handler> {
    if rounding != Rounding::Nearest {
        return None;
    }
    Some(match (from, to) {
        (U8, Scalar::F32) => map1(level, |a: u32| (a & 0xFF) as f32),
        (U16, Scalar::F32) => map1(level, |a: u32| (a & 0xFFFF) as f32),
        (U32, Scalar::F32) => map1(level, |a: u32| a as f32),
        (S32, Scalar::F32) => map1(level, |a: i32| a as f32),
        (U64, Scalar::F32) => map1(level, |a: u64| a as f32),
        (S64, Scalar::F32) => map1(level, |a: i64| a as f32),
        (U32, Scalar::F64) => map1(level, |a: u32| f64::from(a)),
        (S32, Scalar::F64) => map1(level, |a: i32| f64::from(a)),
        (U64, Scalar::F64) => map1(level, |a: u64| a as f64),
        (S64, Scalar::F64) => map1(level, |a: i64| a as f64),
        _ => return None,
    })
}

fn float_to_int(to: Scalar, from: Scalar, rounding: Rounding, level: Level) -> Option<Handler> {
    Some(match (from, to, rounding) {
        (Scalar::F32, U32, Rounding::Zero) => map1(level, |a: f32| a as u32),
        (Scalar::F32, S32, Rounding::Zero) => map1(level, |a: f32| a as i32),
        (Scalar::F32, U32, Rounding::Nearest) => map1(level, |a: f32| a.round_ties_even() as u32),
        (Scalar::F32, S32, Rounding::Nearest) => map1(level, |a: f32| a.round_ties_even() as i32),
        (Scalar::F32, S32, Rounding::Down) => map1(level, |a: f32| a.floor() as i32),
        (Scalar::F32, S32, Rounding::Up) => map1(level, |a: f32| a.ceil() as i32),
        _ => return None,
    })
}

fn between_floats(to: Scalar, from: Scalar, rounding: Rounding, level: Level) -> Option<Handler> {
    Some(match (from, to, rounding) {
        (Scalar::F16, Scalar::F32, _) => map1(level, |a: u32| f16_to_f32(a & 0xFFFF)),
        (Scalar::Bf16, Scalar::F32, _) => map1(level, bf16_to_f32),
        (Scalar::F32, Scalar::F64, _) => map1(level, |a: f32| f64::from(a)),
        (Scalar::F32, Scalar::F16, Rounding::Nearest) => map1(level, f32_to_f16),
        (Scalar::F32, Scalar::Bf16, Rounding::Nearest) => map1(level, f32_to_bf16),
        (Scalar::F64, Scalar::F32, Rounding::Nearest) => map1(level, |a: f64| a as f32),
        (Scalar::F32, Scalar::Tf32, Rounding::NearestAway) => map1(level, f32_to_tf32),
        _ => return None,
    })
}

/// 10 bits of mantissa, ties away from zero, as the GPU does it on the bits.
#[inline(always)]
fn f32_to_tf32(x: f32) -> u32 {
    let bits = x.to_bits();
    let rounded = if x.abs() < f32::INFINITY { bits.wrapping_add(0x1000) } else { bits };
    rounded & 0xFFFF_E000
}

/// Two f32 to a pair of 16-bit floats, the first one in the upper half.
pub fn pack(to: Scalar, mode: FloatMode, level: Level) -> Option<Handler> {
    if mode.rounding != Rounding::Nearest || mode.ftz || mode.sat || mode.finite {
        return None;
    }
    let relu = |x: f32| if x <= 0.0 { 0.0 } else { x };
    Some(match (to, mode.relu) {
        (Scalar::F16, false) => map2(level, |a: f32, b: f32| f32_to_f16(a) << 16 | f32_to_f16(b)),
        (Scalar::F16, true) => {
            map2(level, move |a: f32, b: f32| f32_to_f16(relu(a)) << 16 | f32_to_f16(relu(b)))
        }
        (_, false) => map2(level, |a: f32, b: f32| f32_to_bf16(a) << 16 | f32_to_bf16(b)),
        (_, true) => map2(level, move |a: f32, b: f32| f32_to_bf16(relu(a)) << 16 | f32_to_bf16(relu(b))),
    })
}

/// A number on its way from one type to another.
enum Value {
    Int(i128),
    /// Every float type is exact in f64.
    Float(f64),
}

/// Any conversion of the bits `raw`, one lane at a time. `integral_result` rounds a float to a whole number.
pub fn general(to: Scalar, from: Scalar, integral_result: bool, mode: FloatMode, raw: u64) -> u64 {
    let mut value = read(from, raw);
    if mode.ftz
        && from == Scalar::F32
        && let Value::Float(x) = value
    {
        value = Value::Float(f64::from(flush(x as f32)));
    }
    match (to, value) {
        (Scalar::Int(int), value) => to_int(value, from, int, mode) as u64,
        (to, Value::Int(n)) => round(Exact::from_integer(n), to, mode),
        (to, Value::Float(x)) if integral_result => to_float(integral(x, mode.rounding), to, mode),
        (to, Value::Float(x)) => to_float(x, to, mode),
    }
}

fn read(from: Scalar, raw: u64) -> Value {
    match from {
        Scalar::Int(Int { bits, signed }) => {
            let unsigned = i128::from(raw & (u64::MAX >> (64 - bits)));
            let negative = signed && unsigned >> (bits - 1) & 1 != 0;
            Value::Int(if negative { unsigned - (1 << bits) } else { unsigned })
        }
        Scalar::F16 => Value::Float(f64::from(f16_to_f32(raw as u32 & 0xFFFF))),
        Scalar::Bf16 => Value::Float(f64::from(bf16_to_f32(raw as u32 & 0xFFFF))),
        Scalar::F32 | Scalar::Tf32 => Value::Float(f64::from(f32::from_bits(raw as u32))),
        Scalar::F64 => Value::Float(f64::from_bits(raw)),
    }
}

/// Sign-extended where the type is signed, so that a wider register holds the same number.
fn to_int(value: Value, from: Scalar, int: Int, mode: FloatMode) -> i128 {
    let (low, high) = match int.signed {
        true => (-(1i128 << (int.bits - 1)), (1i128 << (int.bits - 1)) - 1),
        false => (0, (1i128 << int.bits) - 1),
    };
    match value {
        Value::Int(n) if mode.sat => n.clamp(low, high),
        Value::Int(n) => {
            let cut = n & ((1 << int.bits) - 1);
            if int.signed && cut > high { cut - (1 << int.bits) } else { cut }
        }
        Value::Float(x) if x.is_nan() => match (from, int.bits) {
            (Scalar::F64, _) | (_, 64) => nan_int(int),
            _ => 0,
        },
        Value::Float(x) => (integral(x, mode.rounding) as i128).clamp(low, high),
    }
}

/// What NaN becomes where it does not become 0: only the top bit set.
fn nan_int(int: Int) -> i128 {
    let top = 1i128 << (int.bits - 1);
    if int.signed { -top } else { top }
}

/// The format of a float type, and how far its bits stand above the bottom of its register.
fn format(to: Scalar) -> (Format, u32) {
    match to {
        Scalar::F16 => (exact::F16, 0),
        Scalar::Bf16 => (exact::BF16, 0),
        Scalar::Tf32 => (exact::TF32, 13),
        Scalar::F64 => (exact::F64, 0),
        _ => (exact::F32, 0),
    }
}

/// The NaN of a format that conversions make.
fn nan(to: Scalar) -> u64 {
    match to {
        Scalar::F16 | Scalar::Bf16 => 0x7FFF,
        Scalar::F64 => f64::NAN.to_bits(),
        _ => u64::from(math::NAN.to_bits()),
    }
}

fn to_float(x: f64, to: Scalar, mode: FloatMode) -> u64 {
    if x.is_nan() {
        return if mode.sat { 0 } else { nan(to) };
    }
    if x.is_infinite() {
        let (format, up) = format(to);
        let clamped = match (x > 0.0, mode) {
            (false, FloatMode { sat: true, .. } | FloatMode { relu: true, .. }) => 0.0,
            (true, FloatMode { sat: true, .. }) => 1.0,
            _ => return format.limit(x < 0.0, mode.finite) << up,
        };
        return round(Exact::from_f64(clamped), to, mode);
    }
    round(Exact::from_f64(x), to, mode)
}

/// A finite number in a float type, with its range as the modifiers want it.
fn round(number: Exact, to: Scalar, mode: FloatMode) -> u64 {
    let (format, up) = format(to);
    let number = match number.is_negative() {
        true if mode.sat || mode.relu => Exact::from_integer(0),
        _ if mode.sat => number.at_most_one(),
        _ => number,
    };
    let bits = number.round(format, mode.rounding);
    let bits = if mode.finite { format.finite(bits) } else { bits };
    if mode.ftz && to == Scalar::F32 {
        return u64::from(flush(f32::from_bits(bits as u32)).to_bits());
    }
    bits << up
}
