//! Integer arithmetic, bits and shifts. Opcodes that integers share with floats hand over to `float`.

use super::float;
use super::reader::{Reader, Result, float_of};
use super::{
    DotParts, DotProduct, Instruction, Int, IntBinary, IntTernary, IntUnary, Logic, Op, Operand, PermuteMode,
    RareInt,
};
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

/// `add.cc`, `addc`, `addc.cc` and the same of `sub`.
pub(super) fn carry(mut reader: Reader, carry_in: bool) -> Result<Instruction> {
    let subtract = reader.ast.opcode.starts_with("sub");
    let carry_out = reader.flag("cc");
    let int = carried(&mut reader)?;
    reader.count(3)?;
    let ty = type_of(int);
    let (mut dst, mut src) = (vec![reader.dst(0, ty.bytes())?], vec![reader.src(1, ty)?, reader.src(2, ty)?]);
    join_carry(&mut reader, carry_in, carry_out, &mut dst, &mut src);
    reader.done(Op::Carry { subtract, bits: int.bits, carry_in, carry_out }, dst, src)
}

/// The type of an instruction with a carry.
fn carried(reader: &mut Reader) -> Result<Int> {
    let int = reader.int()?;
    if int.bits < 32 {
        return reader.fail("carries are for 32 and 64 bits");
    }
    Ok(int)
}

/// The carry bit as the last destination and the last source.
fn join_carry(
    reader: &mut Reader,
    carry_in: bool,
    carry_out: bool,
    dst: &mut Vec<Operand>,
    src: &mut Vec<Operand>,
) {
    let flag = Operand::Reg(reader.scope.carry());
    if carry_out {
        dst.push(flag);
    }
    if carry_in {
        src.push(flag);
    }
}

/// `mad.cc`, `madc` and `madc.cc`.
pub(super) fn mad_carry(mut reader: Reader, carry_in: bool) -> Result<Instruction> {
    let high = reader.require(&[("lo", false), ("hi", true)])?;
    let carry_out = reader.flag("cc");
    let int = carried(&mut reader)?;
    reader.count(4)?;
    let ty = type_of(int);
    let mut dst = vec![reader.dst(0, ty.bytes())?];
    let mut src = vec![reader.src(1, ty)?, reader.src(2, ty)?, reader.src(3, ty)?];
    join_carry(&mut reader, carry_in, carry_out, &mut dst, &mut src);
    reader.done(Op::MadCarry { high, int, carry_in, carry_out }, dst, src)
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
    if addend && reader.ast.modifiers.iter().any(|m| m == "cc") {
        return mad_carry(reader, false);
    }
    let half = reader.require(&[("lo", Half::Low), ("hi", Half::High), ("wide", Half::Wide)])?;
    let sat = reader.flag("sat");
    let int = reader.int()?;
    if sat && !(addend && half == Half::High && int == (Int { bits: 32, signed: true })) {
        return reader.fail(".sat is for mad.hi.s32 only");
    }
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
    if sat {
        return reader.done(Op::IntRare(RareInt::MadHiSat, int), dst, src);
    }
    let op = match half {
        Half::Low => IntTernary::MadLo,
        Half::High => IntTernary::MadHi,
        Half::Wide => IntTernary::MadWide,
    };
    reader.done(Op::IntTernary(op, int), dst, src)
}

/// `mul24`, `mad24`
pub(super) fn multiply_24(mut reader: Reader) -> Result<Instruction> {
    let high = reader.require(&[("lo", false), ("hi", true)])?;
    let sat = reader.flag("sat");
    let int = reader.int()?;
    if int.bits != 32 || (sat && !(high && int.signed && reader.ast.opcode == "mad24")) {
        return reader.fail("is for .u32 and .s32, with .sat only mad24.hi.sat.s32");
    }
    if reader.ast.opcode == "mul24" {
        return reader.uniform(Op::IntRare(RareInt::Mul24 { high }, int), type_of(int), 2);
    }
    reader.uniform(Op::IntRare(RareInt::Mad24 { high, sat }, int), type_of(int), 3)
}

/// `dp4a`, `dp2a`
pub(super) fn dot(mut reader: Reader) -> Result<Instruction> {
    let parts = match reader.ast.opcode.as_str() {
        "dp4a" => DotParts::Bytes,
        _ => reader.require(&[("lo", DotParts::HalvesLow), ("hi", DotParts::HalvesHigh)])?,
    };
    let (a, b) = (reader.int()?, reader.int()?);
    if a.bits != 32 || b.bits != 32 {
        return reader.fail("the types are .u32 or .s32");
    }
    let product = DotProduct { a_signed: a.signed, b_signed: b.signed, parts };
    reader.uniform(Op::IntRare(RareInt::Dot(product), a), Type::B32, 3)
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
    if !int.signed {
        return reader.fail("is for .s16, .s32 and .s64");
    }
    let op = if negate { IntUnary::Neg } else { IntUnary::Abs };
    reader.uniform(Op::IntUnary(op, int), type_of(int), 1)
}

pub(super) fn extreme(mut reader: Reader) -> Result<Instruction> {
    let least = reader.ast.opcode == "min";
    if is_float(&reader) {
        return float::extreme(reader, least);
    }
    if !reader.flag("relu") {
        return binary(reader, if least { IntBinary::Min } else { IntBinary::Max });
    }
    reader.since(90)?;
    let int = reader.int()?;
    if int != (Int { bits: 32, signed: true }) {
        return reader.fail(".relu is for .s32 only");
    }
    let op = if least { RareInt::MinRelu } else { RareInt::MaxRelu };
    reader.uniform(Op::IntRare(op, int), type_of(int), 2)
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
    let int = reader.bits()?;
    reader.uniform(Op::IntBinary(on_bits, int), type_of(int), 2)
}

pub(super) fn not(mut reader: Reader) -> Result<Instruction> {
    if reader.flag("pred") {
        return reader.uniform(Op::PredNot, Type::Pred, 1);
    }
    let op = if reader.ast.opcode == "cnot" { IntUnary::Cnot } else { IntUnary::Not };
    let int = reader.bits()?;
    reader.uniform(Op::IntUnary(op, int), type_of(int), 1)
}

pub(super) fn shift(mut reader: Reader) -> Result<Instruction> {
    let op = if reader.ast.opcode == "shl" { IntBinary::Shl } else { IntBinary::Shr };
    let signless = reader.ast.modifiers.iter().all(|modifier| modifier.starts_with('b'));
    let int = if op == IntBinary::Shl || signless { reader.bits()? } else { reader.int()? };
    let ty = type_of(int);
    reader.count(3)?;
    let dst = vec![reader.dst(0, ty.bytes())?];
    let src = vec![reader.src(1, ty)?, reader.src(2, Type::U32)?];
    reader.done(Op::IntBinary(op, int), dst, src)
}

pub(super) fn funnel_shift(mut reader: Reader) -> Result<Instruction> {
    let left = reader.require(&[("l", true), ("r", false)])?;
    let wrap = reader.require(&[("wrap", true), ("clamp", false)])?;
    reader.only(Type::B32)?;
    reader.uniform(Op::FunnelShift { left, wrap }, Type::B32, 3)
}

pub(super) fn lop3(mut reader: Reader) -> Result<Instruction> {
    let logic = reader.choice(&[("or", Logic::Or), ("and", Logic::And)]);
    reader.only(Type::B32)?;
    reader.count(if logic.is_some() { 6 } else { 5 })?;
    let Ok(table) = u8::try_from(reader.immediate(4)?) else {
        return reader.fail("the table is 0 to 255");
    };
    let mut src: Vec<Operand> = (1..4).map(|i| reader.src(i, Type::B32)).collect::<Result<_>>()?;
    let Some(logic) = logic else {
        let dst = vec![reader.dst(0, 4)?];
        return reader.done(Op::Lop3 { table }, dst, src);
    };
    let (value, Some(predicate)) = reader.pair(0)? else {
        return reader.fail("writes d|p");
    };
    let dst = vec![reader.dst_of(value, 4, 4)?, reader.dst_of(predicate, 0, 0)?];
    src.push(reader.pred(5)?);
    reader.done(Op::Lop3Pred { table, logic }, dst, src)
}

pub(super) fn sad(mut reader: Reader) -> Result<Instruction> {
    let int = reader.int()?;
    reader.uniform(Op::IntTernary(IntTernary::Sad, int), type_of(int), 3)
}

pub(super) fn bit_field(mut reader: Reader) -> Result<Instruction> {
    let insert = reader.ast.opcode == "bfi";
    let int = if insert { reader.bits()? } else { reader.int()? };
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

/// `popc`, `clz`, `brev`
pub(super) fn bits(mut reader: Reader) -> Result<Instruction> {
    let (op, counts) = match reader.ast.opcode.as_str() {
        "popc" => (IntUnary::Popc, true),
        "clz" => (IntUnary::Clz, true),
        _ => (IntUnary::Brev, false),
    };
    let int = reader.bits()?;
    bits_of(reader, Op::IntUnary(op, int), int, counts)
}

/// `bfind`
pub(super) fn find(mut reader: Reader) -> Result<Instruction> {
    let shift = reader.flag("shiftamt");
    let int = reader.int()?;
    bits_of(reader, Op::IntRare(RareInt::FindBit { shift }, int), int, true)
}

/// An operation on the bits of 32 or 64; one that counts has a result of 32.
fn bits_of(reader: Reader, op: Op, int: Int, counts: bool) -> Result<Instruction> {
    if int.bits < 32 {
        return reader.fail("the type has 32 or 64 bits");
    }
    let ty = type_of(int);
    reader.count(2)?;
    let dst = vec![reader.dst(0, if counts { 4 } else { ty.bytes() })?];
    let src = vec![reader.src(1, ty)?];
    reader.done(op, dst, src)
}

/// `bmsk`, `szext`
pub(super) fn field(mut reader: Reader) -> Result<Instruction> {
    let wrap = reader.require(&[("clamp", false), ("wrap", true)])?;
    if reader.ast.opcode == "bmsk" {
        reader.only(Type::B32)?;
        let int = Int { bits: 32, signed: false };
        return reader.uniform(Op::IntRare(RareInt::Mask { wrap }, int), Type::B32, 2);
    }
    let int = reader.int()?;
    if int.bits != 32 {
        return reader.fail("the type is .u32 or .s32");
    }
    reader.uniform(Op::IntRare(RareInt::Extend { wrap }, int), Type::B32, 2)
}

/// `fns`
pub(super) fn find_nth_set(mut reader: Reader) -> Result<Instruction> {
    reader.only(Type::B32)?;
    let int = Int { bits: 32, signed: false };
    reader.uniform(Op::IntRare(RareInt::NthSet, int), Type::B32, 3)
}

pub(super) fn permute(mut reader: Reader) -> Result<Instruction> {
    reader.only(Type::B32)?;
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
