//! Floating-point arithmetic.

use super::reader::{Reader, Result, float_of};
use super::{Float, FloatBinary, FloatMode, FloatTest, FloatUnary, Instruction, Op, Rounding};
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

/// The modifiers that an instruction takes for a type, apart from `.rn`.
#[derive(Default)]
struct Allowed {
    /// The rounding directions other than to nearest.
    directed: bool,
    ftz: bool,
    sat: bool,
    relu: bool,
}

/// The formats that differ in what they take.
#[derive(Clone, Copy, PartialEq)]
enum Format {
    F16,
    Bf16,
    F32,
    F64,
}

fn format(float: Float) -> Format {
    match float {
        Float::F16 | Float::F16x2 => Format::F16,
        Float::Bf16 | Float::Bf16x2 => Format::Bf16,
        Float::F32 => Format::F32,
        Float::F64 => Format::F64,
    }
}

/// Takes the type.
fn float(reader: &mut Reader) -> Result<Float> {
    match float_of(reader.ty()?) {
        Some(float) => Ok(float),
        None => reader.fail("is not a floating-point instruction of this type"),
    }
}

/// Refuses what is not allowed.
fn check(reader: &Reader, mode: FloatMode, allowed: Allowed) -> Result<()> {
    let Allowed { directed, ftz, sat, relu } = allowed;
    let refused = [
        (mode.rounding != Rounding::Nearest && !directed, "rounds to nearest only"),
        (mode.ftz && !ftz, "takes no .ftz for this type"),
        (mode.sat && !sat, "takes no .sat for this type"),
        (mode.relu && !relu, "takes no .relu for this type"),
        (mode.sat && mode.relu, "takes either .sat or .relu"),
    ];
    match refused.into_iter().find(|(refused, _)| *refused) {
        Some((_, message)) => reader.fail(message),
        None => Ok(()),
    }
}

/// Whether the instruction says how to round.
fn is_rounded(reader: &Reader) -> bool {
    reader.ast.modifiers.iter().any(|modifier| matches!(modifier.as_str(), "rn" | "rz" | "rm" | "rp"))
}

/// `add`, `sub`, `mul`
pub(super) fn binary(mut reader: Reader, op: FloatBinary) -> Result<Instruction> {
    let mode = reader.float_mode();
    let ty = float(&mut reader)?;
    let format = format(ty);
    if format == Format::Bf16 {
        reader.since(90)?;
    }
    let wide = matches!(format, Format::F32 | Format::F64);
    let narrow = matches!(format, Format::F32 | Format::F16);
    check(&reader, mode, Allowed { directed: wide, ftz: narrow, sat: narrow, relu: false })?;
    reader.uniform(Op::FloatBinary(op, ty, mode), type_of(ty), 2)
}

/// `fma`, and `mad`, which is the same for floats.
pub(super) fn fma(mut reader: Reader) -> Result<Instruction> {
    if !is_rounded(&reader) {
        return reader.fail("needs a rounding direction");
    }
    let mode = reader.float_mode();
    let ty = float(&mut reader)?;
    let allowed = match format(ty) {
        Format::F16 => Allowed { ftz: true, sat: true, relu: true, ..Allowed::default() },
        Format::Bf16 => Allowed { relu: true, ..Allowed::default() },
        Format::F32 => Allowed { directed: true, ftz: true, sat: true, relu: false },
        Format::F64 => Allowed { directed: true, ..Allowed::default() },
    };
    if reader.ast.opcode == "mad" && !matches!(ty, Float::F32 | Float::F64) {
        return reader.fail("there is only fma for 16-bit floats");
    }
    check(&reader, mode, allowed)?;
    reader.uniform(Op::Fma(ty, mode), type_of(ty), 3)
}

pub(super) fn divide(mut reader: Reader) -> Result<Instruction> {
    let approximate = reader.flag("approx") || reader.flag("full");
    if approximate == is_rounded(&reader) {
        return reader.fail("needs .approx, .full or a rounding direction");
    }
    let mode = reader.float_mode();
    let ty = float(&mut reader)?;
    let single = ty == Float::F32;
    if !single && (approximate || ty != Float::F64) {
        return reader.fail("there is no such division");
    }
    check(&reader, mode, Allowed { directed: true, ftz: single, ..Allowed::default() })?;
    let op = if approximate { FloatBinary::DivApprox } else { FloatBinary::Div };
    reader.uniform(Op::FloatBinary(op, ty, mode), type_of(ty), 2)
}

pub(super) fn sign(mut reader: Reader, negate: bool) -> Result<Instruction> {
    if is_rounded(&reader) {
        return reader.fail("does not round");
    }
    let mode = reader.float_mode();
    let ty = float(&mut reader)?;
    let ftz = matches!(format(ty), Format::F32 | Format::F16);
    check(&reader, mode, Allowed { ftz, ..Allowed::default() })?;
    let op = if negate { FloatUnary::Neg } else { FloatUnary::Abs };
    reader.uniform(Op::FloatUnary(op, ty, mode), type_of(ty), 1)
}

/// `min`, `max`
pub(super) fn extreme(mut reader: Reader, least: bool) -> Result<Instruction> {
    if is_rounded(&reader) {
        return reader.fail("does not round");
    }
    let nan = reader.flag("NaN");
    let xorsign = reader.flag("xorsign");
    if xorsign {
        reader.require(&[("abs", ())])?;
        reader.since(86)?;
    }
    let mode = FloatMode { xorsign, ..reader.float_mode() };
    let ty = float(&mut reader)?;
    if (nan || xorsign) && ty == Float::F64 {
        return reader.fail("takes neither .NaN nor .xorsign.abs for .f64");
    }
    let ftz = matches!(format(ty), Format::F32 | Format::F16);
    check(&reader, mode, Allowed { ftz, ..Allowed::default() })?;
    let op = match (least, nan) {
        (true, false) => FloatBinary::Min,
        (true, true) => FloatBinary::MinNan,
        (false, false) => FloatBinary::Max,
        (false, true) => FloatBinary::MaxNan,
    };
    reader.uniform(Op::FloatBinary(op, ty, mode), type_of(ty), 2)
}

pub(super) fn copysign(mut reader: Reader) -> Result<Instruction> {
    let ty = wide(&mut reader)?;
    reader.uniform(Op::FloatBinary(FloatBinary::Copysign, ty, FloatMode::NEAREST), type_of(ty), 2)
}

/// Takes `.f32` or `.f64`.
fn wide(reader: &mut Reader) -> Result<Float> {
    match float(reader)? {
        ty @ (Float::F32 | Float::F64) => Ok(ty),
        _ => reader.fail("the type is .f32 or .f64"),
    }
}

/// `testp`
pub(super) fn test(mut reader: Reader) -> Result<Instruction> {
    let test = reader.require(&[
        ("finite", FloatTest::Finite),
        ("infinite", FloatTest::Infinite),
        ("number", FloatTest::Number),
        ("notanumber", FloatTest::NotANumber),
        ("normal", FloatTest::Normal),
        ("subnormal", FloatTest::Subnormal),
    ])?;
    let ty = wide(&mut reader)?;
    reader.count(2)?;
    let (dst, src) = (vec![reader.dst(0, 0)?], vec![reader.src(1, type_of(ty))?]);
    reader.done(Op::TestFloat(test, ty), dst, src)
}

/// Functions of one number.
pub(super) fn unary(mut reader: Reader) -> Result<Instruction> {
    let approximate = reader.flag("approx");
    if approximate == is_rounded(&reader) {
        return reader.fail("needs .approx or a rounding direction");
    }
    let mode = reader.float_mode();
    let ty = float(&mut reader)?;
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
    let allowed = function(&reader, op, format(ty), mode)?;
    check(&reader, mode, allowed)?;
    reader.uniform(Op::FloatUnary(op, ty, mode), type_of(ty), 1)
}

/// What a function takes for a format, if it is there at all.
fn function(reader: &Reader, op: FloatUnary, format: Format, mode: FloatMode) -> Result<Allowed> {
    use FloatUnary::{Ex2, Rcp, RcpApprox, RsqrtApprox, Sqrt, Tanh};
    let allowed = Allowed { directed: matches!(op, Rcp | Sqrt), ..Allowed::default() };
    match (format, op) {
        (Format::F32, Tanh) => Ok(allowed),
        (Format::F32, _) => Ok(Allowed { ftz: true, ..allowed }),
        (Format::F64, Rcp | Sqrt) => Ok(allowed),
        (Format::F64, RcpApprox) if !mode.ftz => reader.fail("is .approx.ftz for .f64"),
        (Format::F64, RcpApprox | RsqrtApprox) => Ok(Allowed { ftz: true, ..allowed }),
        (Format::F16, Ex2 | Tanh) => Ok(allowed),
        (Format::Bf16, Ex2 | Tanh) => {
            reader.since(90)?;
            match (op, mode.ftz) {
                (Ex2, false) => reader.fail("is .approx.ftz for .bf16"),
                _ => Ok(Allowed { ftz: op == Ex2, ..allowed }),
            }
        }
        _ => reader.fail("there is no such function of this type"),
    }
}
