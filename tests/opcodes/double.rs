//! f64 in every rounding direction, and what else there is for it.

use crate::exact::{is_rounded, sign_of_sum};
use crate::probe::{Case, FLOATS_32, Probe, combinations, f32_of};
use crate::rounding::{ROUNDINGS, Rounding};
use std::cmp::Ordering;

/// Numbers whose sums, products and quotients round, cancel, underflow and overflow.
const NUMBERS: [f64; 18] = [
    0.0,
    -0.0,
    5e-324,
    -5e-324,
    2.225_073_858_507_201e-308,
    2.225_073_858_507_201_4e-308,
    1e-200,
    -3e-160,
    0.1,
    -0.333_333_333_333_333_3,
    1.0,
    1.000_000_000_000_000_2,
    -1.5,
    9_007_199_254_740_993.0,
    -1e160,
    3e200,
    f64::MAX,
    -f64::MAX,
];

fn cases(sources: usize) -> Vec<Case> {
    combinations(&NUMBERS.map(f64::to_bits), sources)
}

/// Runs `text` and holds each finite, non-zero exact result against `compare`, which tells how a number
/// compares to it; `None` leaves a case out.
fn check(
    text: &str,
    sources: usize,
    rounding: Rounding,
    compare: impl Fn([f64; 3], f64) -> Option<Ordering>,
) {
    let widths = [64; 3];
    let probe = Probe { text, result: 64, sources: &widths[..sources] };
    let cases = cases(sources);
    for (case, got) in cases.iter().zip(probe.run(&cases)) {
        let [a, b, c, _] = case.map(f64::from_bits);
        let got = f64::from_bits(got);
        match compare([a, b, c], 0.0) {
            None => {}
            Some(Ordering::Equal) => assert_eq!(got, 0.0, "{text} of {a:e}, {b:e}, {c:e}"),
            Some(_) => {
                let right = is_rounded(got, rounding, |x| compare([a, b, c], x).expect("compared before"));
                assert!(right, "{text} of {a:e}, {b:e}, {c:e} gave {got:e}");
            }
        }
    }
}

#[test]
fn sums_and_products_in_every_direction() {
    for (name, rounding) in ROUNDINGS {
        check(&format!("add.{name}.f64 %r, %a, %b;"), 2, rounding, |[a, b, _], x| {
            Some(sign_of_sum(&[[x, 1.0], [-a, 1.0], [-b, 1.0]]))
        });
        check(&format!("sub.{name}.f64 %r, %a, %b;"), 2, rounding, |[a, b, _], x| {
            Some(sign_of_sum(&[[x, 1.0], [-a, 1.0], [b, 1.0]]))
        });
        check(&format!("mul.{name}.f64 %r, %a, %b;"), 2, rounding, |[a, b, _], x| {
            Some(sign_of_sum(&[[x, 1.0], [-a, b]]))
        });
        for opcode in ["fma", "mad"] {
            check(&format!("{opcode}.{name}.f64 %r, %a, %b, %c;"), 3, rounding, |[a, b, c], x| {
                Some(sign_of_sum(&[[x, 1.0], [-a, b], [-c, 1.0]]))
            });
        }
    }
}

#[test]
fn quotients_and_roots_in_every_direction() {
    // x compares to a / b as x b does to a, the other way round where b is negative.
    let quotient = |a: f64, b: f64, x: f64| {
        let order = sign_of_sum(&[[x, b], [-a, 1.0]]);
        (b != 0.0).then_some(if b < 0.0 { order.reverse() } else { order })
    };
    for (name, rounding) in ROUNDINGS {
        check(&format!("div.{name}.f64 %r, %a, %b;"), 2, rounding, |[a, b, _], x| quotient(a, b, x));
        check(&format!("rcp.{name}.f64 %r, %a;"), 1, rounding, |[a, ..], x| quotient(1.0, a, x));
        check(&format!("sqrt.{name}.f64 %r, %a;"), 1, rounding, |[a, ..], x| {
            let order = if x < 0.0 { Ordering::Less } else { sign_of_sum(&[[x, x], [-a, 1.0]]) };
            (a >= 0.0).then_some(order)
        });
    }
}

/// What rounds to nearest is the host's arithmetic; its ties are even.
#[test]
fn nearest_is_even() {
    let rows: [(&str, usize, fn(f64, f64, f64) -> f64); 5] = [
        ("add.f64 %r, %a, %b;", 2, |a, b, _| a + b),
        ("mul.f64 %r, %a, %b;", 2, |a, b, _| a * b),
        ("div.rn.f64 %r, %a, %b;", 2, |a, b, _| a / b),
        ("fma.rn.f64 %r, %a, %b, %c;", 3, f64::mul_add),
        ("sqrt.rn.f64 %r, %a;", 1, |a, _, _| a.sqrt()),
    ];
    for (text, sources, reference) in rows {
        let mut numbers = NUMBERS.map(f64::to_bits).to_vec();
        numbers.extend([f64::INFINITY, f64::NEG_INFINITY, f64::NAN].map(f64::to_bits));
        let cases = combinations(&numbers, sources);
        let widths = [64; 3];
        let probe = Probe { text, result: 64, sources: &widths[..sources] };
        for (case, got) in cases.iter().zip(probe.run(&cases)) {
            let [a, b, c, _] = case.map(f64::from_bits);
            let (got, wanted) = (f64::from_bits(got), reference(a, b, c));
            assert!(got.to_bits() == wanted.to_bits() || got.is_nan() && wanted.is_nan(), "{text} {case:x?}");
        }
    }
}

/// An exact zero of a sum is -0 only when rounding down, apart from sums of two -0.
#[test]
fn the_sign_of_nothing() {
    for (name, rounding) in ROUNDINGS {
        let text = format!("add.{name}.f64 %r, %a, %b;");
        let zeros = [(0.0, 0.0), (0.0, -0.0), (-0.0, 0.0), (-0.0, -0.0), (1.5, -1.5), (-5e-324, 5e-324)];
        let cases = zeros.map(|(a, b): (f64, f64)| [a.to_bits(), b.to_bits(), 0, 0]);
        Probe { text: &text, result: 64, sources: &[64, 64] }.exact(&cases, |[a, b, ..]| {
            let both = (a & b) >> 63 == 1;
            let mixed = a != b && rounding == Rounding::Down;
            u64::from(both || mixed) << 63
        });
    }
}

#[test]
fn approximate_functions_have_their_high_bits() {
    let numbers = [1.0, 3.0, -7.0, 1e100, -1e-100, 0.1, 1e300, f64::INFINITY, 0.0, -0.0, f64::NAN];
    let cases = combinations(&numbers.map(f64::to_bits), 1);
    let rows: [(&str, fn(f64) -> f64); 3] = [
        ("rcp.approx.ftz.f64 %r, %a;", |a| 1.0 / a),
        ("rsqrt.approx.f64 %r, %a;", |a| 1.0 / a.sqrt()),
        ("rsqrt.approx.ftz.f64 %r, %a;", |a| 1.0 / a.sqrt()),
    ];
    for (text, reference) in rows {
        for (case, got) in cases.iter().zip((Probe { text, result: 64, sources: &[64] }).run(&cases)) {
            let (got, wanted) = (f64::from_bits(got), reference(f64::from_bits(case[0])));
            let near = (got - wanted).abs() <= wanted.abs() * 2f64.powi(-19);
            assert!(near || got == wanted || got.is_nan() && wanted.is_nan(), "{text} of {case:x?}: {got:e}");
        }
    }
}

#[test]
fn minima_signs_and_tests() {
    let mut numbers = NUMBERS.to_vec();
    numbers.extend([f64::INFINITY, f64::NEG_INFINITY, f64::NAN]);
    let bits: Vec<u64> = numbers.iter().map(|x| x.to_bits()).collect();
    let pairs = combinations(&bits, 2);
    let pair: &[u32] = &[64, 64];
    Probe { text: "copysign.f64 %r, %a, %b;", result: 64, sources: pair }
        .exact(&pairs, |[a, b, ..]| (a & 1 << 63) | (b & !(1 << 63)));
    // Ordered by value, -0 below +0; a NaN loses.
    let key = |x: u64| if x >> 63 == 1 { !x } else { x | 1 << 63 };
    let no_nan: Vec<Case> =
        pairs.iter().copied().filter(|case| !case[..2].iter().any(|x| f64::from_bits(*x).is_nan())).collect();
    Probe { text: "min.f64 %r, %a, %b;", result: 64, sources: pair }
        .exact(&no_nan, |[a, b, ..]| if key(a) < key(b) { a } else { b });
    Probe { text: "max.f64 %r, %a, %b;", result: 64, sources: pair }
        .exact(&no_nan, |[a, b, ..]| if key(a) > key(b) { a } else { b });

    let tests: [(&str, fn(f64) -> bool); 6] = [
        ("finite", f64::is_finite),
        ("infinite", f64::is_infinite),
        ("number", |x| !x.is_nan()),
        ("notanumber", f64::is_nan),
        ("normal", f64::is_normal),
        ("subnormal", f64::is_subnormal),
    ];
    for (name, reference) in tests {
        let text = format!("testp.{name}.f64 %p, %a; selp.b32 %r, 1, 0, %p;");
        Probe { text: &text, result: 32, sources: &[64] }
            .exact(&combinations(&bits, 1), |[a, ..]| reference(f64::from_bits(a)).into());
    }
    let tests: [(&str, fn(f32) -> bool); 6] = [
        ("finite", f32::is_finite),
        ("infinite", f32::is_infinite),
        ("number", |x| !x.is_nan()),
        ("notanumber", f32::is_nan),
        ("normal", f32::is_normal),
        ("subnormal", f32::is_subnormal),
    ];
    for (name, reference) in tests {
        let text = format!("testp.{name}.f32 %p, %a; selp.b32 %r, 1, 0, %p;");
        Probe { text: &text, result: 32, sources: &[32] }
            .exact(&combinations(FLOATS_32, 1), |[a, ..]| reference(f32_of(a)).into());
    }
}
