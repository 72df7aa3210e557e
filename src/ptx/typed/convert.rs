//! `cvt`.

use super::reader::{Reader, Result, int_of};
use super::{FloatMode, Instruction, Op, Rounding, Scalar};
use crate::ptx::ast::Type;

fn scalar(ty: Type) -> Option<Scalar> {
    Some(match ty {
        Type::F16 => Scalar::F16,
        Type::Bf16 => Scalar::Bf16,
        Type::Tf32 => Scalar::Tf32,
        Type::F32 => Scalar::F32,
        Type::F64 => Scalar::F64,
        ty => Scalar::Int(int_of(ty)?),
    })
}

/// Bits of precision; an integer's are exact as a float's only if they fit.
fn width(scalar: Scalar) -> u32 {
    match scalar {
        Scalar::Int(int) => int.bits,
        Scalar::F16 | Scalar::Bf16 => 16,
        Scalar::Tf32 | Scalar::F32 => 32,
        Scalar::F64 => 64,
    }
}

pub(super) fn convert(mut reader: Reader) -> Result<Instruction> {
    let rounding = reader.choice(&[
        ("rn", (Rounding::Nearest, false)),
        ("rna", (Rounding::NearestAway, false)),
        ("rz", (Rounding::Zero, false)),
        ("rm", (Rounding::Down, false)),
        ("rp", (Rounding::Up, false)),
        ("rni", (Rounding::Nearest, true)),
        ("rzi", (Rounding::Zero, true)),
        ("rmi", (Rounding::Down, true)),
        ("rpi", (Rounding::Up, true)),
    ]);
    let (ftz, sat, relu) = (reader.flag("ftz"), reader.flag("sat"), reader.flag("relu"));
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
    let (to_int, from_int) = (matches!(target, Scalar::Int(_)), matches!(source, Scalar::Int(_)));
    if packed && from != Type::F32 {
        return reader.fail("packed results come from two .f32");
    }
    let needed = match (to_int, from_int) {
        (true, false) | (false, true) => true,
        (true, true) => false,
        (false, false) => width(target) < width(source) || to == Type::Tf32 || packed,
    };
    let integral = matches!(rounding, Some((_, true)));
    match rounding {
        None if needed => return reader.fail("needs a rounding modifier"),
        Some(_) if to_int && from_int => return reader.fail("integers are not rounded"),
        Some((_, false)) if to_int => return reader.fail("to an integer rounds with .rni .rzi .rmi or .rpi"),
        Some((_, true)) if from_int => return reader.fail("an integer has no fraction to round"),
        Some((Rounding::NearestAway, _)) if to != Type::Tf32 => return reader.fail(".rna is for .tf32"),
        _ => {}
    }
    let mode = FloatMode {
        rounding: rounding.map_or(Rounding::Nearest, |(direction, _)| direction),
        ftz,
        sat,
        relu,
    };
    // Registers may be wider than the types of a conversion.
    let widest = |ty: Type| if int_of(ty).is_some() { 8 } else { ty.bytes().max(2) };
    let operands = &reader.ast.operands;
    reader.count(if packed { 3 } else { 2 })?;
    let low = to.bytes().max(2);
    let dst = vec![reader.dst_of(&operands[0], low, if to_int { 8 } else { low })?];
    let mut src = Vec::new();
    for operand in &operands[1..] {
        src.push(reader.src_of(operand, from, widest(from))?);
    }
    reader.done(Op::Convert { to: target, from: source, packed, integral, mode }, dst, src)
}
