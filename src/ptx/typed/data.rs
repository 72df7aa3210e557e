//! Moves, addresses, loads and stores.

use super::order::{Direction, Hints, hints, is_mapped, order};
use super::reader::{Address, Reader, Result};
use super::{Access, AddressSpace, Instruction, Op, Operand, Order};
use crate::ptx::ast::{self, Space, Type};

pub(super) fn mov(mut reader: Reader) -> Result<Instruction> {
    if reader.flag("v2") || reader.flag("v4") {
        return reader.fail("special registers are read one component at a time");
    }
    let ty = reader.ty()?;
    reader.count(2)?;
    if ty == Type::Pred {
        return reader.uniform(Op::MovPred, ty, 1);
    }
    if matches!(ty, Type::F16 | Type::F16x2 | Type::Bf16 | Type::Bf16x2 | Type::Tf32) {
        return reader.fail("16-bit floats are moved as .b16 or .b32");
    }
    if ty == Type::B128 {
        return move_pair(reader);
    }
    let parts = |reader: &Reader, index: usize| -> Result<(Vec<ast::Operand>, Type)> {
        let elements = reader.elements(index)?;
        match (ty.bytes(), elements.len()) {
            (2, 2) | (4, 4) => Ok((elements, Type::B8)),
            (4, 2) | (8, 4) => Ok((elements, Type::B16)),
            (8, 2) => Ok((elements, Type::B32)),
            _ => reader.fail("the elements do not fill the other side"),
        }
    };
    if reader.is_vector(1) {
        let (elements, part) = parts(&reader, 1)?;
        let dst = vec![reader.dst(0, ty.bytes())?];
        let src = elements.iter().map(|e| reader.src_of(e, part, part.bytes())).collect::<Result<_>>()?;
        return reader.done(Op::Pack, dst, src);
    }
    if reader.is_vector(0) {
        let (elements, part) = parts(&reader, 0)?;
        let dst =
            elements.iter().map(|e| reader.dst_of(e, part.bytes(), part.bytes())).collect::<Result<_>>()?;
        let src = vec![reader.src(1, ty)?];
        return reader.done(Op::Unpack, dst, src);
    }
    if !matches!(ty.bytes(), 2 | 4 | 8) {
        return reader.fail("there is no such move");
    }
    reader.uniform(Op::Mov, ty, 1)
}

/// `mov.b128`: either side is a register of 128 bits or two of 64.
fn move_pair(reader: Reader) -> Result<Instruction> {
    let dst = match reader.wide(0) {
        Some(halves) => halves.to_vec(),
        None => reader.elements(0)?.iter().map(|e| reader.dst_of(e, 8, 8)).collect::<Result<_>>()?,
    };
    let src = match reader.wide(1) {
        Some(halves) => halves.to_vec(),
        None => reader.elements(1)?.iter().map(|e| reader.src_of(e, Type::B64, 8)).collect::<Result<_>>()?,
    };
    if dst.len() != 2 || src.len() != 2 {
        return reader.fail("takes registers of .b128, or two of .b64");
    }
    reader.done(Op::MovPair, dst, src)
}

/// Takes the state space; generic where none is written.
///
/// In a function `.param` is what it was called with, which lies in local memory.
pub(super) fn space(reader: &mut Reader) -> AddressSpace {
    let own = match reader.scope.return_label() {
        Some(_) => AddressSpace::Local,
        None => AddressSpace::Param,
    };
    let space = reader.choice(&[
        ("global", AddressSpace::Global),
        ("shared", AddressSpace::Shared),
        ("shared::cta", AddressSpace::Shared),
        ("shared::cluster", AddressSpace::Cluster),
        ("local", AddressSpace::Local),
        ("const", AddressSpace::Const),
        ("param", own),
        ("param::entry", AddressSpace::Param),
        ("param::func", AddressSpace::Local),
    ]);
    space.unwrap_or(AddressSpace::Generic)
}

/// Takes the modifiers of a load or store; its operands are the address, the elements and, behind a cache
/// hint, the policy.
fn access(reader: &mut Reader, address: &Address, direction: Direction) -> Result<Access> {
    let mut space = space(reader);
    if let Operand::Address { symbol, .. } = address.base {
        space = resolve_space(reader, space, symbol)?;
    }
    let order = order(reader, direction)?;
    let Hints { policy, cached, placed } = hints(reader, direction)?;
    let outer = matches!(space, AddressSpace::Generic | AddressSpace::Global);
    if space == AddressSpace::Cluster {
        reader.since(90)?;
    }
    if order != Order::Weak && !outer && !matches!(space, AddressSpace::Shared | AddressSpace::Cluster) {
        return reader.fail("only .global and .shared memory is ordered with other threads");
    }
    if is_mapped(reader) && (!outer || reader.is_vector(usize::from(direction == Direction::Store))) {
        return reader.fail(".mmio is for single words of .global memory");
    }
    if order != Order::Weak && cached {
        return reader.fail("an ordered access takes no cache operator");
    }
    if placed && !outer {
        return reader.fail("this hint is for .global memory");
    }
    if policy {
        reader.count(3)?;
        reader.src(2, Type::B64)?;
    } else {
        reader.count(2)?;
    }
    if reader.flag("v8") {
        return reader.fail("vectors have 2 or 4 elements");
    }
    let count = reader.choice(&[("v2", 2), ("v4", 4)]).unwrap_or(1);
    let ty = reader.ty()?;
    if ty == Type::B128 && count == 1 {
        return Ok(Access { space, ty: Type::B64, count: 2, offset: address.offset, order });
    }
    let narrow = matches!(ty, Type::F16 | Type::F16x2 | Type::Bf16 | Type::Bf16x2 | Type::Tf32);
    if narrow || ty == Type::Pred || ty.bytes() * count > 16 {
        return reader.fail("there is no access of this type; 16-bit floats are .b16 and .b32");
    }
    Ok(Access { space, ty, count, offset: address.offset, order })
}

/// The space of an access to a symbol: the symbol's own, which the instruction must not contradict.
pub(super) fn resolve_space(
    reader: &Reader,
    space: AddressSpace,
    symbol: super::Symbol,
) -> Result<AddressSpace> {
    let own = match reader.symbol_space(symbol) {
        Space::Param => AddressSpace::Param,
        Space::Shared => AddressSpace::Shared,
        Space::Local => AddressSpace::Local,
        Space::Const => AddressSpace::Const,
        _ => AddressSpace::Global,
    };
    let passed = space == AddressSpace::Param && reader.scope.passed.contains(&symbol);
    let in_cluster = space == AddressSpace::Cluster && own == AddressSpace::Shared;
    if space == own || space == AddressSpace::Generic || passed || in_cluster {
        return Ok(own);
    }
    reader.fail("the variable lies in another state space")
}

/// The space of an access that must be to shared memory: named, by the symbol, or by the generic address.
pub(super) fn shared_space(reader: &Reader, named: bool, address: &Address) -> Result<AddressSpace> {
    let space = if named { AddressSpace::Shared } else { AddressSpace::Generic };
    let Operand::Address { symbol, .. } = address.base else { return Ok(space) };
    match resolve_space(reader, space, symbol)? {
        AddressSpace::Shared => Ok(AddressSpace::Shared),
        _ => reader.fail("works on .shared memory"),
    }
}

pub(super) fn load(mut reader: Reader) -> Result<Instruction> {
    let address = reader.address(1)?;
    let constant = reader.flag("nc") || reader.ast.opcode == "ldu";
    let mut access = access(&mut reader, &address, Direction::Load)?;
    if constant && (access.space != AddressSpace::Global || access.order != Order::Weak) {
        return reader.fail("is for .global memory that nobody writes");
    }
    if constant {
        access.order = Order::ReadOnly;
    }
    if let Some(halves) = whole(&reader, 0)? {
        return reader.done(Op::Load(access), halves.to_vec(), vec![address.base]);
    }
    let elements = reader.elements(0)?;
    check_count(&reader, elements.len(), access.count)?;
    let low = access.ty.bytes().max(2);
    let dst = elements.iter().map(|e| reader.dst_of(e, low, 8)).collect::<Result<_>>()?;
    reader.done(Op::Load(access), dst, vec![address.base])
}

pub(super) fn store(mut reader: Reader) -> Result<Instruction> {
    let address = reader.address(0)?;
    let access = access(&mut reader, &address, Direction::Store)?;
    if matches!(access.space, AddressSpace::Const | AddressSpace::Param) {
        return reader.fail("the state space is read-only");
    }
    let mut src = vec![address.base];
    if let Some(halves) = whole(&reader, 1)? {
        src.extend(halves);
        return reader.done(Op::Store(access), Vec::new(), src);
    }
    let elements = reader.elements(1)?;
    check_count(&reader, elements.len(), access.count)?;
    for element in &elements {
        src.push(reader.src_of(element, access.ty, 8)?);
    }
    reader.done(Op::Store(access), Vec::new(), src)
}

/// The halves of the register of an access of 128 bits; `None` for any other access.
fn whole(reader: &Reader, index: usize) -> Result<Option<[Operand; 2]>> {
    let wide = reader.ast.modifiers.iter().any(|modifier| modifier == "b128");
    match (reader.wide(index), wide) {
        (Some(halves), true) => Ok(Some(halves)),
        (None, false) => Ok(None),
        _ => reader.fail(".b128 goes with a register of .b128"),
    }
}

pub(super) fn check_count(reader: &Reader, found: usize, expected: u32) -> Result<()> {
    if found == expected as usize {
        return Ok(());
    }
    reader.fail(format!("takes {expected} elements, not {found}"))
}

/// Refuses the lack of a state space, and one that the target does not have.
fn named_space(reader: &Reader, space: AddressSpace) -> Result<()> {
    match space {
        AddressSpace::Generic => reader.fail("needs a state space"),
        AddressSpace::Cluster => reader.since(90),
        _ => Ok(()),
    }
}

pub(super) fn convert_address(mut reader: Reader) -> Result<Instruction> {
    let to_space = reader.flag("to");
    let space = space(&mut reader);
    named_space(&reader, space)?;
    if reader.ty()? != Type::U64 {
        return reader.fail("generic addresses are .u64");
    }
    reader.uniform(Op::ConvertAddress { space, to_space }, Type::U64, 1)
}

/// `isspacep`
pub(super) fn is_in_space(mut reader: Reader) -> Result<Instruction> {
    let space = space(&mut reader);
    named_space(&reader, space)?;
    reader.count(2)?;
    let (dst, src) = (vec![reader.dst(0, 0)?], vec![reader.src(1, Type::U64)?]);
    reader.done(Op::IsInSpace(space), dst, src)
}
