//! f16 and bf16, alone and in pairs: arithmetic with every modifier, comparisons, functions.

use crate::probe::{Case, Probe, combinations};
use crate::rounding::{self, BF16, F16, Format, Rounding};

const HALVES: &[u64] = &[
    0x0000, 0x8000, 0x0001, 0x8001, 0x03FF, 0x0400, 0x8400, 0x3C00, 0xBC00, 0x3C01, 0x3555, 0x7BFF, 0xFBFF,
    0x7C00, 0xFC00, 0x7E00,
];
const BRAINS: &[u64] = &[
    0x0000, 0x8000, 0x0001, 0x8001, 0x007F, 0x0080, 0x8080, 0x3F80, 0xBF80, 0x3F81, 0x3EAB, 0x7F7F, 0xFF7F,
    0x7F80, 0xFF80, 0x7FC0,
];

/// What an instruction does with exact values before the result is rounded.
type Exact = fn([f64; 3]) -> f64;

/// The f64 that rounds on like the exact sum.
fn sum(a: f64, b: f64) -> f64 {
    let (high, low) = rounding::two_sum(a, b);
    // The sign of an exact zero is that of the f64 sum.
    if high == 0.0 { a + b } else { rounding::to_odd(high, low) }
}

#[derive(Clone, Copy, Default)]
struct Modifiers {
    ftz: bool,
    sat: bool,
    relu: bool,
}

impl Modifiers {
    fn text(self) -> String {
        let part = |on: bool, name: &str| if on { name.to_string() } else { String::new() };
        part(self.ftz, ".ftz") + &part(self.sat, ".sat") + &part(self.relu, ".relu")
    }

    /// One half of a result.
    fn apply(self, format: Format, operands: [u64; 3], exact: Exact) -> u64 {
        let subnormal = |bits: u64| bits >> format.mantissa & ((1 << format.exponent) - 1) == 0;
        let flush = |bits: u64| if self.ftz && subnormal(bits) { bits & 0x8000 } else { bits };
        let value = exact(operands.map(|bits| format.value(flush(bits))));
        let bits = flush(format.bits(value, Rounding::Nearest));
        let rounded = format.value(bits);
        match self {
            Modifiers { sat: true, .. } if rounded.is_nan() => 0,
            Modifiers { sat: true, .. } => format.bits(rounded.clamp(0.0, 1.0) + 0.0, Rounding::Nearest),
            Modifiers { relu: true, .. } if rounded <= 0.0 => 0,
            _ => bits,
        }
    }
}

/// NaN in any form is one NaN, halves of the upper word included.
fn one_nan(format: Format, word: u64) -> u64 {
    let half = |bits: u64| if format.value(bits).is_nan() { 0x7FFF } else { bits };
    half(word >> 16 & 0xFFFF) << 16 | half(word & 0xFFFF)
}

/// Runs an instruction on single halves and on pairs.
fn check(target: &str, opcode: &str, format: Format, modifiers: Modifiers, sources: usize, exact: Exact) {
    let (name, values) = if format.mantissa == 10 { ("f16", HALVES) } else { ("bf16", BRAINS) };
    let operands = ["%r, %a", "%r, %a, %b", "%r, %a, %b, %c"][sources - 1];
    let cases = combinations(values, sources.min(2));
    let cases: Vec<Case> = match sources {
        3 => cases.iter().flat_map(|c| [0, 5, 7, 11].map(|i| [c[0], c[1], values[i], 0])).collect(),
        _ => cases,
    };
    for packed in [false, true] {
        // In pairs the upper halves are the operands in another order.
        let cases: Vec<Case> = match packed {
            false => cases.clone(),
            true => cases.iter().map(|&[a, b, c, _]| [b << 16 | a, c << 16 | b, a << 16 | c, 0]).collect(),
        };
        let text =
            format!("{opcode}{}.{name}{} {operands};", modifiers.text(), if packed { "x2" } else { "" });
        let width = if packed { 32 } else { 16 };
        let probe = Probe { text: &text, result: width, sources: &[width; 3][..sources] };
        for (case, got) in cases.iter().zip(probe.run_for(target, &cases)) {
            let half = |shift: u32| {
                let [a, b, c, _] = case.map(|word| word >> shift & 0xFFFF);
                modifiers.apply(format, [a, b, c], exact) << shift
            };
            let wanted = half(0) | if packed { half(16) } else { 0 };
            let got = one_nan(format, got);
            assert_eq!(got, one_nan(format, wanted), "{text} of {:x?} gave {got:#x}", &case[..sources]);
        }
    }
}

const PLAIN: Modifiers = Modifiers { ftz: false, sat: false, relu: false };
const FTZ: Modifiers = Modifiers { ftz: true, ..PLAIN };
const SAT: Modifiers = Modifiers { sat: true, ..PLAIN };
const RELU: Modifiers = Modifiers { relu: true, ..PLAIN };
const FTZ_SAT: Modifiers = Modifiers { ftz: true, sat: true, relu: false };
const FTZ_RELU: Modifiers = Modifiers { ftz: true, sat: false, relu: true };

const ARITHMETIC: [(&str, Exact); 3] =
    [("add", |[a, b, _]| sum(a, b)), ("sub", |[a, b, _]| sum(a, -b)), ("mul", |[a, b, _]| a * b)];

#[test]
fn sums_and_products() {
    for (opcode, exact) in ARITHMETIC {
        for modifiers in [PLAIN, FTZ, SAT, FTZ_SAT] {
            check("sm_80", opcode, F16, modifiers, 2, exact);
            check("sm_80", &format!("{opcode}.rn"), F16, modifiers, 2, exact);
        }
        check("sm_90", opcode, BF16, PLAIN, 2, exact);
        check("sm_90", &format!("{opcode}.rn"), BF16, PLAIN, 2, exact);
    }
}

#[test]
fn fused_products() {
    let fused: Exact = |[a, b, c]| sum(a * b, c);
    for modifiers in [PLAIN, FTZ, SAT, RELU, FTZ_SAT, FTZ_RELU] {
        check("sm_80", "fma.rn", F16, modifiers, 3, fused);
    }
    for modifiers in [PLAIN, RELU] {
        check("sm_80", "fma.rn", BF16, modifiers, 3, fused);
    }
}

fn smaller(a: f64, b: f64) -> f64 {
    let negative_zero = a == b && a.is_sign_negative();
    match (a.is_nan(), b.is_nan()) {
        (true, _) => b,
        (_, true) => a,
        _ if a < b || negative_zero => a,
        _ => b,
    }
}

fn larger(a: f64, b: f64) -> f64 {
    -smaller(-a, -b)
}

fn signed(size: f64, a: f64, b: f64) -> f64 {
    if a.is_sign_negative() != b.is_sign_negative() { -size } else { size }
}

fn or_nan(a: f64, b: f64, value: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { value }
}

#[test]
fn signs_and_extremes() {
    for (format, flushes) in [(F16, &[PLAIN, FTZ][..]), (BF16, &[PLAIN])] {
        for modifiers in flushes {
            let rows: [(&str, usize, Exact); 6] = [
                ("neg", 1, |[a, ..]| -a),
                ("abs", 1, |[a, ..]| a.abs()),
                ("min", 2, |[a, b, _]| smaller(a, b)),
                ("max", 2, |[a, b, _]| larger(a, b)),
                ("min", 2, |[a, b, _]| smaller(a, b)),
                ("max", 2, |[a, b, _]| larger(a, b)),
            ];
            for (opcode, sources, exact) in rows {
                check("sm_80", opcode, format, *modifiers, sources, exact);
            }
        }
        check("sm_80", "min.NaN", format, PLAIN, 2, |[a, b, _]| or_nan(a, b, smaller(a, b)));
        check("sm_80", "max.NaN", format, PLAIN, 2, |[a, b, _]| or_nan(a, b, larger(a, b)));
        check("sm_86", "min.xorsign.abs", format, PLAIN, 2, |[a, b, _]| {
            signed(smaller(a.abs(), b.abs()), a, b)
        });
        check("sm_86", "max.NaN.xorsign.abs", format, PLAIN, 2, |[a, b, _]| {
            or_nan(a, b, signed(larger(a.abs(), b.abs()), a, b))
        });
    }
}

/// Errors within the manual's bounds, over all finite values; infinities and zeros exact.
#[test]
fn functions() {
    let rows: [(&str, &str, Format, f64, fn(f64) -> f64); 6] = [
        ("sm_80", "ex2.approx.f16", F16, 9.9, f64::exp2),
        ("sm_80", "ex2.approx.f16x2", F16, 9.9, f64::exp2),
        ("sm_90", "ex2.approx.ftz.bf16", BF16, 7.0, f64::exp2),
        ("sm_90", "ex2.approx.ftz.bf16x2", BF16, 7.0, f64::exp2),
        ("sm_80", "tanh.approx.f16x2", F16, 10.987, f64::tanh),
        ("sm_90", "tanh.approx.bf16x2", BF16, 8.0, f64::tanh),
    ];
    for (target, text, format, bits, reference) in rows {
        let width = if text.ends_with("x2") { 32 } else { 16 };
        let cases: Vec<Case> =
            (0..0x10000u64).step_by(37).map(|a| [a | (a ^ 0x1234) << 16, 0, 0, 0]).collect();
        let cases: Vec<Case> =
            cases.iter().map(|case| [case[0] & crate::probe::mask(width), 0, 0, 0]).collect();
        let text = format!("{text} %r, %a;");
        let probe = Probe { text: &text, result: width, sources: &[width] };
        for (case, got) in cases.iter().zip(probe.run_for(target, &cases)) {
            for shift in (0..width).step_by(16) {
                let a = format.value(case[0] >> shift & 0xFFFF);
                let (got, wanted) = (format.value(got >> shift & 0xFFFF), reference(a));
                // The largest error is half a unit of the format more, and tiny results are flushed or subnormal.
                let unit = 2f64.powi(-(format.mantissa as i32));
                let tiny = format.value(1).max(if format.mantissa == 7 { 1.2e-38 } else { 0.0 });
                let near = (got - wanted).abs() <= wanted.abs() * (2f64.powf(-bits) + unit) + tiny;
                let largest = format.value((((1 << format.exponent) - 1) << format.mantissa) - 1);
                let overflows = wanted > largest && got == f64::INFINITY;
                assert!(
                    near || overflows || got == wanted || got.is_nan() && a.is_nan(),
                    "{text} of {a}: {got}"
                );
            }
        }
    }
}

/// Whether the numbers cannot be compared.
fn unordered(a: f64, b: f64) -> bool {
    a.is_nan() || b.is_nan()
}

const COMPARISONS: [(&str, fn(f64, f64) -> bool); 14] = [
    ("eq", |a, b| a == b),
    ("ne", |a, b| a != b && !unordered(a, b)),
    ("lt", |a, b| a < b),
    ("le", |a, b| a <= b),
    ("gt", |a, b| a > b),
    ("ge", |a, b| a >= b),
    ("equ", |a, b| a == b || unordered(a, b)),
    ("neu", |a, b| a != b),
    ("ltu", |a, b| a < b || unordered(a, b)),
    ("leu", |a, b| a <= b || unordered(a, b)),
    ("gtu", |a, b| a > b || unordered(a, b)),
    ("geu", |a, b| a >= b || unordered(a, b)),
    ("num", |a, b| !unordered(a, b)),
    ("nan", unordered),
];

/// Pairs of which the upper halves are the operands swapped.
fn packed_pairs(values: &[u64]) -> Vec<Case> {
    combinations(values, 2).into_iter().map(|[a, b, ..]| [b << 16 | a, a << 16 | b, 0, 0]).collect()
}

/// A packed comparison has two results: the first for the low halves, the second for the high ones.
#[test]
fn packed_comparisons_have_two_results() {
    for (target, format, name, values) in [("sm_80", F16, "f16x2", HALVES), ("sm_90", BF16, "bf16x2", BRAINS)]
    {
        for (comparison, holds) in COMPARISONS {
            let text = format!(
                "setp.{comparison}.{name} %p|%q, %a, %b; selp.b32 %r, 1, 0, %p; @%q or.b32 %r, %r, 2;"
            );
            let cases = packed_pairs(values);
            let probe = Probe { text: &text, result: 32, sources: &[32, 32] };
            for (case, got) in cases.iter().zip(probe.run_for(target, &cases)) {
                let half = |shift: u32| {
                    let [a, b, ..] = case.map(|word| format.value(word >> shift & 0xFFFF));
                    u64::from(holds(a, b))
                };
                assert_eq!(got, half(0) | half(16) << 1, "{text} of {case:x?}");
            }
        }
    }
}

#[test]
fn packed_comparisons_join_both_results() {
    for (logic, join) in
        [("and", (|x, y| x && y) as fn(bool, bool) -> bool), ("or", |x, y| x || y), ("xor", |x, y| x != y)]
    {
        for negated in ["", "!"] {
            let text = format!(
                "setp.gt.f16x2 %p|%q, %a, 0; setp.lt.{logic}.f16x2 %p|%q, %a, %b, {negated}%p;\n\
                 selp.b32 %r, 1, 0, %p; @%q or.b32 %r, %r, 2;"
            );
            Probe { text: &text, result: 32, sources: &[32, 32] }.exact(
                &packed_pairs(HALVES),
                |[a, b, ..]| {
                    let value = |word: u64, shift: u32| F16.value(word >> shift & 0xFFFF);
                    let other = (value(a, 0) > 0.0) != (negated == "!");
                    let half = |shift: u32| u64::from(join(value(a, shift) < value(b, shift), other));
                    half(0) | half(16) << 1
                },
            );
        }
    }
}

#[test]
fn flushed_comparisons() {
    let flush = |bits: u64| if bits & 0x7C00 == 0 { bits & 0x8000 } else { bits };
    for (comparison, holds) in COMPARISONS {
        let text = format!("setp.{comparison}.ftz.f16 %p, %a, %b; selp.b32 %r, 1, 0, %p;");
        Probe { text: &text, result: 32, sources: &[16, 16] }
            .exact(&combinations(HALVES, 2), |[a, b, ..]| {
                u64::from(holds(F16.value(flush(a)), F16.value(flush(b))))
            });
        let text = format!("set.{comparison}.ftz.u32.f16x2 %r, %a, %b;");
        Probe { text: &text, result: 32, sources: &[32, 32] }.exact(&packed_pairs(HALVES), |[a, b, ..]| {
            let half = |shift: u32| {
                let value = |word: u64| F16.value(flush(word >> shift & 0xFFFF));
                if holds(value(a), value(b)) { 0xFFFF << shift } else { 0 }
            };
            half(0) | half(16)
        });
    }
}

/// `set` gives all ones, or one in the type of the result.
#[test]
fn comparisons_into_registers() {
    let rows: [(&str, &str, u32, u32, Format, &[u64], u64); 12] = [
        ("sm_80", "set.lt.f16.f16", 16, 16, F16, HALVES, 0x3C00),
        ("sm_80", "set.lt.u16.f16", 16, 16, F16, HALVES, 0xFFFF),
        ("sm_80", "set.lt.s16.f16", 16, 16, F16, HALVES, 0xFFFF),
        ("sm_80", "set.lt.u32.f16", 32, 16, F16, HALVES, 0xFFFF_FFFF),
        ("sm_80", "set.lt.s32.f16", 32, 16, F16, HALVES, 0xFFFF_FFFF),
        ("sm_80", "set.lt.f16x2.f16x2", 32, 32, F16, HALVES, 0x3C00_3C00),
        ("sm_80", "set.lt.u32.f16x2", 32, 32, F16, HALVES, 0xFFFF_FFFF),
        ("sm_80", "set.lt.s32.f16x2", 32, 32, F16, HALVES, 0xFFFF_FFFF),
        ("sm_90", "set.lt.bf16.bf16", 16, 16, BF16, BRAINS, 0x3F80),
        ("sm_90", "set.lt.u32.bf16", 32, 16, BF16, BRAINS, 0xFFFF_FFFF),
        ("sm_90", "set.lt.bf16x2.bf16x2", 32, 32, BF16, BRAINS, 0x3F80_3F80),
        ("sm_90", "set.lt.u32.bf16x2", 32, 32, BF16, BRAINS, 0xFFFF_FFFF),
    ];
    for (target, text, result, source, format, values, one) in rows {
        let text = format!("{text} %r, %a, %b;");
        let cases = if source == 32 { packed_pairs(values) } else { combinations(values, 2) };
        let probe = Probe { text: &text, result, sources: &[source, source] };
        for (case, got) in cases.iter().zip(probe.run_for(target, &cases)) {
            let held = |shift: u32| {
                let [a, b, ..] = case.map(|word| format.value(word >> shift & 0xFFFF));
                a < b
            };
            let wanted = match source {
                16 => {
                    if held(0) {
                        one
                    } else {
                        0
                    }
                }
                _ => (if held(0) { one & 0xFFFF } else { 0 }) | if held(16) { one & 0xFFFF_0000 } else { 0 },
            };
            assert_eq!(got, wanted, "{text} of {case:x?}");
        }
    }
    let text = "set.gt.f16.f32 %r, %a, %b;";
    Probe { text, result: 16, sources: &[32, 32] }.exact(
        &combinations(crate::probe::FLOATS_32, 2),
        |[a, b, ..]| {
            if crate::probe::f32_of(a) > crate::probe::f32_of(b) { 0x3C00 } else { 0 }
        },
    );
}
