//! Roundings other than to nearest, lane by lane.
//!
//! An exact result is written as a value and a residual that is too small to change the value's last bit
//! by itself; the nearest float is then moved by one step where the direction asks for it.

use super::math::flush;
use crate::ptx::typed::{FloatMode, Rounding};
use std::cmp::Ordering;

/// A float type that can be stepped through.
trait Steps: Copy + PartialOrd {
    fn up(self) -> Self;
    fn down(self) -> Self;
}

impl Steps for f32 {
    fn up(self) -> f32 {
        self.next_up()
    }
    fn down(self) -> f32 {
        self.next_down()
    }
}

impl Steps for f64 {
    fn up(self) -> f64 {
        self.next_up()
    }
    fn down(self) -> f64 {
        self.next_down()
    }
}

/// Moves the nearest float to the one that `rounding` wants; `exact` is how the exact value compares to it.
fn directed<T: Steps>(nearest: T, exact: Ordering, negative: bool, rounding: Rounding) -> T {
    match (rounding, exact) {
        (Rounding::Down, Ordering::Less) => nearest.down(),
        (Rounding::Up, Ordering::Greater) => nearest.up(),
        (Rounding::Zero, Ordering::Less) if !negative => nearest.down(),
        (Rounding::Zero, Ordering::Greater) if negative => nearest.up(),
        _ => nearest,
    }
}

/// `value + residual` as f32.
fn to_f32(value: f64, residual: f64, rounding: Rounding) -> f32 {
    let nearest = value as f32;
    if !value.is_finite() {
        return nearest;
    }
    let by_value = value.partial_cmp(&f64::from(nearest)).unwrap_or(Ordering::Equal);
    let by_residual = residual.partial_cmp(&0.0).unwrap_or(Ordering::Equal);
    directed(nearest, by_value.then(by_residual), value < 0.0, rounding)
}

/// A finite f64, in the direction asked for.
pub fn f64_to_f32(value: f64, rounding: Rounding) -> f32 {
    to_f32(value, 0.0, rounding)
}

/// The sum and what its rounding lost.
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let of_b = sum - a;
    (sum, (a - (sum - of_b)) + (b - of_b))
}

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

/// The value and residual of an operation on f32.
fn exact_f32(op: Rounded, [a, b, c]: [f64; 3]) -> (f64, f64) {
    match op {
        Rounded::Add => two_sum(a, b),
        Rounded::Sub => two_sum(a, -b),
        Rounded::Mul => (a * b, 0.0),
        Rounded::Fma => two_sum(a * b, c),
        Rounded::Div => quotient(a, b),
        Rounded::Rcp => quotient(1.0, a),
        Rounded::Sqrt => {
            let root = a.sqrt();
            (root, (-root).mul_add(root, a))
        }
    }
}

fn quotient(a: f64, b: f64) -> (f64, f64) {
    let q = a / b;
    let rest = (-q).mul_add(b, a);
    (q, if b < 0.0 { -rest } else { rest })
}

/// An operation on f32 in any mode.
pub fn on_f32(op: Rounded, mode: FloatMode, operands: [u64; 4]) -> u64 {
    let read = |bits: u64| {
        let x = f32::from_bits(bits as u32);
        f64::from(if mode.ftz { flush(x) } else { x })
    };
    let (value, residual) = exact_f32(op, [read(operands[0]), read(operands[1]), read(operands[2])]);
    let mut result = to_f32(value, residual, mode.rounding);
    if result == 0.0 && value == 0.0 && mode.rounding == Rounding::Down {
        result = exact_zero(op, operands);
    }
    u64::from((if mode.ftz { flush(result) } else { result }).to_bits())
}

/// A sum that cancels exactly is -0 when rounding down, unless both terms are +0.
fn exact_zero(op: Rounded, operands: [u64; 4]) -> f32 {
    let [a, b, c] = [0, 1, 2].map(|k| f32::from_bits(operands[k] as u32));
    let (x, y) = match op {
        Rounded::Add => (a, b),
        Rounded::Sub => (a, -b),
        Rounded::Fma => (a * b, c),
        Rounded::Mul => return a * b,
        Rounded::Div => return a / b,
        Rounded::Rcp => return 1.0 / a,
        Rounded::Sqrt => return a.sqrt(),
    };
    if x == 0.0 && y == 0.0 && !x.is_sign_negative() && !y.is_sign_negative() { 0.0 } else { -0.0 }
}

/// An operation on f64 in any mode. Residuals that underflow are lost, far below what kernels compute with.
pub fn on_f64(op: Rounded, mode: FloatMode, operands: [u64; 4]) -> u64 {
    let [a, b, c] = [0, 1, 2].map(|k| f64::from_bits(operands[k]));
    let (value, residual) = match op {
        Rounded::Add => two_sum(a, b),
        Rounded::Sub => two_sum(a, -b),
        Rounded::Mul => (a * b, a.mul_add(b, -(a * b))),
        Rounded::Fma => {
            let (product, low) = (a * b, a.mul_add(b, -(a * b)));
            let nearest = a.mul_add(b, c);
            let (sum, error) = two_sum(product, c);
            (nearest, (sum - nearest) + (error + low))
        }
        Rounded::Div => quotient(a, b),
        Rounded::Rcp => quotient(1.0, a),
        Rounded::Sqrt => (a.sqrt(), (-a.sqrt()).mul_add(a.sqrt(), a)),
    };
    if !value.is_finite() {
        return value.to_bits();
    }
    let exact = residual.partial_cmp(&0.0).unwrap_or(Ordering::Equal);
    directed(value, exact, value < 0.0, mode.rounding).to_bits()
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

/// An integer as f64 or f32, whichever `single` says, in the direction asked for.
pub fn from_integer(value: i128, single: bool, rounding: Rounding) -> f64 {
    let negative = value < 0;
    if single {
        let nearest = value as f32;
        return f64::from(directed(nearest, value.cmp(&(nearest as i128)), negative, rounding));
    }
    let nearest = value as f64;
    directed(nearest, value.cmp(&(nearest as i128)), negative, rounding)
}
