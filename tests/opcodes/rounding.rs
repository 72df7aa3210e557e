//! Rounding of exact values to f32, f16 and bf16 in every direction, from first principles.
//!
//! An exact value is given as `high + low`, the f64 nearest to it and what is missing, as the error-free
//! transformations of sums and products yield it. Rounded to f64 "to odd" first, it keeps all that a second
//! rounding to fewer bits needs to know, so nothing is rounded twice.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    Nearest,
    Zero,
    Down,
    Up,
}

pub const ROUNDINGS: [(&str, Rounding); 4] =
    [("rn", Rounding::Nearest), ("rz", Rounding::Zero), ("rm", Rounding::Down), ("rp", Rounding::Up)];

/// `a + b` as (nearest f64, error); exact where nothing overflows (Knuth).
pub fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let b_part = sum - a;
    let error = (a - (sum - b_part)) + (b - b_part);
    if sum.is_finite() { (sum, error) } else { (sum, 0.0) }
}

/// The f64 that stands for `high + low` in any later rounding.
pub fn to_odd(high: f64, low: f64) -> f64 {
    if low == 0.0 || low.is_nan() || high.to_bits() & 1 == 1 {
        return high;
    }
    let away_from_zero = (low > 0.0) == (high > 0.0);
    f64::from_bits(if away_from_zero { high.to_bits() + 1 } else { high.to_bits() - 1 })
}

/// An f64 rounded to f32.
pub fn to_f32(value: f64, rounding: Rounding) -> f32 {
    let nearest = value as f32;
    let back = f64::from(nearest);
    if value.is_nan() || value.is_infinite() || back == value {
        return nearest;
    }
    match rounding {
        Rounding::Nearest => nearest,
        Rounding::Zero if back.abs() > value.abs() => toward_zero(nearest),
        Rounding::Zero => nearest,
        Rounding::Down if back > value => nearest.next_down(),
        Rounding::Up if back < value => nearest.next_up(),
        Rounding::Down | Rounding::Up => nearest,
    }
}

fn toward_zero(value: f32) -> f32 {
    f32::from_bits(value.to_bits() - 1)
}

/// `a + b` of f32 values.
pub fn sum(a: f32, b: f32, rounding: Rounding) -> f32 {
    let (high, low) = two_sum(a.into(), b.into());
    let signs_differ = a.is_sign_negative() != b.is_sign_negative();
    if high == 0.0 && signs_differ {
        return if rounding == Rounding::Down { -0.0 } else { 0.0 };
    }
    to_f32(to_odd(high, low), rounding)
}

/// `a b` of f32 values; the product fits an f64.
pub fn product(a: f32, b: f32, rounding: Rounding) -> f32 {
    to_f32(f64::from(a) * f64::from(b), rounding)
}

/// `a b + c` with one rounding.
pub fn fused(a: f32, b: f32, c: f32, rounding: Rounding) -> f32 {
    let product = f64::from(a) * f64::from(b);
    let (high, low) = two_sum(product, c.into());
    let signs_differ = product.is_sign_negative() != c.is_sign_negative();
    if high == 0.0 && signs_differ {
        return if rounding == Rounding::Down { -0.0 } else { 0.0 };
    }
    to_f32(to_odd(high, low), rounding)
}

/// `a / b`: the remainder says on which side of the f64 quotient the exact one lies.
pub fn quotient(a: f32, b: f32, rounding: Rounding) -> f32 {
    let (a, b) = (f64::from(a), f64::from(b));
    let quotient = a / b;
    if !quotient.is_finite() || b.is_infinite() {
        return quotient as f32;
    }
    let remainder = (-quotient).mul_add(b, a);
    to_f32(to_odd(quotient, remainder * b.signum()), rounding)
}

pub fn square_root(a: f32, rounding: Rounding) -> f32 {
    let a = f64::from(a);
    let root = a.sqrt();
    if !root.is_finite() || root == 0.0 {
        return root as f32;
    }
    to_f32(to_odd(root, (-root).mul_add(root, a)), rounding)
}

/// Subnormal numbers become zero of their sign.
pub fn flush(value: f32) -> f32 {
    if value.is_subnormal() { 0f32.copysign(value) } else { value }
}

/// Whether a value lies so close below the smallest normal number that it is open whether a rounding unit flushes it.
pub fn at_the_edge_of_flushing(value: f64) -> bool {
    value.abs() < f64::from(f32::MIN_POSITIVE) && (value as f32).abs() >= f32::MIN_POSITIVE.next_down()
}

/// A binary format with `exponent` and `mantissa` bits.
#[derive(Debug, Clone, Copy)]
pub struct Format {
    pub exponent: u32,
    pub mantissa: u32,
}

pub const F16: Format = Format { exponent: 5, mantissa: 10 };
pub const BF16: Format = Format { exponent: 8, mantissa: 7 };

impl Format {
    fn bias(self) -> i32 {
        (1 << (self.exponent - 1)) - 1
    }

    /// The value of a number's bits.
    pub fn value(self, bits: u64) -> f64 {
        let exponent = (bits >> self.mantissa) as i32 & ((1 << self.exponent) - 1);
        let fraction = (bits & ((1 << self.mantissa) - 1)) as f64 / f64::from(1 << self.mantissa);
        let sign = if bits >> (self.exponent + self.mantissa) & 1 == 1 { -1.0 } else { 1.0 };
        let magnitude = match exponent {
            0 => fraction * 2f64.powi(1 - self.bias()),
            e if e == (1 << self.exponent) - 1 && fraction == 0.0 => f64::INFINITY,
            e if e == (1 << self.exponent) - 1 => f64::NAN,
            e => (1.0 + fraction) * 2f64.powi(e - self.bias()),
        };
        sign * magnitude
    }

    /// The bits of `value` rounded; only to nearest and to zero. NaN is the format's 0x7F…F, as PTX has it.
    pub fn bits(self, value: f64, rounding: Rounding) -> u64 {
        let sign = u64::from(value.is_sign_negative()) << (self.exponent + self.mantissa);
        let infinity = ((1u64 << self.exponent) - 1) << self.mantissa;
        if value.is_nan() {
            return (1 << (self.exponent + self.mantissa)) - 1;
        }
        if value.is_infinite() {
            return sign | infinity;
        }
        // Magnitudes are ordered like their bits, so the neighbours below and above are one apart.
        let magnitude = value.abs();
        let (mut low, mut high) = (0, infinity);
        while high - low > 1 {
            let middle = low.midpoint(high);
            if self.value(middle) <= magnitude { low = middle } else { high = middle }
        }
        let above = if high == infinity { 2f64.powi(self.bias() + 1) } else { self.value(high) };
        let (down, up) = (magnitude - self.value(low), above - magnitude);
        let goes_up = rounding == Rounding::Nearest && (up < down || up == down && low & 1 == 1);
        sign | if goes_up { high } else { low }
    }
}

#[test]
fn formats_agree_with_known_numbers() {
    for (format, value, bits) in [
        (F16, 1.0, 0x3C00),
        (F16, -2.0, 0xC000),
        (F16, 65504.0, 0x7BFF),
        (F16, 65519.9, 0x7BFF),
        (F16, 65520.0, 0x7C00),
        (F16, 2f64.powi(-24), 1),
        (F16, 2f64.powi(-25), 0),
        (BF16, 1.0, 0x3F80),
        (BF16, 1.0 + 2f64.powi(-8), 0x3F80),
        (BF16, 1.0 + 3.0 * 2f64.powi(-8), 0x3F82),
        (BF16, f64::NAN, 0x7FFF),
    ] {
        assert_eq!(format.bits(value, Rounding::Nearest), bits, "{value}");
    }
}
