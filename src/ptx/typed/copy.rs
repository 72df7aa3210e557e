//! `cp.async`.

use super::data::shared_space;
use super::order::prefetch_size;
use super::reader::{Reader, Result};
use super::{CopyTail, Instruction, MbarrierOp, Op};
use crate::ptx::ast::Type;

pub(super) fn copy_async(mut reader: Reader) -> Result<Instruction> {
    if !reader.flag("async") {
        return reader.fail("unknown form of cp");
    }
    if reader.flag("mbarrier") {
        return arrive_on_copies(reader);
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
    prefetch_size(&mut reader);
    let policy = reader.flag("L2::cache_hint");
    if !(reader.flag("shared") || reader.flag("shared::cta")) || !reader.flag("global") {
        return reader.fail("copies from .global to .shared only");
    }
    let last = 3 + usize::from(policy);
    reader.count_in(last, last + 1)?;
    let (shared, global) = (reader.address(0)?, reader.address(1)?);
    let bytes = match (reader.immediate(2)?, all_sizes) {
        (16, _) => 16,
        (n @ (4 | 8), true) => n as u32,
        _ => return reader.fail("copies 16 bytes, or with .ca 4, 8 or 16"),
    };
    let mut src = vec![shared.base, global.base];
    let mut tail = CopyTail::None;
    if reader.ast.operands.len() > last {
        let (operand, kind) = match reader.src(3, Type::U32) {
            Ok(operand) => (operand, CopyTail::SourceBytes),
            Err(_) => (reader.pred(3)?, CopyTail::Ignore),
        };
        src.push(operand);
        tail = kind;
    }
    if policy {
        reader.src(reader.ast.operands.len() - 1, Type::B64)?;
    }
    let op = Op::CopyAsync { bytes, shared_offset: shared.offset, global_offset: global.offset, tail };
    reader.done(op, Vec::new(), src)
}

/// `cp.async.mbarrier.arrive`
fn arrive_on_copies(mut reader: Reader) -> Result<Instruction> {
    reader.require(&[("arrive", ())])?;
    let counted = reader.flag("noinc");
    let shared = reader.flag("shared") || reader.flag("shared::cta");
    reader.only(Type::B64)?;
    reader.count(1)?;
    let address = reader.address(0)?;
    let space = shared_space(&reader, shared, &address)?;
    let op = Op::Mbarrier { op: MbarrierOp::ArriveOnCopies { counted }, space, offset: address.offset };
    reader.done(op, Vec::new(), vec![address.base])
}
