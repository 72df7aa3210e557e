//! What the watches know of the instructions behind them: the side table of checked code.

use super::finding::Kind;
use crate::device::soft::exec::access::Place;
use crate::ptx::typed::{AddressSpace, Op};

/// A virtual register as the checks number them: slots are shared, these are not.
pub type Number = u16;
/// Stands for every operand that is always valid.
pub const ALWAYS: Number = 0;
/// Stands for every result that nobody wants.
pub const NOBODY: Number = 1;
/// The number of an entry's first register.
pub const FIRST: usize = 2;

/// The table of one entry; empty if its code is not checked.
#[derive(Debug, Default)]
pub struct Table {
    pub list: Vec<Watched>,
    /// Of superinstructions.
    pub runs: Vec<Run>,
    /// Names of the entry's registers, and their bytes.
    pub registers: Vec<(String, u32)>,
}

impl Table {
    /// Numbers that registers have here, the two special ones included.
    pub fn numbers(&self) -> usize {
        FIRST + self.registers.len()
    }

    /// Memory operands of all instructions.
    pub fn references(&self) -> usize {
        self.list.iter().map(|watched| watched.references.len()).sum()
    }

    fn register(&self, number: Number) -> Option<&(String, u32)> {
        self.registers.get((number as usize).checked_sub(FIRST)?)
    }

    pub fn name(&self, number: Number) -> &str {
        self.register(number).map_or("", |(name, _)| name)
    }

    /// Bytes of a register; 0 if it is none, or a predicate.
    pub fn bytes(&self, number: Number) -> u32 {
        self.register(number).map_or(0, |(_, bytes)| *bytes)
    }
}

/// Instructions that a superinstruction stands for.
#[derive(Debug, Default)]
pub struct Run {
    /// The first one's index in the table.
    pub first: u32,
    /// Those that load, counted from the first.
    pub loads: Vec<u32>,
    /// Registers that must hold something before.
    pub reads: Vec<Number>,
    /// Registers that hold something afterwards.
    pub writes: Vec<Number>,
    /// The tiles that it works on.
    pub tiles: u64,
    /// The checks look at more than registers and memory: at each instruction on its own.
    pub is_close: bool,
}

/// One typed instruction, for the watch in front of it.
#[derive(Debug, Clone)]
pub struct Watched {
    pub op: Op,
    /// Line of the module's text.
    pub line: u32,
    /// The first decoded instruction behind those of this one.
    pub end: u32,
    /// For every source the register that is read, or [`ALWAYS`]; the guard is not among them.
    pub reads: Vec<Number>,
    /// For every destination the register that is written, or [`NOBODY`].
    pub writes: Vec<Number>,
    /// The memory that it accesses.
    pub references: Vec<Reference>,
    /// Sources whose values the checks look at; which ones depends on the operation.
    pub values: Vec<Place>,
    /// What is questionable wherever it is executed.
    pub remark: Option<Remark>,
}

impl Watched {
    /// The member mask of a `.sync` instruction.
    pub fn members(&self) -> Option<Place> {
        match self.op {
            Op::Shuffle(_)
            | Op::Vote(_)
            | Op::Match { .. }
            | Op::Reduce(..)
            | Op::Elect
            | Op::WarpBarrier => self.values.last().copied(),
            _ => None,
        }
    }
}

/// A lint that does not depend on values.
#[derive(Debug, Clone)]
pub struct Remark {
    pub kind: Kind,
    pub message: String,
    /// Another line, and what it does.
    pub other: Option<(u32, String)>,
}

/// What is done to memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Read,
    Write,
    /// Reads and writes as one, ordered with other atomics.
    Atomic,
    /// The source of an asynchronous copy.
    CopySource,
    /// The destination of an asynchronous copy.
    CopyTarget,
}

impl Mode {
    /// Whether the memory has other bytes afterwards.
    pub fn writes(self) -> bool {
        matches!(self, Mode::Write | Mode::Atomic | Mode::CopyTarget)
    }

    pub fn verb(self) -> &'static str {
        match self {
            Mode::Read | Mode::CopySource => "read",
            Mode::Write | Mode::CopyTarget => "write",
            Mode::Atomic => "atomic operation",
        }
    }
}

/// One memory operand.
#[derive(Debug, Clone, Copy)]
pub struct Reference {
    pub mode: Mode,
    pub space: AddressSpace,
    pub address: Place,
    /// Bytes added to the address.
    pub offset: i64,
    /// Bytes of all elements together.
    pub bytes: u32,
    /// What the address must be a multiple of, a power of two.
    pub align: u32,
    /// Lanes whose addresses count.
    pub lanes: u32,
    /// The number of this reference in the entry.
    pub index: u32,
}
