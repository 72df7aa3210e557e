//! Roundings other than to nearest, lane by lane: the exact result, rounded once.

use super::exact::{Exact, F32, F64, Format};
use super::math::flush;
use crate::ptx::typed::{FloatMode, Rounding};

/// An operation of one to three operands with a rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounded {
    Add,
    Sub,
    Mul,
    Fma,
    Div,
    Rcp,
    Sqrt,
}

/// An operation on f32 in any mode.
pub fn on_f32(op: Rounded, mode: FloatMode, operands: [u64; 4]) -> u64 {
    let read = |bits: u64| {
        let x = f32::from_bits(bits as u32);
        f64::from(if mode.ftz { flush(x) } else { x })
    };
    let numbers = [read(operands[0]), read(operands[1]), read(operands[2])];
    let result = match special(op, numbers) {
        Some(value) => value as f32,
        None => f32::from_bits(exact(op, numbers, F32, mode.rounding) as u32),
    };
    u64::from((if mode.ftz { flush(result) } else { result }).to_bits())
}

/// An operation on f64 in any mode.
pub fn on_f64(op: Rounded, mode: FloatMode, operands: [u64; 4]) -> u64 {
    let numbers = [0, 1, 2].map(|k| f64::from_bits(operands[k]));
    match special(op, numbers) {
        Some(value) => value.to_bits(),
        None => exact(op, numbers, F64, mode.rounding),
    }
}

/// Results that are NaN or infinite without any rounding, and all that infinite operands lead to.
fn special(op: Rounded, [a, b, c]: [f64; 3]) -> Option<f64> {
    let (finite, value) = match op {
        Rounded::Add => (a.is_finite() && b.is_finite(), a + b),
        Rounded::Sub => (a.is_finite() && b.is_finite(), a - b),
        Rounded::Mul => (a.is_finite() && b.is_finite(), a * b),
        Rounded::Fma => (a.is_finite() && b.is_finite() && c.is_finite(), a * b + c),
        Rounded::Div => (a.is_finite() && b.is_finite() && b != 0.0, a / b),
        Rounded::Rcp => (a.is_finite() && a != 0.0, 1.0 / a),
        Rounded::Sqrt => (a.is_finite() && a >= 0.0, a.sqrt()),
    };
    (!finite).then_some(value)
}

fn exact(op: Rounded, operands: [f64; 3], format: Format, rounding: Rounding) -> u64 {
    let [a, b, c] = operands.map(Exact::from_f64);
    let result = match op {
        Rounded::Add => a.plus(b, rounding),
        Rounded::Sub => a.plus(b.negated(), rounding),
        Rounded::Mul => a.times(b),
        Rounded::Fma => a.times(b).plus(c, rounding),
        Rounded::Div => a.over(b),
        Rounded::Rcp => Exact::from_integer(1).over(a),
        Rounded::Sqrt => a.root(),
    };
    result.round(format, rounding)
}

/// Rounds to an integral value.
pub fn integral(x: f64, rounding: Rounding) -> f64 {
    match rounding {
        Rounding::Nearest => x.round_ties_even(),
        Rounding::NearestAway => x.round(),
        Rounding::Zero => x.trunc(),
        Rounding::Down => x.floor(),
        Rounding::Up => x.ceil(),
    }
}
