//! Clusters of blocks, and launches that depend on each other.

use super::reader::{Reader, Result};
use super::{Instruction, Op};
use crate::ptx::ast::Type;

/// The address operand of `mapa` and `getctarank`: its type, and whether it is a generic one.
fn address(reader: &mut Reader) -> Result<(Type, bool)> {
    let generic = !reader.flag("shared::cluster");
    match reader.ty()? {
        Type::U64 => Ok((Type::U64, generic)),
        Type::U32 if !generic => Ok((Type::U32, generic)),
        _ => reader.fail("generic addresses are .u64, those of .shared::cluster .u32 or .u64"),
    }
}

/// `mapa d, a, b`
pub(super) fn map_address(mut reader: Reader) -> Result<Instruction> {
    reader.since(90)?;
    let (ty, generic) = address(&mut reader)?;
    reader.count(3)?;
    let dst = vec![reader.dst(0, ty.bytes())?];
    let src = vec![reader.src(1, ty)?, reader.src(2, Type::U32)?];
    reader.done(Op::MapAddress { generic }, dst, src)
}

/// `getctarank d, a`
pub(super) fn rank_of_address(mut reader: Reader) -> Result<Instruction> {
    reader.since(90)?;
    let (ty, generic) = address(&mut reader)?;
    reader.count(2)?;
    let dst = vec![reader.dst(0, 4)?];
    let src = vec![reader.src(1, ty)?];
    reader.done(Op::AddressRank { generic }, dst, src)
}

/// `barrier.cluster.arrive` and `.wait`.
pub(super) fn barrier(mut reader: Reader) -> Result<Instruction> {
    reader.since(90)?;
    let wait = reader.require(&[("arrive", false), ("wait", true)])?;
    let _ = reader.flag("aligned");
    let relaxed = !wait && reader.flag("relaxed");
    let _ = !relaxed && reader.flag(if wait { "acquire" } else { "release" });
    reader.count(0)?;
    reader.done(Op::ClusterBarrier { wait, relaxed }, Vec::new(), Vec::new())
}

/// `griddepcontrol`: grids run one after the other here, so what a grid waits for is done.
pub(super) fn grid_dependency(mut reader: Reader) -> Result<Instruction> {
    reader.since(90)?;
    reader.require(&[("wait", ()), ("launch_dependents", ())])?;
    reader.count(0)?;
    reader.done(Op::Nop, Vec::new(), Vec::new())
}
