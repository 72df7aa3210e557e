//! `atom` and `red`.

use super::data::{check_count, resolve_space, space};
use super::order::{Direction, hints, order};
use super::reader::{Address, Reader, Result};
use super::{AddressSpace, AtomicOp, Instruction, Op, Operand, Order};
use crate::ptx::ast::{self, Type};

/// What an atomic operation says about itself, apart from its operands.
struct Form {
    space: AddressSpace,
    order: Order,
    /// There is a cache policy behind the operands.
    policy: bool,
    op: AtomicOp,
    /// Elements of a vector; 1 without one.
    count: u32,
    ty: Type,
}

fn form(reader: &mut Reader, address: &Address, returns: bool) -> Result<Form> {
    let direction = if returns { Direction::Update } else { Direction::Reduce };
    let mut space = space(reader);
    if let Operand::Address { symbol, .. } = address.base {
        space = resolve_space(reader, space, symbol)?;
    }
    match space {
        AddressSpace::Generic | AddressSpace::Global | AddressSpace::Shared => {}
        AddressSpace::Cluster => reader.since(90)?,
        _ => return reader.fail("works on .global and .shared memory"),
    }
    let order = order(reader, direction)?;
    let policy = hints(reader, direction)?.policy;
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
    let count = reader.choice(&VECTORS).unwrap_or(1);
    let ty = reader.ty()?;
    check_type(reader, op, ty, noftz, returns)?;
    if policy && matches!(space, AddressSpace::Shared | AddressSpace::Cluster) {
        return reader.fail("this hint is for .global memory");
    }
    Ok(Form { space, order, policy, op, count, ty })
}

const VECTORS: [(&str, u32); 3] = [("v2", 2), ("v4", 4), ("v8", 8)];

/// Whether it is an operation on a vector.
pub(super) fn is_vector(instruction: &ast::Instruction) -> bool {
    let atomic = matches!(instruction.opcode.as_str(), "atom" | "red");
    atomic && instruction.modifiers.iter().any(|modifier| VECTORS.iter().any(|(name, _)| name == modifier))
}

pub(super) fn atomic(mut reader: Reader, returns: bool) -> Result<Instruction> {
    let at = usize::from(returns);
    let address = reader.address(at)?;
    let Form { space, order, policy, op, ty, .. } = form(&mut reader, &address, returns)?;
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

/// `red.global.add.v4.f32` and its kin: as many operations as there are elements, since each element by itself
/// is atomic, not the vector.
pub(super) fn vector(mut reader: Reader, returns: bool) -> Result<Vec<Instruction>> {
    reader.since(90)?;
    let at = usize::from(returns);
    let address = reader.address(at)?;
    let Form { space, order, policy, op, count, ty } = form(&mut reader, &address, returns)?;
    let floats = matches!(ty, Type::F32 | Type::F16 | Type::F16x2 | Type::Bf16 | Type::Bf16x2);
    if op != AtomicOp::Add || !floats || ty.bytes() * count > 16 || space != AddressSpace::Global {
        return reader.fail("there is no such atomic operation on a vector");
    }
    reader.count(at + 2 + usize::from(policy))?;
    let read = |index: usize| -> Result<Vec<ast::Operand>> {
        let elements = reader.elements(index)?;
        check_count(&reader, elements.len(), count)?;
        Ok(elements)
    };
    let mut dst = Vec::new();
    for element in if returns { read(0)? } else { Vec::new() } {
        dst.push(reader.dst_of(&element, ty.bytes(), ty.bytes())?);
    }
    let mut src = Vec::new();
    for element in read(at + 1)? {
        src.push(reader.src_of(&element, ty, ty.bytes())?);
    }
    if policy {
        reader.src(at + 2, Type::B64)?;
    }
    let read_late = |(k, to): (usize, &Operand)| *to != Operand::Sink && src[k + 1..].contains(to);
    if dst.iter().enumerate().any(read_late) {
        return reader.fail("a result is also a later operand");
    }
    let whole = reader.done(Op::Nop, Vec::new(), Vec::new())?;
    let element = |(k, value): (usize, Operand)| {
        let offset = address.offset + k as i64 * i64::from(ty.bytes());
        let op = Op::Atomic { space, op, ty, offset, order };
        let dst = dst.get(k).copied().into_iter().collect();
        Instruction { op, dst, src: vec![address.base, value], ..whole.clone() }
    };
    Ok(src.iter().copied().enumerate().map(element).collect())
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
