//! Comparisons and selections.

use super::reader::{Reader, Result, float_of, int_of};
use super::{Compared, Comparison, Instruction, Logic, Op};
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
    let bits_only = matches!(ty, Type::B16 | Type::B32 | Type::B64);
    let for_unsigned =
        ["lo", "ls", "hi", "hs"].iter().any(|name| reader.ast.modifiers.iter().any(|m| m == name));
    if for_unsigned && !matches!(ty, Type::U16 | Type::U32 | Type::U64) {
        return reader.fail("compares unsigned integers");
    }
    if let Some(float) = float_of(ty) {
        return Ok(Compared::Float { ty: float, ftz });
    }
    use Comparison::*;
    let ordered = matches!(comparison, Eq | Ne | Lt | Le | Gt | Ge);
    match int_of(ty) {
        Some(int) if int.bits >= 16 && ordered && (on_bits || !bits_only) && !ftz => Ok(Compared::Int(int)),
        _ => reader.fail("cannot be compared like this"),
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
    let mut src = vec![reader.src(1, ty)?, reader.src(2, ty)?];
    if logic.is_some() {
        src.push(reader.pred(3)?);
    }
    reader.done(Op::SetPred { comparison, ty: compared, logic }, dst, src)
}

pub(super) fn set(mut reader: Reader) -> Result<Instruction> {
    let comparison = comparison(&mut reader)?;
    let logic = logic(&mut reader);
    let (result, ty) = (reader.ty()?, reader.ty()?);
    let float_result = match result {
        Type::U32 | Type::S32 => false,
        Type::F32 => true,
        _ => return reader.fail("the result is .u32, .s32 or .f32"),
    };
    let compared = compared(&mut reader, comparison, ty)?;
    reader.count(if logic.is_some() { 4 } else { 3 })?;
    let dst = vec![reader.dst(0, 4)?];
    let mut src = vec![reader.src(1, ty)?, reader.src(2, ty)?];
    if logic.is_some() {
        src.push(reader.pred(3)?);
    }
    reader.done(Op::Set { comparison, ty: compared, logic, float_result }, dst, src)
}

pub(super) fn selp(mut reader: Reader) -> Result<Instruction> {
    let ty = reader.ty()?;
    if !matches!(ty.bytes(), 2 | 4 | 8) {
        return reader.fail("the type has 16, 32 or 64 bits");
    }
    reader.count(4)?;
    let dst = vec![reader.dst(0, ty.bytes())?];
    let src = vec![reader.src(1, ty)?, reader.src(2, ty)?, reader.pred(3)?];
    reader.done(Op::Select, dst, src)
}

pub(super) fn slct(mut reader: Reader) -> Result<Instruction> {
    let _ = reader.flag("ftz");
    let (ty, selector) = (reader.ty()?, reader.ty()?);
    let float = match selector {
        Type::S32 => false,
        Type::F32 => true,
        _ => return reader.fail("the selector is .s32 or .f32"),
    };
    reader.count(4)?;
    let dst = vec![reader.dst(0, ty.bytes())?];
    let src = vec![reader.src(1, ty)?, reader.src(2, ty)?, reader.src(3, selector)?];
    reader.done(Op::SelectSign { float }, dst, src)
}
