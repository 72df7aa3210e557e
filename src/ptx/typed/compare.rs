//! Comparisons and selections.

use super::reader::{Reader, Result, float_of, int_of, is_bits};
use super::{Compared, Comparison, Float, Instruction, Logic, Op};
use crate::ptx::ast::Type;

fn comparison(reader: &mut Reader) -> Result<Comparison> {
    use Comparison::*;
    reader.require(&[
        ("eq", Eq),
        ("ne", Ne),
        ("lt", Lt),
        ("le", Le),
        ("gt", Gt),
        ("ge", Ge),
        ("lo", Lt),
        ("ls", Le),
        ("hi", Gt),
        ("hs", Ge),
        ("equ", Equ),
        ("neu", Neu),
        ("ltu", Ltu),
        ("leu", Leu),
        ("gtu", Gtu),
        ("geu", Geu),
        ("num", Num),
        ("nan", Nan),
    ])
}

fn logic(reader: &mut Reader) -> Option<Logic> {
    reader.choice(&[("and", Logic::And), ("or", Logic::Or), ("xor", Logic::Xor)])
}

/// The type of the operands, which must suit the comparison.
fn compared(reader: &mut Reader, comparison: Comparison, ty: Type) -> Result<Compared> {
    let ftz = reader.flag("ftz");
    let on_bits = matches!(comparison, Comparison::Eq | Comparison::Ne);
    let for_unsigned =
        ["lo", "ls", "hi", "hs"].iter().any(|name| reader.ast.modifiers.iter().any(|m| m == name));
    if for_unsigned && !matches!(ty, Type::U16 | Type::U32 | Type::U64) {
        return reader.fail("compares unsigned integers");
    }
    if let Some(float) = float_of(ty) {
        return compared_floats(reader, float, ftz);
    }
    use Comparison::*;
    let ordered = matches!(comparison, Eq | Ne | Lt | Le | Gt | Ge);
    match int_of(ty) {
        Some(int) if int.bits >= 16 && ordered && (on_bits || !is_bits(ty)) && !ftz => Ok(Compared::Int(int)),
        _ => reader.fail("cannot be compared like this"),
    }
}

fn compared_floats(reader: &Reader, ty: Float, ftz: bool) -> Result<Compared> {
    if matches!(ty, Float::Bf16 | Float::Bf16x2) {
        reader.since(90)?;
    }
    match ftz && !matches!(ty, Float::F32 | Float::F16 | Float::F16x2) {
        true => reader.fail(".ftz is for .f32 and .f16"),
        false => Ok(Compared::Float { ty, ftz }),
    }
}

pub(super) fn setp(mut reader: Reader) -> Result<Instruction> {
    let comparison = comparison(&mut reader)?;
    let logic = logic(&mut reader);
    let ty = reader.ty()?;
    let compared = compared(&mut reader, comparison, ty)?;
    reader.count(if logic.is_some() { 4 } else { 3 })?;
    let (first, second) = reader.pair(0)?;
    let mut dst = vec![reader.dst_of(first, 0, 0)?];
    if let Some(second) = second {
        dst.push(reader.dst_of(second, 0, 0)?);
    }
    match (ty, dst.len()) {
        (Type::F16x2 | Type::Bf16x2, 1) => return reader.fail("writes p|q, one for each half"),
        (Type::F16 | Type::Bf16, 2) => return reader.fail("writes one predicate"),
        _ => {}
    }
    let mut src = vec![reader.src(1, ty)?, reader.src(2, ty)?];
    if logic.is_some() {
        src.push(reader.pred(3)?);
    }
    reader.done(Op::SetPred { comparison, ty: compared, logic }, dst, src)
}

/// The bits of "true" in a result of that type; `None` if there is no such result.
fn one(result: Type, operands: Type) -> Option<u32> {
    let half = matches!(operands, Type::F16 | Type::Bf16);
    let packed = matches!(operands, Type::F16x2 | Type::Bf16x2);
    match result {
        Type::U32 | Type::S32 => Some(u32::MAX),
        Type::U16 | Type::S16 if half => Some(0xFFFF),
        Type::F16x2 if operands == Type::F16x2 => Some(0x3C00_3C00),
        Type::Bf16x2 if operands == Type::Bf16x2 => Some(0x3F80_3F80),
        Type::F32 if !half && !packed => Some(0x3F80_0000),
        Type::F16 if !packed && operands != Type::Bf16 => Some(0x3C00),
        Type::Bf16 if !packed && operands != Type::F16 => Some(0x3F80),
        _ => None,
    }
}

pub(super) fn set(mut reader: Reader) -> Result<Instruction> {
    let comparison = comparison(&mut reader)?;
    let logic = logic(&mut reader);
    let (result, ty) = (reader.ty()?, reader.ty()?);
    if result == Type::Bf16 {
        reader.since(90)?;
    }
    let Some(one) = one(result, ty) else {
        return reader.fail("there is no such result for this comparison");
    };
    let compared = compared(&mut reader, comparison, ty)?;
    reader.count(if logic.is_some() { 4 } else { 3 })?;
    let dst = vec![reader.dst(0, result.bytes())?];
    let mut src = vec![reader.src(1, ty)?, reader.src(2, ty)?];
    if logic.is_some() {
        src.push(reader.pred(3)?);
    }
    reader.done(Op::Set { comparison, ty: compared, logic, one }, dst, src)
}

/// Takes the type of a selection: anything of 16, 32 or 64 bits but 16-bit floats.
fn selected(reader: &mut Reader) -> Result<Type> {
    let ty = reader.ty()?;
    let narrow = matches!(ty, Type::F16 | Type::Bf16 | Type::F16x2 | Type::Bf16x2 | Type::Tf32);
    if narrow || !matches!(ty.bytes(), 2 | 4 | 8) {
        return reader.fail("the type is .b, .u, .s or .f of 16, 32 or 64 bits; 16-bit floats are .b16");
    }
    Ok(ty)
}

pub(super) fn selp(mut reader: Reader) -> Result<Instruction> {
    let ty = selected(&mut reader)?;
    reader.count(4)?;
    let dst = vec![reader.dst(0, ty.bytes())?];
    let src = vec![reader.src(1, ty)?, reader.src(2, ty)?, reader.pred(3)?];
    reader.done(Op::Select, dst, src)
}

pub(super) fn slct(mut reader: Reader) -> Result<Instruction> {
    let ftz = reader.flag("ftz");
    let (ty, selector) = (selected(&mut reader)?, reader.ty()?);
    let float = match (selector, ftz) {
        (Type::S32, false) => false,
        (Type::F32, _) => true,
        _ => return reader.fail("the selector is .s32 or, with or without .ftz, .f32"),
    };
    reader.count(4)?;
    let dst = vec![reader.dst(0, ty.bytes())?];
    let src = vec![reader.src(1, ty)?, reader.src(2, ty)?, reader.src(3, selector)?];
    reader.done(Op::SelectSign { float, ftz }, dst, src)
}
