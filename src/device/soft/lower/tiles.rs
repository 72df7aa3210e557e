//! Finds runs of `mma` that [`crate::device::soft::exec::mma_run`] does as one, and where their sums must be back
//! in registers.

use super::emit::{Emitter, Operands, Result};
use super::liveness::{reads, writes};
use crate::device::soft::exec::fragment::Factor;
use crate::device::soft::exec::mma_run::{self, MAX_SIDE, MmaRun};
use crate::device::soft::exec::tile::{self, MAX_TILES, SLOTS, Tile};
use crate::ptx::ast::Type;
use crate::ptx::typed::{Entry, Instruction, Op, Operand, Reg};
use std::collections::HashMap;

/// `mma sum, a, b, sum`
struct Product {
    factor: Factor,
    sum: [Reg; 4],
    a: Vec<Reg>,
    b: Vec<Reg>,
}

fn product(entry: &Entry, instruction: &Instruction) -> Option<Product> {
    let Op::Mma(shape) = &instruction.op else { return None };
    let factor = Factor::new(*shape).filter(|_| instruction.guard.is_none())?;
    let registers = |operands: &[Operand]| -> Option<Vec<Reg>> {
        let narrow = |reg: &Reg| entry.registers[reg.0 as usize].ty.bytes() == 4;
        let register = |operand: &Operand| match operand {
            Operand::Reg(reg) => Some(*reg).filter(narrow),
            _ => None,
        };
        operands.iter().map(register).collect()
    };
    let (sum, src) = (registers(&instruction.dst)?, registers(&instruction.src)?);
    let (a, rest) = src.split_at_checked(2 * factor.registers())?;
    let (b, c) = rest.split_at_checked(factor.registers())?;
    let distinct = (0..sum.len()).all(|k| !sum[..k].contains(&sum[k]));
    let sum: [Reg; 4] = sum.try_into().ok().filter(|sum: &[Reg; 4]| distinct && sum[..] == *c)?;
    Some(Product { factor, sum, a: a.to_vec(), b: b.to_vec() })
}

/// The registers of a tile's sums.
#[derive(Clone, PartialEq, Eq)]
struct Sums {
    left: [Reg; 4],
    right: Option<[Reg; 4]>,
}

impl Sums {
    fn registers(&self) -> impl Iterator<Item = Reg> + '_ {
        self.left.iter().chain(self.right.iter().flatten()).copied()
    }
}

/// A run in terms of registers.
struct Run {
    factor: Factor,
    rows: Vec<Vec<Reg>>,
    columns: Vec<(Vec<Reg>, Option<Vec<Reg>>)>,
    tiles: Vec<usize>,
    covers: usize,
}

/// The runs of an entry and their tiles.
pub(super) struct Tiling {
    tiles: Vec<Sums>,
    runs: HashMap<usize, Run>,
    /// For each typed instruction the tiles whose registers it touches, where a run may have made them stale.
    pub stale: Vec<u64>,
}

impl Tiling {
    /// No runs.
    pub fn none(entry: &Entry) -> Tiling {
        Tiling { tiles: Vec::new(), runs: HashMap::new(), stale: vec![0; entry.code.len()] }
    }

    /// All sums.
    pub fn registers(&self) -> Vec<Reg> {
        self.tiles.iter().flat_map(Sums::registers).collect()
    }

    /// The index of the tile of two sums; `None` if one of them belongs to another tile.
    fn tile(&mut self, sums: Sums) -> Option<usize> {
        if let Some(tile) = self.tiles.iter().position(|tile| *tile == sums) {
            return Some(tile);
        }
        let taken =
            self.tiles.iter().any(|tile| tile.registers().any(|reg| sums.registers().any(|r| r == reg)));
        if taken || self.tiles.len() == MAX_TILES {
            return None;
        }
        self.tiles.push(sums);
        Some(self.tiles.len() - 1)
    }

    /// A run of `products`, which stand one behind the other, if they multiply every A with every B.
    fn run(&mut self, products: &[Product]) -> Option<Run> {
        let width = products.iter().take_while(|product| product.a == products[0].a).count();
        let grid: Vec<&[Product]> = products.chunks(width).collect();
        let regular = grid.iter().all(|row| {
            let same = |(product, first): (&Product, &Product)| product.a == row[0].a && product.b == first.b;
            row.len() == width && row.iter().zip(grid[0]).all(same)
        });
        if !regular || grid.len() > MAX_SIDE || width > 2 * MAX_SIDE {
            return None;
        }
        let mut tiles = Vec::new();
        for pair in grid.iter().flat_map(|row| row.chunks(2)) {
            let right = pair.get(1).map(|product| product.sum);
            tiles.push(self.tile(Sums { left: pair[0].sum, right })?);
        }
        let columns = grid[0].chunks(2);
        Some(Run {
            factor: products[0].factor,
            rows: grid.iter().map(|row| row[0].a.clone()).collect(),
            columns: columns
                .map(|pair| (pair[0].b.clone(), pair.get(1).map(|right| right.b.clone())))
                .collect(),
            tiles,
            covers: products.len(),
        })
    }

    /// Notes where registers must not be stale.
    fn mark(&mut self, entry: &Entry, targeted: &[bool]) {
        let mut tile_of = HashMap::new();
        for (tile, sums) in self.tiles.iter().enumerate() {
            tile_of.extend(sums.registers().map(|reg| (reg.0 as usize, 1u64 << tile)));
        }
        // Tiles that are known to be back in registers.
        let mut back = 0;
        let mut covered = 0;
        for (at, instruction) in entry.code.iter().enumerate() {
            if targeted[at] {
                back = 0;
            }
            if let Some(run) = self.runs.get(&at) {
                run.tiles.iter().for_each(|tile| back &= !(1 << tile));
                covered = at + run.covers;
            }
            if at >= covered {
                let touched =
                    reads(instruction).chain(writes(instruction)).filter_map(|reg| tile_of.get(&reg));
                let touched = touched.fold(0, |set, tile| set | tile);
                self.stale[at] = touched & !back;
                back |= touched;
            }
        }
    }
}

/// Finds the runs of an entry.
pub(super) fn find(entry: &Entry, targeted: &[bool]) -> Tiling {
    let mut tiling = Tiling::none(entry);
    let mut at = 0;
    while at < entry.code.len() {
        let products = straight(entry, targeted, at);
        if !products.is_empty()
            && let Some(run) = tiling.run(&products)
        {
            tiling.runs.insert(at, run);
        }
        at += products.len().max(1);
    }
    tiling.mark(entry, targeted);
    tiling
}

/// The products from `at` on that no branch leads into, with different sums, none of which is a factor.
fn straight(entry: &Entry, targeted: &[bool], at: usize) -> Vec<Product> {
    let mut products: Vec<Product> = Vec::new();
    for index in at..entry.code.len() {
        let Some(next) = product(entry, &entry.code[index]) else { break };
        let uses = |product: &Product, reg: &Reg| product.a.contains(reg) || product.b.contains(reg);
        let clash = |other: &Product| {
            next.sum.iter().any(|reg| other.sum.contains(reg) || uses(other, reg))
                || other.sum.iter().any(|reg| uses(&next, reg))
        };
        let itself = next.sum.iter().any(|reg| uses(&next, reg));
        let first = products.first();
        let other_kind = first.is_some_and(|first| first.factor != next.factor);
        if itself || other_kind || products.iter().any(clash) || first.is_some() && targeted[index] {
            break;
        }
        products.push(next);
    }
    products
}

impl Emitter<'_> {
    /// In front of typed instruction `at`, puts the tiles back whose registers it touches.
    pub(super) fn leave_tiles(&mut self, at: usize) {
        let stale = self.tiling.stale[at];
        if stale != 0 {
            let imm = self.tile_set(stale);
            self.emit(tile::leave, Operands { imm, ..Operands::default() });
        }
    }

    /// Puts one instruction in front of the run that begins at typed instruction `at`, if there is one; how many
    /// instructions it covers.
    pub(super) fn mma_run(&mut self, at: usize) -> Result<usize> {
        let Some(run) = self.tiling.runs.remove(&at) else { return Ok(0) };
        let rows = run.rows.iter().map(|regs| self.slots(regs)).collect::<Result<Vec<_>>>()?;
        let mut columns = Vec::new();
        for (left, right) in &run.columns {
            let right = right.as_ref().map(|regs| self.slots(regs)).transpose()?;
            columns.push((self.slots(left)?, right));
        }
        let imm = self.add_mma_run(MmaRun {
            factor: run.factor,
            rows,
            columns,
            tiles: run.tiles.iter().map(|tile| *tile as u16).collect(),
            set: run.tiles.iter().fold(0, |set, tile| set | 1 << tile),
            covers: run.covers,
        });
        self.emit(mma_run::run(self.level), Operands { imm, ..Operands::default() });
        Ok(run.covers)
    }

    fn slots(&mut self, regs: &[Reg]) -> Result<Vec<u16>> {
        regs.iter().map(|reg| self.slot(Operand::Reg(*reg), Type::B32)).collect()
    }

    /// The tiles, behind the `used` slots of the register file, and the slots used then.
    pub(super) fn place_tiles(&mut self, used: usize) -> Result<(Vec<Tile>, usize)> {
        let mut tiles = Vec::new();
        for sums in std::mem::take(&mut self.tiling.tiles) {
            let Ok(place) = u16::try_from(used + SLOTS * tiles.len()) else {
                return self.fail("too many registers and constants");
            };
            let four = |regs: &[Reg; 4]| regs.map(|reg| self.place_of(reg));
            tiles.push(Tile { place, left: four(&sums.left), right: sums.right.as_ref().map(four) });
        }
        let slots = used + SLOTS * tiles.len();
        Ok((tiles, slots))
    }
}
