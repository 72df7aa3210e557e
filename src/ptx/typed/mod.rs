//! The PTX language: syntax tree to typed instructions.
//!
//! [`check`] gives every instruction its meaning: opcode and modifiers become an [`Op`], names become
//! registers, variables and labels, literals become bits of the operand's type. What it does not know it
//! refuses, with the line and column; nothing is skipped. The software device runs the result, and
//! `build.rs` uses the same check on every kernel.

mod atomic;
mod call;
mod cluster;
mod compare;
mod convert;
mod copy;
mod data;
mod decode;
mod entry;
mod float;
mod integer;
mod matrix;
mod mbarrier;
mod op;
mod order;
mod reader;
mod scope;
mod variable;
mod warp;
mod wmma;

pub use op::*;

use crate::ptx::ast::{self, Type};
use std::fmt;

/// A module whose entries are checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Module {
    pub variables: Vec<Variable>,
    pub entries: Vec<Entry>,
}

/// One `.entry` with its body.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub name: String,
    pub params: Vec<Param>,
    /// Bytes of all parameters.
    pub param_bytes: u32,
    /// `.reqntid`: exactly this block.
    pub required_block: Option<[u32; 3]>,
    /// `.reqnctapercluster`: exactly this cluster.
    pub required_cluster: Option<[u32; 3]>,
    /// `.maxntid`: at most so many threads.
    pub max_threads: Option<u64>,
    pub registers: Vec<Register>,
    /// Variables declared inside the body, `.shared` and `.local`.
    pub variables: Vec<Variable>,
    pub code: Vec<Instruction>,
    /// For each [`Label`], the index of the instruction that it stands before.
    pub labels: Vec<usize>,
    pub line: u32,
}

/// A kernel parameter at its place in the parameter space.
#[derive(Debug, Clone, PartialEq)]
pub struct Param {
    pub name: String,
    pub ty: Type,
    pub offset: u32,
    pub bytes: u32,
    /// Whether it was declared as an array (a structure passed by value).
    pub array: bool,
}

/// A virtual register.
#[derive(Debug, Clone, PartialEq)]
pub struct Register {
    pub name: String,
    pub ty: Type,
}

/// A variable in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Variable {
    pub name: String,
    pub space: ast::Space,
    pub align: u32,
    /// 0 for `extern .shared x[]`, which stands at the start of the dynamic shared memory.
    pub bytes: u64,
    pub dynamic: bool,
    pub element: Type,
    pub init: Vec<Initial>,
}

/// One element of an initialiser.
#[derive(Debug, Clone, PartialEq)]
pub enum Initial {
    Bits(u64),
    /// The address of a variable, or the byte of it that `mask` picks.
    Address {
        symbol: Symbol,
        offset: i64,
        mask: Option<u64>,
    },
}

/// A register's index in [`Entry::registers`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reg(pub u32);

/// Something in memory that has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Symbol {
    /// Index into [`Module::variables`].
    Module(u32),
    /// Index into [`Entry::variables`].
    Entry(u32),
    /// Index into [`Entry::params`].
    Param(u32),
}

/// A special register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Special {
    /// Component 0, 1, 2 for x, y, z.
    Tid(u8),
    Ntid(u8),
    Ctaid(u8),
    Nctaid(u8),
    /// `%clusterid`: the cluster in the grid.
    ClusterId(u8),
    /// `%nclusterid`
    ClusterCount(u8),
    /// `%cluster_ctaid`: the block in the cluster.
    ClusterBlock(u8),
    /// `%cluster_nctaid`
    ClusterExtent(u8),
    /// `%cluster_ctarank`
    ClusterRank,
    /// `%cluster_nctarank`
    ClusterSize,
    LaneId,
    WarpId,
    WarpCount,
    SmId,
    SmCount,
    GridId,
    LaneMaskEq,
    LaneMaskLt,
    LaneMaskLe,
    LaneMaskGt,
    LaneMaskGe,
    DynamicSharedBytes,
    TotalSharedBytes,
    Clock,
    ClockHigh,
    Clock64,
    GlobalTimer,
}

/// An operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operand {
    Reg(Reg),
    /// `!p`
    Not(Reg),
    /// An immediate, as bits of the operand's type, upper bits zero.
    Bits(u64),
    Special(Special),
    /// The address of a variable in its own space.
    Address {
        symbol: Symbol,
        offset: i64,
    },
    /// `_`, or an element of a vector that is not wanted.
    Sink,
}

/// One instruction.
#[derive(Debug, Clone, PartialEq)]
pub struct Instruction {
    /// The guard predicate and whether it is negated.
    pub guard: Option<(Reg, bool)>,
    pub op: Op,
    pub dst: Vec<Operand>,
    pub src: Vec<Operand>,
    pub line: u32,
    pub column: u32,
}

/// Why a module was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckError {
    /// 1-based line and column in the parsed text; column 0 means the whole line.
    pub line: u32,
    pub column: u32,
    pub message: String,
}

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for CheckError {}

/// Types every entry of `module`.
///
/// # Errors
/// The first instruction, operand or declaration that has no meaning here.
pub fn check(module: &ast::Module) -> Result<Module, CheckError> {
    entry::check_module(module)
}
