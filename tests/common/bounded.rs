//! Numbers in f64 that know how far a correct f32 computation can be from them.
//!
//! Running error analysis (Higham, *Accuracy and Stability of Numerical Algorithms*, 3.3): each operation passes on the
//! errors of its operands to first order and adds a rounding of its own result. A reference written with these
//! numbers yields value and tolerance together; what a kernel fuses or reorders only makes its error smaller,
//! except for the length of sums, which [`Bounded::sum`] is told.

use super::compare::{Expected, ROUNDING};
use std::ops::{Add, Div, Mul, Neg, Sub};

/// A value, and a bound on the absolute error of its f32 counterpart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounded {
    pub value: f64,
    pub error: f64,
}

impl From<f32> for Bounded {
    fn from(value: f32) -> Bounded {
        Bounded::exact(f64::from(value))
    }
}

impl From<Bounded> for Expected {
    fn from(number: Bounded) -> Expected {
        Expected { value: number.value, allowed: number.error }
    }
}

impl Bounded {
    pub fn exact(value: f64) -> Bounded {
        Bounded { value, error: 0.0 }
    }

    /// `value` computed with `inherited` error and then rounded `roundings` times.
    fn rounded(value: f64, inherited: f64, roundings: f64) -> Bounded {
        Bounded { value, error: inherited + roundings * ROUNDING * value.abs() }
    }

    /// Rounded to bf16 once more.
    pub fn in_bf16(self) -> Bounded {
        let Expected { value, allowed } = Expected::from(self).in_bf16();
        Bounded { value, error: allowed }
    }

    /// A sum in which no term goes through more than `depth` additions.
    pub fn sum(terms: impl IntoIterator<Item = Bounded>, depth: usize) -> Bounded {
        let (mut value, mut error, mut magnitude) = (0.0, 0.0, 0.0);
        for term in terms {
            value += term.value;
            error += term.error;
            magnitude += term.value.abs();
        }
        Bounded { value, error: error + depth as f64 * ROUNDING * magnitude }
    }

    /// Through ex2.approx: the argument's product with log2(e) and the constant itself are rounded, and the result is
    /// off by at most 2 units in the last place.
    pub fn exp(self) -> Bounded {
        let value = self.value.exp();
        let argument = self.error + 2.0 * ROUNDING * self.value.abs();
        Bounded::rounded(value, value * argument.exp_m1(), 4.0)
    }

    pub fn sqrt(self) -> Bounded {
        let value = self.value.sqrt();
        Bounded::rounded(value, self.error / (2.0 * value), 1.0)
    }

    /// 1 / (1 + exp(-x)).
    pub fn sigmoid(self) -> Bounded {
        Bounded::exact(1.0) / (Bounded::exact(1.0) + (-self).exp())
    }
}

impl Neg for Bounded {
    type Output = Bounded;
    fn neg(self) -> Bounded {
        Bounded { value: -self.value, error: self.error }
    }
}

impl Add for Bounded {
    type Output = Bounded;
    fn add(self, other: Bounded) -> Bounded {
        Bounded::rounded(self.value + other.value, self.error + other.error, 1.0)
    }
}

impl Sub for Bounded {
    type Output = Bounded;
    fn sub(self, other: Bounded) -> Bounded {
        self + -other
    }
}

impl Mul for Bounded {
    type Output = Bounded;
    fn mul(self, other: Bounded) -> Bounded {
        let inherited =
            self.value.abs() * other.error + other.value.abs() * self.error + self.error * other.error;
        Bounded::rounded(self.value * other.value, inherited, 1.0)
    }
}

/// By a reciprocal that is off by a unit in the last place, and a product.
impl Div for Bounded {
    type Output = Bounded;
    fn div(self, other: Bounded) -> Bounded {
        let value = self.value / other.value;
        let inherited = (self.error + value.abs() * other.error) / other.value.abs();
        Bounded::rounded(value, inherited, 3.0)
    }
}
