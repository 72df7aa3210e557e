//! Integer instructions that kernels rarely use, against plain Rust.

use crate::probe::{Case, INTEGERS_32, INTEGERS_64, Probe, combinations};

fn s32(word: u64) -> i64 {
    i64::from(word as u32 as i32)
}

const TWO: &[u32] = &[32, 32];
const THREE: &[u32] = &[32, 32, 32];

fn probe<'a>(text: &'a str, sources: &'a [u32]) -> Probe<'a> {
    Probe { text, result: 32, sources }
}

#[test]
fn products_of_24_bits() {
    let low = |a: u64| a & 0xFF_FFFF;
    let signed = |a: u64| s32(a << 8) >> 8;
    let (pairs, triples) = (combinations(INTEGERS_32, 2), combinations(INTEGERS_32, 3));
    probe("mul24.lo.u32 %r, %a, %b;", TWO).exact(&pairs, |[a, b, ..]| low(a) * low(b));
    probe("mul24.hi.u32 %r, %a, %b;", TWO).exact(&pairs, |[a, b, ..]| (low(a) * low(b)) >> 16);
    probe("mul24.lo.s32 %r, %a, %b;", TWO).exact(&pairs, |[a, b, ..]| (signed(a) * signed(b)) as u64);
    probe("mul24.hi.s32 %r, %a, %b;", TWO).exact(&pairs, |[a, b, ..]| ((signed(a) * signed(b)) >> 16) as u64);
    probe("mad24.lo.u32 %r, %a, %b, %c;", THREE)
        .exact(&triples, |[a, b, c, _]| (low(a) * low(b)).wrapping_add(c));
    probe("mad24.hi.u32 %r, %a, %b, %c;", THREE)
        .exact(&triples, |[a, b, c, _]| ((low(a) * low(b)) >> 16).wrapping_add(c));
    probe("mad24.lo.s32 %r, %a, %b, %c;", THREE)
        .exact(&triples, |[a, b, c, _]| (signed(a) * signed(b) + s32(c)) as u64);
    probe("mad24.hi.s32 %r, %a, %b, %c;", THREE)
        .exact(&triples, |[a, b, c, _]| (((signed(a) * signed(b)) >> 16) + s32(c)) as u64);
    let clamped = |x: i64| x.clamp(i32::MIN.into(), i32::MAX.into()) as u64;
    // Bits 16 to 47 of the product are a number of 32 bits.
    probe("mad24.hi.sat.s32 %r, %a, %b, %c;", THREE)
        .exact(&triples, |[a, b, c, _]| clamped(i64::from(((signed(a) * signed(b)) >> 16) as i32) + s32(c)));
    probe("mad.hi.sat.s32 %r, %a, %b, %c;", THREE)
        .exact(&triples, |[a, b, c, _]| clamped(((s32(a) * s32(b)) >> 32) + s32(c)));
}

#[test]
fn dot_products() {
    let values = [0, 0x0102_0304, 0x7F80_FF01, 0x8080_8080, 0xFFFF_FFFF, 0x1234_8765];
    let byte = |word: u64, i: u32, signed: bool| {
        let byte = (word >> (8 * i)) as u8;
        if signed { i64::from(byte as i8) } else { i64::from(byte) }
    };
    let half = |word: u64, i: u32, signed: bool| {
        let half = (word >> (16 * i)) as u16;
        if signed { i64::from(half as i16) } else { i64::from(half) }
    };
    let cases = combinations(&values, 3);
    for (a_name, a_signed) in [("u32", false), ("s32", true)] {
        for (b_name, b_signed) in [("u32", false), ("s32", true)] {
            let text = format!("dp4a.{a_name}.{b_name} %r, %a, %b, %c;");
            probe(&text, THREE).exact(&cases, |[a, b, c, _]| {
                (0..4).map(|i| byte(a, i, a_signed) * byte(b, i, b_signed)).sum::<i64>() as u64 + c
            });
            for (part, first) in [("lo", 0), ("hi", 2)] {
                let text = format!("dp2a.{part}.{a_name}.{b_name} %r, %a, %b, %c;");
                probe(&text, THREE).exact(&cases, |[a, b, c, _]| {
                    (0..2).map(|i| half(a, i, a_signed) * byte(b, first + i, b_signed)).sum::<i64>() as u64
                        + c
                });
            }
        }
    }
}

/// The position of the highest bit that differs from the sign.
#[test]
fn highest_bits() {
    let found = |bits: u64, width: u32, signed: bool, shift: bool| {
        let sign = if signed { bits >> (width - 1) & 1 } else { 0 };
        let highest = (0..width).rev().find(|i| bits >> i & 1 != sign);
        let none = u64::from(u32::MAX);
        highest.map_or(none, |i| u64::from(if shift { width - 1 - i } else { i }))
    };
    for (name, width, signed) in
        [("u32", 32, false), ("s32", 32, true), ("u64", 64, false), ("s64", 64, true)]
    {
        let values = if width == 64 { INTEGERS_64 } else { INTEGERS_32 };
        for (modifier, shift) in [("", false), (".shiftamt", true)] {
            let text = format!("bfind{modifier}.{name} %r, %a;");
            Probe { text: &text, result: 32, sources: &[width] }
                .exact(&combinations(values, 1), |[a, ..]| found(a, width, signed, shift));
        }
    }
}

#[test]
fn masks_and_extensions() {
    let pairs = combinations(INTEGERS_32, 2);
    let cut = |n: u64| n.min(32) as u32;
    let wrapped = |n: u64| n as u32 & 31;
    let mask = |start: u32, width: u32| {
        (0..32u32).filter(|i| *i >= start && *i < start + width).map(|i| 1u64 << i).sum::<u64>()
    };
    probe("bmsk.clamp.b32 %r, %a, %b;", TWO).exact(&pairs, |[a, b, ..]| mask(cut(a), cut(b)));
    probe("bmsk.wrap.b32 %r, %a, %b;", TWO).exact(&pairs, |[a, b, ..]| mask(wrapped(a), wrapped(b)));
    let extended = |a: u64, width: u32, signed: bool| {
        let fill = signed && width > 0 && a >> (width - 1) & 1 == 1;
        (0..32).map(|i| (if i < width { a >> i & 1 } else { fill.into() }) << i).sum::<u64>()
    };
    for (name, signed) in [("u32", false), ("s32", true)] {
        probe(&format!("szext.clamp.{name} %r, %a, %b;"), TWO)
            .exact(&pairs, |[a, b, ..]| extended(a, cut(b), signed));
        probe(&format!("szext.wrap.{name} %r, %a, %b;"), TWO)
            .exact(&pairs, |[a, b, ..]| extended(a, wrapped(b), signed));
    }
}

/// Upwards from the base for positive offsets, downwards for negative ones.
#[test]
fn nth_set_bits() {
    let mut cases: Vec<Case> = Vec::new();
    for mask in [0u64, 1, 0x8000_0000, 0xFFFF_FFFF, 0x0010_8421, 0xA5A5_0000] {
        for base in [0u64, 1, 5, 16, 30, 31] {
            for offset in [0i32, 1, 2, 5, 33, -1, -2, -7] {
                cases.push([mask, base, u64::from(offset as u32), 0]);
            }
        }
    }
    probe("fns.b32 %r, %a, %b, %c;", THREE).exact(&cases, |[mask, base, offset, _]| {
        let offset = s32(offset);
        let mut position = base as i64;
        let mut left = offset.abs();
        if offset == 0 {
            return if mask >> position & 1 == 1 { base } else { u32::MAX.into() };
        }
        while (0..32).contains(&position) {
            left -= i64::from(mask >> position & 1 == 1);
            if left == 0 {
                return position as u64;
            }
            position += offset.signum();
        }
        u32::MAX.into()
    });
}

#[test]
fn products_with_carry() {
    // The product of two numbers of 64 bits, and of 128 bits by halves, from parts with carries.
    let text = "{ .reg .b32 al, ah, bl, bh, p0, p1, p2, p3; .reg .b64 lo, hi;\n\
        mov.b64 {al, ah}, %a; mov.b64 {bl, bh}, %b;\n\
        mul.lo.u32 p0, al, bl; mul.hi.u32 p1, al, bl;\n\
        mad.lo.cc.u32 p1, ah, bl, p1; madc.hi.u32 p2, ah, bl, 0;\n\
        mad.lo.cc.u32 p1, al, bh, p1; madc.hi.cc.u32 p2, al, bh, p2; madc.hi.u32 p3, ah, bh, 0;\n\
        mad.lo.cc.u32 p2, ah, bh, p2; addc.u32 p3, p3, 0;\n\
        mov.b64 hi, {p2, p3}; mov.b64 %r, {p0, p1}; xor.b64 %r, %r, hi; }";
    let cases = combinations(INTEGERS_64, 2);
    Probe { text, result: 64, sources: &[64, 64] }.exact(&cases, |[a, b, ..]| {
        let product = u128::from(a) * u128::from(b);
        product as u64 ^ (product >> 64) as u64
    });
    let wide = "mad.lo.cc.u64 %r, %a, %b, %c; madc.hi.u64 %r, %a, %b, 0;";
    let triples: Vec<Case> =
        cases.iter().flat_map(|c| [0, 1, u64::MAX].map(|addend| [c[0], c[1], addend, 0])).collect();
    Probe { text: wide, result: 64, sources: &[64, 64, 64] }
        .exact(&triples, |[a, b, c, _]| ((u128::from(a) * u128::from(b) + u128::from(c)) >> 64) as u64);
    let signed = "mad.hi.cc.s32 %r, %a, %b, %c; madc.lo.s32 %r, 0, 0, 0;";
    probe(signed, THREE).exact(&combinations(INTEGERS_32, 3), |[a, b, c, _]| {
        let high = ((s32(a) * s32(b)) >> 32) as u32;
        u64::from(high.checked_add(c as u32).is_none())
    });
}

/// The second result of `lop3` is whether the first is not 0, joined with a predicate.
#[test]
fn logic_with_a_predicate() {
    for (name, join) in [("or", (|x, y| x || y) as fn(bool, bool) -> bool), ("and", |x, y| x && y)] {
        let text = format!(
            "setp.eq.u32 %q, %c, 7; lop3.{name}.b32 %r|%p, %a, %b, %c, 0xE8, %q; @%p xor.b32 %r, %r, 0x55;"
        );
        probe(&text, THREE).exact(&combinations(INTEGERS_32, 3), |[a, b, c, _]| {
            let majority = (a & b) | (a & c) | (b & c);
            if join(majority != 0, c == 7) { majority ^ 0x55 } else { majority }
        });
    }
}
