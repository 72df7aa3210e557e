//! Integer arithmetic, logic, shifts and bit fields, at edge values, against plain Rust.

use crate::probe::{Case, INTEGERS_16, INTEGERS_32, INTEGERS_64, Probe, combinations};

/// Instruction, result bits, source bits, reference.
type Row = (&'static str, u32, &'static [u32], fn(Case) -> u64);

fn check(rows: &[Row], values: &[u64]) {
    for &(text, result, sources, reference) in rows {
        Probe { text, result, sources }.exact(&combinations(values, sources.len()), reference);
    }
}

const S2: &[u32] = &[32, 32];
const S3: &[u32] = &[32, 32, 32];

fn s32(word: u64) -> i64 {
    word as u32 as i32 as i64
}

fn s16(word: u64) -> i64 {
    word as u16 as i16 as i64
}

#[test]
fn arithmetic_of_32_bits() {
    let rows: &[Row] = &[
        ("add.u32 %r, %a, %b;", 32, S2, |[a, b, ..]| a.wrapping_add(b)),
        ("add.s32 %r, %a, -7;", 32, &[32], |[a, ..]| a.wrapping_sub(7)),
        ("sub.s32 %r, %a, %b;", 32, S2, |[a, b, ..]| a.wrapping_sub(b)),
        ("add.sat.s32 %r, %a, %b;", 32, S2, |[a, b, ..]| (a as i32).saturating_add(b as i32) as u64),
        ("sub.sat.s32 %r, %a, %b;", 32, S2, |[a, b, ..]| (a as i32).saturating_sub(b as i32) as u64),
        ("mul.lo.u32 %r, %a, %b;", 32, S2, |[a, b, ..]| a.wrapping_mul(b)),
        ("mul.lo.s32 %r, %a, %b;", 32, S2, |[a, b, ..]| a.wrapping_mul(b)),
        ("mul.hi.u32 %r, %a, %b;", 32, S2, |[a, b, ..]| (a * b) >> 32),
        ("mul.hi.s32 %r, %a, %b;", 32, S2, |[a, b, ..]| ((s32(a) * s32(b)) >> 32) as u64),
        ("mul.wide.u32 %r, %a, %b;", 64, S2, |[a, b, ..]| a * b),
        ("mul.wide.s32 %r, %a, %b;", 64, S2, |[a, b, ..]| (s32(a) * s32(b)) as u64),
        ("mad.lo.u32 %r, %a, %b, %c;", 32, S3, |[a, b, c, _]| a.wrapping_mul(b).wrapping_add(c)),
        ("mad.lo.s32 %r, %a, %b, %c;", 32, S3, |[a, b, c, _]| a.wrapping_mul(b).wrapping_add(c)),
        ("mad.hi.u32 %r, %a, %b, %c;", 32, S3, |[a, b, c, _]| ((a * b) >> 32) + c),
        ("mad.hi.s32 %r, %a, %b, %c;", 32, S3, |[a, b, c, _]| (((s32(a) * s32(b)) >> 32) + s32(c)) as u64),
        ("min.u32 %r, %a, %b;", 32, S2, |[a, b, ..]| a.min(b)),
        ("max.u32 %r, %a, %b;", 32, S2, |[a, b, ..]| a.max(b)),
        ("min.s32 %r, %a, %b;", 32, S2, |[a, b, ..]| s32(a).min(s32(b)) as u64),
        ("max.s32 %r, %a, %b;", 32, S2, |[a, b, ..]| s32(a).max(s32(b)) as u64),
        ("abs.s32 %r, %a;", 32, &[32], |[a, ..]| s32(a).unsigned_abs()),
        ("neg.s32 %r, %a;", 32, &[32], |[a, ..]| a.wrapping_neg()),
        ("sad.u32 %r, %a, %b, %c;", 32, S3, |[a, b, c, _]| c.wrapping_add(a.abs_diff(b))),
        ("sad.s32 %r, %a, %b, %c;", 32, S3, |[a, b, c, _]| c.wrapping_add(s32(a).abs_diff(s32(b)))),
    ];
    check(rows, INTEGERS_32);
}

#[test]
fn mad_wide_adds_64_bits() {
    let sources = &[32, 32, 64];
    let cases: Vec<Case> = combinations(INTEGERS_32, 2)
        .into_iter()
        .flat_map(|[a, b, ..]| [0, 1, u64::MAX, i64::MIN as u64].map(|c| [a, b, c, 0]))
        .collect();
    Probe { text: "mad.wide.u32 %r, %a, %b, %c;", result: 64, sources }
        .exact(&cases, |[a, b, c, _]| (a * b).wrapping_add(c));
    Probe { text: "mad.wide.s32 %r, %a, %b, %c;", result: 64, sources }
        .exact(&cases, |[a, b, c, _]| (s32(a) * s32(b)).wrapping_add(c as i64) as u64);
}

#[test]
fn division() {
    let nonzero = |values, signed_limit: u64| -> Vec<Case> {
        let all = combinations(values, 2).into_iter();
        // The quotient of the most negative number and -1 does not fit and is left open by PTX.
        all.filter(|&[a, b, ..]| b != 0 && !(a == signed_limit && b == 2 * (signed_limit - 1) + 1)).collect()
    };
    let cases = nonzero(INTEGERS_32, 1 << 31);
    let probe = |text| Probe { text, result: 32, sources: S2 };
    probe("div.u32 %r, %a, %b;").exact(&cases, |[a, b, ..]| a / b);
    probe("rem.u32 %r, %a, %b;").exact(&cases, |[a, b, ..]| a % b);
    probe("div.s32 %r, %a, %b;").exact(&cases, |[a, b, ..]| (s32(a) / s32(b)) as u64);
    probe("rem.s32 %r, %a, %b;").exact(&cases, |[a, b, ..]| (s32(a) % s32(b)) as u64);

    let cases = nonzero(INTEGERS_64, 1 << 63);
    let probe = |text| Probe { text, result: 64, sources: &[64, 64] };
    probe("div.u64 %r, %a, %b;").exact(&cases, |[a, b, ..]| a / b);
    probe("rem.u64 %r, %a, %b;").exact(&cases, |[a, b, ..]| a % b);
    probe("div.s64 %r, %a, %b;").exact(&cases, |[a, b, ..]| (a as i64 / b as i64) as u64);
    probe("rem.s64 %r, %a, %b;").exact(&cases, |[a, b, ..]| (a as i64 % b as i64) as u64);

    let cases = nonzero(INTEGERS_16, 1 << 15);
    let probe = |text| Probe { text, result: 16, sources: &[16, 16] };
    probe("div.u16 %r, %a, %b;").exact(&cases, |[a, b, ..]| a / b);
    probe("rem.s16 %r, %a, %b;").exact(&cases, |[a, b, ..]| (s16(a) % s16(b)) as u64);
}

#[test]
fn the_quotient_that_does_not_fit_does_no_harm() {
    let probe = |text, bits| Probe { text, result: bits, sources: if bits == 32 { S2 } else { &[64, 64] } };
    probe("div.s32 %r, %a, %b;", 32).run(&[[0x8000_0000, 0xFFFF_FFFF, 0, 0]]);
    probe("rem.s32 %r, %a, %b;", 32).run(&[[0x8000_0000, 0xFFFF_FFFF, 0, 0]]);
    probe("div.s64 %r, %a, %b;", 64).run(&[[1 << 63, u64::MAX, 0, 0]]);
    probe("rem.s64 %r, %a, %b;", 64).run(&[[1 << 63, u64::MAX, 0, 0]]);
}

#[test]
fn logic_and_bits_of_32_bits() {
    let rows: &[Row] = &[
        ("and.b32 %r, %a, %b;", 32, S2, |[a, b, ..]| a & b),
        ("or.b32 %r, %a, %b;", 32, S2, |[a, b, ..]| a | b),
        ("xor.b32 %r, %a, %b;", 32, S2, |[a, b, ..]| a ^ b),
        ("not.b32 %r, %a;", 32, &[32], |[a, ..]| !a),
        ("cnot.b32 %r, %a;", 32, &[32], |[a, ..]| u64::from(a == 0)),
        ("popc.b32 %r, %a;", 32, &[32], |[a, ..]| a.count_ones().into()),
        ("clz.b32 %r, %a;", 32, &[32], |[a, ..]| (a as u32).leading_zeros().into()),
        ("brev.b32 %r, %a;", 32, &[32], |[a, ..]| (a as u32).reverse_bits().into()),
        ("mov.b32 %r, %a;", 32, &[32], |[a, ..]| a),
    ];
    check(rows, INTEGERS_32);
}

/// Amounts at and beyond the width are clamped to it.
#[test]
fn shifts_clamp_their_amount() {
    let rows: &[Row] = &[
        ("shl.b32 %r, %a, %b;", 32, S2, |[a, b, ..]| if b < 32 { a << b } else { 0 }),
        ("shr.u32 %r, %a, %b;", 32, S2, |[a, b, ..]| if b < 32 { a >> b } else { 0 }),
        ("shr.b32 %r, %a, %b;", 32, S2, |[a, b, ..]| if b < 32 { a >> b } else { 0 }),
        ("shr.s32 %r, %a, %b;", 32, S2, |[a, b, ..]| (s32(a) >> b.min(31)) as u64),
    ];
    check(rows, INTEGERS_32);
    let amounts = [0u64, 1, 15, 16, 17, 31, 32, 63, 64, 65, 0x8000_0000, 0xFFFF_FFFF];
    let cases = |values: &[u64]| -> Vec<Case> {
        values.iter().flat_map(|&a| amounts.iter().map(move |&b| [a, b, 0, 0])).collect()
    };
    let wide = cases(INTEGERS_64);
    let probe = |text, bits: u32| Probe {
        text,
        result: bits,
        sources: if bits == 64 { &[64, 32] } else { &[16, 32] },
    };
    probe("shl.b64 %r, %a, %b;", 64).exact(&wide, |[a, b, ..]| if b < 64 { a << b } else { 0 });
    probe("shr.u64 %r, %a, %b;", 64).exact(&wide, |[a, b, ..]| if b < 64 { a >> b } else { 0 });
    probe("shr.s64 %r, %a, %b;", 64).exact(&wide, |[a, b, ..]| (a as i64 >> b.min(63)) as u64);
    let narrow = cases(INTEGERS_16);
    probe("shl.b16 %r, %a, %b;", 16).exact(&narrow, |[a, b, ..]| if b < 16 { a << b } else { 0 });
    probe("shr.u16 %r, %a, %b;", 16).exact(&narrow, |[a, b, ..]| if b < 16 { a >> b } else { 0 });
    probe("shr.s16 %r, %a, %b;", 16).exact(&narrow, |[a, b, ..]| (s16(a) >> b.min(15)) as u64);
}

#[test]
fn funnel_shifts() {
    fn joined(a: u64, b: u64) -> u64 {
        b << 32 | a
    }
    let rows: &[Row] = &[
        ("shf.l.wrap.b32 %r, %a, %b, %c;", 32, S3, |[a, b, c, _]| joined(a, b) << (c & 31) >> 32),
        ("shf.r.wrap.b32 %r, %a, %b, %c;", 32, S3, |[a, b, c, _]| joined(a, b) >> (c & 31)),
        ("shf.l.clamp.b32 %r, %a, %b, %c;", 32, S3, |[a, b, c, _]| joined(a, b) << c.min(32) >> 32),
        ("shf.r.clamp.b32 %r, %a, %b, %c;", 32, S3, |[a, b, c, _]| joined(a, b) >> c.min(32)),
    ];
    check(rows, INTEGERS_32);
}

#[test]
fn lop3_applies_its_table() {
    let values = [0u64, 0xFFFF_FFFF, 0xF0F0_F0F0, 0xCCCC_CCCC, 0xAAAA_AAAA, 0x1234_5678];
    for table in [0u64, 0xFF, 0x80, 0xFE, 0x96, 0xE8, 0xCA, 0x1B, 0xF0, 0xCC, 0xAA] {
        let text = format!("lop3.b32 %r, %a, %b, %c, {table:#x};");
        Probe { text: &text, result: 32, sources: S3 }.exact(&combinations(&values, 3), |[a, b, c, _]| {
            (0..32).fold(0, |word, i| {
                let index = (a >> i & 1) << 2 | (b >> i & 1) << 1 | c >> i & 1;
                word | (table >> index & 1) << i
            })
        });
    }
}

/// As the PTX manual spells it: bit by bit.
fn bit_field_extract(a: u64, position: u64, length: u64, bits: u64, signed: bool) -> u64 {
    let (position, length) = (position & 0xFF, length & 0xFF);
    let sign = if signed && length > 0 { a >> (position + length - 1).min(bits - 1) & 1 } else { 0 };
    (0..bits).fold(0, |word, i| {
        let bit = if i < length && position + i < bits { a >> (position + i) & 1 } else { sign };
        word | bit << i
    })
}

fn bit_field_insert(a: u64, b: u64, position: u64, length: u64, bits: u64) -> u64 {
    let (position, length) = (position & 0xFF, length & 0xFF);
    (0..length).take_while(|i| position + i < bits).fold(b, |word, i| {
        let at = position + i;
        word & !(1 << at) | (a >> i & 1) << at
    })
}

#[test]
fn bit_fields() {
    let spans = [0u64, 1, 5, 8, 31, 32, 33, 63, 64, 200, 255, 256, 0x107];
    let words = [0u64, u64::MAX, 0x8000_0001, 0xDEAD_BEEF_1234_5678, 1 << 63];
    let mut cases = Vec::new();
    for (word, position) in words.iter().flat_map(|word| spans.map(|position| (*word, position))) {
        cases.extend(spans.map(|length| [word, position, length, 0]));
    }
    let narrow: Vec<Case> = cases.iter().map(|&[a, b, c, _]| [a & 0xFFFF_FFFF, b, c, 0]).collect();
    let probe = |text| Probe { text, result: 32, sources: S3 };
    probe("bfe.u32 %r, %a, %b, %c;").exact(&narrow, |[a, b, c, _]| bit_field_extract(a, b, c, 32, false));
    probe("bfe.s32 %r, %a, %b, %c;").exact(&narrow, |[a, b, c, _]| bit_field_extract(a, b, c, 32, true));
    let probe = |text| Probe { text, result: 64, sources: &[64, 32, 32] };
    probe("bfe.u64 %r, %a, %b, %c;").exact(&cases, |[a, b, c, _]| bit_field_extract(a, b, c, 64, false));
    probe("bfe.s64 %r, %a, %b, %c;").exact(&cases, |[a, b, c, _]| bit_field_extract(a, b, c, 64, true));

    let inserted: Vec<Case> = cases.iter().map(|&[a, b, c, _]| [a, 0x5555_AAAA_5555_AAAA, b, c]).collect();
    let narrow: Vec<Case> =
        inserted.iter().map(|&[a, b, c, d]| [a & 0xFFFF_FFFF, b & 0xFFFF_FFFF, c, d]).collect();
    Probe { text: "bfi.b32 %r, %a, %b, %c, %d;", result: 32, sources: &[32, 32, 32, 32] }
        .exact(&narrow, |[a, b, c, d]| bit_field_insert(a, b, c, d, 32));
    Probe { text: "bfi.b64 %r, %a, %b, %c, %d;", result: 64, sources: &[64, 64, 32, 32] }
        .exact(&inserted, |[a, b, c, d]| bit_field_insert(a, b, c, d, 64));
}

#[test]
fn byte_permutation() {
    fn byte(a: u64, b: u64, selector: u64) -> u64 {
        let byte = (b << 32 | a) >> (8 * (selector & 7)) & 0xFF;
        if selector & 8 == 0 { byte } else { 0xFF * (byte >> 7) }
    }
    fn pick(a: u64, b: u64, selectors: [u64; 4]) -> u64 {
        (0..4).fold(0, |word, i| word | byte(a, b, selectors[i]) << (8 * i))
    }
    fn probe(text: &str) -> Probe<'_> {
        Probe { text, result: 32, sources: S3 }
    }
    let selectors = [0u64, 0x3210, 0x7654, 0x0123, 0x8888, 0xFEDC, 0x5410, 0x7632, 0xF0C4, 0xABCD_1111];
    let mut cases = Vec::new();
    for [a, b, ..] in combinations(&[0x8070_60F0, 0x0180_7FFF, 0xFFFF_FFFF, 0x1234_5678], 2) {
        cases.extend(selectors.map(|c| [a, b, c, 0]));
        cases.extend((0..4).map(|c| [a, b, c, 0]));
    }
    probe("prmt.b32 %r, %a, %b, %c;")
        .exact(&cases, |[a, b, c, _]| pick(a, b, [0, 4, 8, 12].map(|shift| c >> shift & 15)));
    let modes: &[(&str, [[u64; 4]; 4])] = &[
        ("f4e", [[0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5], [3, 4, 5, 6]]),
        ("b4e", [[0, 7, 6, 5], [1, 0, 7, 6], [2, 1, 0, 7], [3, 2, 1, 0]]),
        ("rc8", [[0; 4], [1; 4], [2; 4], [3; 4]]),
        ("ecl", [[0, 1, 2, 3], [1, 1, 2, 3], [2, 2, 2, 3], [3, 3, 3, 3]]),
        ("ecr", [[0, 0, 0, 0], [0, 1, 1, 1], [0, 1, 2, 2], [0, 1, 2, 3]]),
        ("rc16", [[0, 1, 0, 1], [2, 3, 2, 3], [0, 1, 0, 1], [2, 3, 2, 3]]),
    ];
    for (mode, picks) in modes {
        probe(&format!("prmt.b32.{mode} %r, %a, %b, %c;"))
            .exact(&cases, |[a, b, c, _]| pick(a, b, picks[(c & 3) as usize]));
    }
}

#[test]
fn arithmetic_of_64_bits() {
    const W: &[u32] = &[64, 64];
    const W3: &[u32] = &[64, 64, 64];
    fn wide(a: u64, b: u64) -> u128 {
        u128::from(a) * u128::from(b)
    }
    fn wide_signed(a: u64, b: u64) -> i128 {
        i128::from(a as i64) * i128::from(b as i64)
    }
    let rows: &[Row] = &[
        ("add.u64 %r, %a, %b;", 64, W, |[a, b, ..]| a.wrapping_add(b)),
        ("sub.s64 %r, %a, %b;", 64, W, |[a, b, ..]| a.wrapping_sub(b)),
        ("mul.lo.u64 %r, %a, %b;", 64, W, |[a, b, ..]| a.wrapping_mul(b)),
        ("mul.hi.u64 %r, %a, %b;", 64, W, |[a, b, ..]| (wide(a, b) >> 64) as u64),
        ("mul.hi.s64 %r, %a, %b;", 64, W, |[a, b, ..]| (wide_signed(a, b) >> 64) as u64),
        ("mad.lo.u64 %r, %a, %b, %c;", 64, W3, |[a, b, c, _]| a.wrapping_mul(b).wrapping_add(c)),
        ("mad.hi.u64 %r, %a, %b, %c;", 64, W3, |[a, b, c, _]| ((wide(a, b) >> 64) as u64).wrapping_add(c)),
        ("min.s64 %r, %a, %b;", 64, W, |[a, b, ..]| (a as i64).min(b as i64) as u64),
        ("max.u64 %r, %a, %b;", 64, W, |[a, b, ..]| a.max(b)),
        ("abs.s64 %r, %a;", 64, &[64], |[a, ..]| (a as i64).unsigned_abs()),
        ("neg.s64 %r, %a;", 64, &[64], |[a, ..]| a.wrapping_neg()),
        ("and.b64 %r, %a, %b;", 64, W, |[a, b, ..]| a & b),
        ("or.b64 %r, %a, %b;", 64, W, |[a, b, ..]| a | b),
        ("xor.b64 %r, %a, %b;", 64, W, |[a, b, ..]| a ^ b),
        ("not.b64 %r, %a;", 64, &[64], |[a, ..]| !a),
        ("cnot.b64 %r, %a;", 64, &[64], |[a, ..]| u64::from(a == 0)),
        ("popc.b64 %r, %a;", 32, &[64], |[a, ..]| a.count_ones().into()),
        ("clz.b64 %r, %a;", 32, &[64], |[a, ..]| a.leading_zeros().into()),
        ("brev.b64 %r, %a;", 64, &[64], |[a, ..]| a.reverse_bits()),
    ];
    check(rows, INTEGERS_64);
}

#[test]
fn arithmetic_of_16_bits() {
    const H: &[u32] = &[16, 16];
    const H3: &[u32] = &[16, 16, 16];
    let rows: &[Row] = &[
        ("add.u16 %r, %a, %b;", 16, H, |[a, b, ..]| a.wrapping_add(b)),
        ("sub.s16 %r, %a, %b;", 16, H, |[a, b, ..]| a.wrapping_sub(b)),
        ("mul.lo.u16 %r, %a, %b;", 16, H, |[a, b, ..]| a * b),
        ("mul.hi.u16 %r, %a, %b;", 16, H, |[a, b, ..]| (a * b) >> 16),
        ("mul.hi.s16 %r, %a, %b;", 16, H, |[a, b, ..]| ((s16(a) * s16(b)) >> 16) as u64),
        ("mul.wide.u16 %r, %a, %b;", 32, H, |[a, b, ..]| a * b),
        ("mul.wide.s16 %r, %a, %b;", 32, H, |[a, b, ..]| (s16(a) * s16(b)) as u64),
        ("mad.lo.s16 %r, %a, %b, %c;", 16, H3, |[a, b, c, _]| a * b + c),
        ("mad.wide.u16 %r, %a, %b, %c;", 32, &[16, 16, 32], |[a, b, c, _]| a * b + c),
        ("min.s16 %r, %a, %b;", 16, H, |[a, b, ..]| s16(a).min(s16(b)) as u64),
        ("max.u16 %r, %a, %b;", 16, H, |[a, b, ..]| a.max(b)),
        ("abs.s16 %r, %a;", 16, &[16], |[a, ..]| s16(a).unsigned_abs()),
        ("neg.s16 %r, %a;", 16, &[16], |[a, ..]| a.wrapping_neg()),
        ("and.b16 %r, %a, %b;", 16, H, |[a, b, ..]| a & b),
        ("xor.b16 %r, %a, %b;", 16, H, |[a, b, ..]| a ^ b),
        ("not.b16 %r, %a;", 16, &[16], |[a, ..]| !a),
    ];
    check(rows, INTEGERS_16);
}

/// 64-bit sums from 32-bit halves.
#[test]
fn carry_chains() {
    let text = |low: &str, high: &str| {
        format!(
            "{{ .reg .b32 al, ah, bl, bh; mov.b64 {{al, ah}}, %a; mov.b64 {{bl, bh}}, %b;\n\
             {low} al, al, bl; {high} ah, ah, bh; mov.b64 %r, {{al, ah}}; }}"
        )
    };
    let cases = combinations(INTEGERS_64, 2);
    Probe { text: &text("add.cc.u32", "addc.u32"), result: 64, sources: &[64, 64] }
        .exact(&cases, |[a, b, ..]| a.wrapping_add(b));
    Probe { text: &text("sub.cc.u32", "subc.u32"), result: 64, sources: &[64, 64] }
        .exact(&cases, |[a, b, ..]| a.wrapping_sub(b));
}

#[test]
fn packing_and_unpacking() {
    let halves = "{ .reg .b32 l, h; mov.b64 {l, h}, %a; mov.b64 %r, {h, l}; }";
    Probe { text: halves, result: 64, sources: &[64] }
        .exact(&combinations(INTEGERS_64, 1), |[a, ..]| a.rotate_left(32));
    let shorts = "{ .reg .b16 l, h; mov.b32 {l, h}, %a; mov.b32 %r, {h, l}; }";
    Probe { text: shorts, result: 32, sources: &[32] }
        .exact(&combinations(INTEGERS_32, 1), |[a, ..]| (a as u32).rotate_left(16).into());
    let sink = "{ .reg .b16 h; mov.b32 {_, h}, %a; cvt.u32.u16 %r, h; }";
    Probe { text: sink, result: 32, sources: &[32] }.exact(&combinations(INTEGERS_32, 1), |[a, ..]| a >> 16);
}

/// Lanes whose guard is false keep what their destination held.
#[test]
fn guarded_lanes_keep_their_register() {
    let text = "mov.u32 %r, 7; and.b32 %b, %a, 1; setp.eq.u32 %p, %b, 1; @%p mov.u32 %r, %a; @!%p add.u32 %r, %r, 1;";
    let cases: Vec<Case> = (0..100).map(|i| [i, 0, 0, 0]).collect();
    Probe { text, result: 32, sources: &[32, 32] }.exact(&cases, |[a, ..]| if a % 2 == 1 { a } else { 8 });
}
