//! The floating-point functions of f32, each a branch-free formula that vectorises.
//!
//! They use additions and multiplications that round separately (never a contracted one), so that every
//! level gives the same bits. Errors are below the bounds that PTX states for the `.approx` forms.

use std::f32::consts::LN_2;

/// Subnormals to zero of the same sign.
#[inline(always)]
pub fn flush(x: f32) -> f32 {
    let bits = x.to_bits();
    f32::from_bits(if bits & 0x7F80_0000 == 0 { bits & 0x8000_0000 } else { bits })
}

/// `.sat`: into [0, 1], NaN to 0.
#[inline(always)]
pub fn saturate(x: f32) -> f32 {
    let low = if x > 0.0 { x } else { 0.0 };
    if low < 1.0 { low } else { 1.0 }
}

/// The NaN that instructions make of their own accord.
pub const NAN: f32 = f32::from_bits(0x7FFF_FFFF);

/// `min`: NaN only if both are; -0 is below +0.
#[inline(always)]
pub fn min(a: f32, b: f32) -> f32 {
    let ordered = if a < b { a } else { b };
    let equal = f32::from_bits(a.to_bits() | b.to_bits());
    let number = if a == b { equal } else { ordered };
    // `ordered` is `b` where `a` is NaN; where `b` is NaN it must be `a`.
    let either = if b.is_nan() { a } else { number };
    if a.is_nan() & b.is_nan() { NAN } else { either }
}

/// `max`: NaN only if both are; +0 is above -0.
#[inline(always)]
pub fn max(a: f32, b: f32) -> f32 {
    let ordered = if a > b { a } else { b };
    let equal = f32::from_bits(a.to_bits() & b.to_bits());
    let number = if a == b { equal } else { ordered };
    let either = if b.is_nan() { a } else { number };
    if a.is_nan() & b.is_nan() { NAN } else { either }
}

#[inline(always)]
pub fn min_nan(a: f32, b: f32) -> f32 {
    if a.is_nan() | b.is_nan() { NAN } else { min(a, b) }
}

#[inline(always)]
pub fn max_nan(a: f32, b: f32) -> f32 {
    if a.is_nan() | b.is_nan() { NAN } else { max(a, b) }
}

/// `a * b + c` with one rounding where the CPU has no such instruction: the f64 sum is rounded to odd,
/// after which the rounding to f32 is the only one that counts (Boldo and Melquiond 2008).
#[inline(always)]
pub fn fused_without_fma(a: f32, b: f32, c: f32) -> f32 {
    sum_to_odd(f64::from(a) * f64::from(b), f64::from(c)) as f32
}

/// The sum of two f64, rounded to odd.
#[inline(always)]
pub fn sum_to_odd(a: f64, b: f64) -> f64 {
    let sum = a + b;
    let of_b = sum - a;
    let error = (a - (sum - of_b)) + (b - of_b);
    let bits = sum.to_bits();
    let step = if (error > 0.0) == (sum > 0.0) { 1 } else { u64::MAX };
    let odd = if (error.abs() > 0.0) & (bits & 1 == 0) { bits.wrapping_add(step) } else { bits };
    f64::from_bits(odd)
}

/// `x` as f32, rounded to odd, for a later rounding to fewer bits.
#[inline(always)]
pub fn to_f32_odd(x: f64) -> f32 {
    let nearest = x as f32;
    let bits = nearest.to_bits();
    let step = if f64::from(nearest).abs() < x.abs() { 1 } else { u32::MAX };
    let inexact = f64::from(nearest) != x && !x.is_nan();
    f32::from_bits(if inexact & (bits & 1 == 0) { bits.wrapping_add(step) } else { bits })
}

/// Adding this and subtracting it again rounds an f32 of modest size to the nearest integer.
const ROUND: f32 = 12_582_912.0;

/// 2^x, within 1 ulp.
#[inline(always)]
pub fn ex2(x: f32) -> f32 {
    let x = if x < -151.0 { -151.0 } else { x };
    let x = if x > 129.0 { 129.0 } else { x };
    let shifted = x + ROUND;
    let n = (shifted.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
    let f = x - (shifted - ROUND);
    // Taylor's series of 2^f for |f| <= 1/2; the rest is below 2^-27.
    let p = 1.525_273_4e-5 * f + 1.540_353e-4;
    let p = p * f + 1.333_355_8e-3;
    let p = p * f + 9.618_129e-3;
    let p = p * f + 5.550_411e-2;
    let p = p * f + 2.402_265e-1;
    let p = p * f + LN_2;
    let p = p * f + 1.0;
    // In two factors, so that neither over- nor underflows.
    let half = n >> 1;
    let power = |k: i32| f32::from_bits((k.wrapping_add(127) as u32) << 23);
    p * power(half) * power(n - half)
}

/// log2(x), within 2^-22 (absolute between 1/2 and 2, else relative).
#[inline(always)]
pub fn lg2(x: f32) -> f32 {
    let tiny = x < f32::MIN_POSITIVE;
    let scaled = if tiny { x * 16_777_216.0 } else { x };
    // x = m 2^e with m in [sqrt(1/2), sqrt(2)).
    let bits = scaled.to_bits().wrapping_sub(0x3F35_04F3);
    let e = (bits as i32 >> 23) as f32 - if tiny { 24.0 } else { 0.0 };
    let m = f32::from_bits((bits & 0x007F_FFFF).wrapping_add(0x3F35_04F3));
    // ln m = 2 artanh t
    let t = (m - 1.0) / (m + 1.0);
    let s = t * t;
    let p = 0.222_222_22 * s + 0.285_714_3;
    let p = p * s + 0.4;
    let p = p * s + 0.666_666_7;
    let p = p * s + 2.0;
    let log = e + p * t * std::f32::consts::LOG2_E;
    let log = if x == 0.0 { f32::NEG_INFINITY } else { log };
    let log = if x == f32::INFINITY { x } else { log };
    if x < 0.0 || x.is_nan() { NAN } else { log }
}

/// The fraction of a turn, in [-1/2, 1/2], that the angle `x` makes. The product with 1/(2 pi) is cut to f32
/// as the GPU does it, so that large angles err in the same way.
#[inline(always)]
fn turns(x: f32) -> f32 {
    let product = f64::from(x) * f64::from(f32::from_bits(0x3E22_F983));
    let cut = f64::from_bits(product.to_bits() & !0x1FFF_FFFF) as f32;
    let small = cut.abs() < 4_194_304.0;
    let whole = (cut + ROUND) - ROUND;
    // From 2^22 on every f32 is a whole number of turns; infinity times zero is NaN.
    if small { cut - whole } else { cut * 0.0 }
}

/// sin(2 pi r) for |r| <= 1/4.
#[inline(always)]
fn sine_of_quarter(r: f32) -> f32 {
    let z = r * std::f32::consts::TAU;
    let s = z * z;
    let p = 1.605_904_4e-10 * s - 2.505_210_8e-8;
    let p = p * s + 2.755_731_9e-6;
    let p = p * s - 1.984_127e-4;
    let p = p * s + 8.333_333e-3;
    let p = p * s - 1.666_666_7e-1;
    z + z * s * p
}

/// sin(x), absolute error below 2^-20.5 in one turn.
#[inline(always)]
pub fn sin(x: f32) -> f32 {
    let r = turns(x);
    let folded = if r > 0.25 { 0.5 - r } else { r };
    let folded = if r < -0.25 { -0.5 - r } else { folded };
    sine_of_quarter(folded)
}

/// cos(x), absolute error below 2^-20.5 in one turn.
#[inline(always)]
pub fn cos(x: f32) -> f32 {
    sine_of_quarter(0.25 - turns(x).abs())
}

/// tanh(x), within a few ulp.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let size = x.abs();
    let s = x * x;
    let p = -5.704_988_7e-3 * s + 2.063_909e-2;
    let p = p * s - 5.373_971_6e-2;
    let p = p * s + 1.333_144_2e-1;
    let p = p * s - 3.333_328e-1;
    let small = x + x * s * p;
    let size = if size > 10.0 { 10.0 } else { size };
    let large = 1.0 - 2.0 / (ex2(size * (2.0 * std::f32::consts::LOG2_E)) + 1.0);
    let result = if size < 0.625 { small } else { large.copysign(x) };
    if x.is_nan() { NAN } else { result }
}

/// 1 / sqrt(x)
#[inline(always)]
pub fn rsqrt(x: f32) -> f32 {
    1.0 / x.sqrt()
}
