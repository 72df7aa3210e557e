//! Integer arithmetic, bits and shifts. Opcodes that integers share with floats hand over to `float`.

use super::float;
use super::reader::{Reader, Result, float_of, int_of};
use super::{Instruction, Int, IntBinary, IntTernary, IntUnary, Logic, Op, Operand, PermuteMode};
use crate::ptx::ast::Type;

/// The PTX type as which `int` reads its operands.
pub(super) fn type_of(int: Int) -> Type {
    match int.bits {
        8 => Type::B8,
        16 => Type::B16,
        32 => Type::B32,
        _ => Type::B64,
    }
}

fn is_float(reader: &Reader) -> bool {
    reader.ast.modifiers.iter().rev().find_map(|m| Type::parse(m)).is_some_and(|ty| float_of(ty).is_some())
}

pub(super) fn binary(mut reader: Reader, op: IntBinary) -> Result<Instruction> {
    let int = reader.int()?;
    reader.uniform(Op::IntBinary(op, int), type_of(int), 2)
}

pub(super) fn add_sub(mut reader: Reader) -> Result<Instruction> {
    let subtract = reader.ast.opcode == "sub";
    if is_float(&reader) {
        let op = if subtract { super::FloatBinary::Sub } else { super::FloatBinary::Add };
        return float::binary(reader, op);
    }
    if reader.ast.modifiers.iter().any(|m| m == "cc") {
        return carry(reader, false);
    }
    let op = match (subtract, reader.flag("sat")) {
        (false, false) => IntBinary::Add,
        (true, false) => IntBinary::Sub,
        (false, true) => IntBinary::AddSat,
        (true, true) => IntBinary::SubSat,
    };
    let int = reader.int()?;
    if matches!(op, IntBinary::AddSat | IntBinary::SubSat) && int != (Int { bits: 32, signed: true }) {
        return reader.fail(".sat is for .s32 only");
    }
    reader.uniform(Op::IntBinary(op, int), type_of(int), 2)
}

pub(super) fn carry(mut reader: Reader, carry_in: bool) -> Result<Instruction> {
    let subtract = reader.ast.opcode.starts_with("sub");
    let carry_out = reader.flag("cc");
    let int = reader.int()?;
    if int.bits < 32 {
        return reader.fail("carries are for 32 and 64 bits");
    }
    reader.count(3)?;
    let ty = type_of(int);
    let mut dst = vec![reader.dst(0, ty.bytes())?];
    let mut src = vec![reader.src(1, ty)?, reader.src(2, ty)?];
    let flag = Operand::Reg(reader.scope.carry());
    if carry_out {
        dst.push(flag);
    }
    if carry_in {
        src.push(flag);
    }
    reader.done(Op::Carry { subtract, bits: int.bits, carry_in, carry_out }, dst, src)
}

#[derive(Clone, Copy, PartialEq)]
enum Half {
    Low,
    High,
    Wide,
}

pub(super) fn multiply(mut reader: Reader) -> Result<Instruction> {
    let addend = reader.ast.opcode == "mad";
    if is_float(&reader) {
        return if addend { float::fma(reader) } else { float::binary(reader, super::FloatBinary::Mul) };
    }
    let half = reader.require(&[("lo", Half::Low), ("hi", Half::High), ("wide", Half::Wide)])?;
    let int = reader.int()?;
    if half == Half::Wide && int.bits == 64 {
        return reader.fail(".wide is for 16 and 32 bits");
    }
    let narrow = type_of(int);
    let wide = if half == Half::Wide { type_of(Int { bits: 2 * int.bits, ..int }) } else { narrow };
    let dst = vec![reader.dst(0, wide.bytes())?];
    let mut src = vec![reader.src(1, narrow)?, reader.src(2, narrow)?];
    reader.count(if addend { 4 } else { 3 })?;
    if !addend {
        let op = match half {
            Half::Low => IntBinary::MulLo,
            Half::High => IntBinary::MulHi,
            Half::Wide => IntBinary::MulWide,
        };
        return reader.done(Op::IntBinary(op, int), dst, src);
    }
    src.push(reader.src(3, wide)?);
    let op = match half {
        Half::Low => IntTernary::MadLo,
        Half::High => IntTernary::MadHi,
        Half::Wide => IntTernary::MadWide,
    };
    reader.done(Op::IntTernary(op, int), dst, src)
}

pub(super) fn divide(reader: Reader) -> Result<Instruction> {
    if is_float(&reader) { float::divide(reader) } else { binary(reader, IntBinary::Div) }
}

pub(super) fn sign(mut reader: Reader) -> Result<Instruction> {
    let negate = reader.ast.opcode == "neg";
    if is_float(&reader) {
        return float::sign(reader, negate);
    }
    let int = reader.int()?;
    let op = if negate { IntUnary::Neg } else { IntUnary::Abs };
    reader.uniform(Op::IntUnary(op, int), type_of(int), 1)
}

pub(super) fn extreme(reader: Reader) -> Result<Instruction> {
    let least = reader.ast.opcode == "min";
    if is_float(&reader) {
        return float::extreme(reader, least);
    }
    binary(reader, if least { IntBinary::Min } else { IntBinary::Max })
}

pub(super) fn logic(mut reader: Reader) -> Result<Instruction> {
    let (on_bits, on_preds) = match reader.ast.opcode.as_str() {
        "and" => (IntBinary::And, Logic::And),
        "or" => (IntBinary::Or, Logic::Or),
        _ => (IntBinary::Xor, Logic::Xor),
    };
    if reader.flag("pred") {
        return reader.uniform(Op::PredLogic(on_preds), Type::Pred, 2);
    }
    let int = reader.int()?;
    reader.uniform(Op::IntBinary(on_bits, int), type_of(int), 2)
}

pub(super) fn not(mut reader: Reader) -> Result<Instruction> {
    if reader.flag("pred") {
        return reader.uniform(Op::PredNot, Type::Pred, 1);
    }
    let op = if reader.ast.opcode == "cnot" { IntUnary::Cnot } else { IntUnary::Not };
    let int = reader.int()?;
    reader.uniform(Op::IntUnary(op, int), type_of(int), 1)
}

pub(super) fn shift(mut reader: Reader) -> Result<Instruction> {
    let op = if reader.ast.opcode == "shl" { IntBinary::Shl } else { IntBinary::Shr };
    let signless = reader.ast.modifiers.iter().all(|modifier| modifier.starts_with('b'));
    if op == IntBinary::Shl && !signless {
        return reader.fail("the type is .b16, .b32 or .b64");
    }
    let int = reader.int()?;
    let ty = type_of(int);
    reader.count(3)?;
    let dst = vec![reader.dst(0, ty.bytes())?];
    let src = vec![reader.src(1, ty)?, reader.src(2, Type::U32)?];
    reader.done(Op::IntBinary(op, int), dst, src)
}

pub(super) fn funnel_shift(mut reader: Reader) -> Result<Instruction> {
    let left = reader.require(&[("l", true), ("r", false)])?;
    let wrap = reader.require(&[("wrap", true), ("clamp", false)])?;
    let ty = reader.ty()?;
    if ty != Type::B32 {
        return reader.fail("the type is .b32");
    }
    reader.uniform(Op::FunnelShift { left, wrap }, ty, 3)
}

pub(super) fn lop3(mut reader: Reader) -> Result<Instruction> {
    if reader.ty()? != Type::B32 {
        return reader.fail("the type is .b32");
    }
    reader.count(5)?;
    let Ok(table) = u8::try_from(reader.immediate(4)?) else {
        return reader.fail("the table is 0 to 255");
    };
    let dst = vec![reader.dst(0, 4)?];
    let src = (1..4).map(|i| reader.src(i, Type::B32)).collect::<Result<_>>()?;
    reader.done(Op::Lop3 { table }, dst, src)
}

pub(super) fn sad(mut reader: Reader) -> Result<Instruction> {
    let int = reader.int()?;
    reader.uniform(Op::IntTernary(IntTernary::Sad, int), type_of(int), 3)
}

pub(super) fn bit_field(mut reader: Reader) -> Result<Instruction> {
    let insert = reader.ast.opcode == "bfi";
    let int = reader.int()?;
    if int.bits < 32 {
        return reader.fail("bit fields are for 32 and 64 bits");
    }
    let ty = type_of(int);
    let values = if insert { 2 } else { 1 };
    reader.count(values + 3)?;
    let dst = vec![reader.dst(0, ty.bytes())?];
    let mut src = Vec::new();
    for index in 1..values + 3 {
        src.push(reader.src(index, if index <= values { ty } else { Type::U32 })?);
    }
    let op = if insert { Op::BitInsert { bits: int.bits } } else { Op::IntTernary(IntTernary::Bfe, int) };
    reader.done(op, dst, src)
}

pub(super) fn bits(mut reader: Reader) -> Result<Instruction> {
    let (op, counts) = match reader.ast.opcode.as_str() {
        "popc" => (IntUnary::Popc, true),
        "clz" => (IntUnary::Clz, true),
        _ => (IntUnary::Brev, false),
    };
    let ty = reader.ty()?;
    let Some(int) = int_of(ty).filter(|int| int.bits >= 32) else {
        return reader.fail("the type is .b32 or .b64");
    };
    reader.count(2)?;
    let dst = vec![reader.dst(0, if counts { 4 } else { ty.bytes() })?];
    let src = vec![reader.src(1, ty)?];
    reader.done(Op::IntUnary(op, int), dst, src)
}

pub(super) fn permute(mut reader: Reader) -> Result<Instruction> {
    if reader.ty()? != Type::B32 {
        return reader.fail("the type is .b32");
    }
    let mode = reader.choice(&[
        ("f4e", PermuteMode::F4e),
        ("b4e", PermuteMode::B4e),
        ("rc8", PermuteMode::Rc8),
        ("ecl", PermuteMode::Ecl),
        ("ecr", PermuteMode::Ecr),
        ("rc16", PermuteMode::Rc16),
    ]);
    reader.uniform(Op::Permute(mode.unwrap_or(PermuteMode::Index)), Type::B32, 3)
}
