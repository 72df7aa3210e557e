//! Warp operations, barriers and control flow.

use super::reader::{Reader, Result};
use super::{
    BarrierForm, BarrierReduce, Instruction, Int, Label, Op, Operand, ReduceOp, ShuffleMode, VoteMode,
};
use crate::ptx::ast::Type;

pub(super) fn shuffle(mut reader: Reader) -> Result<Instruction> {
    reader.require(&[("sync", ())])?;
    let mode = reader.require(&[
        ("up", ShuffleMode::Up),
        ("down", ShuffleMode::Down),
        ("bfly", ShuffleMode::Butterfly),
        ("idx", ShuffleMode::Index),
    ])?;
    reader.only(Type::B32)?;
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
    if !matches!(ty, Type::B32 | Type::B64) {
        return reader.fail("the type is .b32 or .b64");
    }
    reader.count(3)?;
    let (value, predicate) = reader.pair(0)?;
    let mut dst = vec![reader.dst_of(value, 4, 4)?];
    match predicate {
        Some(predicate) if all => dst.push(reader.dst_of(predicate, 0, 0)?),
        Some(_) => return reader.fail("match.any writes no predicate"),
        None => {}
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
    let bits = matches!(op, ReduceOp::And | ReduceOp::Or | ReduceOp::Xor);
    let int: Int = if bits { reader.bits()? } else { reader.int()? };
    if int.bits != 32 {
        return reader.fail("the type has 32 bits");
    }
    reader.uniform(Op::Reduce(op, int), Type::B32, 2)
}

pub(super) fn elect(mut reader: Reader) -> Result<Instruction> {
    reader.since(90)?;
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
    reader.only(Type::B32)?;
    reader.uniform(Op::ActiveMask, Type::B32, 0)
}

pub(super) fn barrier(mut reader: Reader) -> Result<Instruction> {
    if reader.flag("cluster") {
        return super::cluster::barrier(reader);
    }
    let bar = reader.ast.opcode == "bar";
    if bar && reader.flag("warp") {
        reader.require(&[("sync", ())])?;
        reader.count(1)?;
        let src = vec![reader.src(0, Type::B32)?];
        return reader.done(Op::WarpBarrier, Vec::new(), src);
    }
    // `bar` is `barrier` with `.aligned`.
    let _ = reader.flag("cta");
    let aligned = bar || reader.flag("aligned");
    if reader.flag("red") {
        return barrier_reduce(reader, aligned);
    }
    let arrive = reader.require(&[("sync", false), ("arrive", true)])?;
    reader.count_in(if arrive { 2 } else { 1 }, 2)?;
    let mut src = vec![reader.src(0, Type::U32)?];
    if reader.ast.operands.len() == 2 {
        src.push(reader.src(1, Type::U32)?);
    }
    let op = match (aligned, arrive) {
        (true, false) => Op::Barrier,
        (true, true) => Op::BarrierArrive,
        (false, false) => Op::LooseBarrier(BarrierForm::Sync),
        (false, true) => Op::LooseBarrier(BarrierForm::Arrive),
    };
    reader.done(op, Vec::new(), src)
}

fn barrier_reduce(mut reader: Reader, aligned: bool) -> Result<Instruction> {
    let op = reader.require(&[
        ("popc", BarrierReduce::Popc),
        ("and", BarrierReduce::And),
        ("or", BarrierReduce::Or),
    ])?;
    let ty = if op == BarrierReduce::Popc { Type::U32 } else { Type::Pred };
    reader.only(ty)?;
    let bytes = ty.bytes();
    reader.count_in(3, 4)?;
    let last = reader.ast.operands.len() - 1;
    let dst = vec![reader.dst(0, bytes)?];
    let mut src = vec![reader.src(1, Type::U32)?, reader.pred(last)?];
    if last == 3 {
        src.push(reader.src(2, Type::U32)?);
    }
    let op = if aligned { Op::BarrierReduce(op) } else { Op::LooseBarrier(BarrierForm::Reduce(op)) };
    reader.done(op, dst, src)
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
    reader.only(Type::U32)?;
    reader.count(1)?;
    reader.src(0, Type::U32)?;
    reader.done(Op::Sleep, Vec::new(), Vec::new())
}
