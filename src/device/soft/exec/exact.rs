//! Numbers that are exact until they are rounded, once, to any format in any direction.

use crate::ptx::typed::Rounding;

/// A binary floating-point format with an implicit leading bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    pub exponent: u32,
    pub mantissa: u32,
}

pub const F16: Format = Format { exponent: 5, mantissa: 10 };
pub const BF16: Format = Format { exponent: 8, mantissa: 7 };
pub const TF32: Format = Format { exponent: 8, mantissa: 10 };
pub const F32: Format = Format { exponent: 8, mantissa: 23 };
pub const F64: Format = Format { exponent: 11, mantissa: 52 };

impl Format {
    fn infinity(self) -> u64 {
        ((1 << self.exponent) - 1) << self.mantissa
    }

    /// The exponent of the smallest normal number.
    fn lowest(self) -> i32 {
        2 - (1 << (self.exponent - 1))
    }

    fn sign(self, negative: bool) -> u64 {
        u64::from(negative) << (self.exponent + self.mantissa)
    }

    /// Infinity, or the largest finite number.
    pub fn limit(self, negative: bool, finite: bool) -> u64 {
        self.sign(negative) | (self.infinity() - u64::from(finite))
    }

    /// `bits` with infinity replaced by the largest finite number.
    pub fn finite(self, bits: u64) -> u64 {
        let infinite = bits & (self.sign(true) - 1) == self.infinity();
        bits - u64::from(infinite)
    }
}

/// `mantissa * 2^exponent` with a sign. Where digits were cut off, the lowest bit of the mantissa is 1; there
/// are enough bits above it that this says all that a rounding needs to know.
#[derive(Debug, Clone, Copy)]
pub struct Exact {
    negative: bool,
    mantissa: u128,
    exponent: i32,
}

/// Where the highest bit of a mantissa is put before digits are cut off, with room for a carry.
const TOP: u32 = 125;

/// `mantissa >> by`, with a 1 at the bottom if a 1 was cut off.
fn cut(mantissa: u128, by: u32) -> u128 {
    if by >= 128 {
        return u128::from(mantissa != 0);
    }
    let rest = mantissa & ((1 << by) - 1);
    mantissa >> by | u128::from(rest != 0)
}

impl Exact {
    /// A finite number.
    pub fn from_f64(x: f64) -> Exact {
        let bits = x.to_bits();
        let (exponent, fraction) = ((bits >> 52 & 0x7FF) as i32, bits & ((1 << 52) - 1));
        let hidden = if exponent == 0 { 0 } else { 1 << 52 };
        Exact {
            negative: x.is_sign_negative(),
            mantissa: u128::from(fraction | hidden),
            exponent: exponent.max(1) - 1075,
        }
    }

    pub fn from_integer(value: i128) -> Exact {
        Exact { negative: value < 0, mantissa: value.unsigned_abs(), exponent: 0 }
    }

    pub fn is_negative(self) -> bool {
        self.negative
    }

    /// The number, or 1 if it is larger.
    pub fn at_most_one(self) -> Exact {
        let one = Exact::from_integer(1);
        if self.plus(one.negated(), Rounding::Nearest).negative { self } else { one }
    }

    pub fn negated(self) -> Exact {
        Exact { negative: !self.negative, ..self }
    }

    fn is_zero(self) -> bool {
        self.mantissa == 0
    }

    /// With the highest bit at [`TOP`]; not for zero.
    fn normalised(self) -> Exact {
        let up = self.mantissa.leading_zeros() as i32 - (127 - TOP as i32);
        let mantissa = if up >= 0 { self.mantissa << up } else { cut(self.mantissa, up.unsigned_abs()) };
        Exact { mantissa, exponent: self.exponent - up, ..self }
    }

    /// The sum; one that cancels exactly is -0 only if rounding goes down.
    pub fn plus(self, other: Exact, rounding: Rounding) -> Exact {
        if self.is_zero() && other.is_zero() {
            let negative = match self.negative == other.negative {
                true => self.negative,
                false => rounding == Rounding::Down,
            };
            return Exact { negative, ..self };
        }
        if self.is_zero() {
            return other;
        }
        if other.is_zero() {
            return self;
        }
        let (mut large, mut small) = (self.normalised(), other.normalised());
        if small.exponent > large.exponent {
            (large, small) = (small, large);
        }
        let shifted = cut(small.mantissa, (large.exponent - small.exponent) as u32);
        if large.negative == small.negative {
            return Exact { mantissa: large.mantissa + shifted, ..large };
        }
        let (difference, swapped) = match large.mantissa >= shifted {
            true => (large.mantissa - shifted, false),
            false => (shifted - large.mantissa, true),
        };
        let negative = if difference == 0 { rounding == Rounding::Down } else { large.negative != swapped };
        Exact { negative, mantissa: difference, exponent: large.exponent }
    }

    /// The product of numbers of at most 64 bits.
    pub fn times(self, other: Exact) -> Exact {
        Exact {
            negative: self.negative != other.negative,
            mantissa: self.mantissa * other.mantissa,
            exponent: self.exponent + other.exponent,
        }
    }

    /// The quotient of numbers of at most 53 bits; the divisor is not zero.
    pub fn over(self, other: Exact) -> Exact {
        let negative = self.negative != other.negative;
        if self.is_zero() {
            return Exact { negative, ..self };
        }
        let dividend = self.normalised();
        let (quotient, rest) = (dividend.mantissa / other.mantissa, dividend.mantissa % other.mantissa);
        Exact {
            negative,
            mantissa: quotient << 1 | u128::from(rest != 0),
            exponent: dividend.exponent - other.exponent - 1,
        }
    }

    /// The square root of a number that is not negative.
    pub fn root(self) -> Exact {
        if self.is_zero() {
            return self;
        }
        let mut square = self.normalised();
        if square.exponent % 2 != 0 {
            square = Exact { mantissa: square.mantissa << 1, exponent: square.exponent - 1, ..square };
        }
        let root = square.mantissa.isqrt();
        let rest = root * root != square.mantissa;
        Exact { negative: false, mantissa: root << 1 | u128::from(rest), exponent: square.exponent / 2 - 1 }
    }

    /// The bits of the number in a format.
    pub fn round(self, format: Format, rounding: Rounding) -> u64 {
        let sign = format.sign(self.negative);
        if self.is_zero() {
            return sign;
        }
        let number = self.normalised();
        let leading = number.exponent + TOP as i32;
        let binade = leading.max(format.lowest());
        // The exponent of the last bit that is kept, and how many bits lie below it.
        let below = (binade - format.mantissa as i32 - number.exponent) as u32;
        let doubled = cut(number.mantissa, below.saturating_sub(2).min(128));
        // Two bits below the last kept one: the half, and whether there is more.
        let (kept, rest) = ((doubled >> 2) as u64, (doubled & 3) as u32);
        let up = match rounding {
            Rounding::Nearest => rest > 2 || (rest == 2 && kept & 1 == 1),
            Rounding::NearestAway => rest >= 2,
            Rounding::Zero => false,
            Rounding::Down => self.negative && rest != 0,
            Rounding::Up => !self.negative && rest != 0,
        };
        // A carry out of the mantissa goes on into the exponent.
        let magnitude = (((binade - format.lowest()) as u64) << format.mantissa) + kept + u64::from(up);
        if magnitude < format.infinity() {
            return sign | magnitude;
        }
        let infinite = match rounding {
            Rounding::Nearest | Rounding::NearestAway => true,
            Rounding::Zero => false,
            Rounding::Down => self.negative,
            Rounding::Up => !self.negative,
        };
        format.limit(self.negative, !infinite)
    }
}
