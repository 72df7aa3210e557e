//! Writes decoded instructions: operands to slots, labels to branch targets.

use super::allocate::{Allocation, allocate};
use super::constants::{Constant, Constants, Layout};
use super::tiles::{self, Tiling};
use super::{Code, LowerError, watch};
use crate::device::soft::Options;
use crate::device::soft::check::watched::Table;
use crate::device::soft::count::plan::Plan;
use crate::device::soft::exec::access::Access;
use crate::device::soft::exec::mma_run::MmaRun;
use crate::device::soft::exec::product::Product;
use crate::device::soft::exec::scalar::Scalar;
use crate::device::soft::exec::{Handler, Inst, NEGATED, SINK_PREDICATE, TRUE, control, moves};
use crate::device::soft::level::Level;
use crate::ptx::ast::Type;
use crate::ptx::typed::{Entry, Instruction, Label, Module, Op, Operand, Reg, Special};
use std::collections::HashMap;

pub(super) type Result<T> = std::result::Result<T, LowerError>;

/// The operands of an instruction that is written; what is not named is 0.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Operands {
    pub d: u16,
    pub a: u16,
    pub b: u16,
    pub c: u16,
    pub site: u16,
    pub imm: i32,
}

/// The state of lowering one entry.
pub(super) struct Emitter<'a> {
    pub entry: &'a Entry,
    pub level: Level,
    pub checked: bool,
    pub layout: Layout<'a>,
    allocation: Allocation,
    constants: Constants,
    insts: Vec<Inst>,
    lines: Vec<u32>,
    accesses: Vec<Access>,
    lists: Vec<u16>,
    scalars: Vec<Scalar>,
    products: Vec<Product>,
    pub tiling: Tiling,
    mma_runs: Vec<MmaRun>,
    tile_sets: Vec<u64>,
    /// Empty unless the code is checked.
    pub watched: Table,
    /// Memory operands of the watched instructions so far.
    pub references: u32,
    /// See [`watch::fusible`].
    pub fusible: HashMap<Reg, u32>,
    branches: Vec<Label>,
    /// The instruction that is lowered.
    guard: u16,
    line: u32,
}

pub(super) fn lower(entry: &Entry, module: &Module, addresses: &[u64], options: &Options) -> Result<Code> {
    let (checked, targeted) = (options.check.is_some(), targeted(entry));
    let tiling = tiles::find(entry, &targeted);
    let allocation = allocate(entry, SINK_PREDICATE + 1, &tiling.registers());
    let Some(allocation) = allocation.filter(|a| a.preds < NEGATED as usize) else {
        return Err(LowerError { line: entry.line, message: "too many registers".to_string() });
    };
    let constants = Constants::new(allocation.slots);
    let mut emitter = Emitter {
        entry,
        level: options.level,
        checked,
        layout: Layout::new(entry, module, addresses),
        allocation,
        constants,
        insts: Vec::new(),
        lines: Vec::new(),
        accesses: Vec::new(),
        lists: Vec::new(),
        scalars: Vec::new(),
        products: Vec::new(),
        tiling,
        mma_runs: Vec::new(),
        tile_sets: Vec::new(),
        watched: if options.check.is_some() { watch::table(entry) } else { Table::default() },
        references: 0,
        fusible: if options.check.is_some() { watch::fusible(entry) } else { HashMap::new() },
        branches: Vec::new(),
        guard: TRUE,
        line: entry.line,
    };
    let plan = options.count.then(|| Plan::of(entry, &targeted));
    let starts = emitter.body(&targeted, plan.as_ref())?;
    let mut code = emitter.finish(&starts)?;
    code.counting = plan.map(|plan| plan.counting);
    Ok(code)
}

/// Before which instructions there is a label that a branch names.
fn targeted(entry: &Entry) -> Vec<bool> {
    let mut targeted = vec![false; entry.code.len() + 1];
    for instruction in &entry.code {
        for label in labels(&instruction.op) {
            targeted[entry.labels[label.0 as usize]] = true;
        }
    }
    targeted
}

impl<'a> Emitter<'a> {
    /// Emits all instructions; the result says where each typed one begins.
    fn body(&mut self, targeted: &[bool], plan: Option<&Plan>) -> Result<Vec<u32>> {
        let mut starts = Vec::with_capacity(targeted.len());
        let entry = self.entry;
        // The range of instructions that the last superinstruction covers.
        let (mut first, mut covered) = (0, 0);
        for (at, instruction) in entry.code.iter().enumerate() {
            starts.push(self.insts.len() as u32);
            self.line = instruction.line;
            self.guard = TRUE;
            if targeted[at] {
                self.emit(control::label, Operands::default());
            }
            if at >= covered {
                let place = self.insts.len();
                let run = self.fused(at, targeted)?;
                first = at;
                covered = at + run.max(1);
                if let Some(plan) = plan {
                    self.count_before(plan, first, covered, place)?;
                }
            }
            self.guard = self.guard_of(instruction);
            let watched = if self.checked { Some(self.watch(instruction)?) } else { None };
            self.instruction(instruction)?;
            if let Some(index) = watched {
                self.watched.list[index].end = self.insts.len() as u32;
            }
            if let Some(plan) = plan
                && at + 1 == covered
            {
                self.count_behind(plan, first, covered)?;
            }
        }
        starts.push(self.insts.len() as u32);
        self.guard = TRUE;
        if targeted[entry.code.len()] {
            self.emit(control::label, Operands::default());
        }
        self.emit(control::exit, Operands::default());
        Ok(starts)
    }

    /// Puts those instructions in front of typed instruction `at` that work on several at once; how many the
    /// last one covers.
    fn fused(&mut self, at: usize, targeted: &[bool]) -> Result<usize> {
        self.leave_tiles(at);
        match self.mma_run(at)? {
            0 => self.product(at, targeted),
            covered => Ok(covered),
        }
    }

    fn instruction(&mut self, instruction: &Instruction) -> Result<()> {
        match &instruction.op {
            // Memory is sequentially consistent here.
            Op::Nop | Op::Fence(_) => Ok(()),
            Op::Exit => self.plain(control::exit),
            Op::Trap => self.plain(control::trap),
            Op::Sleep => self.plain(control::sleep),
            Op::Branch { target } => {
                // The target is a label until `finish` knows where it is.
                self.emit(control::branch_forward, Operands { imm: target.0 as i32, ..Operands::default() });
                Ok(())
            }
            Op::BranchIndexed { targets } => {
                let a = self.source(instruction, 0, Type::U32)?;
                let operands = Operands {
                    d: targets.len() as u16,
                    a,
                    imm: self.branches.len() as i32,
                    ..Operands::default()
                };
                self.branches.extend(targets);
                self.emit(control::branch_indexed, operands);
                Ok(())
            }
            Op::Mov
            | Op::MovPred
            | Op::MovPair
            | Op::Pack
            | Op::Unpack
            | Op::Load(_)
            | Op::Store(_)
            | Op::Atomic { .. }
            | Op::ConvertAddress { .. }
            | Op::IsInSpace(_)
            | Op::CopyAsync { .. }
            | Op::CopyCommit
            | Op::CopyWait(_)
            | Op::LoadMatrix { .. }
            | Op::StoreMatrix { .. }
            | Op::MoveMatrix => self.data(instruction),
            Op::MapAddress { .. } | Op::AddressRank { .. } | Op::ClusterBarrier { .. } => {
                self.cluster(instruction)
            }
            Op::Mma(_)
            | Op::MmaF16(_)
            | Op::MmaInt(_)
            | Op::MmaF64
            | Op::Mbarrier { .. }
            | Op::PendingCount
            | Op::Shuffle(_)
            | Op::Vote(_)
            | Op::Match { .. }
            | Op::Reduce(..)
            | Op::Elect
            | Op::ActiveMask
            | Op::WarpBarrier
            | Op::Barrier
            | Op::BarrierArrive
            | Op::BarrierReduce(_)
            | Op::LooseBarrier(_) => self.warp_operation(instruction),
            _ => self.arithmetic(instruction),
        }
    }

    fn plain(&mut self, run: Handler) -> Result<()> {
        self.emit(run, Operands::default());
        Ok(())
    }

    fn finish(mut self, starts: &[u32]) -> Result<Code> {
        let place = |label: Label| starts[self.entry.labels[label.0 as usize]];
        let branches: Vec<u32> = self.branches.iter().map(|label| place(*label)).collect();
        let forward: Handler = control::branch_forward;
        for (at, inst) in self.insts.iter_mut().enumerate() {
            if std::ptr::fn_addr_eq(inst.run, forward) {
                let target = place(Label(inst.imm as u32));
                inst.imm = target as i32;
                if target as usize <= at {
                    inst.run = control::branch_backward;
                }
            }
        }
        let (shared_bytes, local_bytes) = self.layout.sizes()?;
        let (slots, constants) = std::mem::replace(&mut self.constants, Constants::new(0)).finish();
        let (tiles, slots) = self.place_tiles(slots)?;
        Ok(Code {
            name: self.entry.name.clone(),
            insts: self.insts,
            lines: self.lines,
            accesses: self.accesses,
            lists: self.lists,
            scalars: self.scalars,
            products: self.products,
            mma_runs: self.mma_runs,
            level: self.level,
            tiles,
            tile_sets: self.tile_sets,
            watched: self.watched,
            branches,
            slots,
            preds: self.allocation.preds,
            constants,
            shared_bytes,
            local_bytes,
            params: self.entry.params.clone(),
            param_bytes: self.entry.param_bytes,
            required_block: self.entry.required_block,
            required_cluster: self.entry.required_cluster,
            max_threads: self.entry.max_threads,
            counting: None,
        })
    }

    // ---- writing

    pub fn emit(&mut self, run: Handler, operands: Operands) {
        let Operands { d, a, b, c, site, imm } = operands;
        self.insts.push(Inst { run, d, a, b, c, guard: self.guard, site, imm });
        self.lines.push(self.line);
    }

    /// Emits what `write` writes under another guard.
    pub fn guarded(&mut self, guard: u16, write: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.guard, guard);
        write(self);
        self.guard = before;
    }

    /// Instructions so far.
    pub fn emitted(&self) -> usize {
        self.insts.len()
    }

    /// Moves the `count` instructions at `place` behind all others.
    pub fn move_back(&mut self, place: usize, count: usize) {
        self.insts[place..].rotate_left(count);
        self.lines[place..].rotate_left(count);
    }

    pub fn fail<T>(&self, message: impl Into<String>) -> Result<T> {
        Err(LowerError { line: self.line, message: message.into() })
    }

    /// The handler, or the error that the device has none.
    pub fn known(&self, handler: Option<Handler>) -> Result<Handler> {
        match handler {
            Some(handler) => Ok(handler),
            None => self.fail("the software device does not know this instruction for these types"),
        }
    }

    /// `d = run(a)`, `d = run(a, b)` or `d = run(a, b, c)` with sources of the given types.
    pub fn lanewise(&mut self, instruction: &Instruction, run: Handler, types: &[Type]) -> Result<()> {
        let mut slots = [0; 3];
        for (index, ty) in types.iter().enumerate() {
            slots[index] = self.source(instruction, index, *ty)?;
        }
        let d = self.destination(instruction, 0)?;
        self.emit(run, Operands { d, a: slots[0], b: slots[1], c: slots[2], ..Operands::default() });
        Ok(())
    }

    /// The index of a new function that is called lane by lane.
    pub fn add_scalar(&mut self, scalar: Scalar) -> i32 {
        self.scalars.push(scalar);
        self.scalars.len() as i32 - 1
    }

    /// The index of a new access.
    pub fn access(&mut self, access: Access) -> Result<u16> {
        let Ok(site) = u16::try_from(self.accesses.len()) else {
            return self.fail("too many memory accesses");
        };
        self.accesses.push(access);
        Ok(site)
    }

    /// The index of a new product.
    pub fn add_product(&mut self, product: Product) -> i32 {
        self.products.push(product);
        self.products.len() as i32 - 1
    }

    /// The index of a new run.
    pub fn add_mma_run(&mut self, run: MmaRun) -> i32 {
        self.mma_runs.push(run);
        self.mma_runs.len() as i32 - 1
    }

    /// The index of a new set of tiles.
    pub fn tile_set(&mut self, set: u64) -> i32 {
        self.tile_sets.push(set);
        self.tile_sets.len() as i32 - 1
    }

    /// The place of a new list of slots.
    pub fn list(&mut self, slots: &[u16]) -> i32 {
        let start = self.lists.len() as i32;
        self.lists.extend(slots);
        start
    }

    // ---- operands

    pub fn bytes_of(&self, reg: Reg) -> u32 {
        self.entry.registers[reg.0 as usize].ty.bytes()
    }

    /// The guard predicate of an instruction.
    pub fn guard_of(&self, instruction: &Instruction) -> u16 {
        match instruction.guard {
            Some((reg, negated)) => self.pred_of(reg) | if negated { NEGATED } else { 0 },
            None => TRUE,
        }
    }

    /// The slot of a register.
    pub fn place_of(&self, reg: Reg) -> u16 {
        self.allocation.place[reg.0 as usize]
    }

    pub fn pred_of(&self, reg: Reg) -> u16 {
        self.allocation.place[reg.0 as usize]
    }

    fn fitting(&self, slot: Option<u16>) -> Result<u16> {
        match slot {
            Some(slot) => Ok(slot),
            None => self.fail("too many registers and constants"),
        }
    }

    pub fn constant(&mut self, constant: Constant) -> Result<u16> {
        let slot = self.constants.slot(constant);
        self.fitting(slot)
    }

    /// A literal of 32 or 64 bits.
    pub fn literal(&mut self, bits: u64, wide: bool) -> Result<u16> {
        self.constant(if wide { Constant::Bits64(bits) } else { Constant::Bits32(bits as u32) })
    }

    /// Whether an operand lies in two slots: a register by its own width, all else by the type.
    pub fn is_wide(&self, operand: Operand, ty: Type) -> bool {
        match operand {
            Operand::Reg(reg) => self.bytes_of(reg) == 8,
            _ => ty.bytes() == 8,
        }
    }

    /// The slot of source `index`; constants are as wide as `ty`.
    pub fn source(&mut self, instruction: &Instruction, index: usize, ty: Type) -> Result<u16> {
        let operand = instruction.src[index];
        self.slot(operand, ty)
    }

    pub fn slot(&mut self, operand: Operand, ty: Type) -> Result<u16> {
        let wide = ty.bytes() == 8;
        match operand {
            Operand::Reg(reg) => Ok(self.allocation.place[reg.0 as usize]),
            Operand::Bits(bits) => self.literal(bits, wide),
            Operand::Address { symbol, offset } => {
                let address = self.layout.address(symbol).wrapping_add_signed(offset);
                self.literal(address, wide)
            }
            Operand::Special(register) => self.special(register, wide),
            Operand::Not(_) | Operand::Sink => self.fail("an operand has a form that is not possible here"),
        }
    }

    /// Clocks are read by an instruction of their own; all other special registers are constants.
    fn special(&mut self, register: Special, wide: bool) -> Result<u16> {
        match register {
            Special::Clock | Special::ClockHigh | Special::Clock64 | Special::GlobalTimer => {
                self.fail("clocks can only be read with mov")
            }
            _ => self.constant(Constant::Special { register, wide }),
        }
    }

    pub fn is_clock(operand: Operand) -> Option<i32> {
        match operand {
            Operand::Special(Special::Clock) => Some(0),
            Operand::Special(Special::ClockHigh) => Some(1),
            Operand::Special(Special::Clock64 | Special::GlobalTimer) => Some(2),
            _ => None,
        }
    }

    /// A predicate source, with [`NEGATED`] for `!p`.
    pub fn pred_source(&self, instruction: &Instruction, index: usize) -> Result<u16> {
        match instruction.src[index] {
            Operand::Reg(reg) => Ok(self.pred_of(reg)),
            Operand::Not(reg) => Ok(self.pred_of(reg) | NEGATED),
            Operand::Bits(0) => Ok(TRUE | NEGATED),
            Operand::Bits(_) => Ok(TRUE),
            _ => self.fail("the operand is not a predicate"),
        }
    }

    pub fn destination(&mut self, instruction: &Instruction, index: usize) -> Result<u16> {
        match instruction.dst[index] {
            Operand::Reg(reg) => Ok(self.allocation.place[reg.0 as usize]),
            _ => self.sink(),
        }
    }

    /// A slot pair that nobody reads.
    pub fn sink(&mut self) -> Result<u16> {
        let slot = self.constants.sink();
        self.fitting(slot)
    }

    pub fn pred_destination(&self, instruction: &Instruction, index: usize) -> u16 {
        match instruction.dst.get(index) {
            Some(Operand::Reg(reg)) => self.pred_of(*reg),
            _ => SINK_PREDICATE,
        }
    }

    /// Bytes of a destination register; a sink has 4.
    pub fn destination_bytes(&self, instruction: &Instruction, index: usize) -> u32 {
        match instruction.dst[index] {
            Operand::Reg(reg) => self.bytes_of(reg),
            _ => 4,
        }
    }

    /// A copy of registers' bits, used by several moves.
    pub fn copy(&mut self, bytes: u32, d: u16, a: u16) {
        self.emit(moves::copy(bytes, self.level), Operands { d, a, ..Operands::default() });
    }
}

fn labels(op: &Op) -> &[Label] {
    match op {
        Op::Branch { target } => std::slice::from_ref(target),
        Op::BranchIndexed { targets } => targets,
        _ => &[],
    }
}
