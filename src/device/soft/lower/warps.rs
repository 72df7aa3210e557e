//! Handlers for warp operations, matrix products and barriers.

use super::emit::{Emitter, Operands, Result};
use crate::device::soft::exec::access::{Access, Place};
use crate::device::soft::exec::fragment::Factor;
use crate::device::soft::exec::{Handler, barrier, mbarrier, mma, mma_rare, shuffle, vote};
use crate::ptx::ast::Type;
use crate::ptx::typed::{
    AddressSpace, BarrierForm, BarrierReduce, Instruction, MbarrierOp, Op, Operand, VoteMode,
};

impl Emitter<'_> {
    pub(super) fn warp_operation(&mut self, instruction: &Instruction) -> Result<()> {
        match &instruction.op {
            Op::Mma(shape) => {
                let Some(factor) = Factor::new(*shape) else {
                    return self.fail("the software device does not know this product");
                };
                let (d, a) = mma::operands(factor);
                self.fragments(instruction, mma::mma(self.level), [d, a])
            }
            Op::MmaF16(shape) => {
                self.fragments(instruction, mma_rare::f16_sums, [mma_rare::f16_mode(*shape), 0])
            }
            Op::MmaInt(shape) => {
                self.fragments(instruction, mma_rare::integers, [mma_rare::int_mode(*shape), 0])
            }
            Op::MmaF64 => self.fragments(instruction, mma_rare::doubles, [0; 2]),
            Op::Mbarrier { op, space, offset } => self.mbarrier(instruction, *op, *space, *offset),
            Op::PendingCount => {
                self.scalar(instruction, &[Type::B64], |[state, ..]| mbarrier::pending_count(state))
            }
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
            Op::Barrier => self.barrier(instruction, BarrierForm::Sync, barrier::barrier),
            Op::BarrierArrive => self.barrier(instruction, BarrierForm::Arrive, barrier::barrier),
            Op::BarrierReduce(op) => self.barrier(instruction, BarrierForm::Reduce(*op), barrier::barrier),
            Op::LooseBarrier(form) => self.barrier(instruction, *form, barrier::loose_barrier),
            _ => self.fail("the software device does not know this instruction"),
        }
    }

    /// A matrix product: D, A, B and C one after the other in a list; `d` and `a` are the handler's.
    fn fragments(&mut self, instruction: &Instruction, run: Handler, [d, a]: [u16; 2]) -> Result<()> {
        let mut slots = Vec::new();
        for index in 0..instruction.dst.len() {
            slots.push(self.destination(instruction, index)?);
        }
        let ty = if instruction.op == Op::MmaF64 { Type::F64 } else { Type::B32 };
        for index in 0..instruction.src.len() {
            slots.push(self.source(instruction, index, ty)?);
        }
        let imm = self.list(&slots);
        self.emit(run, Operands { d, a, imm, ..Operands::default() });
        Ok(())
    }

    fn mbarrier(
        &mut self,
        instruction: &Instruction,
        op: MbarrierOp,
        space: AddressSpace,
        offset: i64,
    ) -> Result<()> {
        let ty = if op == MbarrierOp::TestState { Type::B64 } else { Type::U32 };
        let wide = ty == Type::B64;
        let mut elements = Vec::new();
        for operand in &instruction.src[1..] {
            elements.push(Place { slot: self.slot(*operand, ty)?, wide });
        }
        let c = elements.len() as u16;
        let tests = matches!(op, MbarrierOp::TestState | MbarrierOp::TestParity);
        if !tests && matches!(instruction.dst.first(), Some(Operand::Reg(_))) {
            elements.push(Place { slot: self.destination(instruction, 0)?, wide: true });
        }
        let address = self.address(instruction.src[0], space)?;
        let site = self.access(Access {
            space,
            bytes: mbarrier::BYTES,
            signed: false,
            store: true,
            address,
            offset,
            elements,
            atomic: None,
        })?;
        let d = if tests { self.pred_destination(instruction, 0) } else { 0 };
        let run = if tests { mbarrier::test } else { mbarrier::update };
        self.emit(run, Operands { d, c, site, imm: mbarrier::mode(op), ..Operands::default() });
        Ok(())
    }

    fn barrier(&mut self, instruction: &Instruction, form: BarrierForm, run: Handler) -> Result<()> {
        let (imm, threads) = match form {
            BarrierForm::Sync => (0, 1),
            BarrierForm::Arrive => (barrier::ARRIVE, 1),
            BarrierForm::Reduce(_) => (barrier::VOTE, 2),
        };
        let a = self.source(instruction, 0, Type::U32)?;
        let b = match instruction.src.get(threads) {
            Some(operand) => self.slot(*operand, Type::U32)?,
            None => self.literal(0, false)?,
        };
        let c = if imm == barrier::VOTE { self.pred_source(instruction, 1)? } else { 0 };
        self.emit(run, Operands { a, b, c, imm, ..Operands::default() });
        let BarrierForm::Reduce(op) = form else { return Ok(()) };
        let (d, imm) = match op {
            BarrierReduce::Popc => (self.destination(instruction, 0)?, 0),
            BarrierReduce::And => (self.pred_destination(instruction, 0), 1),
            BarrierReduce::Or => (self.pred_destination(instruction, 0), 2),
        };
        self.emit(barrier::result, Operands { d, imm, ..Operands::default() });
        Ok(())
    }
}
