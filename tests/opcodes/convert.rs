//! `cvt`: rounding directions, saturation, and the narrow formats.

use crate::probe::{Case, FLOATS_32, INTEGERS_32, INTEGERS_64, Probe, combinations, f32_of, mask};
use crate::rounding::{BF16, F16, ROUNDINGS, Rounding, flush, to_f32};

fn integral(value: f64, rounding: &str) -> f64 {
    match rounding {
        "rni" => value.round_ties_even(),
        "rzi" => value.trunc(),
        "rmi" => value.floor(),
        _ => value.ceil(),
    }
}

const INTEGRAL: [&str; 4] = ["rni", "rzi", "rmi", "rpi"];

/// f32 numbers around the limits of the integer types, and ties.
fn floats_near_integers() -> Vec<Case> {
    let mut bits: Vec<u64> = FLOATS_32.to_vec();
    for value in
        [0.25f32, 0.5, 0.75, 1.5, 2.5, 127.5, 128.0, 255.5, 256.0, 32767.5, 65535.5, 8388607.5, 2147483520.0]
    {
        bits.extend([value, -value].map(|value| u64::from(value.to_bits())));
    }
    combinations(&bits, 1)
}

/// (type, smallest, largest)
const INTEGER_TYPES: [(&str, u32, i128, i128); 6] = [
    ("u16", 16, 0, u16::MAX as i128),
    ("s16", 16, i16::MIN as i128, i16::MAX as i128),
    ("u32", 32, 0, u32::MAX as i128),
    ("s32", 32, i32::MIN as i128, i32::MAX as i128),
    ("u64", 64, 0, u64::MAX as i128),
    ("s64", 64, i64::MIN as i128, i64::MAX as i128),
];

/// NaN becomes 0 in 32 bits and less, and the top bit in 64.
#[test]
fn floats_to_integers_round_and_saturate() {
    for (ty, bits, smallest, largest) in INTEGER_TYPES {
        for rounding in INTEGRAL {
            let text = format!("cvt.{rounding}.{ty}.f32 %r, %a;");
            Probe { text: &text, result: bits, sources: &[32] }.exact(&floats_near_integers(), |[a, ..]| {
                let value = f64::from(f32_of(a));
                if value.is_nan() {
                    return if bits == 64 { 1 << 63 } else { 0 };
                }
                // The cast saturates far outside of every type.
                (integral(value, rounding) as i128).clamp(smallest, largest) as u64
            });
        }
    }
}

#[test]
fn integers_to_floats_round_in_every_direction() {
    let check = |ty: &str, bits: u32, values: &[u64], value: fn(u64) -> i128| {
        for (name, rounding) in ROUNDINGS {
            let text = format!("cvt.{name}.f32.{ty} %r, %a;");
            Probe { text: &text, result: 32, sources: &[bits] }.exact(&combinations(values, 1), |[a, ..]| {
                to_f32(exact(value(a)), rounding).to_bits().into()
            });
        }
    };
    // An integer of 64 bits as an f64 that rounds on to f32 like the integer itself.
    fn exact(value: i128) -> f64 {
        let near = value as f64;
        crate::rounding::to_odd(near, (value - near as i128) as f64)
    }
    let mut words = INTEGERS_32.to_vec();
    words.extend([
        0x00FF_FFFF,
        0x0100_0000,
        0x0100_0001,
        0x0100_0003,
        0x7FFF_FFC0,
        0x7FFF_FFBF,
        0xFFFF_FF80,
        0xFFFF_FF7F,
    ]);
    check("u32", 32, &words, i128::from);
    check("s32", 32, &words, |a| i128::from(a as u32 as i32));
    let mut long = INTEGERS_64.to_vec();
    long.extend([0x8000_0080_0000_0000, 0x8000_0080_0000_0001, 0x8000_007F_FFFF_FFFF, 0x0000_0100_0000_8001]);
    check("u64", 64, &long, i128::from);
    check("s64", 64, &long, |a| i128::from(a as i64));
    check("u16", 16, &[0, 1, 0x7FFF, 0x8000, 0xFFFF], i128::from);
    check("s16", 16, &[0, 1, 0x7FFF, 0x8000, 0xFFFF], |a| i128::from(a as u16 as i16));
}

#[test]
fn integers_to_integers_extend_chop_and_saturate() {
    let signed = |word: u64, bits: u32| (word << (64 - bits)) as i64 >> (64 - bits);
    let types = [
        ("u16", 16, false),
        ("s16", 16, true),
        ("u32", 32, false),
        ("s32", 32, true),
        ("u64", 64, false),
        ("s64", 64, true),
    ];
    for (from, from_bits, from_signed) in types {
        let cases: Vec<Case> =
            combinations(INTEGERS_64, 1).into_iter().map(|[a, ..]| [a & mask(from_bits), 0, 0, 0]).collect();
        let value = |a: u64| if from_signed { i128::from(signed(a, from_bits)) } else { i128::from(a) };
        for (to, to_bits, to_signed) in types {
            let text = format!("cvt.{to}.{from} %r, %a;");
            Probe { text: &text, result: to_bits, sources: &[from_bits] }
                .exact(&cases, |[a, ..]| value(a) as u64);
            let (smallest, largest) = if to_signed {
                (-(1i128 << (to_bits - 1)), (1i128 << (to_bits - 1)) - 1)
            } else {
                (0, (1i128 << to_bits) - 1)
            };
            // PTX allows `.sat` only where some value of the source type does not fit.
            let extremes = [0, mask(from_bits), mask(from_bits) >> 1, 1 << (from_bits - 1)].map(value);
            if extremes.iter().all(|value| (smallest..=largest).contains(value)) {
                continue;
            }
            let text = format!("cvt.sat.{to}.{from} %r, %a;");
            Probe { text: &text, result: to_bits, sources: &[from_bits] }
                .exact(&cases, |[a, ..]| value(a).clamp(smallest, largest) as u64);
        }
    }
}

/// 8-bit types stand in wider registers: the source is chopped, the result extended.
#[test]
fn bytes_in_wider_registers() {
    let cases = combinations(INTEGERS_32, 1);
    let probe = |text| Probe { text, result: 32, sources: &[32] };
    probe("cvt.u32.u8 %r, %a;").exact(&cases, |[a, ..]| a & 0xFF);
    probe("cvt.s32.s8 %r, %a;").exact(&cases, |[a, ..]| a as u8 as i8 as i32 as u32 as u64);
    probe("cvt.u8.u32 %r, %a;").exact(&cases, |[a, ..]| a & 0xFF);
    probe("cvt.sat.u8.s32 %r, %a;").exact(&cases, |[a, ..]| (a as u32 as i32).clamp(0, 255) as u64);
    probe("cvt.rni.u8.f32 %r, %a;").exact(&floats_near_integers(), |[a, ..]| {
        let value = f32_of(a);
        if value.is_nan() { 0 } else { value.round_ties_even().clamp(0.0, 255.0) as u64 }
    });
    probe("cvt.rn.f32.u8 %r, %a;").exact(&cases, |[a, ..]| ((a & 0xFF) as f32).to_bits().into());
}

#[test]
fn floats_to_integral_floats() {
    for rounding in INTEGRAL {
        let text = format!("cvt.{rounding}.f32.f32 %r, %a;");
        Probe { text: &text, result: 32, sources: &[32] }
            .exact_f32(&floats_near_integers(), |[a, ..]| integral(a.into(), rounding) as f32);
    }
}

#[test]
fn between_single_and_double() {
    for (name, rounding) in ROUNDINGS {
        let text = format!("cvt.{name}.f32.f64 %r, %a;");
        let values = [
            0.0,
            -0.0,
            0.1,
            -0.1,
            1.0 + 2f64.powi(-24),
            1.0 + 3.0 * 2f64.powi(-24),
            1e300,
            -1e300,
            1e-300,
            -1e-300,
            1e-45,
            f64::from(f32::MAX) * (1.0 + 1e-9),
            f64::INFINITY,
            f64::NAN,
        ];
        let cases = combinations(&values.map(f64::to_bits), 1);
        let probe = Probe { text: &text, result: 32, sources: &[64] };
        for (case, got) in cases.iter().zip(probe.run(&cases)) {
            let wanted = to_f32(f64::from_bits(case[0]), rounding);
            let got = f32_of(got);
            assert!(
                got.to_bits() == wanted.to_bits() || got.is_nan() && wanted.is_nan(),
                "{text} {case:x?}: {got}, not {wanted}"
            );
        }
    }
    let cases: Vec<Case> =
        combinations(FLOATS_32, 1).into_iter().filter(|case| !f32_of(case[0]).is_nan()).collect();
    Probe { text: "cvt.f64.f32 %r, %a;", result: 64, sources: &[32] }
        .exact(&cases, |[a, ..]| f64::from(f32_of(a)).to_bits());
}

#[test]
fn saturation_and_flushing() {
    let cases = combinations(FLOATS_32, 1);
    let probe = |text| Probe { text, result: 32, sources: &[32] };
    probe("cvt.sat.f32.f32 %r, %a; add.rn.f32 %r, %r, 0f00000000;")
        .exact_f32(&cases, |[a, ..]| if a.is_nan() { 0.0 } else { a.clamp(0.0, 1.0) + 0.0 });
    probe("cvt.ftz.f32.f32 %r, %a;").exact_f32(&cases, |[a, ..]| flush(a));
}

/// f32 numbers that are ties, just beside ties, and at the limits of f16 and bf16.
fn floats_near_narrow_ones() -> Vec<Case> {
    let mut bits = FLOATS_32.to_vec();
    for base in [
        0x3F80_0000u64,
        0x3F80_1000,
        0x3F81_0000,
        0x477F_E000,
        0x477F_F000,
        0x3880_0000,
        0x3300_0000,
        0x3380_0000,
        0x7F7F_0000,
        0x7F7F_8000,
    ] {
        for offset in [0u64, 1, 0x0FFF, 0x1000, 0x1001, 0x3000, 0x7FFF, 0x8000, 0x8001] {
            bits.extend([base + offset, (base + offset) | 0x8000_0000]);
        }
    }
    combinations(&bits, 1)
}

/// NaN of the narrow format is 0x7FFF.
#[test]
fn floats_to_narrow_floats() {
    for (format, ty) in [(F16, "f16"), (BF16, "bf16")] {
        for (name, rounding) in [("rn", Rounding::Nearest), ("rz", Rounding::Zero)] {
            let cases = floats_near_narrow_ones();
            let text = format!("cvt.{name}.{ty}.f32 %r, %a;");
            Probe { text: &text, result: 16, sources: &[32] }
                .exact(&cases, |[a, ..]| format.bits(f32_of(a).into(), rounding));
            if ty == "f16" {
                continue;
            }
            let text = format!("cvt.{name}.relu.{ty}.f32 %r, %a;");
            Probe { text: &text, result: 16, sources: &[32] }.exact(&cases, |[a, ..]| {
                let value = f64::from(f32_of(a));
                // Negative numbers become +0, NaN the format's own.
                if value <= 0.0 { 0 } else { format.bits(value, rounding) }
            });
        }
    }
}

/// The first source goes to the upper half.
#[test]
fn pairs_of_floats_to_packed_narrow_floats() {
    let values: Vec<Case> = floats_near_narrow_ones();
    let cases: Vec<Case> = values.iter().zip(values.iter().rev()).map(|(a, b)| [a[0], b[0], 0, 0]).collect();
    for (format, ty) in [(F16, "f16x2"), (BF16, "bf16x2")] {
        let text = format!("cvt.rn.{ty}.f32 %r, %a, %b;");
        Probe { text: &text, result: 32, sources: &[32, 32] }.exact(&cases, |[a, b, ..]| {
            let half = |word| format.bits(f32_of(word).into(), Rounding::Nearest);
            half(a) << 16 | half(b)
        });
    }
}

#[test]
fn narrow_floats_to_floats() {
    for (format, ty) in [(F16, "f16"), (BF16, "bf16")] {
        let text = format!("cvt.f32.{ty} %r, %a;");
        let cases: Vec<Case> = (0..=0xFFFF).map(|bits| [bits, 0, 0, 0]).collect();
        Probe { text: &text, result: 32, sources: &[16] }.near_f32_of(&cases, |bits| format.value(bits));
    }
}

/// Rounds half away from zero at the 13th bit, as measured on hardware.
#[test]
fn floats_to_tf32() {
    let mut bits = FLOATS_32.to_vec();
    bits.extend([0x3F80_0FFF, 0x3F80_1000, 0x3F80_1001, 0x3F80_3000, 0xBF80_1000, 0x7F7F_F000, 0x0000_1000]);
    let cases: Vec<Case> =
        combinations(&bits, 1).into_iter().filter(|case| !f32_of(case[0]).is_nan()).collect();
    Probe { text: "cvt.rna.tf32.f32 %r, %a;", result: 32, sources: &[32] }
        .exact(&cases, |[a, ..]| if f32_of(a).is_infinite() { a } else { (a + 0x1000) & 0xFFFF_E000 });
}

impl Probe<'_> {
    /// Results that are exactly the reference's value of the source's bits; NaN for NaN.
    fn near_f32_of(&self, cases: &[Case], reference: impl Fn(u64) -> f64) {
        for (case, got) in cases.iter().zip(self.run(cases)) {
            let (got, wanted) = (f32_of(got), reference(case[0]) as f32);
            let same = got.to_bits() == wanted.to_bits() || got.is_nan() && wanted.is_nan();
            assert!(same, "{} of {:#x} gave {got}, not {wanted}", self.text, case[0]);
        }
    }
}
