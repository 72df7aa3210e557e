//! When a register holds a value that is still wanted.
//!
//! A slot has room for each lane by itself and every write is masked, so what counts is the life of a
//! register along the paths of one thread; divergence does not matter. A guarded write may keep the old
//! value and so does not end it. A register occupies its slot where it is live *and* may have been written.

use crate::ptx::typed::{Entry, Instruction, Op, Operand};

/// From the first to the last point at which a register is needed. Instruction `i` reads at `2 i` and
/// writes at `2 i + 1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    pub first: u32,
    pub last: u32,
}

/// A set of registers.
#[derive(Clone, PartialEq, Eq)]
struct Set(Vec<u64>);

impl Set {
    fn new(size: usize) -> Set {
        Set(vec![0; size.div_ceil(64)])
    }
    fn insert(&mut self, index: usize) {
        self.0[index / 64] |= 1 << (index % 64);
    }
    fn remove(&mut self, index: usize) {
        self.0[index / 64] &= !(1 << (index % 64));
    }
    fn add(&mut self, other: &Set) {
        self.0.iter_mut().zip(&other.0).for_each(|(word, more)| *word |= more);
    }
    /// Indices that are in both sets.
    fn common<'a>(&'a self, other: &'a Set) -> impl Iterator<Item = usize> + 'a {
        self.0.iter().zip(&other.0).enumerate().flat_map(|(at, (x, y))| {
            let word = x & y;
            (0..64).filter(move |bit| word >> bit & 1 != 0).map(move |bit| 64 * at + bit)
        })
    }
}

/// A stretch of code without branches inside.
struct Block {
    start: usize,
    end: usize,
    next: Vec<usize>,
    live_in: Set,
    live_out: Set,
    written_in: Set,
    written_out: Set,
}

/// The registers that an instruction reads, its guard included.
pub fn reads(instruction: &Instruction) -> impl Iterator<Item = usize> + '_ {
    let guard = instruction.guard.map(|(reg, _)| reg.0 as usize);
    guard.into_iter().chain(instruction.src.iter().filter_map(register))
}

/// The registers that an instruction writes.
pub fn writes(instruction: &Instruction) -> impl Iterator<Item = usize> + '_ {
    instruction.dst.iter().filter_map(register)
}

fn register(operand: &Operand) -> Option<usize> {
    match operand {
        Operand::Reg(reg) | Operand::Not(reg) => Some(reg.0 as usize),
        _ => None,
    }
}

/// The interval of every register; `None` for one that is never used.
pub fn intervals(entry: &Entry) -> Vec<Option<Interval>> {
    let mut blocks = split(entry);
    solve(entry, &mut blocks);
    let mut intervals = vec![None; entry.registers.len()];
    for block in &blocks {
        for reg in block.live_in.common(&block.written_in) {
            extend(&mut intervals[reg], 2 * block.start as u32);
        }
        for reg in block.live_out.common(&block.written_out) {
            extend(&mut intervals[reg], 2 * block.end as u32 - 1);
        }
        for (at, instruction) in entry.code[block.start..block.end].iter().enumerate() {
            let point = 2 * (block.start + at) as u32;
            reads(instruction).for_each(|reg| extend(&mut intervals[reg], point));
            let write = if shares(entry, instruction) { point + 1 } else { point };
            for reg in writes(instruction) {
                extend(&mut intervals[reg], write);
                extend(&mut intervals[reg], point + 1);
            }
        }
    }
    intervals
}

/// Whether somebody may read the value that a register has before instruction `at`.
pub fn is_live(entry: &Entry, reg: usize, at: usize) -> bool {
    let mut seen = vec![false; entry.code.len()];
    let mut places = vec![at];
    while let Some(mut at) = places.pop() {
        while at < entry.code.len() && !std::mem::replace(&mut seen[at], true) {
            let instruction = &entry.code[at];
            if reads(instruction).any(|read| read == reg) {
                return true;
            }
            let always = instruction.guard.is_none();
            if always && writes(instruction).any(|written| written == reg) {
                break;
            }
            let jumps = targets(&instruction.op);
            places.extend(jumps.iter().map(|label| entry.labels[label.0 as usize]));
            let leaves = !jumps.is_empty() || instruction.op == Op::Exit;
            if leaves && always {
                break;
            }
            at += 1;
        }
    }
    false
}

fn extend(interval: &mut Option<Interval>, point: u32) {
    *interval = Some(match *interval {
        None => Interval { first: point, last: point },
        Some(old) => Interval { first: old.first.min(point), last: old.last.max(point) },
    });
}

/// Whether the result may take the slot of a source that ends here: only where lane after lane is read and
/// written at the same place, by one handler.
fn shares(entry: &Entry, instruction: &Instruction) -> bool {
    let lanewise = matches!(
        instruction.op,
        Op::Mov
            | Op::IntUnary(..)
            | Op::IntBinary(..)
            | Op::IntTernary(..)
            | Op::FunnelShift { .. }
            | Op::Lop3 { .. }
            | Op::Permute(_)
            | Op::FloatUnary(..)
            | Op::FloatBinary(..)
            | Op::Fma(..)
            | Op::Select
            | Op::SelectSign { .. }
    );
    let width = |reg: usize| entry.registers[reg].ty.bytes();
    let operands = writes(instruction).chain(instruction.src.iter().filter_map(register));
    let widths: Vec<u32> = operands.map(width).filter(|bytes| *bytes != 0).collect();
    lanewise && widths.iter().all(|bytes| (*bytes == 8) == (widths[0] == 8))
}

fn targets(op: &Op) -> &[crate::ptx::typed::Label] {
    match op {
        Op::Branch { target } => std::slice::from_ref(target),
        Op::BranchIndexed { targets } => targets,
        _ => &[],
    }
}

fn split(entry: &Entry) -> Vec<Block> {
    let end = entry.code.len();
    let mut leaders = vec![0, end];
    for (at, instruction) in entry.code.iter().enumerate() {
        let jumps = targets(&instruction.op);
        leaders.extend(jumps.iter().map(|label| entry.labels[label.0 as usize]));
        if !jumps.is_empty() || instruction.op == Op::Exit {
            leaders.push(at + 1);
        }
    }
    leaders.sort_unstable();
    leaders.dedup();
    let block_at = |start: usize| leaders.binary_search(&start).expect("a leader");
    let size = entry.registers.len();
    let mut blocks = Vec::new();
    for pair in leaders.windows(2) {
        let (start, end_of) = (pair[0], pair[1]);
        let last = &entry.code[end_of - 1];
        let leaves = matches!(last.op, Op::Branch { .. } | Op::BranchIndexed { .. } | Op::Exit);
        let mut next: Vec<_> =
            targets(&last.op).iter().map(|label| block_at(entry.labels[label.0 as usize])).collect();
        if !leaves || last.guard.is_some() {
            next.push(block_at(end_of));
        }
        next.retain(|block| *block + 1 < leaders.len());
        let empty = || Set::new(size);
        blocks.push(Block {
            start,
            end: end_of,
            next,
            live_in: empty(),
            live_out: empty(),
            written_in: empty(),
            written_out: empty(),
        });
    }
    blocks
}

/// Data flow to a fixed point: life backwards, "may have been written" forwards.
fn solve(entry: &Entry, blocks: &mut [Block]) {
    let mut changed = true;
    while changed {
        changed = false;
        for index in (0..blocks.len()).rev() {
            let mut live = blocks[index].live_out.clone();
            for next in blocks[index].next.clone() {
                live.add(&blocks[next].live_in);
            }
            blocks[index].live_out = live.clone();
            for instruction in entry.code[blocks[index].start..blocks[index].end].iter().rev() {
                if instruction.guard.is_none() {
                    writes(instruction).for_each(|reg| live.remove(reg));
                }
                reads(instruction).for_each(|reg| live.insert(reg));
            }
            if live != blocks[index].live_in {
                blocks[index].live_in = live;
                changed = true;
            }
        }
    }
    let mut changed = true;
    while changed {
        changed = false;
        for index in 0..blocks.len() {
            let mut written = blocks[index].written_in.clone();
            for instruction in &entry.code[blocks[index].start..blocks[index].end] {
                writes(instruction).for_each(|reg| written.insert(reg));
            }
            for next in blocks[index].next.clone() {
                let before = blocks[next].written_in.clone();
                blocks[next].written_in.add(&written);
                changed |= before != blocks[next].written_in;
            }
            blocks[index].written_out = written;
        }
    }
}
