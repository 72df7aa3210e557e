//! `cvt`.

use super::reader::{Reader, Result, int_of, is_bits};
use super::{FloatMode, Instruction, Int, Op, Rounding, Scalar};
use crate::ptx::ast::Type;

fn scalar(ty: Type) -> Option<Scalar> {
    Some(match ty {
        Type::F16 => Scalar::F16,
        Type::Bf16 => Scalar::Bf16,
        Type::Tf32 => Scalar::Tf32,
        Type::F32 => Scalar::F32,
        Type::F64 => Scalar::F64,
        ty if is_bits(ty) => return None,
        ty => Scalar::Int(int_of(ty)?),
    })
}

/// Bits of a number in memory.
fn width(scalar: Scalar) -> u32 {
    match scalar {
        Scalar::Int(int) => int.bits,
        Scalar::F16 | Scalar::Bf16 => 16,
        Scalar::Tf32 | Scalar::F32 => 32,
        Scalar::F64 => 64,
    }
}

fn is_int(scalar: Scalar) -> bool {
    matches!(scalar, Scalar::Int(_))
}

/// A rounding modifier: the direction, and whether it is one to integers (`.rni`).
type RoundingModifier = Option<(Rounding, bool)>;

fn rounding_modifier(reader: &mut Reader) -> RoundingModifier {
    reader.choice(&[
        ("rn", (Rounding::Nearest, false)),
        ("rna", (Rounding::NearestAway, false)),
        ("rz", (Rounding::Zero, false)),
        ("rm", (Rounding::Down, false)),
        ("rp", (Rounding::Up, false)),
        ("rni", (Rounding::Nearest, true)),
        ("rzi", (Rounding::Zero, true)),
        ("rmi", (Rounding::Down, true)),
        ("rpi", (Rounding::Up, true)),
    ])
}

pub(super) fn convert(mut reader: Reader) -> Result<Instruction> {
    let rounding = rounding_modifier(&mut reader);
    let mode = FloatMode {
        rounding: rounding.map_or(Rounding::Nearest, |(direction, _)| direction),
        explicit: rounding.is_some(),
        ftz: reader.flag("ftz"),
        sat: reader.flag("sat"),
        relu: reader.flag("relu"),
        finite: reader.flag("satfinite"),
        xorsign: false,
    };
    let (to, from) = (reader.ty()?, reader.ty()?);
    let packed = matches!(to, Type::F16x2 | Type::Bf16x2);
    let element = match to {
        Type::F16x2 => Type::F16,
        Type::Bf16x2 => Type::Bf16,
        other => other,
    };
    let (Some(target), Some(source)) = (scalar(element), scalar(from)) else {
        return reader.fail("there is no such conversion");
    };
    let single_only = packed || target == Scalar::Tf32;
    if source == Scalar::Tf32 || (single_only && from != Type::F32) {
        return reader.fail("there is no such conversion");
    }
    if later(target, source) {
        reader.since(90)?;
    }
    check_rounding(&reader, rounding, target, source, packed)?;
    check_range(&reader, mode, target, source, packed)?;
    // Registers may be wider than the types of a conversion.
    let widest = |ty: Type| if scalar(ty).is_some_and(is_int) { 8 } else { ty.bytes().max(2) };
    let operands = &reader.ast.operands;
    reader.count(if packed { 3 } else { 2 })?;
    let low = to.bytes().max(2);
    let dst = vec![reader.dst_of(&operands[0], low, if is_int(target) { 8 } else { low })?];
    let mut src = Vec::new();
    for operand in &operands[1..] {
        src.push(reader.src_of(operand, from, widest(from))?);
    }
    let integral = matches!(rounding, Some((_, true)));
    reader.done(Op::Convert { to: target, from: source, packed, integral, mode }, dst, src)
}

/// Conversions of bf16, other than to and from f32, that came with sm_90.
fn later(target: Scalar, source: Scalar) -> bool {
    match (target, source) {
        (Scalar::Bf16, Scalar::F32) | (Scalar::F32, Scalar::Bf16) => false,
        (target, source) => target == Scalar::Bf16 || source == Scalar::Bf16,
    }
}

/// A conversion rounds where it may lose something, and nowhere else.
fn check_rounding(
    reader: &Reader,
    rounding: RoundingModifier,
    target: Scalar,
    source: Scalar,
    packed: bool,
) -> Result<()> {
    let exact = match (is_int(target), is_int(source)) {
        (true, true) => true,
        (false, false) => target == source || width(target) > width(source),
        _ => false,
    };
    let (to_integer, direction) = match rounding {
        None if exact => return Ok(()),
        None => return reader.fail("needs a rounding modifier"),
        Some((direction, to_integer)) => (to_integer, direction),
    };
    if is_int(target) && is_int(source) {
        return reader.fail("integers are not rounded");
    }
    if is_int(target) && !to_integer {
        return reader.fail("rounds to an integer with .rni .rzi .rmi or .rpi");
    }
    if !is_int(target) && to_integer && target != source {
        return reader.fail("rounds with .rn .rz .rm or .rp");
    }
    if exact && !to_integer {
        return reader.fail("is exact and does not round");
    }
    let short = packed || (target == Scalar::Bf16 && source == Scalar::F32);
    match direction {
        Rounding::NearestAway if target != Scalar::Tf32 => reader.fail(".rna is for .tf32"),
        Rounding::NearestAway => Ok(()),
        Rounding::Nearest | Rounding::Zero if target == Scalar::Tf32 => reader.since(90),
        Rounding::Down | Rounding::Up if short || target == Scalar::Tf32 => {
            reader.fail("rounds with .rn or .rz")
        }
        _ => Ok(()),
    }
}

/// `.ftz`, `.sat`, `.relu` and `.satfinite` where they can matter.
fn check_range(reader: &Reader, mode: FloatMode, target: Scalar, source: Scalar, packed: bool) -> Result<()> {
    let narrow = matches!(target, Scalar::F16 | Scalar::Bf16 | Scalar::Tf32);
    let short =
        narrow && source == Scalar::F32 && matches!(mode.rounding, Rounding::Nearest | Rounding::Zero);
    let away = target == Scalar::Tf32 && mode.rounding == Rounding::NearestAway;
    let single = target == Scalar::F32 || source == Scalar::F32;
    let bf16 = target == Scalar::Bf16 || source == Scalar::Bf16;
    let clamps = match (target, source) {
        (Scalar::Int(target), Scalar::Int(source)) => !holds(target, source),
        _ => !packed && !bf16 && target != Scalar::Tf32,
    };
    let refused = [
        (mode.ftz && (!single || bf16 || packed || target == Scalar::Tf32), "takes no .ftz"),
        (mode.sat && !clamps, "takes no .sat"),
        (mode.relu && !short, "takes no .relu"),
        (mode.finite && !short && !away, "takes no .satfinite"),
        (
            (mode.relu || mode.finite) && (mode.ftz || mode.sat),
            "takes either .ftz and .sat or .relu and .satfinite",
        ),
    ];
    match refused.into_iter().find(|(refused, _)| *refused) {
        Some((_, message)) => reader.fail(message),
        None => Ok(()),
    }
}

/// Whether every value of `inner` is one of `outer`.
fn holds(outer: Int, inner: Int) -> bool {
    match (outer.signed, inner.signed) {
        (true, false) => outer.bits > inner.bits,
        (false, true) => false,
        _ => outer.bits >= inner.bits,
    }
}
