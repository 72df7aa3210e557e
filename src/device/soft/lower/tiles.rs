//! Finds runs of `ldmatrix` and `mma` that [`crate::device::soft::exec::mma_run`] does as one, and where their sums must be back
//! in registers.

use super::emit::{Emitter, Operands, Result};
use super::liveness::{is_live, reads, writes};
use super::watch::WITH_WATCH;
use crate::device::soft::exec::fragment::{Factor, MAX_BASES, Source};
use crate::device::soft::exec::mma_run::{self, Base, MAX_SIDE, MAX_STEPS, MmaRun};
use crate::device::soft::exec::tile::{self, MAX_TILES, SLOTS, Tile};
use crate::ptx::typed::{AddressSpace, Entry, Instruction, Op, Operand, Reg};
use std::collections::{HashMap, HashSet};

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

/// `ldmatrix` with a constant offset.
struct Load {
    address: Reg,
    offset: u32,
    transposed: bool,
    to: Vec<Reg>,
}

fn load(entry: &Entry, instruction: &Instruction) -> Option<Load> {
    let Op::LoadMatrix { space: AddressSpace::Shared, transposed, offset } = instruction.op else {
        return None;
    };
    let narrow = |reg: &Reg| entry.registers[reg.0 as usize].ty.bytes() == 4;
    let register = |operand: &Operand| match operand {
        Operand::Reg(reg) => Some(*reg).filter(narrow),
        _ => None,
    };
    let address = register(&instruction.src[0])?;
    let to: Vec<Reg> = instruction.dst.iter().map(register).collect::<Option<_>>()?;
    let offset = u32::try_from(offset).ok().filter(|offset| offset % 16 == 0)?;
    let distinct = (0..to.len()).all(|k| to[k] != address && !to[..k].contains(&to[k]));
    (distinct && instruction.guard.is_none()).then_some(Load { address, offset, transposed, to })
}

/// A step of a run: loads, then products.
struct Step {
    loads: Vec<Load>,
    factor: Factor,
    rows: Vec<Vec<Reg>>,
    columns: Vec<(Vec<Reg>, Option<Vec<Reg>>)>,
    tiles: Vec<usize>,
}

/// A run in terms of registers.
struct Run {
    steps: Vec<Step>,
    covers: usize,
}

impl Run {
    fn set(&self) -> u64 {
        self.steps.iter().flat_map(|step| &step.tiles).fold(0, |set, tile| set | 1 << tile)
    }
}

/// The runs of an entry and their tiles.
pub(super) struct Tiling {
    tiles: Vec<Sums>,
    runs: HashMap<usize, Run>,
    /// For each typed instruction the tiles whose registers it touches, where a run may have made them stale.
    pub stale: Vec<u64>,
}

impl Tiling {
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

    /// The step of `products`, which stand one behind the other, if they multiply every A with every B.
    fn step(&mut self, loads: Vec<Load>, products: &[Product]) -> Option<Step> {
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
        Some(Step {
            loads,
            factor: products[0].factor,
            rows: grid.iter().map(|row| row[0].a.clone()).collect(),
            columns: columns
                .map(|pair| (pair[0].b.clone(), pair.get(1).map(|right| right.b.clone())))
                .collect(),
            tiles,
        })
    }

    /// The longest run that begins at instruction `at`.
    fn run(&mut self, entry: &Entry, targeted: &[bool], at: usize) -> Option<Run> {
        let mut run = Run { steps: Vec::new(), covers: 0 };
        let is_inside = |index: &usize| *index == at || !targeted[*index];
        while run.steps.len() < MAX_STEPS {
            let start = at + run.covers;
            let straight = (start..entry.code.len()).take_while(is_inside);
            let loads: Vec<Load> = straight.map_while(|index| load(entry, &entry.code[index])).collect();
            let behind = start + loads.len();
            if behind != at && targeted[behind] {
                break;
            }
            let products = straight_products(entry, targeted, behind);
            let covers = loads.len() + products.len();
            if products.is_empty() {
                break;
            }
            let Some(step) = self.step(loads, &products) else { break };
            // Other sums are another run's: tile registers can have those of one run.
            if run.steps.first().is_some_and(|first| first.tiles != step.tiles) {
                break;
            }
            run.steps.push(step);
            if !self.fits(&run) {
                run.steps.pop();
                break;
            }
            run.covers += covers;
        }
        (!run.steps.is_empty()).then_some(run)
    }

    /// Whether a run's loads have few addresses and change none of them, and no sum.
    fn fits(&self, run: &Run) -> bool {
        let loads = || run.steps.iter().flat_map(|step| &step.loads);
        let sums =
            run.steps.iter().flat_map(|step| &step.tiles).flat_map(|tile| self.tiles[*tile].registers());
        let addresses: HashSet<Reg> = loads().map(|load| load.address).collect();
        let few = addresses.len() <= MAX_BASES;
        let fixed: HashSet<Reg> = sums.chain(addresses).collect();
        few && loads().all(|load| load.to.iter().all(|reg| !fixed.contains(reg)))
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
                back &= !run.set();
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
    let mut tiling = Tiling { tiles: Vec::new(), runs: HashMap::new(), stale: vec![0; entry.code.len()] };
    let mut at = 0;
    while at < entry.code.len() {
        let run = tiling.run(entry, targeted, at);
        let covers = run.as_ref().map_or(1, |run| run.covers);
        if let Some(run) = run {
            tiling.runs.insert(at, run);
        }
        at += covers;
    }
    tiling.mark(entry, targeted);
    tiling
}

/// The products from `at` on that no branch leads into, with different sums, none of which is a factor.
fn straight_products(entry: &Entry, targeted: &[bool], at: usize) -> Vec<Product> {
    let mut products: Vec<Product> = Vec::new();
    for (op, &led_into) in entry.code.iter().zip(targeted).skip(at) {
        let Some(next) = product(entry, op) else { break };
        let uses = |product: &Product, reg: &Reg| product.a.contains(reg) || product.b.contains(reg);
        let clash = |other: &Product| {
            next.sum.iter().any(|reg| other.sum.contains(reg) || uses(other, reg))
                || other.sum.iter().any(|reg| uses(&next, reg))
        };
        let itself = next.sum.iter().any(|reg| uses(&next, reg));
        let first = products.first();
        let other_kind = first.is_some_and(|first| first.factor != next.factor);
        if itself || other_kind || products.iter().any(clash) || first.is_some() && led_into {
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
            self.emit(tile::leave(self.level), Operands { imm, ..Operands::default() });
        }
    }

    /// Puts one instruction in front of the run that begins at typed instruction `at`, if there is one; how many
    /// instructions it covers.
    pub(super) fn mma_run(&mut self, at: usize) -> Result<usize> {
        let Some(run) = self.tiling.runs.remove(&at) else { return Ok(0) };
        let mut lowered = MmaRun { set: run.set(), covers: run.covers, ..MmaRun::default() };
        let mut loaded = HashMap::new();
        for step in &run.steps {
            for load in &step.loads {
                self.load_of_run(load, &mut lowered, &mut loaded);
            }
            let mut columns = Vec::new();
            for (left, right) in &step.columns {
                let right = right.as_ref().map(|regs| self.sources(regs, &loaded));
                columns.push((self.sources(left, &loaded), right));
            }
            lowered.steps.push(mma_run::Step {
                factor: step.factor,
                rows: step.rows.iter().map(|regs| self.sources(regs, &loaded)).collect(),
                columns,
                tiles: step.tiles.iter().map(|tile| *tile as u16).collect(),
            });
        }
        let mut exports: Vec<(Reg, Source)> = loaded.into_iter().collect();
        exports.retain(|(reg, _)| is_live(self.entry, reg.0 as usize, at + run.covers));
        exports.sort_by_key(|(reg, _)| reg.0);
        lowered.exports = exports.into_iter().map(|(reg, source)| (source, self.place_of(reg))).collect();
        if self.checked {
            self.watch_run(at, run.covers, lowered.set)?;
            lowered.covers *= WITH_WATCH;
        }
        let handler = mma_run::handler_of(&lowered, self.level);
        let imm = self.add_mma_run(lowered);
        self.emit(handler, Operands { imm, ..Operands::default() });
        Ok(run.covers)
    }

    /// Notes where the registers of a load come from, and the address.
    fn load_of_run(&mut self, load: &Load, run: &mut MmaRun, loaded: &mut HashMap<Reg, Source>) {
        let Load { address, offset, transposed, to } = load;
        let (slot, offset, transposed) = (self.place_of(*address), *offset, *transposed);
        let base = run.bases.iter().position(|base| base.slot == slot).unwrap_or_else(|| {
            run.bases.push(Base { slot, most: 0, lanes: 0 });
            run.bases.len() - 1
        });
        run.bases[base].most = run.bases[base].most.max(offset);
        run.bases[base].lanes |= u32::MAX >> (32 - 8 * to.len());
        for (matrix, reg) in to.iter().enumerate() {
            let (base, lane) = (base as u8, 8 * matrix as u8);
            loaded.insert(*reg, Source::Matrix { base, lane, offset, transposed });
        }
    }

    fn sources(&self, regs: &[Reg], loaded: &HashMap<Reg, Source>) -> Vec<Source> {
        let slot = |reg: &Reg| Source::Slot(self.place_of(*reg));
        regs.iter().map(|reg| loaded.get(reg).copied().unwrap_or_else(|| slot(reg))).collect()
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
