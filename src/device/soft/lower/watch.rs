//! The watches of checked code, see [`crate::device::soft::check`].

use super::emit::{Emitter, Operands, Result};
use crate::device::soft::check::Kind;
use crate::device::soft::check::watch;
use crate::device::soft::check::watched::{
    ALWAYS, FIRST, Mode, NOBODY, Number, Reference, Remark, Run, Table, Watched,
};
use crate::device::soft::exec::access::Place;
use crate::device::soft::exec::{Handler, handler};
use crate::ptx::ast::Type;
use crate::ptx::typed::{
    AddressSpace, CopyTail, Entry, FloatBinary, FloatUnary, Instruction, IntBinary, Op, Operand, Reg,
    Register, Scalar, Special,
};
use std::collections::HashMap;

/// Decoded instructions of one that a superinstruction stands for: a watch, and the instruction itself.
pub(super) const WITH_WATCH: usize = 2;

/// A table without instructions.
pub(super) fn table(entry: &Entry) -> Table {
    let named = |register: &Register| (register.name.clone(), register.ty.bytes());
    let registers = entry.registers.iter().map(named).collect();
    Table { registers, ..Table::default() }
}

impl Emitter<'_> {
    /// Puts a watch in front of `instruction`, whose guard is set; its index in the table.
    pub(super) fn watch(&mut self, instruction: &Instruction) -> Result<usize> {
        let watched = Watched {
            op: instruction.op.clone(),
            line: instruction.line,
            end: 0,
            reads: self.numbers(&instruction.src, ALWAYS)?,
            writes: self.numbers(&instruction.dst, NOBODY)?,
            references: self.references(instruction)?,
            values: self.values(instruction)?,
            remark: self.remark(instruction),
        };
        let site = match instruction.guard {
            Some((reg, _)) => self.number(reg)?,
            None => ALWAYS,
        };
        let imm = self.watched.list.len() as i32;
        let run = self.watch_for(&watched);
        let [a, b, c] = [0, 1, 2].map(|k| watched.reads.get(k).copied().unwrap_or(ALWAYS));
        let d = watched.writes.first().copied().unwrap_or(NOBODY);
        self.watched.list.push(watched);
        self.emit(run, Operands { d, a, b, c, site, imm });
        Ok(imm as usize)
    }

    /// Puts a watch in front of a superinstruction that stands for the `count` instructions from `at` on, which
    /// have watches of their own, and works on the tiles of a set.
    pub(super) fn watch_run(&mut self, at: usize, count: usize, tiles: u64) -> Result<()> {
        let mut run = Run { first: self.watched.list.len() as u32, tiles, ..Run::default() };
        let mut written = Vec::new();
        for (index, instruction) in self.entry.code[at..at + count].iter().enumerate() {
            for number in self.numbers(&instruction.src, ALWAYS)? {
                if !written.contains(&number) && !run.reads.contains(&number) {
                    run.reads.push(number);
                }
            }
            for number in self.numbers(&instruction.dst, NOBODY)? {
                if !written.contains(&number) {
                    written.push(number);
                }
            }
            if matches!(instruction.op, Op::Load(_) | Op::LoadMatrix { .. }) {
                run.loads.push(index as u32);
            }
            run.is_close |= !self.values(instruction)?.is_empty() || self.remark(instruction).is_some();
        }
        run.writes = written;
        let imm = self.watched.runs.len() as i32;
        self.watched.runs.push(run);
        self.emit(handler::<watch::WholeRun>(self.level), Operands { imm, ..Operands::default() });
        Ok(())
    }

    fn watch_for(&self, watched: &Watched) -> Handler {
        let simple = watched.reads.len() <= 3
            && watched.writes.len() <= 1
            && watched.values.is_empty()
            && watched.remark.is_none();
        match () {
            () if waits(&watched.op) => watch::sync,
            () if watched.op == Op::Exit => watch::exit,
            () if matches!(watched.op, Op::Fence(_)) => watch::fence,
            () if !watched.references.is_empty() => handler::<watch::Memory>(self.level),
            // An invalid source of a selection leads to a closer look, all others are simple.
            () if simple || watched.op == Op::Select => watch::registers,
            () => watch::many,
        }
    }

    /// The number by which the checks know a register.
    fn number(&self, reg: Reg) -> Result<Number> {
        match Number::try_from(FIRST + reg.0 as usize) {
            Ok(number) => Ok(number),
            Err(_) => self.fail("too many registers to check them"),
        }
    }

    fn numbers(&self, operands: &[Operand], other: Number) -> Result<Vec<Number>> {
        let number = |operand: &Operand| match operand {
            Operand::Reg(reg) | Operand::Not(reg) => self.number(*reg),
            _ => Ok(other),
        };
        operands.iter().map(number).collect()
    }

    /// The sources whose values the checks look at.
    fn values(&mut self, instruction: &Instruction) -> Result<Vec<Place>> {
        let (sources, ty): (&[usize], Type) = match &instruction.op {
            Op::Shuffle(_) => (&[1, 2, 3], Type::B32),
            Op::Vote(_) | Op::Match { .. } | Op::Reduce(..) => (&[1], Type::B32),
            Op::Elect | Op::WarpBarrier => (&[0], Type::B32),
            Op::FloatUnary(FloatUnary::Sin | FloatUnary::Cos, ..) => (&[0], Type::F32),
            Op::IntBinary(IntBinary::Div | IntBinary::Rem, int) => {
                let constant = matches!(instruction.src[1], Operand::Bits(bits) if bits != 0);
                (if constant { &[] } else { &[1] }, if int.bits == 64 { Type::B64 } else { Type::B32 })
            }
            Op::Mma(shape) if shape.operand == Scalar::Tf32 => (&[0, 1, 2, 3, 4, 5], Type::B32),
            Op::Select => return self.predicate(instruction, 2),
            Op::CopyAsync { tail: CopyTail::SourceBytes, .. } => (&[2], Type::U32),
            Op::CopyAsync { tail: CopyTail::Ignore, .. } => return self.predicate(instruction, 2),
            _ => return Ok(Vec::new()),
        };
        // A product has fewer factors if it is a small one.
        let factors = instruction.src.len() - if ty == Type::B32 && is_mma(instruction) { 4 } else { 0 };
        let mut values = Vec::new();
        for source in sources.iter().filter(|source| **source < factors) {
            let slot = self.source(instruction, *source, ty)?;
            values.push(Place { slot, wide: self.is_wide(instruction.src[*source], ty) });
        }
        Ok(values)
    }

    fn predicate(&self, instruction: &Instruction, source: usize) -> Result<Vec<Place>> {
        Ok(vec![Place { slot: self.pred_source(instruction, source)?, wide: false }])
    }

    /// What is questionable wherever the instruction is executed.
    fn remark(&self, instruction: &Instruction) -> Option<Remark> {
        let schedule = |name: &str| {
            let message = format!("{name} depends on how threads are scheduled");
            Some(Remark { kind: Kind::Schedule, message, other: None })
        };
        match instruction.op {
            Op::ActiveMask => return schedule("activemask"),
            _ if instruction.src.contains(&Operand::Special(Special::WarpId)) => return schedule("%warpid"),
            _ if instruction.src.contains(&Operand::Special(Special::SmId)) => return schedule("%smid"),
            Op::FloatBinary(FloatBinary::Add | FloatBinary::Sub, _, mode) if !mode.explicit => {}
            _ => return None,
        }
        let sources = instruction.src.iter().filter_map(|operand| match operand {
            Operand::Reg(reg) => self.fusible.get(reg),
            _ => None,
        });
        let line = *sources.min()?;
        Some(Remark {
            kind: Kind::Contraction,
            message: "the sum and a product in it have no rounding modifier and may become one fma"
                .to_string(),
            other: Some((line, "the product is made here".to_string())),
        })
    }

    /// The memory operands of an instruction.
    fn references(&mut self, instruction: &Instruction) -> Result<Vec<Reference>> {
        use AddressSpace::{Global, Shared};
        let operand = |mode, source, space, offset, element, count| Memory {
            mode,
            source,
            space,
            offset,
            element,
            count,
            lanes: !0,
        };
        let list = match &instruction.op {
            // Parameters that are named are constants.
            Op::Load(access) if access.space == AddressSpace::Param && is_symbol(instruction) => vec![],
            Op::Load(access) => {
                let bytes = access.ty.bytes();
                vec![operand(Mode::Read, 0, access.space, access.offset, bytes, access.count)]
            }
            Op::Store(access) => {
                let bytes = access.ty.bytes();
                vec![operand(Mode::Write, 0, access.space, access.offset, bytes, access.count)]
            }
            Op::Atomic { space, ty, offset, .. } => {
                vec![operand(Mode::Atomic, 0, *space, *offset, ty.bytes(), 1)]
            }
            Op::Mbarrier { space, offset, .. } => vec![operand(Mode::Atomic, 0, *space, *offset, 8, 1)],
            Op::CopyAsync { bytes, shared_offset, global_offset, .. } => vec![
                operand(Mode::CopySource, 1, Global, *global_offset, *bytes, 1),
                operand(Mode::CopyTarget, 0, Shared, *shared_offset, *bytes, 1),
            ],
            Op::LoadMatrix { space, offset, .. } => {
                // Each lane up to that names a row.
                let rows = 8 * instruction.dst.len();
                let lanes = (u64::MAX >> (64 - rows)) as u32;
                vec![Memory { lanes, ..operand(Mode::Read, 0, *space, *offset, 16, 1) }]
            }
            Op::StoreMatrix { space, offset, .. } => {
                let rows = 8 * (instruction.src.len() - 1);
                let lanes = (u64::MAX >> (64 - rows)) as u32;
                vec![Memory { lanes, ..operand(Mode::Write, 0, *space, *offset, 16, 1) }]
            }
            _ => vec![],
        };
        list.into_iter().map(|memory| self.reference(instruction, &memory)).collect()
    }

    fn reference(&mut self, instruction: &Instruction, memory: &Memory) -> Result<Reference> {
        let Memory { mode, source, space, offset, element, count, lanes } = *memory;
        let address = self.address(instruction.src[source], space)?;
        let (bytes, index) = (element * count, self.references);
        self.references += 1;
        Ok(Reference { mode, space, address, offset, bytes, align: bytes, lanes, index })
    }
}

/// A memory operand, by the number of the source that is its address.
struct Memory {
    mode: Mode,
    source: usize,
    space: AddressSpace,
    offset: i64,
    element: u32,
    count: u32,
    lanes: u32,
}

fn is_symbol(instruction: &Instruction) -> bool {
    matches!(instruction.src[0], Operand::Address { .. })
}

fn is_mma(instruction: &Instruction) -> bool {
    matches!(instruction.op, Op::Mma(_))
}

/// The registers that hold products which an assembler may fuse with a sum, and the lines of those.
pub(super) fn fusible(entry: &Entry) -> HashMap<Reg, u32> {
    let products =
        entry.code.iter().filter_map(|instruction| match (&instruction.op, instruction.dst.first()) {
            (Op::FloatBinary(FloatBinary::Mul, _, mode), Some(Operand::Reg(reg))) if !mode.explicit => {
                Some((*reg, instruction.line))
            }
            _ => None,
        });
    products.collect()
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
