//! Moves, addresses, loads and stores.

use super::reader::{Address, Reader, Result};
use super::{Access, AddressSpace, AtomicOp, CopyTail, Instruction, Op, Operand};
use crate::ptx::ast::{self, Space, Type};

pub(super) fn mov(mut reader: Reader) -> Result<Instruction> {
    let ty = reader.ty()?;
    reader.count(2)?;
    if ty == Type::Pred {
        return reader.uniform(Op::MovPred, ty, 1);
    }
    let parts = |reader: &Reader, index: usize| -> Result<(Vec<ast::Operand>, Type)> {
        let elements = reader.elements(index)?;
        match ty.bytes() as usize / elements.len() {
            2 if ty.bytes() as usize == 2 * elements.len() => Ok((elements, Type::B16)),
            4 if ty.bytes() as usize == 4 * elements.len() => Ok((elements, Type::B32)),
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

/// Takes the state space; generic where none is written.
///
/// In a function `.param` is what it was called with, which lies in local memory.
fn space(reader: &mut Reader) -> AddressSpace {
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

/// Drops what says how to cache and order, which changes no value here.
fn ignore_hints(reader: &mut Reader) {
    const HINTS: [&str; 27] = [
        "nc",
        "ca",
        "cg",
        "cs",
        "lu",
        "cv",
        "wb",
        "wt",
        "weak",
        "volatile",
        "relaxed",
        "acquire",
        "release",
        "acq_rel",
        "cta",
        "gpu",
        "sys",
        "cluster",
        "mmio",
        "L1::evict_normal",
        "L1::evict_unchanged",
        "L1::evict_first",
        "L1::evict_last",
        "L1::no_allocate",
        "L2::64B",
        "L2::128B",
        "L2::256B",
    ];
    reader.ignore(|modifier| HINTS.contains(&modifier));
}

fn access(reader: &mut Reader, address: &Address) -> Result<Access> {
    let mut space = space(reader);
    ignore_hints(reader);
    let count = reader.choice(&[("v2", 2), ("v4", 4)]).unwrap_or(1);
    let ty = reader.ty()?;
    if ty == Type::Pred || ty == Type::B128 || ty.bytes() * count > 16 {
        return reader.fail("there is no access of this type");
    }
    if let Operand::Address { symbol, .. } = address.base {
        space = resolve_space(reader, space, symbol)?;
    }
    Ok(Access { space, ty, count, offset: address.offset })
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

pub(super) fn load(mut reader: Reader) -> Result<Instruction> {
    reader.count(2)?;
    let address = reader.address(1)?;
    let access = access(&mut reader, &address)?;
    let elements = reader.elements(0)?;
    check_count(&reader, elements.len(), access.count)?;
    let low = access.ty.bytes().max(2);
    let dst = elements.iter().map(|e| reader.dst_of(e, low, 8)).collect::<Result<_>>()?;
    reader.done(Op::Load(access), dst, vec![address.base])
}

pub(super) fn store(mut reader: Reader) -> Result<Instruction> {
    reader.count(2)?;
    let address = reader.address(0)?;
    let access = access(&mut reader, &address)?;
    if matches!(access.space, AddressSpace::Const | AddressSpace::Param) {
        return reader.fail("the state space is read-only");
    }
    let elements = reader.elements(1)?;
    check_count(&reader, elements.len(), access.count)?;
    let mut src = vec![address.base];
    for element in &elements {
        src.push(reader.src_of(element, access.ty, 8)?);
    }
    reader.done(Op::Store(access), Vec::new(), src)
}

fn check_count(reader: &Reader, found: usize, expected: u32) -> Result<()> {
    if found == expected as usize {
        return Ok(());
    }
    reader.fail(format!("takes {expected} elements, not {found}"))
}

pub(super) fn convert_address(mut reader: Reader) -> Result<Instruction> {
    let to_space = reader.flag("to");
    let space = space(&mut reader);
    let ty = reader.ty()?;
    if space == AddressSpace::Generic || !matches!(ty, Type::U64 | Type::U32 | Type::B64) {
        return reader.fail("there is no such address conversion");
    }
    if ty == Type::U32 {
        return reader.fail("generic addresses have 64 bits");
    }
    reader.uniform(Op::ConvertAddress { space, to_space }, ty, 1)
}

pub(super) fn atomic(mut reader: Reader, returns: bool) -> Result<Instruction> {
    let at = usize::from(returns);
    let address = reader.address(at)?;
    let mut space = space(&mut reader);
    ignore_hints(&mut reader);
    let _ = reader.flag("noftz");
    if let Operand::Address { symbol, .. } = address.base {
        space = resolve_space(&reader, space, symbol)?;
    }
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
    let ty = reader.ty()?;
    if !atomic_type(op, ty) {
        return reader.fail("there is no such atomic operation");
    }
    let values = if op == AtomicOp::Cas { 2 } else { 1 };
    reader.count(at + 1 + values)?;
    let dst = if returns { vec![reader.dst(0, ty.bytes())?] } else { Vec::new() };
    let mut src = vec![address.base];
    for index in 0..values {
        src.push(reader.src(at + 1 + index, ty)?);
    }
    reader.done(Op::Atomic { space, op, ty, offset: address.offset }, dst, src)
}

fn atomic_type(op: AtomicOp, ty: Type) -> bool {
    use Type::*;
    match op {
        AtomicOp::Add => matches!(ty, U32 | S32 | U64 | S64 | F32 | F64),
        AtomicOp::And | AtomicOp::Or | AtomicOp::Xor => matches!(ty, B32 | B64 | U32 | S32 | U64 | S64),
        AtomicOp::Min | AtomicOp::Max => matches!(ty, U32 | S32 | U64 | S64),
        AtomicOp::Inc | AtomicOp::Dec => ty == U32,
        AtomicOp::Exch | AtomicOp::Cas => matches!(ty, B32 | B64 | U32 | S32 | U64 | S64 | F32 | F64),
    }
}

pub(super) fn copy_async(mut reader: Reader) -> Result<Instruction> {
    if !reader.flag("async") {
        return reader.fail("unknown form of cp");
    }
    if reader.flag("commit_group") {
        reader.count(0)?;
        return reader.done(Op::CopyCommit, Vec::new(), Vec::new());
    }
    if reader.flag("wait_all") {
        reader.count(0)?;
        return reader.done(Op::CopyWait(None), Vec::new(), Vec::new());
    }
    if reader.flag("wait_group") {
        reader.count(1)?;
        let pending = u32::try_from(reader.immediate(0)?).ok();
        return match pending {
            Some(_) => reader.done(Op::CopyWait(pending), Vec::new(), Vec::new()),
            None => reader.fail("waits for a number of groups"),
        };
    }
    let all_sizes = reader.require(&[("ca", true), ("cg", false)])?;
    reader.ignore(|m| matches!(m, "L2::64B" | "L2::128B" | "L2::256B"));
    if !(reader.flag("shared") || reader.flag("shared::cta")) || !reader.flag("global") {
        return reader.fail("copies from .global to .shared only");
    }
    reader.count_in(3, 4)?;
    let (shared, global) = (reader.address(0)?, reader.address(1)?);
    let bytes = match (reader.immediate(2)?, all_sizes) {
        (16, _) => 16,
        (n @ (4 | 8), true) => n as u32,
        _ => return reader.fail("copies 16 bytes, or with .ca 4, 8 or 16"),
    };
    let mut src = vec![shared.base, global.base];
    let mut tail = CopyTail::None;
    if reader.ast.operands.len() == 4 {
        let (operand, kind) = match reader.src(3, Type::U32) {
            Ok(operand) => (operand, CopyTail::SourceBytes),
            Err(_) => (reader.pred(3)?, CopyTail::Ignore),
        };
        src.push(operand);
        tail = kind;
    }
    let op = Op::CopyAsync { bytes, shared_offset: shared.offset, global_offset: global.offset, tail };
    reader.done(op, Vec::new(), src)
}

pub(super) fn load_matrix(mut reader: Reader) -> Result<Instruction> {
    reader.require(&[("sync", ())])?;
    reader.require(&[("aligned", ())])?;
    reader.require(&[("m8n8", ())])?;
    let count = reader.require(&[("x1", 1), ("x2", 2), ("x4", 4)])?;
    let transposed = reader.flag("trans");
    if !(reader.flag("shared") || reader.flag("shared::cta")) || reader.ty()? != Type::B16 {
        return reader.fail("loads .b16 from .shared");
    }
    reader.count(2)?;
    let address = reader.address(1)?;
    let elements = reader.elements(0)?;
    check_count(&reader, elements.len(), count)?;
    let dst = elements.iter().map(|e| reader.dst_of(e, 4, 4)).collect::<Result<_>>()?;
    reader.done(Op::LoadMatrix { transposed, offset: address.offset }, dst, vec![address.base])
}

pub(super) fn move_matrix(mut reader: Reader) -> Result<Instruction> {
    for part in ["sync", "aligned", "m8n8", "trans"] {
        reader.require(&[(part, ())])?;
    }
    if reader.ty()? != Type::B16 {
        return reader.fail("the type is .b16");
    }
    reader.uniform(Op::MoveMatrix, Type::B32, 1)
}
