//! `cvt` between all types, bit by bit against exact values: the narrow formats, f64, integers of every width.

use crate::exact::{is_rounded, sign_of_sum};
use crate::probe::{Case, FLOATS_32, INTEGERS_64, Probe, combinations, f32_of, mask};
use crate::rounding::{BF16, F16, Format, ROUNDINGS, Rounding};

const TF32: Format = Format { exponent: 8, mantissa: 10 };
const SINGLE: Format = Format { exponent: 8, mantissa: 23 };

/// The bits of a finite value in a format, in any direction: the neighbour that lies on the right side.
fn rounded(format: Format, value: f64, rounding: Rounding) -> u64 {
    let (down, nearest) = (format.bits(value, Rounding::Zero), format.bits(value, Rounding::Nearest));
    let exact = format.value(down) == value;
    let away = if exact { down } else { down + 1 };
    match rounding {
        Rounding::Nearest => nearest,
        Rounding::Zero => down,
        Rounding::Down => {
            if value < 0.0 {
                away
            } else {
                down
            }
        }
        Rounding::Up => {
            if value > 0.0 {
                away
            } else {
                down
            }
        }
    }
}

/// f64 numbers that are ties, just beside ties, and at the limits of the narrow formats.
fn doubles() -> Vec<Case> {
    let mut values = vec![0.0, -0.0, 1e300, -1e-300, 5e-324, f64::MAX];
    for format in [F16, BF16, SINGLE] {
        let infinity = ((1u64 << format.exponent) - 1) << format.mantissa;
        for bits in [
            0,
            1,
            2,
            3,
            (1 << format.mantissa) - 1,
            1 << format.mantissa,
            0x3C01 % infinity,
            infinity - 2,
            infinity - 1,
        ] {
            let low = format.value(bits);
            let high = if bits + 1 == infinity {
                2.0 * format.value(bits - (1 << (format.mantissa - 1)))
            } else {
                format.value(bits + 1)
            };
            let middle = low + (high - low) / 2.0;
            values.extend([low, middle, middle.next_up(), middle.next_down(), low.next_up()]);
        }
    }
    values.iter().flat_map(|x| [*x, -*x]).map(|x| [x.to_bits(), 0, 0, 0]).collect()
}

/// The clamped value of `.sat`.
fn saturated(value: f64) -> f64 {
    if value > 0.0 { value.min(1.0) } else { 0.0 }
}

#[test]
fn doubles_to_halves_in_every_direction() {
    for (name, rounding) in ROUNDINGS {
        let text = format!("cvt.{name}.f16.f64 %r, %a;");
        Probe { text: &text, result: 16, sources: &[64] }
            .exact(&doubles(), |[a, ..]| rounded(F16, f64::from_bits(a), rounding));
        let text = format!("cvt.{name}.sat.f16.f64 %r, %a;");
        Probe { text: &text, result: 16, sources: &[64] }
            .exact(&doubles(), |[a, ..]| rounded(F16, saturated(f64::from_bits(a)), rounding));
        let text = format!("cvt.{name}.f32.f64 %r, %a;");
        Probe { text: &text, result: 32, sources: &[64] }
            .exact(&doubles(), |[a, ..]| rounded(SINGLE, f64::from_bits(a), rounding));
        let text = format!("cvt.{name}.bf16.f64 %r, %a;");
        let probe = Probe { text: &text, result: 16, sources: &[64] };
        for (case, got) in doubles().iter().zip(probe.run_for("sm_90", &doubles())) {
            assert_eq!(got, rounded(BF16, f64::from_bits(case[0]), rounding), "{text} of {case:x?}");
        }
    }
}

/// f32 numbers around those of f16 and bf16.
fn singles() -> Vec<Case> {
    let mut cases: Vec<Case> = doubles()
        .iter()
        .map(|case| (f64::from_bits(case[0]) as f32).to_bits())
        .flat_map(|bits| [bits.wrapping_sub(1), bits, bits.wrapping_add(1)])
        .map(|bits| [u64::from(bits), 0, 0, 0])
        .collect();
    cases.extend(combinations(FLOATS_32, 1));
    cases.retain(|case| f32_of(case[0]).is_finite());
    cases
}

#[test]
fn singles_to_halves_in_every_direction() {
    for (name, rounding) in ROUNDINGS {
        let text = format!("cvt.{name}.f16.f32 %r, %a;");
        Probe { text: &text, result: 16, sources: &[32] }
            .exact(&singles(), |[a, ..]| rounded(F16, f32_of(a).into(), rounding));
        let text = format!("cvt.{name}.ftz.sat.f16.f32 %r, %a;");
        Probe { text: &text, result: 16, sources: &[32] }.exact(&singles(), |[a, ..]| {
            let value = if f32_of(a).is_subnormal() { 0.0 } else { f32_of(a) };
            rounded(F16, saturated(value.into()), rounding)
        });
    }
}

/// `.satfinite` keeps numbers finite, `.relu` keeps them from being negative.
#[test]
fn finite_and_positive_results() {
    let mut cases = singles();
    cases.extend([0x7F80_0000, 0xFF80_0000, 0x7FC0_0000, 0xFFC0_0000].map(|bits| [bits, 0, 0, 0]));
    let largest = |format: Format| (((1u64 << format.exponent) - 1) << format.mantissa) - 1;
    let wanted = |format: Format, rounding, finite: bool, relu: bool, a: u64| {
        let value = f64::from(f32_of(a));
        if value.is_nan() {
            return 0x7FFF;
        }
        if relu && (value <= 0.0) {
            return 0;
        }
        let bits =
            if value.is_finite() { rounded(format, value, rounding) } else { format.bits(value, rounding) };
        let (sign, size) = (bits & 0x8000, bits & 0x7FFF);
        sign | if finite { size.min(largest(format)) } else { size }
    };
    for (format, name) in [(F16, "f16"), (BF16, "bf16")] {
        for (rounding_name, rounding) in &ROUNDINGS[..2] {
            for (modifiers, finite, relu) in [
                ("", false, false),
                (".relu", false, true),
                (".satfinite", true, false),
                (".relu.satfinite", true, true),
                (".satfinite.relu", true, true),
            ] {
                let text = format!("cvt.{rounding_name}{modifiers}.{name}.f32 %r, %a;");
                Probe { text: &text, result: 16, sources: &[32] }
                    .exact(&cases, |[a, ..]| wanted(format, *rounding, finite, relu, a));
                // Packed, the first source goes to the upper half.
                let text = format!("cvt.{rounding_name}{modifiers}.{name}x2.f32 %r, %a, %b;");
                let pairs: Vec<Case> =
                    cases.iter().zip(cases.iter().rev()).map(|(a, b)| [a[0], b[0], 0, 0]).collect();
                Probe { text: &text, result: 32, sources: &[32, 32] }.exact(&pairs, |[a, b, ..]| {
                    let half = |a| wanted(format, *rounding, finite, relu, a);
                    half(a) << 16 | half(b)
                });
            }
        }
    }
}

#[test]
fn singles_to_tf32() {
    let mut cases = singles();
    cases.extend(
        [0x3F80_0FFF, 0x3F80_1000, 0x3F80_1001, 0x7F7F_F000, 0x7F7F_EFFF].map(|bits| [bits, 0, 0, 0]),
    );
    let away = |a: u64| (a + 0x1000) & 0xFFFF_E000;
    Probe { text: "cvt.rna.tf32.f32 %r, %a;", result: 32, sources: &[32] }.exact(&cases, |[a, ..]| away(a));
    Probe { text: "cvt.rna.satfinite.tf32.f32 %r, %a;", result: 32, sources: &[32] }.exact(
        &cases,
        |[a, ..]| {
            if away(a) & 0x7FFF_FFFF == 0x7F80_0000 { (a & 0x8000_0000) | 0x7F7F_E000 } else { away(a) }
        },
    );
    for (name, rounding) in &ROUNDINGS[..2] {
        for (modifier, relu) in [("", false), (".relu", true)] {
            let text = format!("cvt.{name}{modifier}.tf32.f32 %r, %a;");
            let probe = Probe { text: &text, result: 32, sources: &[32] };
            for (case, got) in cases.iter().zip(probe.run_for("sm_90", &cases)) {
                let value = f64::from(f32_of(case[0]));
                let wanted = if relu && value <= 0.0 { 0 } else { rounded(TF32, value, *rounding) << 13 };
                assert_eq!(got, wanted, "{text} of {case:x?}");
            }
        }
    }
}

const INTEGERS: [(&str, u32, bool); 8] = [
    ("u8", 8, false),
    ("s8", 8, true),
    ("u16", 16, false),
    ("s16", 16, true),
    ("u32", 32, false),
    ("s32", 32, true),
    ("u64", 64, false),
    ("s64", 64, true),
];

/// The number that the low bits of a word are.
fn number(word: u64, bits: u32, signed: bool) -> i128 {
    let low = i128::from(word & mask(bits));
    if signed && low >> (bits - 1) == 1 { low - (1 << bits) } else { low }
}

#[test]
fn integers_to_halves_and_doubles() {
    let mut words = INTEGERS_64.to_vec();
    words.extend([
        2047,
        2048,
        2049,
        2051,
        65503,
        65504,
        65519,
        65520,
        (1 << 53) + 1,
        (1 << 53) + 3,
        (1 << 62) + 257,
    ]);
    let cases = combinations(&words, 1);
    for (ty, bits, signed) in INTEGERS {
        let source = bits.max(16);
        let cases: Vec<Case> = cases.iter().map(|case| [case[0] & mask(source), 0, 0, 0]).collect();
        for (name, rounding) in ROUNDINGS {
            // An integer in f16 first goes to the f64 that rounds on like it.
            let text = format!("cvt.{name}.f16.{ty} %r, %a;");
            Probe { text: &text, result: 16, sources: &[source] }.exact(&cases, |[a, ..]| {
                let n = number(a, bits, signed);
                let near = n as f64;
                rounded(F16, crate::rounding::to_odd(near, (n - near as i128) as f64), rounding)
            });
            let text = format!("cvt.{name}.f64.{ty} %r, %a;");
            let probe = Probe { text: &text, result: 64, sources: &[source] };
            for (case, got) in cases.iter().zip(probe.run(&cases)) {
                let n = number(case[0], bits, signed);
                // In two parts that f64 holds exactly.
                let (high, low) = ((n >> 32) as f64 * 2f64.powi(32), (n & 0xFFFF_FFFF) as f64);
                let got = f64::from_bits(got);
                let right = match n {
                    0 => got == 0.0,
                    _ => is_rounded(got, rounding, |x| sign_of_sum(&[[x, 1.0], [-high, 1.0], [-low, 1.0]])),
                };
                assert!(right, "{text} of {n} gave {got}");
            }
        }
    }
}

#[test]
fn halves_and_doubles_to_integers() {
    let halves: Vec<Case> = (0..0x10000).step_by(7).map(|bits| [bits, 0, 0, 0]).collect();
    let mut wide = doubles();
    for x in [
        0.5,
        1.5,
        2.5,
        127.5,
        255.5,
        -128.5,
        2147483647.5,
        4294967295.5,
        9.3e18,
        1.9e19,
        f64::INFINITY,
        f64::NAN,
    ] {
        wide.extend([x, -x].map(|x: f64| [x.to_bits(), 0, 0, 0]));
    }
    for (ty, bits, signed) in INTEGERS {
        let (low, high) = if signed {
            (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1)
        } else {
            (0, (1i128 << bits) - 1)
        };
        let rounds: [(&str, fn(f64) -> f64); 4] =
            [("rni", f64::round_ties_even), ("rzi", f64::trunc), ("rmi", f64::floor), ("rpi", f64::ceil)];
        for (name, round) in rounds {
            let result = bits.max(16);
            let whole = |x: f64| (round(x) as i128).clamp(low, high) as u64 & mask(result);
            let text = format!("cvt.{name}.{ty}.f16 %r, %a;");
            Probe { text: &text, result, sources: &[16] }.exact(&halves, |[a, ..]| {
                let x = F16.value(a);
                if x.is_nan() { if bits == 64 { 1 << 63 } else { 0 } } else { whole(x) }
            });
            let text = format!("cvt.{name}.sat.{ty}.f64 %r, %a;");
            Probe { text: &text, result, sources: &[64] }.exact(&wide, |[a, ..]| {
                let x = f64::from_bits(a);
                if x.is_nan() {
                    (1u64 << (bits - 1)) | if signed { mask(result) & !mask(bits) } else { 0 }
                } else {
                    whole(x)
                }
            });
        }
    }
}

#[test]
fn halves_widen_and_become_whole() {
    let cases: Vec<Case> = (0..0x10000).map(|bits| [bits, 0, 0, 0]).collect();
    let numbers: Vec<Case> = cases.iter().copied().filter(|case| !F16.value(case[0]).is_nan()).collect();
    Probe { text: "cvt.f64.f16 %r, %a;", result: 64, sources: &[16] }
        .exact(&numbers, |[a, ..]| F16.value(a).to_bits());
    Probe { text: "cvt.sat.f32.f16 %r, %a;", result: 32, sources: &[16] }.exact(&cases, |[a, ..]| {
        let value = F16.value(a);
        (saturated(if value.is_nan() { 0.0 } else { value }) as f32).to_bits().into()
    });
    for (name, round) in [
        ("rni", f64::round_ties_even as fn(f64) -> f64),
        ("rzi", f64::trunc),
        ("rmi", f64::floor),
        ("rpi", f64::ceil),
    ] {
        let text = format!("cvt.{name}.f16.f16 %r, %a;");
        Probe { text: &text, result: 16, sources: &[16] }
            .exact(&numbers, |[a, ..]| F16.bits(round(F16.value(a)), Rounding::Nearest));
        let text = format!("cvt.{name}.f64.f64 %r, %a;");
        Probe { text: &text, result: 64, sources: &[64] }
            .exact(&doubles(), |[a, ..]| round(f64::from_bits(a)).to_bits());
    }
}
