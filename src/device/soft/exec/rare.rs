//! Integer instructions that kernels rarely use, one lane at a time.

use crate::ptx::typed::{DotParts, DotProduct, Int, RareInt};

/// The operation on operands of `int`, whose bits above the type do not count.
pub fn evaluate(op: RareInt, int: Int, [a, b, c, _]: [u64; 4]) -> u64 {
    match op {
        RareInt::FindBit { shift } => u64::from(find_bit(a, int, shift)),
        RareInt::Mul24 { high } => product_24(a, b, int, high) as u64,
        RareInt::Mad24 { high, sat: false } => product_24(a, b, int, high).wrapping_add(word(c, int)) as u64,
        RareInt::Mad24 { high, sat: true } => clamped(product_24(a, b, int, high) + word(c, int)),
        RareInt::MadHiSat => clamped(((word(a, int) * word(b, int)) >> 32) + word(c, int)),
        RareInt::MinRelu => word(a, int).min(word(b, int)).max(0) as u64,
        RareInt::MaxRelu => word(a, int).max(word(b, int)).max(0) as u64,
        RareInt::Extend { wrap } => u64::from(extend(a as u32, b as u32, int.signed, wrap)),
        RareInt::Mask { wrap } => u64::from(mask(a as u32, b as u32, wrap)),
        RareInt::NthSet => u64::from(nth_set(a as u32, b as u32, c as i32)),
        RareInt::Dot(product) => u64::from(dot(product, a as u32, b as u32, c as u32)),
    }
}

/// A word of 32 bits as a number.
fn word(bits: u64, int: Int) -> i64 {
    if int.signed { i64::from(bits as u32 as i32) } else { i64::from(bits as u32) }
}

fn clamped(value: i64) -> u64 {
    value.clamp(i32::MIN.into(), i32::MAX.into()) as u64
}

fn find_bit(bits: u64, int: Int, shift: bool) -> u32 {
    let unused = 64 - int.bits;
    let at_top = bits << unused;
    // Of a negative number the highest 0 is looked for.
    let wanted = if int.signed && at_top >> 63 == 1 { !at_top >> unused } else { at_top >> unused };
    match wanted.checked_ilog2() {
        None => u32::MAX,
        Some(position) if shift => int.bits - 1 - position,
        Some(position) => position,
    }
}

/// The product of the low 24 bits: its bits 0 to 31, or 16 to 47 with the sign.
fn product_24(a: u64, b: u64, int: Int, high: bool) -> i64 {
    let low = |bits: u64| match int.signed {
        true => i64::from((bits as i32) << 8 >> 8),
        false => i64::from(bits as u32 & 0xFF_FFFF),
    };
    let product = low(a) * low(b);
    let part = if high { product >> 16 } else { product };
    word(part as u64, int)
}

/// The low `width` bits of `a`, extended; `wrap` takes the width modulo 32, else 32 and more keep all.
fn extend(a: u32, width: u32, signed: bool, wrap: bool) -> u32 {
    let width = if wrap { width & 31 } else { width.min(32) };
    match (width, signed) {
        (0, _) => 0,
        (_, false) => a << (32 - width) >> (32 - width),
        (_, true) => ((a << (32 - width)) as i32 >> (32 - width)) as u32,
    }
}

/// `width` ones from bit `start` on; both are taken modulo 32 or cut at 32.
fn mask(start: u32, width: u32, wrap: bool) -> u32 {
    let cut = |n: u32| if wrap { n & 31 } else { n.min(32) };
    let ones = (1u64 << cut(width)) - 1;
    (ones << cut(start)) as u32
}

/// The position of the `offset`-th set bit from `base` upwards, downwards if negative; of `base` itself for 0.
fn nth_set(mask: u32, base: u32, offset: i32) -> u32 {
    let set = |position: &u32| mask >> position & 1 == 1;
    let count = offset.unsigned_abs() as usize;
    let base = base.min(32);
    let found = match offset {
        0 => (base..32).take(1).find(set),
        1.. => (base..32).filter(set).nth(count - 1),
        _ => (0..32.min(base + 1)).rev().filter(set).nth(count - 1),
    };
    found.unwrap_or(u32::MAX)
}

fn dot(product: DotProduct, a: u32, b: u32, c: u32) -> u32 {
    let byte = |index: u32| match product.b_signed {
        true => i32::from((b >> (8 * index)) as i8),
        false => i32::from((b >> (8 * index)) as u8),
    };
    let a_byte = |index: u32| match product.a_signed {
        true => i32::from((a >> (8 * index)) as i8),
        false => i32::from((a >> (8 * index)) as u8),
    };
    let a_half = |index: u32| match product.a_signed {
        true => i32::from((a >> (16 * index)) as i16),
        false => i32::from((a >> (16 * index)) as u16),
    };
    let sum: i32 = match product.parts {
        DotParts::Bytes => (0..4).map(|i| a_byte(i) * byte(i)).sum(),
        DotParts::HalvesLow => (0..2).map(|i| a_half(i) * byte(i)).sum(),
        DotParts::HalvesHigh => (0..2).map(|i| a_half(i) * byte(i + 2)).sum(),
    };
    c.wrapping_add(sum as u32)
}
