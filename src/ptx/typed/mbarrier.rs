//! `mbarrier`: barriers that are objects in shared memory, with counts of arrivals and of bytes.

use super::data::shared_space;
use super::order::{Direction, order};
use super::reader::{Address, Reader, Result};
use super::{AddressSpace, Instruction, MbarrierOp, Op, Operand, Order};
use crate::ptx::ast::Type;

type Form = fn(Reader) -> Result<Instruction>;

pub(super) fn mbarrier(mut reader: Reader) -> Result<Instruction> {
    let forms: [(&str, Form); 9] = [
        ("init", init),
        ("inval", invalidate),
        ("arrive", arrive),
        ("arrive_drop", arrive),
        ("test_wait", test),
        ("try_wait", test),
        ("expect_tx", bytes),
        ("complete_tx", bytes),
        ("pending_count", pending_count),
    ];
    match reader.choice(&forms) {
        Some(form) => form(reader),
        None => reader.fail("is not a form of mbarrier that is known here"),
    }
}

/// Takes the state space, the type and the address: the object lies in shared memory, whatever the form of
/// its address.
fn place(reader: &mut Reader, index: usize) -> Result<(AddressSpace, Address)> {
    let shared = reader.flag("shared") || reader.flag("shared::cta");
    reader.only(Type::B64)?;
    let address = reader.address(index)?;
    Ok((shared_space(reader, shared, &address)?, address))
}

/// As [`place`], of an object that may be another block's: nothing comes back from there.
fn distant_place(reader: &mut Reader, index: usize) -> Result<(AddressSpace, Address)> {
    if !reader.flag("shared::cluster") {
        return place(reader, index);
    }
    reader.since(90)?;
    reader.only(Type::B64)?;
    if index > 0 && reader.dst(0, 8)? != Operand::Sink {
        return reader.fail("has no result where the object may be another block's: write `_`");
    }
    Ok((AddressSpace::Cluster, reader.address(index)?))
}

/// An arrival releases and a wait acquires, which is what they do where nothing is written.
fn check_order(reader: &mut Reader, direction: Direction) -> Result<()> {
    match order(reader, direction)? {
        Order::Relaxed(_) => reader.since(90),
        Order::Volatile => reader.fail("cannot be ordered like this"),
        _ => Ok(()),
    }
}

fn init(mut reader: Reader) -> Result<Instruction> {
    reader.count(2)?;
    let (space, address) = place(&mut reader, 0)?;
    let src = vec![address.base, reader.src(1, Type::U32)?];
    reader.done(Op::Mbarrier { op: MbarrierOp::Init, space, offset: address.offset }, Vec::new(), src)
}

fn invalidate(mut reader: Reader) -> Result<Instruction> {
    reader.count(1)?;
    let (space, address) = place(&mut reader, 0)?;
    let op = Op::Mbarrier { op: MbarrierOp::Invalidate, space, offset: address.offset };
    reader.done(op, Vec::new(), vec![address.base])
}

fn arrive(mut reader: Reader) -> Result<Instruction> {
    let drop = reader.ast.modifiers.iter().any(|modifier| modifier == "arrive_drop");
    let no_complete = reader.flag("noComplete");
    if !drop && reader.flag("expect_tx") {
        return arrive_expecting(reader);
    }
    check_order(&mut reader, Direction::Store)?;
    reader.count_in(if no_complete { 3 } else { 2 }, 3)?;
    let (space, address) = distant_place(&mut reader, 1)?;
    let mut src = vec![address.base];
    if reader.ast.operands.len() == 3 {
        if !no_complete {
            reader.since(90)?;
        }
        src.push(reader.src(2, Type::U32)?);
    }
    let dst = vec![reader.dst(0, 8)?];
    let op = Op::Mbarrier { op: MbarrierOp::Arrive { drop, no_complete }, space, offset: address.offset };
    reader.done(op, dst, src)
}

/// `mbarrier.arrive.expect_tx`
fn arrive_expecting(mut reader: Reader) -> Result<Instruction> {
    reader.since(90)?;
    check_order(&mut reader, Direction::Store)?;
    reader.count(3)?;
    let (space, address) = distant_place(&mut reader, 1)?;
    let (dst, src) = (vec![reader.dst(0, 8)?], vec![address.base, reader.src(2, Type::U32)?]);
    let op = Op::Mbarrier { op: MbarrierOp::ArriveExpecting, space, offset: address.offset };
    reader.done(op, dst, src)
}

/// `mbarrier.expect_tx`, `mbarrier.complete_tx`
fn bytes(mut reader: Reader) -> Result<Instruction> {
    reader.since(90)?;
    let expects = reader.ast.modifiers.iter().any(|modifier| modifier == "expect_tx");
    check_order(&mut reader, Direction::Store)?;
    reader.count(2)?;
    let (space, address) = distant_place(&mut reader, 0)?;
    let src = vec![address.base, reader.src(1, Type::U32)?];
    let op = if expects { MbarrierOp::ExpectBytes } else { MbarrierOp::CompleteBytes };
    reader.done(Op::Mbarrier { op, space, offset: address.offset }, Vec::new(), src)
}

/// `test_wait` and `try_wait`. That one may wait for a while, as long as its hint says, before it fails; here
/// a failure of either gives others their turn.
fn test(mut reader: Reader) -> Result<Instruction> {
    let tries = reader.ast.modifiers.iter().any(|modifier| modifier == "try_wait");
    let parity = reader.flag("parity");
    check_order(&mut reader, Direction::Load)?;
    if tries {
        reader.since(90)?;
    }
    reader.count_in(3, if tries { 4 } else { 3 })?;
    if reader.ast.operands.len() == 4 {
        reader.src(3, Type::U32)?;
    }
    let (space, address) = place(&mut reader, 1)?;
    let (op, ty) = match parity {
        true => (MbarrierOp::TestParity, Type::U32),
        false => (MbarrierOp::TestState, Type::B64),
    };
    let src = vec![address.base, reader.src(2, ty)?];
    let dst = vec![reader.dst(0, 0)?];
    reader.done(Op::Mbarrier { op, space, offset: address.offset }, dst, src)
}

fn pending_count(mut reader: Reader) -> Result<Instruction> {
    reader.only(Type::B64)?;
    reader.count(2)?;
    let (dst, src) = (vec![reader.dst(0, 4)?], vec![reader.src(1, Type::B64)?]);
    reader.done(Op::PendingCount, dst, src)
}
