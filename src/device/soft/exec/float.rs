//! Arithmetic of f32 and f64.

use super::Handler;
use super::lanes::{map1, map2, map3};
use super::math::{self, flush};
use super::rounding::Rounded;
use crate::device::soft::level::Level;
use crate::ptx::typed::{FloatBinary, FloatUnary};

/// The operation of the table in [`super::rounding`] that this is, if it rounds.
pub fn rounded_binary(op: FloatBinary) -> Option<Rounded> {
    Some(match op {
        FloatBinary::Add => Rounded::Add,
        FloatBinary::Sub => Rounded::Sub,
        FloatBinary::Mul => Rounded::Mul,
        FloatBinary::Div => Rounded::Div,
        _ => return None,
    })
}

/// As [`rounded_binary`].
pub fn rounded_unary(op: FloatUnary) -> Option<Rounded> {
    Some(match op {
        FloatUnary::Rcp => Rounded::Rcp,
        FloatUnary::Sqrt => Rounded::Sqrt,
        _ => return None,
    })
}

/// `d = f(a)`, with subnormals flushed on both sides if `ftz`.
fn one<F: Fn(f32) -> f32 + Copy + 'static>(level: Level, ftz: bool, f: F) -> Handler {
    if ftz { map1(level, move |a: f32| flush(f(flush(a)))) } else { map1(level, f) }
}

fn two<F: Fn(f32, f32) -> f32 + Copy + 'static>(level: Level, ftz: bool, f: F) -> Handler {
    match ftz {
        true => map2(level, move |a: f32, b: f32| flush(f(flush(a), flush(b)))),
        false => map2(level, f),
    }
}

fn three<F: Fn(f32, f32, f32) -> f32 + Copy + 'static>(level: Level, ftz: bool, f: F) -> Handler {
    match ftz {
        true => map3(level, move |a: f32, b: f32, c: f32| flush(f(flush(a), flush(b), flush(c)))),
        false => map3(level, f),
    }
}

/// To nearest.
pub fn unary_f32(op: FloatUnary, ftz: bool, level: Level) -> Handler {
    match op {
        FloatUnary::Neg => one(level, ftz, |a| -a),
        FloatUnary::Abs => one(level, ftz, |a| a.abs()),
        FloatUnary::Rcp | FloatUnary::RcpApprox => one(level, ftz, |a| 1.0 / a),
        FloatUnary::Sqrt | FloatUnary::SqrtApprox => one(level, ftz, |a| a.sqrt()),
        FloatUnary::RsqrtApprox => one(level, ftz, math::rsqrt),
        FloatUnary::Sin => one(level, ftz, math::sin),
        FloatUnary::Cos => one(level, ftz, math::cos),
        FloatUnary::Lg2 => one(level, ftz, math::lg2),
        FloatUnary::Ex2 => one(level, ftz, math::ex2),
        FloatUnary::Tanh => one(level, ftz, math::tanh),
    }
}

/// To nearest.
pub fn binary_f32(op: FloatBinary, ftz: bool, level: Level) -> Handler {
    match op {
        FloatBinary::Add => two(level, ftz, |a, b| a + b),
        FloatBinary::Sub => two(level, ftz, |a, b| a - b),
        FloatBinary::Mul => two(level, ftz, |a, b| a * b),
        FloatBinary::Div | FloatBinary::DivApprox => two(level, ftz, |a, b| a / b),
        FloatBinary::Min => two(level, ftz, math::min),
        FloatBinary::Max => two(level, ftz, math::max),
        FloatBinary::MinNan => two(level, ftz, math::min_nan),
        FloatBinary::MaxNan => two(level, ftz, math::max_nan),
        FloatBinary::Copysign => map2(level, |a: f32, b: f32| b.copysign(a)),
    }
}

/// Whether `f32::mul_add` is one instruction at this level.
fn has_fma(level: Level) -> bool {
    level > Level::Portable || cfg!(target_feature = "fma") || cfg!(target_arch = "aarch64")
}

/// `a * b + c` with one rounding, to nearest.
pub fn fma_f32(ftz: bool, level: Level) -> Handler {
    match has_fma(level) {
        true => three(level, ftz, f32::mul_add),
        false => three(level, ftz, math::fused_without_fma),
    }
}

/// To nearest. The approximate reciprocals have 20 bits, the others are exact.
pub fn unary_f64(op: FloatUnary, level: Level) -> Option<Handler> {
    const HIGH: u64 = !0xFFFF_FFFF;
    Some(match op {
        FloatUnary::Neg => map1(level, |a: f64| -a),
        FloatUnary::Abs => map1(level, |a: f64| a.abs()),
        FloatUnary::Rcp => map1(level, |a: f64| 1.0 / a),
        FloatUnary::Sqrt => map1(level, |a: f64| a.sqrt()),
        FloatUnary::RcpApprox => map1(level, |a: f64| f64::from_bits((1.0 / a).to_bits() & HIGH)),
        FloatUnary::RsqrtApprox => map1(level, |a: f64| f64::from_bits((1.0 / a.sqrt()).to_bits() & HIGH)),
        _ => return None,
    })
}

/// To nearest.
pub fn binary_f64(op: FloatBinary, level: Level) -> Option<Handler> {
    Some(match op {
        FloatBinary::Add => map2(level, |a: f64, b: f64| a + b),
        FloatBinary::Sub => map2(level, |a: f64, b: f64| a - b),
        FloatBinary::Mul => map2(level, |a: f64, b: f64| a * b),
        FloatBinary::Div => map2(level, |a: f64, b: f64| a / b),
        FloatBinary::Min => map2(level, min_f64),
        FloatBinary::Max => map2(level, max_f64),
        FloatBinary::Copysign => map2(level, |a: f64, b: f64| b.copysign(a)),
        _ => return None,
    })
}

#[inline(always)]
fn min_f64(a: f64, b: f64) -> f64 {
    let ordered = if a < b { a } else { b };
    let number = if a == b { f64::from_bits(a.to_bits() | b.to_bits()) } else { ordered };
    if b.is_nan() { a } else { number }
}

#[inline(always)]
fn max_f64(a: f64, b: f64) -> f64 {
    let ordered = if a > b { a } else { b };
    let number = if a == b { f64::from_bits(a.to_bits() & b.to_bits()) } else { ordered };
    if b.is_nan() { a } else { number }
}

pub fn fma_f64(level: Level) -> Handler {
    map3(level, f64::mul_add)
}

/// `.sat` on a result of f32.
pub fn saturate_f32(level: Level) -> Handler {
    map1(level, math::saturate)
}
