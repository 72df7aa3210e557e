//! Kernels that go wrong, and the report that their author reads.

use super::lower::Code;
use crate::device::DeviceError;

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
    /// Groups of lanes wait for each other.
    Divergent {
        pcs: Vec<u32>,
    },
    /// A barrier under a guard that is not the same for all lanes.
    PartialBarrier,
    Barrier(String),
    /// Warps wait at barriers that nobody else will reach.
    Deadlock,
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

/// Where in the source text an instruction stands.
pub struct SourceLine {
    pub place: String,
    pub text: String,
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
        let cause = self.describe(code, &source);
        let report = format!("{cause}; block ({bx}, {by}, {bz}), {who}, at {place}: {text}");
        DeviceError::Fault { kernel: code.name.clone(), report }
    }

    fn describe(&self, code: &Code, source: &impl Fn(u32) -> SourceLine) -> String {
        match &self.cause {
            Cause::OutOfBounds { address, bytes, store } => {
                let what = if *store { "write" } else { "read" };
                format!("{what} of {bytes} bytes at {address:#x}, which is outside of every allocation")
            }
            Cause::Misaligned { address, bytes } => {
                format!("access of {bytes} bytes at {address:#x}, which is not a multiple of {bytes}")
            }
            Cause::ReadOnly { address } => format!("write to {address:#x}, which is read-only"),
            Cause::Trap => "trap".to_string(),
            Cause::DivisionByZero => "integer division by zero".to_string(),
            Cause::BranchIndex { index, count } => format!("branch index {index} of {count} targets"),
            Cause::Divergent { pcs } => {
                let places: Vec<_> = pcs.iter().map(|pc| source(code.line(*pc)).place).collect();
                format!("lanes of one warp wait for each other at {}", places.join(" and "))
            }
            Cause::PartialBarrier => "a barrier that only some lanes of the warp execute".to_string(),
            Cause::Barrier(message) => message.clone(),
            Cause::Deadlock => "warps wait at a barrier that the others never reach".to_string(),
            Cause::AbsentLane { source } => format!("reads lane {source}, which does not take part"),
            Cause::CopySize { bytes, most } => format!("source size {bytes} exceeds the copy's {most} bytes"),
            Cause::Budget { instructions } => {
                format!("no end after {instructions} instructions of one warp (an endless loop?)")
            }
        }
    }
}
