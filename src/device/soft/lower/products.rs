//! Finds runs of instructions that [`crate::device::soft::exec::product`] does as one.

use super::emit::{Emitter, Operands, Result};
use super::watch::WITH_WATCH;
use crate::device::soft::exec::product::{Base, FragmentLoad, MAX_BASES, Product, outer_products};
use crate::ptx::ast::Type;
use crate::ptx::typed::{AddressSpace, Float, Instruction, Op, Operand, Reg, Rounding};
use std::collections::HashMap;

/// Scratch slots of one run: 16 KB, so that sums and factors stay in the first cache.
const MAX_SCRATCH: usize = 128;
/// Lanes of a scratch slot.
const LANES: u32 = 32;
/// A run with fewer additions is not worth the detour.
const MIN_ADDITIONS: usize = 16;

/// `fma.rn.f32 sum, a, b, sum`
struct Addition {
    sum: Reg,
    a: Reg,
    b: Reg,
}

fn addition(instruction: &Instruction) -> Option<Addition> {
    let Op::Fma(Float::F32, mode) = &instruction.op else { return None };
    let plain = mode.rounding == Rounding::Nearest && !mode.ftz && !mode.sat;
    match (instruction.dst[0], &instruction.src[..]) {
        (Operand::Reg(sum), [Operand::Reg(a), Operand::Reg(b), Operand::Reg(c)])
            if plain && instruction.guard.is_none() && *c == sum && *a != sum && *b != sum =>
        {
            Some(Addition { sum, a: *a, b: *b })
        }
        _ => None,
    }
}

/// `ld.shared.v4` of words: the address register, the offset, the destinations.
fn fragment(instruction: &Instruction) -> Option<(Reg, u32, [Reg; 4])> {
    let Op::Load(access) = &instruction.op else { return None };
    let words = access.ty.bytes() == 4 && access.count == 4 && access.space == AddressSpace::Shared;
    let Operand::Reg(address) = instruction.src[0] else { return None };
    let mut to = [address; 4];
    for (to, dst) in to.iter_mut().zip(&instruction.dst) {
        let Operand::Reg(reg) = dst else { return None };
        *to = *reg;
    }
    let distinct = (0..4).all(|k| to[k] != address && !to[..k].contains(&to[k]));
    let offset = u32::try_from(access.offset).ok().filter(|offset| offset % 16 == 0)?;
    (words && distinct && instruction.guard.is_none()).then_some((address, offset, to))
}

/// A run in the making, in terms of registers.
#[derive(Default)]
struct Run {
    /// The sums in the order of a step's additions, and the grid that they form.
    sums: Vec<Reg>,
    rows: usize,
    columns: usize,
    /// Address registers and the largest offset of each.
    bases: Vec<(Reg, u32)>,
    loads: Vec<FragmentLoad>,
    factors: Vec<u32>,
    imports: Vec<(Reg, u32)>,
    /// The scratch slot of each register that is loaded or imported.
    current: HashMap<Reg, u32>,
    loaded: Vec<Reg>,
    scratch: usize,
    covers: usize,
}

impl Run {
    /// The longest run at the start of `code`.
    fn find(code: &[Instruction]) -> Option<Run> {
        let mut run = Run::default();
        let mut at = 0;
        loop {
            let loads = code[at..].iter().map_while(fragment).count();
            let additions: Vec<_> = code[at + loads..].iter().map_while(addition).collect();
            let size = run.step_size(&additions);
            if size == 0 {
                break;
            }
            let mut next = run.with_loads(&code[at..at + loads])?;
            if !next.add_step(&additions[..size]) || next.scratch > MAX_SCRATCH && run.covers > 0 {
                break;
            }
            at += loads + size;
            next.covers = at;
            run = next;
        }
        let additions = run.factors.len() / (run.rows + run.columns).max(1) * run.sums.len();
        (additions >= MIN_ADDITIONS && !run.loads.is_empty()).then_some(run)
    }

    /// Additions of the next step: as many as there are different sums.
    fn step_size(&self, additions: &[Addition]) -> usize {
        if !self.sums.is_empty() {
            return if additions.len() >= self.sums.len() { self.sums.len() } else { 0 };
        }
        let repeats = |k: &usize| additions[..*k].iter().any(|earlier| earlier.sum == additions[*k].sum);
        (0..additions.len()).find(repeats).unwrap_or(additions.len())
    }

    fn with_loads(&self, code: &[Instruction]) -> Option<Run> {
        let mut next = Run {
            sums: self.sums.clone(),
            bases: self.bases.clone(),
            loads: self.loads.clone(),
            factors: self.factors.clone(),
            imports: self.imports.clone(),
            current: self.current.clone(),
            loaded: self.loaded.clone(),
            ..*self
        };
        for (address, offset, to) in code.iter().filter_map(fragment) {
            // Addresses must not change inside the run.
            if next.loaded.contains(&address) {
                return None;
            }
            let base = match next.bases.iter().position(|(reg, _)| *reg == address) {
                Some(base) => base,
                None => {
                    next.bases.push((address, offset));
                    next.bases.len() - 1
                }
            };
            next.bases[base].1 = next.bases[base].1.max(offset);
            next.loads.push(FragmentLoad { base, offset, to: next.scratch as u32 });
            for reg in to {
                next.current.insert(reg, next.scratch as u32);
                next.scratch += 1;
                if !next.loaded.contains(&reg) {
                    next.loaded.push(reg);
                }
            }
        }
        let stable = next.bases.len() <= MAX_BASES
            && next.bases.iter().all(|(address, _)| !next.loaded.contains(address));
        stable.then_some(next)
    }

    /// Takes the additions of one step if they form the grid of the run.
    fn add_step(&mut self, additions: &[Addition]) -> bool {
        let mut rows: Vec<Reg> = Vec::new();
        let mut columns: Vec<Reg> = Vec::new();
        for Addition { a, b, .. } in additions {
            if !rows.contains(a) {
                rows.push(*a);
            }
            if !columns.contains(b) {
                columns.push(*b);
            }
        }
        if rows.len() * columns.len() != additions.len() {
            return false;
        }
        let mut grid = vec![None; additions.len()];
        for Addition { sum, a, b } in additions {
            let row = rows.iter().position(|reg| reg == a);
            let column = columns.iter().position(|reg| reg == b);
            if let (Some(row), Some(column)) = (row, column) {
                grid[row * columns.len() + column] = Some(*sum);
            }
        }
        let Some(sums) = grid.into_iter().collect::<Option<Vec<Reg>>>() else { return false };
        if self.sums.is_empty() {
            (self.rows, self.columns) = (rows.len(), columns.len());
            self.sums = sums.clone();
        }
        let same = self.sums == sums && self.rows == rows.len();
        let apart = |reg: &Reg| !rows.contains(reg) && !columns.contains(reg) && !self.loaded.contains(reg);
        let plain = |reg: &Reg| self.bases.iter().all(|(address, _)| address != reg);
        if !same || !sums.iter().all(|sum| apart(sum) && plain(sum)) {
            return false;
        }
        for reg in rows.iter().chain(&columns) {
            let slot = match self.current.get(reg) {
                Some(slot) => *slot,
                None => self.import(*reg),
            };
            self.factors.push(LANES * slot);
        }
        true
    }

    /// A factor that the run does not load is copied; a later load of it must not come before its use.
    fn import(&mut self, reg: Reg) -> u32 {
        let slot = self.scratch as u32;
        self.scratch += 1;
        self.imports.push((reg, slot));
        self.current.insert(reg, slot);
        slot
    }
}

impl Emitter<'_> {
    /// Puts one instruction in front of a run that begins at typed instruction `at`; how many it covers.
    /// Branches may not lead into the run, behind its start.
    pub(super) fn product(&mut self, at: usize, targeted: &[bool]) -> Result<usize> {
        let code = &self.entry.code;
        let starts = |index: &usize| targeted[*index] || self.tiling.stale[*index] != 0;
        let straight = (at + 1..code.len()).find(starts).unwrap_or(code.len());
        let Some(run) = Run::find(&code[at..straight]) else { return Ok(0) };
        let words = run.bases.iter().map(|(address, _)| address).chain(&run.loaded);
        if words.into_iter().any(|reg| self.bytes_of(*reg) != 4) {
            return Ok(0);
        }
        let Some(handler) = outer_products(self.level) else { return Ok(0) };
        let mut slot = |reg: Reg| self.slot(Operand::Reg(reg), Type::B32);
        let mut product = Product {
            rows: run.rows,
            columns: run.columns,
            factors: run.factors,
            loads: run.loads,
            scratch: run.scratch,
            covers: run.covers,
            ..Product::default()
        };
        for sum in &run.sums {
            product.sums.push(slot(*sum)?);
        }
        for (address, most) in &run.bases {
            product.bases.push(Base { slot: slot(*address)?, most: *most });
        }
        for (reg, to) in &run.imports {
            product.imports.push((slot(*reg)?, *to));
        }
        for reg in &run.loaded {
            product.exports.push((run.current[reg], slot(*reg)?));
        }
        let covers = product.covers;
        if self.checked {
            self.watch_run(at, covers, 0)?;
            product.covers *= WITH_WATCH;
        }
        let imm = self.add_product(product);
        self.emit(handler, Operands { imm, ..Operands::default() });
        Ok(covers)
    }
}
