//! Handlers for clusters.

use super::emit::{Emitter, Operands, Result};
use crate::device::soft::exec::cluster;
use crate::ptx::ast::Type;
use crate::ptx::typed::{Instruction, Op};

impl Emitter<'_> {
    pub(super) fn cluster(&mut self, instruction: &Instruction) -> Result<()> {
        match instruction.op {
            Op::MapAddress { generic } => {
                let (d, wide) =
                    (self.destination(instruction, 0)?, self.destination_bytes(instruction, 0) == 8);
                let ty = if wide { Type::B64 } else { Type::B32 };
                let (a, b) = (self.source(instruction, 0, ty)?, self.source(instruction, 1, Type::U32)?);
                let imm = form(generic, wide);
                self.emit(cluster::map_address, Operands { d, a, b, imm, ..Operands::default() });
                Ok(())
            }
            Op::AddressRank { generic } => {
                let wide = self.is_wide(instruction.src[0], if generic { Type::B64 } else { Type::B32 });
                let ty = if wide { Type::B64 } else { Type::B32 };
                let (a, d) = (self.source(instruction, 0, ty)?, self.destination(instruction, 0)?);
                let imm = form(generic, wide);
                self.emit(cluster::rank_of_address, Operands { d, a, imm, ..Operands::default() });
                Ok(())
            }
            Op::ClusterBarrier { wait, .. } => {
                self.emit(cluster::barrier, Operands { imm: i32::from(wait), ..Operands::default() });
                Ok(())
            }
            _ => self.fail("the software device does not know this instruction"),
        }
    }
}

fn form(generic: bool, wide: bool) -> i32 {
    match (generic, wide) {
        (true, _) => cluster::GENERIC,
        (false, true) => cluster::WIDE,
        (false, false) => 0,
    }
}
