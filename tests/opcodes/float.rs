//! Floating-point arithmetic: exact in every rounding direction where PTX says so, within PTX's bounds where it
//! approximates.

use crate::probe::{Case, FLOATS_32, Probe, combinations, f32_of};
use crate::rounding::{self, BF16, F16, Format, ROUNDINGS, Rounding, at_the_edge_of_flushing, flush};

const F2: &[u32] = &[32, 32];
const F3: &[u32] = &[32, 32, 32];

fn f32_probe<'a>(text: &'a str, sources: &'a [u32]) -> Probe<'a> {
    Probe { text, result: 32, sources }
}

/// Triples for fused multiply-add: all triples of a few values, and pairs of all with a few.
fn triples() -> Vec<Case> {
    const FEW: &[u64] = &[
        0,
        0x8000_0000,
        0x0000_0001,
        0x0080_0000,
        0x3F80_0001,
        0xBF7F_FFFF,
        0x7F7F_FFFF,
        0x7F80_0000,
        0x7FC0_0000,
    ];
    let mut cases = combinations(FEW, 3);
    for [a, b, ..] in combinations(FLOATS_32, 2) {
        cases.extend([0x3380_0000, 0xBF80_0000, 0x8000_0001].map(|c| [a, b, c, 0]));
    }
    cases
}

type Reference = fn([f32; 4], Rounding) -> f32;

/// Instructions with all four rounding directions.
const ROUNDED: [(&str, &str, &[u32], Reference); 3] = [
    ("add", "%a, %b", F2, |[a, b, ..], rounding| rounding::sum(a, b, rounding)),
    ("sub", "%a, %b", F2, |[a, b, ..], rounding| rounding::sum(a, -b, rounding)),
    ("mul", "%a, %b", F2, |[a, b, ..], rounding| rounding::product(a, b, rounding)),
];

#[test]
fn sums_and_products_round_once_in_every_direction() {
    let cases = combinations(FLOATS_32, 2);
    for (opcode, operands, sources, reference) in ROUNDED {
        for (name, rounding) in ROUNDINGS {
            let text = format!("{opcode}.{name}.f32 %r, {operands};");
            f32_probe(&text, sources).exact_f32(&cases, |x| reference(x, rounding));
        }
        let text = format!("{opcode}.f32 %r, {operands};");
        f32_probe(&text, sources).exact_f32(&cases, |x| reference(x, Rounding::Nearest));
    }
}

#[test]
fn fused_multiply_add_rounds_once() {
    for (name, rounding) in ROUNDINGS {
        let text = format!("fma.{name}.f32 %r, %a, %b, %c;");
        f32_probe(&text, F3).exact_f32(&triples(), |[a, b, c, _]| rounding::fused(a, b, c, rounding));
    }
}

#[test]
fn ftz_flushes_sources_and_results() {
    let cases: Vec<Case> = combinations(FLOATS_32, 2)
        .into_iter()
        .filter(|case| !at_the_edge_of_flushing(f64::from(f32_of(case[0])) * f64::from(f32_of(case[1]))))
        .collect();
    for (opcode, operands, sources, reference) in ROUNDED {
        let text = format!("{opcode}.rn.ftz.f32 %r, {operands};");
        f32_probe(&text, sources).exact_f32(&cases, |x| flush(reference(x.map(flush), Rounding::Nearest)));
    }
    f32_probe("fma.rn.ftz.f32 %r, %a, %b, %c;", F3).exact_f32(&triples(), |x| {
        let [a, b, c, _] = x.map(flush);
        flush(rounding::fused(a, b, c, Rounding::Nearest))
    });
}

#[test]
fn sat_clamps_to_the_unit_interval() {
    let saturated = |value: f32| if value.is_nan() { 0.0 } else { value.clamp(0.0, 1.0) + 0.0 };
    let cases = combinations(FLOATS_32, 2);
    for (opcode, operands, sources, reference) in ROUNDED {
        let text = format!("{opcode}.rn.sat.f32 %r, {operands}; add.rn.f32 %r, %r, 0f00000000;");
        f32_probe(&text, sources).exact_f32(&cases, |x| saturated(reference(x, Rounding::Nearest)));
    }
    f32_probe("fma.rn.sat.f32 %r, %a, %b, %c; add.rn.f32 %r, %r, 0f00000000;", F3)
        .exact_f32(&triples(), |[a, b, c, _]| saturated(rounding::fused(a, b, c, Rounding::Nearest)));
}

#[test]
fn division_and_roots_round_once() {
    let pairs = combinations(FLOATS_32, 2);
    let singles = combinations(FLOATS_32, 1);
    for (name, rounding) in ROUNDINGS {
        f32_probe(&format!("div.{name}.f32 %r, %a, %b;"), F2)
            .exact_f32(&pairs, |[a, b, ..]| rounding::quotient(a, b, rounding));
        f32_probe(&format!("rcp.{name}.f32 %r, %a;"), &[32])
            .exact_f32(&singles, |[a, ..]| rounding::quotient(1.0, a, rounding));
        f32_probe(&format!("sqrt.{name}.f32 %r, %a;"), &[32])
            .exact_f32(&singles, |[a, ..]| rounding::square_root(a, rounding));
    }
}

/// -0 counts as less than +0; a single NaN loses, except with `.NaN`.
#[test]
fn minimum_and_maximum() {
    fn minimum(a: f32, b: f32) -> f32 {
        match (a.is_nan(), b.is_nan()) {
            (true, _) => b,
            (_, true) => a,
            _ if a == b => {
                if a.is_sign_negative() {
                    a
                } else {
                    b
                }
            }
            _ => {
                if a < b {
                    a
                } else {
                    b
                }
            }
        }
    }
    fn maximum(a: f32, b: f32) -> f32 {
        -minimum(-a, -b)
    }
    fn or_nan(a: f32, b: f32, value: f32) -> f32 {
        if a.is_nan() || b.is_nan() { f32::NAN } else { value }
    }
    let cases = combinations(FLOATS_32, 2);
    let check = |text: &str, reference: fn(f32, f32) -> f32| {
        f32_probe(text, F2).exact_f32(&cases, |[a, b, ..]| reference(a, b));
    };
    check("min.f32 %r, %a, %b;", minimum);
    check("max.f32 %r, %a, %b;", maximum);
    check("min.ftz.f32 %r, %a, %b;", |a, b| minimum(flush(a), flush(b)));
    check("max.ftz.f32 %r, %a, %b;", |a, b| maximum(flush(a), flush(b)));
    check("min.NaN.f32 %r, %a, %b;", |a, b| or_nan(a, b, minimum(a, b)));
    check("max.NaN.f32 %r, %a, %b;", |a, b| or_nan(a, b, maximum(a, b)));
}

/// The smaller or larger magnitude, with the product of the signs.
#[test]
fn extremes_of_magnitudes() {
    let rows: [(&str, fn(f32, f32) -> f32); 4] = [
        ("min.xorsign.abs.f32", f32::min),
        ("max.xorsign.abs.f32", f32::max),
        ("min.NaN.xorsign.abs.f32", |a, b| if a.is_nan() || b.is_nan() { f32::NAN } else { a.min(b) }),
        ("max.ftz.xorsign.abs.f32", |a, b| flush(a).max(flush(b))),
    ];
    let cases = combinations(FLOATS_32, 2);
    for (text, reference) in rows {
        let text = format!("{text} %r, %a, %b;");
        for (case, got) in cases.iter().zip(f32_probe(&text, F2).run_for("sm_86", &cases)) {
            let [a, b, ..] = case.map(f32_of);
            let size = reference(a.abs(), b.abs());
            let wanted = if a.is_sign_negative() != b.is_sign_negative() { -size } else { size };
            let got = f32_of(got);
            assert!(
                got.to_bits() == wanted.to_bits() || got.is_nan() && wanted.is_nan(),
                "{text} of {case:x?}: {got}"
            );
        }
    }
}

#[test]
fn signs() {
    let cases = combinations(FLOATS_32, 1);
    f32_probe("neg.f32 %r, %a;", &[32]).exact_f32(&cases, |[a, ..]| -a);
    f32_probe("abs.f32 %r, %a;", &[32]).exact_f32(&cases, |[a, ..]| a.abs());
    f32_probe("neg.ftz.f32 %r, %a;", &[32]).exact_f32(&cases, |[a, ..]| -flush(a));
    f32_probe("abs.ftz.f32 %r, %a;", &[32]).exact_f32(&cases, |[a, ..]| flush(a).abs());
    f32_probe("copysign.f32 %r, %a, %b;", F2)
        .exact_f32(&combinations(FLOATS_32, 2), |[a, b, ..]| b.copysign(a));
}

/// Every finite magnitude that the bounds of the approximations hold for, of both signs, and the special values.
fn sweep() -> Vec<Case> {
    let mut cases = combinations(FLOATS_32, 1);
    for step in 0..4000u64 {
        let bits = step * 0x0008_2F31 % 0x7F80_0000;
        cases.extend([[bits, 0, 0, 0], [bits | 0x8000_0000, 0, 0, 0]]);
    }
    cases
}

/// Numbers spread evenly over an interval.
fn spread(low: f64, high: f64) -> Vec<Case> {
    (0..=4000)
        .map(|i| ((low + (high - low) * f64::from(i) / 4000.0) as f32).to_bits())
        .map(|bits| [bits.into(), 0, 0, 0])
        .collect()
}

fn flushed(x: f64) -> f64 {
    flush(x as f32).into()
}

fn flushed_result(wanted: f64) -> f64 {
    if wanted.abs() < f64::from(f32::MIN_POSITIVE) { 0f64.copysign(wanted) } else { wanted }
}

/// One unit in the last place of an f32 near `wanted`.
fn ulp(wanted: f64) -> f64 {
    let magnitude = (wanted.abs() as f32).clamp(f32::MIN_POSITIVE, f32::MAX);
    2f64.powi(f64::from(magnitude).log2().floor() as i32 - 23)
}

/// A result past the largest f32 is infinite; ones at the very edge of overflow or of flushing count as either.
fn bounded(wanted: f64) -> f64 {
    if wanted.abs() > f64::from(f32::MAX) { f64::INFINITY.copysign(wanted) } else { wanted }
}

#[test]
fn approximations_stay_within_their_bounds() {
    let relative = |bits: f64| move |wanted: f64| wanted.abs() * 2f64.powf(-bits) + 1e-45;
    let probe = |text| f32_probe(text, &[32]);
    let rcp = |x: f64| bounded(flushed_result(1.0 / flushed(x)));
    probe("rcp.approx.ftz.f32 %r, %a;").near_f32(&sweep(), |[a, ..]| rcp(a), |w| ulp(w) * 1.01);
    probe("sqrt.approx.ftz.f32 %r, %a;").near_f32(&sweep(), |[a, ..]| flushed(a).sqrt(), relative(22.9));
    probe("sqrt.approx.f32 %r, %a;").near_f32(&sweep(), |[a, ..]| a.sqrt(), relative(22.9));
    // The inverse root of -0 is -infinity.
    let rsqrt = |x: f64| if flushed(x) == 0.0 { f64::INFINITY.copysign(x) } else { 1.0 / flushed(x).sqrt() };
    probe("rsqrt.approx.ftz.f32 %r, %a;").near_f32(&sweep(), |[a, ..]| rsqrt(a), relative(22.9));
    let lg2 = |x: f64| flushed(x).log2();
    let lg2_error = |wanted: f64| 2f64.powi(-22) * wanted.abs().max(1.0);
    probe("lg2.approx.ftz.f32 %r, %a;").near_f32(&sweep(), |[a, ..]| lg2(a), lg2_error);
    probe("tanh.approx.f32 %r, %a;").near_f32(&sweep(), |[a, ..]| a.tanh(), relative(10.98));
}

#[test]
fn ex2_over_its_range() {
    let mut cases = spread(-130.0, 130.0);
    cases.extend(spread(-1.0, 1.0));
    cases.extend(combinations(FLOATS_32, 1));
    let wanted = |x: f64| bounded(flushed_result(flushed(x).exp2()));
    f32_probe("ex2.approx.ftz.f32 %r, %a;", &[32]).near_f32(&cases, |[a, ..]| wanted(a), |w| 2.0 * ulp(w));
    f32_probe("ex2.approx.f32 %r, %a;", &[32]).near_f32(
        &cases,
        |[a, ..]| bounded(a.exp2()),
        |w| 2.0 * ulp(w),
    );
}

#[test]
fn sine_and_cosine_of_a_few_turns() {
    let cases = spread(-std::f64::consts::TAU, std::f64::consts::TAU);
    let bound = |_| 2f64.powf(-20.5);
    f32_probe("sin.approx.ftz.f32 %r, %a;", &[32]).near_f32(&cases, |[a, ..]| a.sin(), bound);
    f32_probe("cos.approx.ftz.f32 %r, %a;", &[32]).near_f32(&cases, |[a, ..]| a.cos(), bound);
    for text in ["sin.approx.ftz.f32 %r, %a;", "cos.approx.ftz.f32 %r, %a;"] {
        let infinite = [0x7F80_0000, 0xFF80_0000, 0x7FC0_0000].map(|bits| [bits, 0, 0, 0]);
        f32_probe(text, &[32]).exact_f32(&infinite, |_| f32::NAN);
    }
}

#[test]
fn approximate_division() {
    let finite = |case: &Case| {
        let (a, b) = (f32_of(case[0]), f32_of(case[1]));
        a.is_finite()
            && b.is_normal()
            && (2f32.powi(-126)..=2f32.powi(126)).contains(&b.abs())
            && !a.is_subnormal()
            && !at_the_edge_of_flushing(f64::from(a) / f64::from(b))
    };
    let cases: Vec<Case> = combinations(FLOATS_32, 2).into_iter().filter(finite).collect();
    let wanted = |[a, b, ..]: [f64; 4]| bounded(flushed_result(a / b));
    for text in ["div.approx.ftz.f32 %r, %a, %b;", "div.full.ftz.f32 %r, %a, %b;"] {
        f32_probe(text, F2).near_f32(&cases, wanted, |w| 2.0 * ulp(w));
    }
}

#[test]
fn double_precision() {
    let bits = |value: f64| value.to_bits();
    let values = [
        0.0,
        -0.0,
        1.0,
        -1.5,
        1e300,
        -1e-300,
        5e-324,
        f64::MAX,
        f64::INFINITY,
        f64::NEG_INFINITY,
        0.1,
        3.7e15,
    ]
    .map(bits);
    let pair: &[u32] = &[64, 64];
    let same = |got: u64, wanted: f64| got == bits(wanted) || f64::from_bits(got).is_nan() && wanted.is_nan();
    let rows: [(&str, &[u32], fn(f64, f64, f64) -> f64); 9] = [
        ("add.rn.f64 %r, %a, %b;", pair, |a, b, _| a + b),
        ("sub.rn.f64 %r, %a, %b;", pair, |a, b, _| a - b),
        ("mul.rn.f64 %r, %a, %b;", pair, |a, b, _| a * b),
        ("div.rn.f64 %r, %a, %b;", pair, |a, b, _| a / b),
        ("fma.rn.f64 %r, %a, %b, %c;", &[64, 64, 64], |a, b, c| a.mul_add(b, c)),
        ("sqrt.rn.f64 %r, %a;", &[64], |a, _, _| a.sqrt()),
        ("rcp.rn.f64 %r, %a;", &[64], |a, _, _| 1.0 / a),
        ("neg.f64 %r, %a;", &[64], |a, _, _| -a),
        ("abs.f64 %r, %a;", &[64], |a, _, _| a.abs()),
    ];
    for (text, sources, reference) in rows {
        let cases = combinations(&values, sources.len());
        for (case, got) in cases.iter().zip((Probe { text, result: 64, sources }).run(&cases)) {
            let [a, b, c, _] = case.map(f64::from_bits);
            let wanted = reference(a, b, c);
            assert!(
                same(got, wanted),
                "{text} of {a:e}, {b:e}, {c:e} gave {got:#x}, not {:#x}",
                bits(wanted)
            );
        }
    }
}

const HALVES: &[u64] = &[
    0x0000, 0x8000, 0x0001, 0x03FF, 0x0400, 0x3C00, 0xBC00, 0x3C01, 0x3555, 0x7BFF, 0xFBFF, 0x7C00, 0xFC00,
    0x7E00,
];
const BRAINS: &[u64] = &[
    0x0000, 0x8000, 0x0001, 0x007F, 0x0080, 0x3F80, 0xBF80, 0x3F81, 0x3EAB, 0x7F7F, 0xFF7F, 0x7F80, 0xFF80,
    0x7FC0,
];

/// The two halves of a packed register, each computed by itself.
fn packed(format: Format, case: Case, one: impl Fn([f64; 3]) -> f64) -> u64 {
    let half = |shift: u32| {
        let [a, b, c, _] = case.map(|word| format.value(word >> shift & 0xFFFF));
        format.bits(one([a, b, c]), Rounding::Nearest)
    };
    half(16) << 16 | half(0)
}

fn any_nan_as_one(format: Format, word: u64) -> u64 {
    let half = |bits: u64| if format.value(bits).is_nan() { 0x7FFF } else { bits };
    half(word >> 16 & 0xFFFF) << 16 | half(word & 0xFFFF)
}

#[test]
fn packed_halves() {
    let fused = |[a, b, c]: [f64; 3]| {
        let (high, low) = rounding::two_sum(a * b, c);
        rounding::to_odd(high, low)
    };
    let minimum = |[a, b, _]: [f64; 3]| match (a.is_nan(), b.is_nan()) {
        (true, _) => b,
        (_, true) => a,
        _ if a == b => {
            if a.is_sign_negative() {
                a
            } else {
                b
            }
        }
        _ => a.min(b),
    };
    let exact_sum = |a: f64, b: f64| {
        let (high, low) = rounding::two_sum(a, b);
        rounding::to_odd(high, low)
    };
    for (format, name, values) in [(F16, "f16x2", HALVES), (BF16, "bf16x2", BRAINS)] {
        let cases: Vec<Case> = combinations(values, 3)
            .into_iter()
            .map(|[a, b, c, _]| [a << 16 | b, b << 16 | c, c << 16 | a, 0])
            .collect();
        let check = |text: String, sources: &[u32], one: &dyn Fn([f64; 3]) -> f64| {
            let probe = Probe { text: &text, result: 32, sources };
            for (case, got) in cases.iter().zip(probe.run(&cases)) {
                let wanted = packed(format, *case, one);
                let got = any_nan_as_one(format, got);
                assert_eq!(
                    got,
                    wanted,
                    "{text} of {:x?} gave {got:#x}, not {wanted:#x}",
                    &case[..sources.len()]
                );
            }
        };
        check(format!("fma.rn.{name} %r, %a, %b, %c;"), F3, &fused);
        check(format!("min.{name} %r, %a, %b;"), F2, &minimum);
        check(format!("neg.{name} %r, %a;"), &[32], &|[a, ..]| -a);
        check(format!("abs.{name} %r, %a;"), &[32], &|[a, ..]| a.abs());
        if name == "f16x2" {
            check("add.rn.f16x2 %r, %a, %b;".into(), F2, &|[a, b, _]| exact_sum(a, b));
            check("sub.rn.f16x2 %r, %a, %b;".into(), F2, &|[a, b, _]| exact_sum(a, -b));
            check("mul.rn.f16x2 %r, %a, %b;".into(), F2, &|[a, b, _]| a * b);
        }
    }
}
