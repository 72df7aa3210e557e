//! The watches of checked code, see [`crate::device::soft::check`].

use super::emit::{Emitter, Operands, Result};
use crate::device::soft::check::watch;
use crate::device::soft::check::watched::{FIRST, Mode, NOBODY, Number, Reference, Watched};
use crate::device::soft::exec::access::Place;
use crate::ptx::ast::Type;
use crate::ptx::typed::{AddressSpace, Instruction, Op, Operand};

impl Emitter<'_> {
    /// Puts a watch in front of `instruction`, whose guard is set; its index in the table.
    pub(super) fn watch(&mut self, instruction: &Instruction) -> Result<usize> {
        let references = self.references(instruction)?;
        let members = self.members(instruction)?;
        let run = match () {
            () if waits(&instruction.op) => watch::sync,
            () if instruction.op == Op::Exit => watch::exit,
            () if !references.is_empty() => watch::memory,
            () => watch::registers,
        };
        let index = self.watched.len();
        self.watched.push(Watched {
            op: instruction.op.clone(),
            line: instruction.line,
            end: 0,
            reads: instruction.src.iter().filter_map(|operand| self.number(operand)).collect(),
            writes: instruction.dst.iter().map(|operand| self.number(operand).unwrap_or(NOBODY)).collect(),
            references,
            members,
        });
        self.emit(run, Operands { imm: index as i32, ..Operands::default() });
        Ok(index)
    }

    /// The number by which the checks know a register.
    fn number(&self, operand: &Operand) -> Option<Number> {
        match operand {
            Operand::Reg(reg) | Operand::Not(reg) => Some((FIRST + reg.0 as usize) as Number),
            _ => None,
        }
    }

    /// The member mask of a `.sync` instruction.
    fn members(&mut self, instruction: &Instruction) -> Result<Option<Place>> {
        let index = match instruction.op {
            Op::Shuffle(_) => 3,
            Op::Vote(_) | Op::Match { .. } | Op::Reduce(..) => 1,
            Op::Elect | Op::WarpBarrier => 0,
            _ => return Ok(None),
        };
        let slot = self.source(instruction, index, Type::B32)?;
        Ok(Some(Place { slot, wide: false }))
    }

    /// The memory operands of an instruction.
    fn references(&mut self, instruction: &Instruction) -> Result<Vec<Reference>> {
        let mut list = Vec::new();
        let mut add = |this: &mut Self, source: usize, mode, space, offset, element: u32, count: u32| {
            let address = this.address(instruction.src[source], space)?;
            let bytes = element * count;
            list.push(Reference { mode, space, address, offset, bytes, element, lanes: !0 });
            Ok(())
        };
        match &instruction.op {
            // Parameters that are named are constants.
            Op::Load(access) if access.space == AddressSpace::Param && is_symbol(instruction) => {}
            Op::Load(access) => {
                add(self, 0, Mode::Read, access.space, access.offset, access.ty.bytes(), access.count)?;
            }
            Op::Store(access) => {
                add(self, 0, Mode::Write, access.space, access.offset, access.ty.bytes(), access.count)?;
            }
            Op::Atomic { space, ty, offset, .. } => {
                add(self, 0, Mode::Atomic, *space, *offset, ty.bytes(), 1)?;
            }
            Op::CopyAsync { bytes, shared_offset, global_offset, .. } => {
                add(self, 1, Mode::CopySource, AddressSpace::Global, *global_offset, *bytes, 1)?;
                add(self, 0, Mode::CopyTarget, AddressSpace::Shared, *shared_offset, *bytes, 1)?;
            }
            Op::Mbarrier { space, offset, .. } => {
                add(self, 0, Mode::Atomic, *space, *offset, 8, 1)?;
            }
            Op::LoadMatrix { space, offset, .. } => {
                add(self, 0, Mode::Read, *space, *offset, 16, 1)?;
                let rows = 8 * instruction.dst.len();
                list[0].lanes = (u64::MAX >> (64 - rows)) as u32;
            }
            Op::StoreMatrix { space, offset, .. } => {
                add(self, 0, Mode::Write, *space, *offset, 16, 1)?;
                let rows = 8 * (instruction.src.len() - 1);
                list[0].lanes = (u64::MAX >> (64 - rows)) as u32;
            }
            _ => {}
        }
        Ok(list)
    }
}

fn is_symbol(instruction: &Instruction) -> bool {
    matches!(instruction.src[0], Operand::Address { .. })
}

/// Whether an instruction waits for other lanes of its warp.
fn waits(op: &Op) -> bool {
    matches!(
        op,
        Op::Mma(_)
            | Op::MmaF16(_)
            | Op::MmaInt(_)
            | Op::MmaF64
            | Op::LoadMatrix { .. }
            | Op::StoreMatrix { .. }
            | Op::MoveMatrix
            | Op::Shuffle(_)
            | Op::Vote(_)
            | Op::Match { .. }
            | Op::Reduce(..)
            | Op::Elect
            | Op::WarpBarrier
            | Op::Barrier
            | Op::BarrierArrive
            | Op::BarrierReduce(_)
    )
}
