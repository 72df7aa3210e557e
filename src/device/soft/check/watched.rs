//! What the watches know of the instructions behind them: the side table of checked code.

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

/// One typed instruction, for the watch in front of it.
#[derive(Debug, Clone)]
pub struct Watched {
    pub op: Op,
    /// Line of the module's text.
    pub line: u32,
    /// The first decoded instruction behind those of this one.
    pub end: u32,
    /// Registers that are read, in the order of the sources; the guard is not among them.
    pub reads: Vec<Number>,
    /// Registers that are written, in the order of the destinations.
    pub writes: Vec<Number>,
    /// The memory that it accesses.
    pub references: Vec<Reference>,
    /// The member mask of a `.sync` instruction.
    pub members: Option<Place>,
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
    /// Bytes of one element.
    pub element: u32,
    /// Lanes whose addresses count.
    pub lanes: u32,
}
