//! Kernels that go wrong, and the report that their author reads.

use super::check::{Kind, SourceLine};
use super::lower::Code;
use crate::device::DeviceError;
use std::fmt;

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    OutOfBounds {
        address: u64,
        bytes: u32,
        store: bool,
    },
    Misaligned {
        address: u64,
        bytes: u32,
    },
    ReadOnly {
        address: u64,
    },
    Trap,
    DivisionByZero,
    BranchIndex {
        index: u32,
        count: u32,
    },
    /// Groups of lanes wait for each other: lanes and instruction of each.
    Divergent {
        groups: Vec<(u32, u32)>,
    },
    /// A barrier under a guard that is not the same for all lanes.
    PartialBarrier,
    Barrier(String),
    /// Warps use a barrier in ways that do not go together: number and instruction of two of them.
    Mismatch {
        message: String,
        warps: [(u32, u32); 2],
    },
    /// Warps wait at barriers that nobody else will reach: number and instruction of each.
    Deadlock {
        warps: Vec<(u32, u32)>,
    },
    /// A block that the cluster does not have.
    ClusterRank {
        rank: u32,
        blocks: u32,
    },
    /// Shared memory of a block whose threads have all exited.
    BlockExited {
        rank: u32,
    },
    /// A generic address that must be one of shared memory.
    NotShared {
        address: u64,
    },
    /// A lane reads a lane that does not take part.
    AbsentLane {
        source: u32,
    },
    CopySize {
        bytes: u32,
        most: u32,
    },
    /// The instruction budget of a warp is used up.
    Budget {
        instructions: u64,
    },
}

/// A fault of a warp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub pc: u32,
    pub warp: u32,
    pub lane: Option<u32>,
    pub cause: Cause,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::OutOfBounds { address, bytes, store } => {
                let what = if *store { "write" } else { "read" };
                write!(f, "{what} of {bytes} bytes at {address:#x}, which is outside of every allocation")
            }
            Cause::Misaligned { address, bytes } => {
                write!(f, "access of {bytes} bytes at {address:#x}, which is not a multiple of {bytes}")
            }
            Cause::ReadOnly { address } => write!(f, "write to {address:#x}, which is read-only"),
            Cause::Trap => f.write_str("trap"),
            Cause::DivisionByZero => f.write_str("integer division by zero"),
            Cause::BranchIndex { index, count } => write!(f, "branch index {index} of {count} targets"),
            Cause::Divergent { .. } => f.write_str("lanes of one warp wait for each other"),
            Cause::PartialBarrier => f.write_str("a barrier that only some lanes of the warp execute"),
            Cause::Barrier(message) | Cause::Mismatch { message, .. } => f.write_str(message),
            Cause::Deadlock { .. } => f.write_str("warps wait at barriers that the others never reach"),
            Cause::ClusterRank { rank, blocks } => write!(f, "block {rank} of a cluster of {blocks}"),
            Cause::BlockExited { rank } => {
                write!(f, "shared memory of block {rank} of the cluster, which has exited")
            }
            Cause::NotShared { address } => {
                write!(f, "{address:#x} is not a generic address of shared memory")
            }
            Cause::AbsentLane { source } => write!(f, "reads lane {source}, which does not take part"),
            Cause::CopySize { bytes, most } => {
                write!(f, "source size {bytes} exceeds the copy's {most} bytes")
            }
            Cause::Budget { instructions } => {
                write!(f, "no end after {instructions} instructions of one warp (an endless loop?)")
            }
        }
    }
}

impl Cause {
    /// What the checks call it.
    pub fn kind(&self) -> Kind {
        match self {
            Cause::OutOfBounds { .. } | Cause::NotShared { .. } => Kind::OutOfBounds,
            Cause::ClusterRank { .. } | Cause::BlockExited { .. } => Kind::SharedBounds,
            Cause::Misaligned { .. } => Kind::Misaligned,
            Cause::ReadOnly { .. } => Kind::ReadOnly,
            Cause::Trap => Kind::Trap,
            Cause::DivisionByZero => Kind::DivisionByZero,
            Cause::BranchIndex { .. } => Kind::BranchIndex,
            Cause::Divergent { .. } => Kind::Divergence,
            Cause::PartialBarrier => Kind::PartialGuard,
            Cause::Barrier(_) | Cause::Mismatch { .. } => Kind::Barrier,
            Cause::Deadlock { .. } => Kind::Deadlock,
            Cause::AbsentLane { .. } => Kind::AbsentLane,
            Cause::CopySize { .. } => Kind::CopySize,
            Cause::Budget { .. } => Kind::Endless,
        }
    }

    /// Where those stand who wait for each other: who, and the instruction.
    pub fn places(&self) -> impl Iterator<Item = (String, u32)> {
        let places = match self {
            Cause::Divergent { groups } => {
                groups.iter().map(|(lanes, pc)| (format!("lanes {lanes:#010x} at"), *pc)).collect()
            }
            Cause::Mismatch { warps, .. } => named_warps(warps),
            Cause::Deadlock { warps } => named_warps(warps),
            _ => Vec::new(),
        };
        places.into_iter()
    }
}

fn named_warps(warps: &[(u32, u32)]) -> Vec<(String, u32)> {
    warps.iter().map(|(warp, pc)| (format!("warp {warp} at"), *pc)).collect()
}

impl Fault {
    /// The error of a launch: kernel, block, thread, line and cause.
    pub fn report(
        &self,
        code: &Code,
        block_index: [u32; 3],
        block: [u32; 3],
        source: impl Fn(u32) -> SourceLine,
    ) -> DeviceError {
        let SourceLine { place, text } = source(code.line(self.pc));
        let [bx, by, bz] = block_index;
        let who = match self.lane {
            Some(lane) => {
                let thread = self.warp * 32 + lane;
                let (x, rest) = (thread % block[0], thread / block[0]);
                format!("thread ({x}, {}, {})", rest % block[1], rest / block[1])
            }
            None => format!("warp {}", self.warp),
        };
        let places: Vec<String> =
            self.cause.places().map(|(who, pc)| format!(", {who} {}", source(code.line(pc)).place)).collect();
        let report =
            format!("{}{}; block ({bx}, {by}, {bz}), {who}, at {place}: {text}", self.cause, places.concat());
        DeviceError::Fault { kernel: code.name.clone(), report, kind: Some(self.cause.kind()) }
    }
}
