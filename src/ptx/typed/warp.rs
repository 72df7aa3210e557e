//! Warp operations, matrix products, barriers and control flow.

use super::reader::{Reader, Result};
use super::{BarrierReduce, Instruction, Label, Mma, Op, Operand, ReduceOp, Scalar, ShuffleMode, VoteMode};
use crate::ptx::ast::{self, Type};

pub(super) fn shuffle(mut reader: Reader) -> Result<Instruction> {
    reader.require(&[("sync", ())])?;
    let mode = reader.require(&[
        ("up", ShuffleMode::Up),
        ("down", ShuffleMode::Down),
        ("bfly", ShuffleMode::Butterfly),
        ("idx", ShuffleMode::Index),
    ])?;
    if reader.ty()?.bytes() != 4 {
        return reader.fail("the type is .b32");
    }
    reader.count(5)?;
    let (value, predicate) = reader.pair(0)?;
    let mut dst = vec![reader.dst_of(value, 4, 4)?];
    if let Some(predicate) = predicate {
        dst.push(reader.dst_of(predicate, 0, 0)?);
    }
    let src = (1..5).map(|i| reader.src(i, Type::B32)).collect::<Result<_>>()?;
    reader.done(Op::Shuffle(mode), dst, src)
}

pub(super) fn vote(mut reader: Reader) -> Result<Instruction> {
    reader.require(&[("sync", ())])?;
    let mode = reader.require(&[
        ("all", VoteMode::All),
        ("any", VoteMode::Any),
        ("uni", VoteMode::Uni),
        ("ballot", VoteMode::Ballot),
    ])?;
    let ty = reader.ty()?;
    let bytes = if mode == VoteMode::Ballot { 4 } else { 0 };
    if ty.bytes() != bytes {
        return reader.fail("the type does not suit the vote");
    }
    reader.count(3)?;
    let dst = vec![reader.dst(0, bytes)?];
    let src = vec![reader.pred(1)?, reader.src(2, Type::B32)?];
    reader.done(Op::Vote(mode), dst, src)
}

pub(super) fn matching(mut reader: Reader) -> Result<Instruction> {
    let all = reader.require(&[("any", false), ("all", true)])?;
    reader.require(&[("sync", ())])?;
    let ty = reader.ty()?;
    if !matches!(ty.bytes(), 4 | 8) {
        return reader.fail("the type is .b32 or .b64");
    }
    reader.count(3)?;
    let (value, predicate) = reader.pair(0)?;
    let mut dst = vec![reader.dst_of(value, 4, 4)?];
    if let Some(predicate) = predicate.filter(|_| all) {
        dst.push(reader.dst_of(predicate, 0, 0)?);
    }
    let src = vec![reader.src(1, ty)?, reader.src(2, Type::B32)?];
    reader.done(Op::Match { all, bits: 8 * ty.bytes() }, dst, src)
}

pub(super) fn reduce(mut reader: Reader) -> Result<Instruction> {
    reader.require(&[("sync", ())])?;
    let op = reader.require(&[
        ("add", ReduceOp::Add),
        ("min", ReduceOp::Min),
        ("max", ReduceOp::Max),
        ("and", ReduceOp::And),
        ("or", ReduceOp::Or),
        ("xor", ReduceOp::Xor),
    ])?;
    let int = reader.int()?;
    if int.bits != 32 {
        return reader.fail("the type has 32 bits");
    }
    reader.count(3)?;
    reader.uniform(Op::Reduce(op, int), Type::B32, 2)
}

pub(super) fn elect(mut reader: Reader) -> Result<Instruction> {
    reader.require(&[("sync", ())])?;
    reader.count(2)?;
    let (Some(predicate), value) = (reader.pair(0)?.1, reader.pair(0)?.0) else {
        return reader.fail("writes d|p");
    };
    let dst = vec![reader.dst_of(value, 4, 4)?, reader.dst_of(predicate, 0, 0)?];
    let src = vec![reader.src(1, Type::B32)?];
    reader.done(Op::Elect, dst, src)
}

pub(super) fn active_mask(mut reader: Reader) -> Result<Instruction> {
    let ty = reader.ty()?;
    reader.uniform(Op::ActiveMask, ty, 0)
}

pub(super) fn mma(mut reader: Reader) -> Result<Instruction> {
    for part in ["sync", "aligned"] {
        reader.require(&[(part, ())])?;
    }
    let k = reader.require(&[("m16n8k16", 16), ("m16n8k8", 8), ("m16n8k4", 4)])?;
    for part in ["row", "col"] {
        reader.require(&[(part, ())])?;
    }
    let types = [reader.ty()?, reader.ty()?, reader.ty()?, reader.ty()?];
    let operand = match (types[1], k) {
        (Type::Bf16, 8 | 16) => Scalar::Bf16,
        (Type::F16, 8 | 16) => Scalar::F16,
        (Type::Tf32, 4 | 8) => Scalar::Tf32,
        _ => return reader.fail("there is no such matrix product here"),
    };
    if types[0] != Type::F32 || types[3] != Type::F32 || types[1] != types[2] {
        return reader.fail("accumulators are .f32 and both operands have one type");
    }
    let pairs = if operand == Scalar::Tf32 { 1 } else { 2 };
    let (a, b) = (16 * k / (32 * pairs), 8 * k / (32 * pairs));
    reader.count(4)?;
    let registers = |index: usize, count: u32| -> Result<Vec<ast::Operand>> {
        let elements = reader.elements(index)?;
        if elements.len() == count as usize {
            return Ok(elements);
        }
        reader.fail(format!("operand {} has {count} registers", index + 1))
    };
    let mut dst = Vec::new();
    for element in registers(0, 4)? {
        dst.push(reader.dst_of(&element, 4, 4)?);
    }
    let mut src = Vec::new();
    for (index, count) in [(1, a), (2, b), (3, 4)] {
        let ty = if index == 3 { Type::F32 } else { Type::B32 };
        for element in registers(index, count)? {
            src.push(reader.src_of(&element, ty, 4)?);
        }
    }
    reader.done(Op::Mma(Mma { k, operand }), dst, src)
}

pub(super) fn barrier(mut reader: Reader) -> Result<Instruction> {
    if reader.flag("cluster") {
        return super::cluster::barrier(reader);
    }
    if reader.flag("warp") {
        reader.require(&[("sync", ())])?;
        reader.count(1)?;
        let src = vec![reader.src(0, Type::B32)?];
        return reader.done(Op::WarpBarrier, Vec::new(), src);
    }
    let _ = (reader.flag("cta"), reader.flag("aligned"));
    if reader.flag("red") {
        return barrier_reduce(reader);
    }
    let arrive = reader.require(&[("sync", false), ("arrive", true)])?;
    reader.count_in(if arrive { 2 } else { 1 }, 2)?;
    let mut src = vec![reader.src(0, Type::U32)?];
    if reader.ast.operands.len() == 2 {
        src.push(reader.src(1, Type::U32)?);
    }
    reader.done(if arrive { Op::BarrierArrive } else { Op::Barrier }, Vec::new(), src)
}

fn barrier_reduce(mut reader: Reader) -> Result<Instruction> {
    let op = reader.require(&[
        ("popc", BarrierReduce::Popc),
        ("and", BarrierReduce::And),
        ("or", BarrierReduce::Or),
    ])?;
    let ty = reader.ty()?;
    let bytes = if op == BarrierReduce::Popc { 4 } else { 0 };
    if ty.bytes() != bytes {
        return reader.fail("popc gives .u32, and/or give .pred");
    }
    reader.count_in(3, 4)?;
    let last = reader.ast.operands.len() - 1;
    let dst = vec![reader.dst(0, bytes)?];
    let mut src = vec![reader.src(1, Type::U32)?, reader.pred(last)?];
    if last == 3 {
        src.push(reader.src(2, Type::U32)?);
    }
    reader.done(Op::BarrierReduce(op), dst, src)
}

fn label(reader: &Reader, index: usize) -> Result<Label> {
    let name = reader.label_name(index)?;
    match reader.scope.label(name) {
        Some(label) => Ok(label),
        None => reader.fail(format!("there is no label {name}")),
    }
}

pub(super) fn branch(mut reader: Reader) -> Result<Instruction> {
    let _ = reader.flag("uni");
    reader.count(1)?;
    let target = label(&reader, 0)?;
    reader.done(Op::Branch { target }, Vec::new(), Vec::new())
}

pub(super) fn branch_indexed(mut reader: Reader) -> Result<Instruction> {
    reader.require(&[("idx", ())])?;
    let _ = reader.flag("uni");
    reader.count(2)?;
    let index: Operand = reader.src(0, Type::U32)?;
    let name = reader.label_name(1)?;
    let Some(targets) = reader.scope.branch_targets(name) else {
        return reader.fail(format!("there are no branch targets {name}"));
    };
    reader.done(Op::BranchIndexed { targets }, Vec::new(), vec![index])
}

/// `ret` goes back to the call; in an entry it ends the thread.
pub(super) fn ret(mut reader: Reader) -> Result<Instruction> {
    let _ = reader.flag("uni");
    match reader.scope.return_label() {
        Some(target) => simple(reader, Op::Branch { target }),
        None => simple(reader, Op::Exit),
    }
}

pub(super) fn simple(reader: Reader, op: Op) -> Result<Instruction> {
    reader.count(0)?;
    reader.done(op, Vec::new(), Vec::new())
}

pub(super) fn sleep(mut reader: Reader) -> Result<Instruction> {
    let _ = reader.ty()?;
    reader.count(1)?;
    reader.src(0, Type::U32)?;
    reader.done(Op::Sleep, Vec::new(), Vec::new())
}
