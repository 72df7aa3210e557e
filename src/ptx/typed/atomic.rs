//! `atom` and `red`.

use super::data::{resolve_space, space};
use super::order::{Direction, hints, order};
use super::reader::{Reader, Result};
use super::{AddressSpace, AtomicOp, Instruction, Op, Operand};
use crate::ptx::ast::Type;

pub(super) fn atomic(mut reader: Reader, returns: bool) -> Result<Instruction> {
    let at = usize::from(returns);
    let direction = if returns { Direction::Update } else { Direction::Reduce };
    let address = reader.address(at)?;
    let mut space = space(&mut reader);
    if let Operand::Address { symbol, .. } = address.base {
        space = resolve_space(&reader, space, symbol)?;
    }
    match space {
        AddressSpace::Generic | AddressSpace::Global | AddressSpace::Shared => {}
        AddressSpace::Cluster => reader.since(90)?,
        _ => return reader.fail("works on .global and .shared memory"),
    }
    let order = order(&mut reader, direction)?;
    let policy = hints(&mut reader, direction)?.policy;
    let op = reader.require(&[
        ("add", AtomicOp::Add),
        ("and", AtomicOp::And),
        ("or", AtomicOp::Or),
        ("xor", AtomicOp::Xor),
        ("min", AtomicOp::Min),
        ("max", AtomicOp::Max),
        ("inc", AtomicOp::Inc),
        ("dec", AtomicOp::Dec),
        ("exch", AtomicOp::Exch),
        ("cas", AtomicOp::Cas),
    ])?;
    let noftz = reader.flag("noftz");
    let ty = reader.ty()?;
    check_type(&reader, op, ty, noftz, returns)?;
    if policy && matches!(space, AddressSpace::Shared | AddressSpace::Cluster) {
        return reader.fail("this hint is for .global memory");
    }
    let values = if op == AtomicOp::Cas { 2 } else { 1 };
    reader.count(at + 1 + values + usize::from(policy))?;
    let dst = if returns { vec![reader.dst(0, ty.bytes())?] } else { Vec::new() };
    let mut src = vec![address.base];
    for index in 0..values {
        src.push(reader.src(at + 1 + index, ty)?);
    }
    if policy {
        reader.src(at + 1 + values, Type::B64)?;
    }
    reader.done(Op::Atomic { space, op, ty, offset: address.offset, order }, dst, src)
}

fn check_type(reader: &Reader, op: AtomicOp, ty: Type, noftz: bool, returns: bool) -> Result<()> {
    use Type::*;
    let narrow = matches!(ty, F16 | F16x2 | Bf16 | Bf16x2);
    let known = match op {
        AtomicOp::Add => narrow || matches!(ty, U32 | S32 | U64 | F32 | F64),
        AtomicOp::And | AtomicOp::Or | AtomicOp::Xor => matches!(ty, B32 | B64),
        AtomicOp::Min | AtomicOp::Max => matches!(ty, U32 | S32 | U64 | S64),
        AtomicOp::Inc | AtomicOp::Dec => ty == U32,
        AtomicOp::Exch => returns && matches!(ty, B32 | B64),
        AtomicOp::Cas => returns && matches!(ty, B16 | B32 | B64),
    };
    if !known {
        return reader.fail("there is no such atomic operation of this type");
    }
    if narrow != noftz {
        return reader.fail(".noftz goes with 16-bit floats, which need it");
    }
    if matches!(ty, Bf16 | Bf16x2) {
        reader.since(90)?;
    }
    Ok(())
}
