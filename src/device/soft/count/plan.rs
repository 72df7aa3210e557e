//! Where code is counted.
//!
//! A segment is a stretch of instructions that every lane which runs the first one runs to the end, all lanes
//! together. It begins at a label, behind a branch or an exit that some lanes may not take, and behind an
//! instruction at which lanes wait for others. That instruction itself belongs to the segment behind it: only
//! there it is certain which lanes run it together.

use super::class::Work;
use crate::ptx::typed::{AddressSpace, Entry, Instruction, Op, Operand, Reg};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A guard predicate and whether it is negated.
type Guard = Option<(Reg, bool)>;

/// Which footprint an access leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Marks {
    Read,
    Written,
    Both,
}

/// Accesses whose lanes' addresses are looked at once: one access to global memory, or all those of a segment
/// to shared memory through one register, whose patterns differ by a shift that changes no bank conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Site {
    pub space: AddressSpace,
    /// Bytes of one lane.
    pub bytes: u32,
    /// Bytes added to the address; for shared memory those of the first access.
    pub offset: i64,
    pub marks: Marks,
}

/// An extra instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hook {
    /// Counts a run of segment `.0`.
    Segment(usize),
    /// Counts the lanes whose guard is true; `.0` is the counter.
    Guard(usize, (Reg, bool)),
    /// Looks at the addresses of the access at typed instruction `at`.
    Access { site: usize, at: usize },
}

/// Where the number of active lanes of an instruction comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lanes {
    /// All that run the segment.
    Segment,
    Guard(usize),
    Site(usize),
}

/// One typed instruction as it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    pub line: u32,
    pub work: Work,
    pub segment: usize,
    pub lanes: Lanes,
    pub site: Option<usize>,
}

/// How the instructions of an entry are counted.
#[derive(Debug, Default)]
pub struct Counting {
    /// Tells code apart; no two have the same.
    pub number: u64,
    pub instructions: Vec<Counted>,
    pub segments: usize,
    pub guards: usize,
    pub sites: Vec<Site>,
}

/// The hooks before and behind each typed instruction.
#[derive(Debug, Default)]
pub struct Plan {
    pub counting: Counting,
    before: HashMap<usize, Vec<Hook>>,
    behind: HashMap<usize, Vec<Hook>>,
    /// The segment that the next instruction belongs to; `None` if a new one begins there.
    segment: Option<usize>,
    /// Whether all lanes of the warp are known to be together.
    converged: bool,
    /// Counters and sites of the segment so far.
    guards: HashMap<(Reg, bool), usize>,
    shared: HashMap<SharedKey, usize>,
}

/// What accesses to shared memory of one site have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct SharedKey {
    address: Operand,
    guard: Guard,
    bytes: u32,
    /// The place in a word, for accesses smaller than one.
    in_word: i64,
    /// Rows of `ldmatrix`.
    rows: Option<usize>,
}

impl Plan {
    /// `targeted` says before which instructions there is a label that a branch names.
    pub fn of(entry: &Entry, targeted: &[bool]) -> Plan {
        /// Of the code that was planned last.
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let mut plan = Plan::default();
        plan.counting.number = NUMBER.fetch_add(1, Relaxed);
        for (at, instruction) in entry.code.iter().enumerate() {
            if targeted[at] {
                plan.segment = None;
            }
            plan.add(at, instruction);
        }
        plan
    }

    /// The hooks that stand before the instructions `from..to`, which are run as one.
    pub fn before(&self, from: usize, to: usize) -> Vec<Hook> {
        (from..to).filter_map(|at| self.before.get(&at)).flatten().copied().collect()
    }

    /// The hooks that stand behind the instructions `from..to`.
    pub fn behind(&self, from: usize, to: usize) -> Vec<Hook> {
        (from..to).filter_map(|at| self.behind.get(&at)).flatten().copied().collect()
    }

    fn add(&mut self, at: usize, instruction: &Instruction) {
        let segment = match self.segment {
            Some(segment) => segment,
            None => {
                let segment = self.new_segment(false);
                self.before.entry(at).or_default().push(Hook::Segment(segment));
                segment
            }
        };
        let site = self.site(at, instruction);
        let lanes = self.lanes(at, instruction, site);
        let segment = match gathers(instruction) {
            Some(all) if !self.converged => {
                let segment = self.new_segment(all);
                self.behind.entry(at).or_default().push(Hook::Segment(segment));
                segment
            }
            _ => segment,
        };
        let work = Work::of(instruction);
        self.counting.instructions.push(Counted { line: instruction.line, work, segment, lanes, site });
        self.forget(instruction);
        if parts_lanes(instruction) {
            self.segment = None;
        }
    }

    fn new_segment(&mut self, converged: bool) -> usize {
        let segment = self.counting.segments;
        self.counting.segments += 1;
        self.segment = Some(segment);
        self.converged = converged;
        self.guards.clear();
        self.shared.clear();
        segment
    }

    /// Registers that the instruction writes stand for something else from here on.
    fn forget(&mut self, instruction: &Instruction) {
        for operand in &instruction.dst {
            if let Operand::Reg(reg) = operand {
                self.guards.retain(|(guard, _), _| guard != reg);
                let other = |guard: Guard| guard.is_none_or(|(guard, _)| guard != *reg);
                self.shared.retain(|key, _| key.address != *operand && other(key.guard));
            }
        }
    }

    /// Every active lane takes part in a branch or an exit: its guard says what the lane does there.
    fn lanes(&mut self, at: usize, instruction: &Instruction, site: Option<usize>) -> Lanes {
        let control = matches!(instruction.op, Op::Branch { .. } | Op::BranchIndexed { .. } | Op::Exit);
        match (instruction.guard, site) {
            (None, _) => Lanes::Segment,
            _ if control => Lanes::Segment,
            (Some(_), Some(site))
                if matches!(instruction.op, Op::Load(_) | Op::Store(_) | Op::Atomic { .. }) =>
            {
                Lanes::Site(site)
            }
            (Some(guard), _) => Lanes::Guard(self.guard(at, guard)),
        }
    }

    fn guard(&mut self, at: usize, guard: (Reg, bool)) -> usize {
        let next = self.counting.guards;
        let counter = *self.guards.entry(guard).or_insert(next);
        if counter == next {
            self.counting.guards += 1;
            self.before.entry(at).or_default().push(Hook::Guard(counter, guard));
        }
        counter
    }

    fn site(&mut self, at: usize, instruction: &Instruction) -> Option<usize> {
        let (space, bytes, offset, marks, rows) = match &instruction.op {
            Op::Load(access) => {
                (access.space, access.ty.bytes() * access.count, access.offset, Marks::Read, None)
            }
            Op::Store(access) => {
                (access.space, access.ty.bytes() * access.count, access.offset, Marks::Written, None)
            }
            Op::Atomic { space, ty, offset, .. } => (*space, ty.bytes(), *offset, Marks::Both, None),
            Op::LoadMatrix { space: AddressSpace::Shared, offset, .. } => {
                (AddressSpace::Shared, 16, *offset, Marks::Read, Some(8 * instruction.dst.len()))
            }
            Op::StoreMatrix { offset, .. } => {
                (AddressSpace::Shared, 16, *offset, Marks::Written, Some(8 * (instruction.src.len() - 1)))
            }
            Op::CopyAsync { bytes, global_offset, .. } => {
                let site = Site {
                    space: AddressSpace::Global,
                    bytes: *bytes,
                    offset: *global_offset,
                    marks: Marks::Read,
                };
                return Some(self.new_site(at, site));
            }
            _ => return None,
        };
        let site = Site { space, bytes, offset, marks };
        match space {
            AddressSpace::Global | AddressSpace::Generic => Some(self.new_site(at, site)),
            AddressSpace::Shared => {
                let in_word = if bytes < 4 { offset & 3 } else { 0 };
                let (address, guard) = (instruction.src[0], instruction.guard);
                let key = SharedKey { address, guard, bytes, in_word, rows };
                Some(match self.shared.get(&key) {
                    Some(known) => *known,
                    None => {
                        let index = self.new_site(at, site);
                        self.shared.insert(key, index);
                        index
                    }
                })
            }
            // Which banks of which block is known when it runs.
            AddressSpace::Cluster | AddressSpace::Local | AddressSpace::Const | AddressSpace::Param => None,
        }
    }

    fn new_site(&mut self, at: usize, site: Site) -> usize {
        let index = self.counting.sites.len();
        self.counting.sites.push(site);
        self.before.entry(at).or_default().push(Hook::Access { site: index, at });
        index
    }
}

/// Whether lanes wait for others at the instruction; `Some(true)` if for all that have not exited.
fn gathers(instruction: &Instruction) -> Option<bool> {
    /// A member mask with all lanes.
    const ALL: Operand = Operand::Bits(0xFFFF_FFFF);
    let members = |index: usize| Some(instruction.src[index] == ALL);
    match instruction.op {
        Op::Mma(_)
        | Op::MmaF16(_)
        | Op::MmaInt(_)
        | Op::MmaF64
        | Op::LoadMatrix { .. }
        | Op::StoreMatrix { .. }
        | Op::MoveMatrix
        | Op::Barrier
        | Op::BarrierArrive
        | Op::BarrierReduce(_) => Some(true),
        Op::Shuffle(_) => members(3),
        Op::Vote(_) | Op::Match { .. } | Op::Reduce(..) => members(1),
        Op::Elect | Op::WarpBarrier => members(0),
        _ => None,
    }
}

/// Whether fewer lanes may go on behind the instruction than came to it.
fn parts_lanes(instruction: &Instruction) -> bool {
    matches!(instruction.op, Op::Branch { .. } | Op::BranchIndexed { .. } | Op::Exit)
}
