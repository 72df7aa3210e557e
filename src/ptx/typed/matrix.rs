//! Matrix loads, transpositions and products.

use super::data::{check_count, shared_space};
use super::reader::{Reader, Result, int_of};
use super::{Instruction, Int, IntMma, Mma, Op, Scalar};
use crate::ptx::ast::Type;

pub(super) fn load_matrix(mut reader: Reader) -> Result<Instruction> {
    for part in ["sync", "aligned", "m8n8"] {
        reader.require(&[(part, ())])?;
    }
    let count = reader.require(&[("x1", 1), ("x2", 2), ("x4", 4)])?;
    let transposed = reader.flag("trans");
    let shared = reader.flag("shared") || reader.flag("shared::cta");
    reader.only(Type::B16)?;
    reader.count(2)?;
    let address = reader.address(1)?;
    let elements = reader.elements(0)?;
    check_count(&reader, elements.len(), count)?;
    let dst = elements.iter().map(|e| reader.dst_of(e, 4, 4)).collect::<Result<_>>()?;
    let space = shared_space(&reader, shared, &address)?;
    reader.done(Op::LoadMatrix { space, transposed, offset: address.offset }, dst, vec![address.base])
}

pub(super) fn store_matrix(mut reader: Reader) -> Result<Instruction> {
    reader.since(90)?;
    for part in ["sync", "aligned", "m8n8"] {
        reader.require(&[(part, ())])?;
    }
    let count = reader.require(&[("x1", 1), ("x2", 2), ("x4", 4)])?;
    let transposed = reader.flag("trans");
    let shared = reader.flag("shared") || reader.flag("shared::cta");
    reader.only(Type::B16)?;
    reader.count(2)?;
    let address = reader.address(0)?;
    let space = shared_space(&reader, shared, &address)?;
    let elements = reader.elements(1)?;
    check_count(&reader, elements.len(), count)?;
    let mut src = vec![address.base];
    for element in &elements {
        src.push(reader.src_of(element, Type::B32, 4)?);
    }
    reader.done(Op::StoreMatrix { space, transposed, offset: address.offset }, Vec::new(), src)
}

pub(super) fn move_matrix(mut reader: Reader) -> Result<Instruction> {
    for part in ["sync", "aligned", "m8n8", "trans"] {
        reader.require(&[(part, ())])?;
    }
    reader.only(Type::B16)?;
    reader.uniform(Op::MoveMatrix, Type::B32, 1)
}

/// M and K of a product with eight columns.
type Shape = (u32, u32);

const SHAPES: [(&str, Shape); 8] = [
    ("m16n8k4", (16, 4)),
    ("m16n8k8", (16, 8)),
    ("m16n8k16", (16, 16)),
    ("m16n8k32", (16, 32)),
    ("m16n8k64", (16, 64)),
    ("m8n8k4", (8, 4)),
    ("m8n8k16", (8, 16)),
    ("m8n8k32", (8, 32)),
];

/// An operand's type; integers of 4 bits have no type of their own.
#[derive(Clone, Copy, PartialEq)]
enum Factor {
    Typed(Type),
    Nibble { signed: bool },
}

pub(super) fn mma(mut reader: Reader) -> Result<Instruction> {
    for part in ["sync", "aligned"] {
        reader.require(&[(part, ())])?;
    }
    let shape = reader.require(&SHAPES)?;
    // A lies by rows and B by columns; all other orders are of products that are not known here.
    let order = reader.ast.modifiers.iter().filter(|part| matches!(part.as_str(), "row" | "col"));
    if !order.eq(["row", "col"]) {
        return reader.fail("A must be .row and B .col");
    }
    let _ = (reader.flag("row"), reader.flag("col"));
    let saturate = reader.flag("satfinite");
    let result = reader.ty()?;
    let (a, b) = (factor(&mut reader)?, factor(&mut reader)?);
    let addend = reader.ty()?;
    if result != addend {
        return reader.fail("C and D have one type");
    }
    if let (Some((bits, a_signed)), Some((b_bits, b_signed))) = (integer(a), integer(b)) {
        let known =
            bits == b_bits && shape.1 * bits >= 128 && shape.1 * bits <= if shape.0 == 8 { 128 } else { 256 };
        if !known || result != Type::S32 {
            return reader.fail("there is no such product of integers");
        }
        let product = IntMma { m: shape.0, k: shape.1, bits, a_signed, b_signed, saturate };
        return fragments(
            reader,
            Op::MmaInt(product),
            Type::B32,
            [shape.0 / 4, shape.0 * shape.1 * bits / 1024, shape.1 * bits / 128],
        );
    }
    if a != b || saturate {
        return reader.fail("A and B have one type, and only integers saturate");
    }
    float_product(reader, shape, a, result)
}

/// Takes the type of A or B.
fn factor(reader: &mut Reader) -> Result<Factor> {
    let found = reader.first(|name| match name {
        "s4" => Some(Factor::Nibble { signed: true }),
        "u4" => Some(Factor::Nibble { signed: false }),
        name => Type::parse(name).map(Factor::Typed),
    });
    match found {
        Some(factor) => Ok(factor),
        None => reader.fail("has no type"),
    }
}

/// Bits and sign of an integer of 4 or 8 bits.
fn integer(factor: Factor) -> Option<(u32, bool)> {
    match factor {
        Factor::Nibble { signed } => Some((4, signed)),
        Factor::Typed(ty) => match int_of(ty)? {
            Int { bits: 8, signed } => Some((8, signed)),
            _ => None,
        },
    }
}

fn float_product(reader: Reader, (m, k): Shape, factor: Factor, result: Type) -> Result<Instruction> {
    let Factor::Typed(ty) = factor else { return reader.fail("there is no such matrix product here") };
    if (m, k, ty, result) == (8, 4, Type::F64, Type::F64) {
        return fragments(reader, Op::MmaF64, Type::F64, [2, 1, 1]);
    }
    let operand = match (m, k, ty) {
        (16, 8 | 16, Type::Bf16) => Scalar::Bf16,
        (16, 8 | 16, Type::F16) => Scalar::F16,
        (16, 4 | 8, Type::Tf32) => Scalar::Tf32,
        _ => return reader.fail("there is no such matrix product here"),
    };
    let pack = if operand == Scalar::Tf32 { 1 } else { 2 };
    let (a, b) = (k / (2 * pack), k / (4 * pack));
    let product = Mma { k, operand };
    match result {
        Type::F32 => fragments(reader, Op::Mma(product), Type::B32, [4, a, b]),
        Type::F16 if operand == Scalar::F16 => fragments(reader, Op::MmaF16(product), Type::B32, [2, a, b]),
        _ => reader.fail("the sums are .f32, or .f16 where A and B are"),
    }
}

/// `D, A, B, C`, with so many registers of `ty` in D and C, A, and B.
fn fragments(reader: Reader, op: Op, ty: Type, [c, a, b]: [u32; 3]) -> Result<Instruction> {
    reader.count(4)?;
    let mut dst = Vec::new();
    let mut src = Vec::new();
    for (index, count) in [c, a, b, c].into_iter().enumerate() {
        let elements = reader.elements(index)?;
        if elements.len() != count as usize {
            return reader.fail(format!("operand {} has {count} registers", index + 1));
        }
        for element in &elements {
            if index == 0 {
                dst.push(reader.dst_of(element, ty.bytes(), ty.bytes())?);
            } else {
                src.push(reader.src_of(element, ty, ty.bytes())?);
            }
        }
    }
    reader.done(op, dst, src)
}
