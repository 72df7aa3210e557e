//! Puts the instructions in that count.

use super::emit::{Emitter, Operands, Result};
use crate::device::soft::count::hooks;
use crate::device::soft::count::plan::{Hook, Plan};
use crate::device::soft::exec::{NEGATED, TRUE, copy};
use crate::ptx::ast::Type;
use crate::ptx::typed::{AddressSpace, CopyTail, Op};

impl Emitter<'_> {
    /// The hooks of the typed instructions `from..to`. They stand before the instruction that was emitted at
    /// `place`, if there is one: the superinstruction that stands for the whole range.
    pub(super) fn count_before(&mut self, plan: &Plan, from: usize, to: usize, place: usize) -> Result<()> {
        let superinstructions = self.emitted() - place;
        for hook in plan.before(from, to) {
            self.hook(hook)?;
        }
        self.move_back(place, superinstructions);
        Ok(())
    }

    /// The hooks behind the typed instructions `from..to`.
    pub(super) fn count_behind(&mut self, plan: &Plan, from: usize, to: usize) -> Result<()> {
        plan.behind(from, to).into_iter().try_for_each(|hook| self.hook(hook))
    }

    fn hook(&mut self, hook: Hook) -> Result<()> {
        let level = self.level;
        match hook {
            Hook::Segment(segment) => {
                self.guarded(TRUE, |emitter| {
                    let operands = Operands { imm: segment as i32, ..Operands::default() };
                    emitter.emit(hooks::segment(level), operands);
                });
                Ok(())
            }
            Hook::Guard(counter, (reg, negated)) => {
                let guard = self.pred_of(reg) | if negated { NEGATED } else { 0 };
                self.guarded(guard, |emitter| {
                    let operands = Operands { imm: counter as i32, ..Operands::default() };
                    emitter.emit(hooks::guard(level), operands);
                });
                Ok(())
            }
            Hook::Access { site, at } => self.access_hook(site, at),
        }
    }

    fn access_hook(&mut self, index: usize, at: usize) -> Result<()> {
        let instruction = &self.entry.code[at];
        let Ok(site) = u16::try_from(index) else { return self.fail("too many memory accesses to count") };
        let guard = self.guard_of(instruction);
        let (run, operands) = match &instruction.op {
            Op::CopyAsync { tail, .. } => {
                let to = self.address(instruction.src[0], AddressSpace::Shared)?;
                let from = self.address(instruction.src[1], AddressSpace::Global)?;
                let (d, c) = match tail {
                    CopyTail::None => (copy::WHOLE, 0),
                    CopyTail::SourceBytes => (copy::SOURCE_BYTES, self.source(instruction, 2, Type::U32)?),
                    CopyTail::Ignore => (copy::IGNORE, self.pred_source(instruction, 2)?),
                };
                let imm = if to.wide { hooks::WIDE_SHARED } else { 0 }
                    | if from.wide { hooks::WIDE_GLOBAL } else { 0 };
                (hooks::copy(), Operands { d, a: to.slot, b: from.slot, c, site, imm })
            }
            op => {
                let (space, offset, lanes) = match op {
                    Op::Load(access) | Op::Store(access) => (access.space, access.offset, !0u32),
                    Op::Atomic { space, offset, .. } => (*space, *offset, !0),
                    // The rows' addresses are in the first lanes.
                    Op::LoadMatrix { offset, .. } => {
                        (AddressSpace::Shared, *offset, !0 >> (32 - 8 * instruction.dst.len()))
                    }
                    _ => return self.fail("an instruction without an address is counted as an access"),
                };
                let address = self.address(instruction.src[0], space)?;
                let operands = Operands { a: address.slot, site, imm: lanes as i32, ..Operands::default() };
                match (space, address.wide) {
                    (AddressSpace::Shared, false) => (hooks::shared(self.level), operands),
                    (AddressSpace::Global, true) => {
                        (hooks::global(self.level), Operands { imm: self.short(offset)?, ..operands })
                    }
                    (_, wide) => (hooks::access(), Operands { b: u16::from(wide), ..operands }),
                }
            }
        };
        self.guarded(guard, |emitter| emitter.emit(run, operands));
        Ok(())
    }
}
