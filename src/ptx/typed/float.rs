//! Floating-point arithmetic.

use super::reader::{Reader, Result, float_of};
use super::{Float, FloatBinary, FloatMode, FloatUnary, Instruction, Op, Rounding};
use crate::ptx::ast::Type;

/// The bits of an operand of `float`.
fn type_of(float: Float) -> Type {
    match float {
        Float::F16 => Type::F16,
        Float::Bf16 => Type::Bf16,
        Float::F16x2 => Type::F16x2,
        Float::Bf16x2 => Type::Bf16x2,
        Float::F32 => Type::F32,
        Float::F64 => Type::F64,
    }
}

/// Takes the type and refuses modes that the type does not have.
fn float(reader: &mut Reader, mode: FloatMode) -> Result<Float> {
    let Some(float) = float_of(reader.ty()?) else {
        return reader.fail("is not a floating-point instruction of this type");
    };
    let half = matches!(float, Float::F16 | Float::F16x2 | Float::Bf16 | Float::Bf16x2);
    if float == Float::F64 && (mode.ftz || mode.sat) {
        return reader.fail(".f64 takes neither .ftz nor .sat");
    }
    if half && mode.rounding != Rounding::Nearest {
        return reader.fail("16-bit floats round to nearest only");
    }
    if mode.relu && !half {
        return reader.fail(".relu is for 16-bit floats");
    }
    Ok(float)
}

/// Whether the instruction says how to round.
fn is_rounded(reader: &Reader) -> bool {
    reader.ast.modifiers.iter().any(|modifier| matches!(modifier.as_str(), "rn" | "rz" | "rm" | "rp"))
}

pub(super) fn binary(mut reader: Reader, op: FloatBinary) -> Result<Instruction> {
    let mode = reader.float_mode();
    let float = float(&mut reader, mode)?;
    reader.uniform(Op::FloatBinary(op, float, mode), type_of(float), 2)
}

pub(super) fn fma(mut reader: Reader) -> Result<Instruction> {
    if !is_rounded(&reader) {
        return reader.fail("needs a rounding direction");
    }
    let mode = reader.float_mode();
    let float = float(&mut reader, mode)?;
    reader.uniform(Op::Fma(float, mode), type_of(float), 3)
}

pub(super) fn divide(mut reader: Reader) -> Result<Instruction> {
    let approximate = reader.flag("approx") || reader.flag("full");
    if approximate == is_rounded(&reader) {
        return reader.fail("needs .approx, .full or a rounding direction");
    }
    let mode = reader.float_mode();
    let float = float(&mut reader, mode)?;
    let allowed = if approximate { float == Float::F32 } else { matches!(float, Float::F32 | Float::F64) };
    if !allowed {
        return reader.fail("there is no such division");
    }
    let op = if approximate { FloatBinary::DivApprox } else { FloatBinary::Div };
    reader.uniform(Op::FloatBinary(op, float, mode), type_of(float), 2)
}

pub(super) fn sign(mut reader: Reader, negate: bool) -> Result<Instruction> {
    if is_rounded(&reader) {
        return reader.fail("does not round");
    }
    let mode = reader.float_mode();
    let float = float(&mut reader, mode)?;
    let op = if negate { FloatUnary::Neg } else { FloatUnary::Abs };
    reader.uniform(Op::FloatUnary(op, float, mode), type_of(float), 1)
}

pub(super) fn extreme(mut reader: Reader, least: bool) -> Result<Instruction> {
    if is_rounded(&reader) {
        return reader.fail("does not round");
    }
    let op = match (least, reader.flag("NaN")) {
        (true, false) => FloatBinary::Min,
        (true, true) => FloatBinary::MinNan,
        (false, false) => FloatBinary::Max,
        (false, true) => FloatBinary::MaxNan,
    };
    binary(reader, op)
}

pub(super) fn copysign(reader: Reader) -> Result<Instruction> {
    binary(reader, FloatBinary::Copysign)
}

pub(super) fn unary(mut reader: Reader) -> Result<Instruction> {
    let approximate = reader.flag("approx");
    if approximate == is_rounded(&reader) {
        return reader.fail("needs .approx or a rounding direction");
    }
    let mode = reader.float_mode();
    let float = float(&mut reader, mode)?;
    let op = match (reader.ast.opcode.as_str(), approximate) {
        ("rcp", true) => FloatUnary::RcpApprox,
        ("rcp", false) => FloatUnary::Rcp,
        ("sqrt", true) => FloatUnary::SqrtApprox,
        ("sqrt", false) => FloatUnary::Sqrt,
        ("rsqrt", true) => FloatUnary::RsqrtApprox,
        ("sin", true) => FloatUnary::Sin,
        ("cos", true) => FloatUnary::Cos,
        ("lg2", true) => FloatUnary::Lg2,
        ("ex2", true) => FloatUnary::Ex2,
        ("tanh", true) => FloatUnary::Tanh,
        _ => return reader.fail("needs .approx"),
    };
    let known = match float {
        Float::F32 => true,
        Float::F64 => {
            matches!(op, FloatUnary::Rcp | FloatUnary::Sqrt)
                || (mode.ftz && matches!(op, FloatUnary::RcpApprox | FloatUnary::RsqrtApprox))
        }
        _ => matches!(op, FloatUnary::Ex2 | FloatUnary::Tanh),
    };
    if !known {
        return reader.fail("there is no such function of this type");
    }
    reader.uniform(Op::FloatUnary(op, float, mode), type_of(float), 1)
}
