//! Handlers for warp operations, matrix products and barriers.

use super::emit::{Emitter, Operands, Result};
use crate::device::soft::exec::fragment::Factor;
use crate::device::soft::exec::{barrier, mma, shuffle, vote};
use crate::ptx::ast::Type;
use crate::ptx::typed::{BarrierReduce, Instruction, Mma, Op, VoteMode};

impl Emitter<'_> {
    pub(super) fn warp_operation(&mut self, instruction: &Instruction) -> Result<()> {
        match &instruction.op {
            Op::Mma(shape) => self.mma(instruction, *shape),
            Op::Shuffle(mode) => {
                let slots = [0, 1, 2, 3].map(|index| self.source(instruction, index, Type::B32));
                let [a, b, c, site] = slots;
                let (a, b, c, site) = (a?, b?, c?, site?);
                let d = self.destination(instruction, 0)?;
                let imm = i32::from(self.pred_destination(instruction, 1));
                self.emit(shuffle::shuffle(*mode, self.level), Operands { d, a, b, c, site, imm });
                Ok(())
            }
            Op::Vote(mode) => {
                let d = match mode {
                    VoteMode::Ballot => self.destination(instruction, 0)?,
                    _ => self.pred_destination(instruction, 0),
                };
                let (a, b) = (self.pred_source(instruction, 0)?, self.source(instruction, 1, Type::B32)?);
                let imm = vote::vote_mode(*mode);
                self.emit(vote::vote, Operands { d, a, b, imm, ..Operands::default() });
                Ok(())
            }
            Op::Match { all, bits } => {
                let ty = if *bits == 64 { Type::B64 } else { Type::B32 };
                let (a, b) = (self.source(instruction, 0, ty)?, self.source(instruction, 1, Type::B32)?);
                let (d, c) = (self.destination(instruction, 0)?, self.pred_destination(instruction, 1));
                let imm = i32::from(*all) | i32::from(*bits == 64) << 1;
                self.emit(vote::matching, Operands { d, a, b, c, imm, site: 0 });
                Ok(())
            }
            Op::Reduce(op, int) => {
                let (a, b) =
                    (self.source(instruction, 0, Type::B32)?, self.source(instruction, 1, Type::B32)?);
                let (d, imm) = (self.destination(instruction, 0)?, vote::reduce_mode(*op, int.signed));
                self.emit(vote::reduce, Operands { d, a, b, imm, ..Operands::default() });
                Ok(())
            }
            Op::Elect => {
                let (d, c) = (self.destination(instruction, 0)?, self.pred_destination(instruction, 1));
                let b = self.source(instruction, 0, Type::B32)?;
                self.emit(vote::elect, Operands { d, b, c, ..Operands::default() });
                Ok(())
            }
            Op::ActiveMask => {
                let d = self.destination(instruction, 0)?;
                self.emit(vote::active_mask, Operands { d, ..Operands::default() });
                Ok(())
            }
            Op::WarpBarrier => {
                let a = self.source(instruction, 0, Type::B32)?;
                self.emit(vote::warp_barrier, Operands { a, ..Operands::default() });
                Ok(())
            }
            Op::Barrier => self.barrier(instruction, 0, 1),
            Op::BarrierArrive => self.barrier(instruction, barrier::ARRIVE, 1),
            Op::BarrierReduce(op) => self.barrier_reduce(instruction, *op),
            _ => self.fail("the software device does not know this instruction"),
        }
    }

    fn mma(&mut self, instruction: &Instruction, shape: Mma) -> Result<()> {
        let Some(factor) = Factor::new(shape) else {
            return self.fail("the software device does not know this instruction for these types");
        };
        let mut slots = Vec::new();
        for index in 0..instruction.dst.len() {
            slots.push(self.destination(instruction, index)?);
        }
        for index in 0..instruction.src.len() {
            slots.push(self.source(instruction, index, Type::B32)?);
        }
        let (d, a) = mma::operands(factor);
        let imm = self.list(&slots);
        self.emit(mma::mma(self.level), Operands { d, a, imm, ..Operands::default() });
        Ok(())
    }

    /// `threads` is the index of the source that counts the threads, if it is there.
    fn barrier(&mut self, instruction: &Instruction, imm: i32, threads: usize) -> Result<()> {
        let a = self.source(instruction, 0, Type::U32)?;
        let b = match instruction.src.get(threads) {
            Some(operand) => self.slot(*operand, Type::U32)?,
            None => self.literal(0, false)?,
        };
        let c = if imm == barrier::VOTE { self.pred_source(instruction, 1)? } else { 0 };
        self.emit(barrier::barrier, Operands { a, b, c, imm, ..Operands::default() });
        Ok(())
    }

    fn barrier_reduce(&mut self, instruction: &Instruction, op: BarrierReduce) -> Result<()> {
        self.barrier(instruction, barrier::VOTE, 2)?;
        let (d, imm) = match op {
            BarrierReduce::Popc => (self.destination(instruction, 0)?, 0),
            BarrierReduce::And => (self.pred_destination(instruction, 0), 1),
            BarrierReduce::Or => (self.pred_destination(instruction, 0), 2),
        };
        self.emit(barrier::result, Operands { d, imm, ..Operands::default() });
        Ok(())
    }
}
