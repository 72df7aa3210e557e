//! Integer arithmetic. A 16-bit value is the low half of a 32-bit lane, upper half zero.

use super::super::fault::Cause;
use super::lanes::{map1, map2, map3};
use super::{Body, Handler, Inst, Warp, handler};
use crate::device::soft::level::Level;
use crate::ptx::typed::{Int, IntBinary, IntTernary, IntUnary, PermuteMode};

/// `int` as `match` arms know it.
#[derive(Clone, Copy)]
enum Width {
    U16,
    S16,
    U32,
    S32,
    U64,
    S64,
}

fn width(int: Int) -> Width {
    match (int.bits, int.signed) {
        (16, false) => Width::U16,
        (16, true) => Width::S16,
        (32, false) => Width::U32,
        (32, true) => Width::S32,
        (_, false) => Width::U64,
        (_, true) => Width::S64,
    }
}

#[inline(always)]
fn s16(a: u32) -> i32 {
    a as i16 as i32
}

#[inline(always)]
fn low16(a: i32) -> u32 {
    a as u32 & 0xFFFF
}

pub fn unary(op: IntUnary, int: Int, level: Level) -> Handler {
    use IntUnary::*;
    use Width::*;
    match (op, width(int)) {
        (Abs, S16) => map1(level, |a: u32| low16(s16(a).wrapping_abs())),
        (Abs, S32) => map1(level, |a: i32| a.wrapping_abs()),
        (Abs, S64) => map1(level, |a: i64| a.wrapping_abs()),
        (Abs, U16 | U32) => map1(level, |a: u32| a),
        (Abs, U64) => map1(level, |a: u64| a),
        (Neg, U16 | S16) => map1(level, |a: u32| a.wrapping_neg() & 0xFFFF),
        (Neg, U32 | S32) => map1(level, |a: u32| a.wrapping_neg()),
        (Neg, U64 | S64) => map1(level, |a: u64| a.wrapping_neg()),
        (Not, U16 | S16) => map1(level, |a: u32| !a & 0xFFFF),
        (Not, U32 | S32) => map1(level, |a: u32| !a),
        (Not, U64 | S64) => map1(level, |a: u64| !a),
        (Cnot, U16 | S16) => map1(level, |a: u32| u32::from(a as u16 == 0)),
        (Cnot, U32 | S32) => map1(level, |a: u32| u32::from(a == 0)),
        (Cnot, U64 | S64) => map1(level, |a: u64| u64::from(a == 0)),
        (Popc, U64 | S64) => map1(level, |a: u64| a.count_ones()),
        (Popc, _) => map1(level, |a: u32| a.count_ones()),
        (Clz, U64 | S64) => map1(level, |a: u64| a.leading_zeros()),
        (Clz, _) => map1(level, |a: u32| a.leading_zeros()),
        (Brev, U64 | S64) => map1(level, |a: u64| a.reverse_bits()),
        (Brev, _) => map1(level, |a: u32| a.reverse_bits()),
    }
}

pub fn binary(op: IntBinary, int: Int, level: Level) -> Handler {
    use IntBinary::*;
    use Width::*;
    match (op, width(int)) {
        (Add, U16 | S16) => map2(level, |a: u32, b: u32| a.wrapping_add(b) & 0xFFFF),
        (Add, U32 | S32) => map2(level, |a: u32, b: u32| a.wrapping_add(b)),
        (Add, U64 | S64) => map2(level, |a: u64, b: u64| a.wrapping_add(b)),
        (Sub, U16 | S16) => map2(level, |a: u32, b: u32| a.wrapping_sub(b) & 0xFFFF),
        (Sub, U32 | S32) => map2(level, |a: u32, b: u32| a.wrapping_sub(b)),
        (Sub, U64 | S64) => map2(level, |a: u64, b: u64| a.wrapping_sub(b)),
        (AddSat, _) => map2(level, |a: i32, b: i32| a.saturating_add(b)),
        (SubSat, _) => map2(level, |a: i32, b: i32| a.saturating_sub(b)),
        (And, U64 | S64) => map2(level, |a: u64, b: u64| a & b),
        (And, _) => map2(level, |a: u32, b: u32| a & b),
        (Or, U64 | S64) => map2(level, |a: u64, b: u64| a | b),
        (Or, _) => map2(level, |a: u32, b: u32| a | b),
        (Xor, U64 | S64) => map2(level, |a: u64, b: u64| a ^ b),
        (Xor, _) => map2(level, |a: u32, b: u32| a ^ b),
        (Shl | Shr, width) => shift(op, width, level),
        (Min | Max, width) => extreme(op, width, level),
        (Div | Rem, width) => divide(op, width, level),
        (_, width) => multiply(op, width, level),
    }
}

fn multiply(op: IntBinary, width: Width, level: Level) -> Handler {
    use IntBinary::{MulHi, MulWide};
    use Width::*;
    match (op, width) {
        (MulWide, U16) => map2(level, |a: u32, b: u32| (a & 0xFFFF).wrapping_mul(b & 0xFFFF)),
        (MulWide, S16) => map2(level, |a: u32, b: u32| s16(a).wrapping_mul(s16(b))),
        (MulWide, U32) => map2(level, |a: u32, b: u32| u64::from(a).wrapping_mul(u64::from(b))),
        (MulWide, _) => map2(level, |a: i32, b: i32| i64::from(a).wrapping_mul(i64::from(b))),
        (MulHi, U16) => map2(level, |a: u32, b: u32| (a & 0xFFFF).wrapping_mul(b & 0xFFFF) >> 16),
        (MulHi, S16) => map2(level, |a: u32, b: u32| low16(s16(a).wrapping_mul(s16(b)) >> 16)),
        (MulHi, U32) => map2(level, mul_hi_u32),
        (MulHi, S32) => map2(level, mul_hi_s32),
        (MulHi, U64) => map2(level, |a: u64, b: u64| ((u128::from(a) * u128::from(b)) >> 64) as u64),
        (MulHi, S64) => map2(level, |a: i64, b: i64| ((i128::from(a) * i128::from(b)) >> 64) as i64),
        (_, U16 | S16) => map2(level, |a: u32, b: u32| a.wrapping_mul(b) & 0xFFFF),
        (_, U32 | S32) => map2(level, |a: u32, b: u32| a.wrapping_mul(b)),
        (_, U64 | S64) => map2(level, |a: u64, b: u64| a.wrapping_mul(b)),
    }
}

#[inline(always)]
fn mul_hi_u32(a: u32, b: u32) -> u32 {
    ((u64::from(a) * u64::from(b)) >> 32) as u32
}

#[inline(always)]
fn mul_hi_s32(a: i32, b: i32) -> i32 {
    ((i64::from(a) * i64::from(b)) >> 32) as i32
}

/// Amounts of the width or more shift everything out.
fn shift(op: IntBinary, width: Width, level: Level) -> Handler {
    use IntBinary::Shl;
    use Width::*;
    match (op, width) {
        (Shl, U16 | S16) => map2(level, |a: u32, n: u32| if n < 16 { (a << (n & 31)) & 0xFFFF } else { 0 }),
        (Shl, U32 | S32) => map2(level, |a: u32, n: u32| if n < 32 { a << (n & 31) } else { 0 }),
        (Shl, U64 | S64) => map2(level, |a: u64, n: u32| if n < 64 { a << (n & 63) } else { 0 }),
        (_, U16) => map2(level, |a: u32, n: u32| if n < 16 { (a & 0xFFFF) >> (n & 31) } else { 0 }),
        (_, S16) => map2(level, |a: u32, n: u32| low16(s16(a) >> n.min(15))),
        (_, U32) => map2(level, |a: u32, n: u32| if n < 32 { a >> (n & 31) } else { 0 }),
        (_, S32) => map2(level, |a: i32, n: u32| a >> n.min(31)),
        (_, U64) => map2(level, |a: u64, n: u32| if n < 64 { a >> (n & 63) } else { 0 }),
        (_, S64) => map2(level, |a: i64, n: u32| a >> n.min(63)),
    }
}

fn extreme(op: IntBinary, width: Width, level: Level) -> Handler {
    use IntBinary::Min;
    use Width::*;
    match (op, width) {
        (Min, U16) => map2(level, |a: u32, b: u32| (a & 0xFFFF).min(b & 0xFFFF)),
        (Min, S16) => map2(level, |a: u32, b: u32| low16(s16(a).min(s16(b)))),
        (Min, U32) => map2(level, |a: u32, b: u32| a.min(b)),
        (Min, S32) => map2(level, |a: i32, b: i32| a.min(b)),
        (Min, U64) => map2(level, |a: u64, b: u64| a.min(b)),
        (Min, S64) => map2(level, |a: i64, b: i64| a.min(b)),
        (_, U16) => map2(level, |a: u32, b: u32| (a & 0xFFFF).max(b & 0xFFFF)),
        (_, S16) => map2(level, |a: u32, b: u32| low16(s16(a).max(s16(b)))),
        (_, U32) => map2(level, |a: u32, b: u32| a.max(b)),
        (_, S32) => map2(level, |a: i32, b: i32| a.max(b)),
        (_, U64) => map2(level, |a: u64, b: u64| a.max(b)),
        (_, S64) => map2(level, |a: i64, b: i64| a.max(b)),
    }
}

/// Divisors of active lanes are not zero: [`check_divisor`] stands before every division.
fn divide(op: IntBinary, width: Width, level: Level) -> Handler {
    use IntBinary::Div;
    use Width::*;
    match (op, width) {
        (Div, U16) => map2(level, |a: u32, b: u32| div_u32(a & 0xFFFF, b & 0xFFFF)),
        (Div, S16) => map2(level, |a: u32, b: u32| low16(div_s32(s16(a), s16(b)))),
        (Div, U32) => map2(level, div_u32),
        (Div, S32) => map2(level, div_s32),
        (Div, U64) => map2(level, |a: u64, b: u64| a.checked_div(b).unwrap_or(0)),
        (Div, S64) => map2(level, |a: i64, b: i64| if b == 0 { 0 } else { a.wrapping_div(b) }),
        (_, U16) => map2(level, |a: u32, b: u32| rem_u32(a & 0xFFFF, b & 0xFFFF)),
        (_, S16) => map2(level, |a: u32, b: u32| low16(rem_s32(s16(a), s16(b)))),
        (_, U32) => map2(level, rem_u32),
        (_, S32) => map2(level, rem_s32),
        (_, U64) => map2(level, |a: u64, b: u64| a.checked_rem(b).unwrap_or(0)),
        (_, S64) => map2(level, |a: i64, b: i64| if b == 0 { 0 } else { a.wrapping_rem(b) }),
    }
}

/// Through f64, which vectors can divide: a quotient of 32-bit integers that is not whole differs from the
/// next whole number by far more than the rounding error. Adding 2^52 puts the nearest integer into the low
/// bits; where that is too large, the product shows it.
#[inline(always)]
fn div_u32(a: u32, b: u32) -> u32 {
    const SHIFT: f64 = 4_503_599_627_370_496.0;
    let nearest = (f64::from(a) / f64::from(b) + SHIFT).to_bits() as u32;
    let above = u64::from(nearest) * u64::from(b) > u64::from(a);
    nearest.wrapping_sub(u32::from(above))
}

#[inline(always)]
fn div_s32(a: i32, b: i32) -> i32 {
    let size = div_u32(a.unsigned_abs(), b.unsigned_abs());
    let negative = (a ^ b) >> 31;
    (size as i32 ^ negative).wrapping_sub(negative)
}

#[inline(always)]
fn rem_u32(a: u32, b: u32) -> u32 {
    a.wrapping_sub(div_u32(a, b).wrapping_mul(b))
}

#[inline(always)]
fn rem_s32(a: i32, b: i32) -> i32 {
    a.wrapping_sub(div_s32(a, b).wrapping_mul(b))
}

struct CheckDivisor<const BITS: u32>;

impl<const BITS: u32> Body for CheckDivisor<BITS> {
    #[inline(always)]
    unsafe fn run<const L: u8>(ip: *const Inst, warp: &mut Warp) -> *const Inst {
        // SAFETY: slots of a decoded instruction lie in the warp's register file.
        unsafe {
            let i = &*ip;
            let mask = warp.mask(i);
            let mut zeros = 0u32;
            for lane in 0..32 {
                let zero = match BITS {
                    64 => *warp.slot::<u64>(i.b).add(lane) == 0,
                    16 => *warp.slot::<u32>(i.b).add(lane) as u16 == 0,
                    _ => *warp.slot::<u32>(i.b).add(lane) == 0,
                };
                zeros |= u32::from(zero) << lane;
            }
            match zeros & mask {
                0 => ip.add(1),
                bad => warp.fail(warp.pc_of(ip), Cause::DivisionByZero, Some(bad.trailing_zeros())),
            }
        }
    }
}

/// A fault if `b` is zero in an active lane.
pub fn check_divisor(bits: u32, level: Level) -> Handler {
    match bits {
        16 => handler::<CheckDivisor<16>>(level),
        64 => handler::<CheckDivisor<64>>(level),
        _ => handler::<CheckDivisor<32>>(level),
    }
}

pub fn ternary(op: IntTernary, int: Int, level: Level) -> Handler {
    use IntTernary::*;
    use Width::*;
    match (op, width(int)) {
        (MadLo, U16 | S16) => {
            map3(level, |a: u32, b: u32, c: u32| a.wrapping_mul(b).wrapping_add(c) & 0xFFFF)
        }
        (MadLo, U32 | S32) => map3(level, |a: u32, b: u32, c: u32| a.wrapping_mul(b).wrapping_add(c)),
        (MadLo, U64 | S64) => map3(level, |a: u64, b: u64, c: u64| a.wrapping_mul(b).wrapping_add(c)),
        (MadHi, U32) => map3(level, |a: u32, b: u32, c: u32| mul_hi_u32(a, b).wrapping_add(c)),
        (MadHi, S32) => map3(level, |a: i32, b: i32, c: i32| mul_hi_s32(a, b).wrapping_add(c)),
        (MadHi, U16) => map3(level, |a: u32, b: u32, c: u32| {
            ((a & 0xFFFF).wrapping_mul(b & 0xFFFF) >> 16).wrapping_add(c) & 0xFFFF
        }),
        (MadHi, S16) => map3(level, |a: u32, b: u32, c: u32| {
            low16((s16(a).wrapping_mul(s16(b)) >> 16).wrapping_add(c as i32))
        }),
        (MadHi, U64) => map3(level, |a: u64, b: u64, c: u64| {
            (((u128::from(a) * u128::from(b)) >> 64) as u64).wrapping_add(c)
        }),
        (MadHi, S64) => map3(level, |a: i64, b: i64, c: i64| {
            (((i128::from(a) * i128::from(b)) >> 64) as i64).wrapping_add(c)
        }),
        (MadWide, U16) => {
            map3(level, |a: u32, b: u32, c: u32| (a & 0xFFFF).wrapping_mul(b & 0xFFFF).wrapping_add(c))
        }
        (MadWide, S16) => map3(level, |a: u32, b: u32, c: i32| s16(a).wrapping_mul(s16(b)).wrapping_add(c)),
        (MadWide, U32) => {
            map3(level, |a: u32, b: u32, c: u64| u64::from(a).wrapping_mul(u64::from(b)).wrapping_add(c))
        }
        (MadWide, _) => {
            map3(level, |a: i32, b: i32, c: i64| i64::from(a).wrapping_mul(i64::from(b)).wrapping_add(c))
        }
        (Sad, U16) => {
            map3(level, |a: u32, b: u32, c: u32| c.wrapping_add((a & 0xFFFF).abs_diff(b & 0xFFFF)) & 0xFFFF)
        }
        (Sad, S16) => map3(level, |a: u32, b: u32, c: u32| c.wrapping_add(s16(a).abs_diff(s16(b))) & 0xFFFF),
        (Sad, U32) => map3(level, |a: u32, b: u32, c: u32| c.wrapping_add(a.abs_diff(b))),
        (Sad, S32) => map3(level, |a: i32, b: i32, c: u32| c.wrapping_add(a.abs_diff(b))),
        (Sad, U64) => map3(level, |a: u64, b: u64, c: u64| c.wrapping_add(a.abs_diff(b))),
        (Sad, S64) => map3(level, |a: i64, b: i64, c: u64| c.wrapping_add(a.abs_diff(b))),
        (Bfe, U64) => map3(level, |a: u64, pos: u32, len: u32| bit_field(a, 64, false, pos, len)),
        (Bfe, S64) => map3(level, |a: u64, pos: u32, len: u32| bit_field(a, 64, true, pos, len)),
        (Bfe, S16 | S32) => {
            map3(level, |a: u32, pos: u32, len: u32| bit_field(u64::from(a), 32, true, pos, len) as u32)
        }
        (Bfe, _) => {
            map3(level, |a: u32, pos: u32, len: u32| bit_field(u64::from(a), 32, false, pos, len) as u32)
        }
    }
}

/// `bfe`: bits `[pos, pos + len)` of a value of `bits` bits; above them the sign of the field, whose bit is
/// the last one that exists. Position and length are taken modulo 256.
#[inline(always)]
pub fn bit_field(a: u64, bits: u32, signed: bool, pos: u32, len: u32) -> u64 {
    let (pos, len) = (pos & 0xFF, len & 0xFF);
    let all = u64::MAX >> (64 - bits);
    let field = if pos < bits { a >> pos } else { 0 };
    let keep = if len >= 64 { u64::MAX } else { (1 << len) - 1 };
    let sign_at = (pos + len).saturating_sub(1).min(bits - 1);
    let negative = signed && len != 0 && (a >> sign_at) & 1 != 0;
    let fill = if negative { !(keep & (all.checked_shr(pos).unwrap_or(0))) } else { 0 };
    ((field & keep) | fill) & all
}

/// `bfi`: the low `len` bits of `a` at `pos` of `b`.
#[inline(always)]
pub fn insert_bits(a: u64, b: u64, bits: u32, pos: u32, len: u32) -> u64 {
    let (pos, len) = (pos & 0xFF, len & 0xFF);
    if pos >= bits {
        return b;
    }
    let keep = if len >= 64 { u64::MAX } else { (1 << len) - 1 };
    let field = (keep << pos) & (u64::MAX >> (64 - bits));
    (b & !field) | ((a << pos) & field)
}

pub fn funnel_shift(left: bool, wrap: bool, level: Level) -> Handler {
    match (left, wrap) {
        (true, true) => map3(level, |a: u32, b: u32, n: u32| funnel(a, b, 32 - (n & 31))),
        (true, false) => map3(level, |a: u32, b: u32, n: u32| funnel(a, b, 32 - n.min(32))),
        (false, true) => map3(level, |a: u32, b: u32, n: u32| funnel(a, b, n & 31)),
        (false, false) => map3(level, |a: u32, b: u32, n: u32| funnel(a, b, n.min(32))),
    }
}

/// 32 bits of `{b, a}` from bit `n` on, `n` at most 32.
#[inline(always)]
fn funnel(a: u32, b: u32, n: u32) -> u32 {
    ((u64::from(b) << 32 | u64::from(a)) >> n) as u32
}

/// `prmt`: four bytes of `{b, a}` chosen by the nibbles of `selector`.
#[inline(always)]
pub fn permute_bytes(a: u32, b: u32, selector: u32) -> u32 {
    let bytes = u64::from(b) << 32 | u64::from(a);
    let mut out = 0;
    for k in 0..4 {
        let nibble = selector >> (4 * k);
        let byte = (bytes >> (8 * (nibble & 7))) as u32 & 0xFF;
        let sign = (byte >> 7).wrapping_neg() & 0xFF;
        let chosen = if nibble & 8 != 0 { sign } else { byte };
        out |= chosen << (8 * k);
    }
    out
}

/// The selector that a mode of `prmt` makes of its third operand.
fn mode_selector(mode: PermuteMode, c: u32) -> u32 {
    let n = (c & 3) as usize;
    match mode {
        PermuteMode::Index => c,
        PermuteMode::F4e => [0x3210, 0x4321, 0x5432, 0x6543][n],
        PermuteMode::B4e => [0x5670, 0x6701, 0x7012, 0x0123][n],
        PermuteMode::Rc8 => [0x0000, 0x1111, 0x2222, 0x3333][n],
        PermuteMode::Ecl => [0x3210, 0x3211, 0x3222, 0x3333][n],
        PermuteMode::Ecr => [0x0000, 0x1110, 0x2210, 0x3210][n],
        PermuteMode::Rc16 => [0x1010, 0x3232, 0x1010, 0x3232][n],
    }
}

pub fn permute(mode: PermuteMode, level: Level) -> Handler {
    match mode {
        PermuteMode::Index => map3(level, permute_bytes),
        PermuteMode::F4e => map3(level, |a, b, c| permute_bytes(a, b, mode_selector(PermuteMode::F4e, c))),
        PermuteMode::B4e => map3(level, |a, b, c| permute_bytes(a, b, mode_selector(PermuteMode::B4e, c))),
        PermuteMode::Rc8 => map3(level, |a, b, c| permute_bytes(a, b, mode_selector(PermuteMode::Rc8, c))),
        PermuteMode::Ecl => map3(level, |a, b, c| permute_bytes(a, b, mode_selector(PermuteMode::Ecl, c))),
        PermuteMode::Ecr => map3(level, |a, b, c| permute_bytes(a, b, mode_selector(PermuteMode::Ecr, c))),
        PermuteMode::Rc16 => map3(level, |a, b, c| permute_bytes(a, b, mode_selector(PermuteMode::Rc16, c))),
    }
}

struct Lop3;

impl Body for Lop3 {
    #[inline(always)]
    unsafe fn run<const L: u8>(ip: *const Inst, warp: &mut Warp) -> *const Inst {
        // SAFETY: slots of a decoded instruction lie in the warp's register file.
        unsafe {
            let i = &*ip;
            let mask = warp.mask(i);
            let (d, a) = (warp.slot::<u32>(i.d), warp.slot::<u32>(i.a));
            let (b, c) = (warp.slot::<u32>(i.b), warp.slot::<u32>(i.c));
            // One mask for each row of the truth table.
            let rows: [u32; 8] = std::array::from_fn(|row| ((i.imm as u32 >> row) & 1).wrapping_neg());
            for half in 0..2 {
                let x = a.add(16 * half).cast::<[u32; 16]>().read();
                let y = b.add(16 * half).cast::<[u32; 16]>().read();
                let z = c.add(16 * half).cast::<[u32; 16]>().read();
                let mut out = [0; 16];
                for lane in 0..16 {
                    let (x, y, z) = (x[lane], y[lane], z[lane]);
                    let low =
                        (!y & ((!z & rows[0]) | (z & rows[1]))) | (y & ((!z & rows[2]) | (z & rows[3])));
                    let high =
                        (!y & ((!z & rows[4]) | (z & rows[5]))) | (y & ((!z & rows[6]) | (z & rows[7])));
                    out[lane] = (!x & low) | (x & high);
                }
                super::lanes::write_half::<_, L>(d.add(16 * half), mask >> (16 * half), mask == !0, out);
            }
            ip.add(1)
        }
    }
}

/// `lop3` with the table in `imm`.
pub fn lop3(table: u8, level: Level) -> Handler {
    match table {
        // Forms that kernels use: Philox's x ^ y ^ z, masks, and selections.
        0x96 => map3(level, |a: u32, b: u32, c: u32| a ^ b ^ c),
        0x80 => map3(level, |a: u32, b: u32, c: u32| a & b & c),
        0xFE => map3(level, |a: u32, b: u32, c: u32| a | b | c),
        0xEA => map3(level, |a: u32, b: u32, c: u32| (a & b) | c),
        0xCA => map3(level, |a: u32, b: u32, c: u32| (a & b) | (!a & c)),
        _ => handler::<Lop3>(level),
    }
}

struct Carry<const BITS: u32, const SUBTRACT: bool>;

impl<const BITS: u32, const SUBTRACT: bool> Body for Carry<BITS, SUBTRACT> {
    /// `c` is the carry's predicate; bit 0 of `imm` reads it, bit 1 writes it. Subtraction keeps the
    /// borrow there.
    #[inline(always)]
    unsafe fn run<const L: u8>(ip: *const Inst, warp: &mut Warp) -> *const Inst {
        // SAFETY: operands of a decoded instruction lie in the warp's files.
        unsafe {
            let i = &*ip;
            let mask = warp.mask(i);
            let carry = if i.imm & 1 != 0 { warp.pred(i.c) } else { 0 };
            let mut out = 0u32;
            for lane in (0..32).filter(|lane| mask >> lane & 1 != 0) {
                let bit = u64::from(carry >> lane & 1);
                let read = |slot: u16| match BITS {
                    64 => *warp.slot::<u64>(slot).add(lane),
                    _ => u64::from(*warp.slot::<u32>(slot).add(lane)),
                };
                let (a, b) = (u128::from(read(i.a)), u128::from(read(i.b)) + u128::from(bit));
                let result = if SUBTRACT { a.wrapping_sub(b) } else { a + b };
                out |= u32::from(result >> BITS != 0) << lane;
                match BITS {
                    64 => *warp.slot::<u64>(i.d).add(lane) = result as u64,
                    _ => *warp.slot::<u32>(i.d).add(lane) = result as u32,
                }
            }
            if i.imm & 2 != 0 {
                warp.set_pred(i.c, mask, out);
            }
            ip.add(1)
        }
    }
}

pub fn carry(bits: u32, subtract: bool, level: Level) -> Handler {
    match (bits, subtract) {
        (64, false) => handler::<Carry<64, false>>(level),
        (64, true) => handler::<Carry<64, true>>(level),
        (_, false) => handler::<Carry<32, false>>(level),
        (_, true) => handler::<Carry<32, true>>(level),
    }
}
