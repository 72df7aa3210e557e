//! What one checked launch remembers.

use super::collect::{Collection, Found, Who};
use super::copies::Copies;
use super::finding::{Finding, SourceLine};
use super::race::Conflict;
use super::registers::Registers;
use super::written::Written;
use super::{Check, Shadow};
use crate::device::soft::chance::Chance;
use crate::device::soft::exec::Warp;
use crate::device::soft::fault::{Cause, Fault};
use crate::device::soft::launch::Geometry;
use crate::device::soft::lower::Code;

/// The checks of one launch. Watches reach it through [`BlockView::checker`], one at a time: a checked
/// launch runs on one thread.
///
/// [`BlockView::checker`]: crate::device::soft::exec::warp::BlockView::checker
pub struct Checker {
    pub check: Check,
    /// The block that runs.
    pub block: [u32; 3],
    pub findings: Collection,
    pub registers: Registers,
    /// What the device knows from earlier launches.
    pub shadow: Shadow,
    /// Of the block that runs.
    pub shared: Written,
    pub local: Written,
    /// Local memory of a thread.
    pub local_bytes: u64,
    /// For each memory operand the allocation that it touched last.
    pub last: Vec<usize>,
    pub copies: Copies,
    /// Room for what one access is in conflict with.
    pub conflicts: Vec<Conflict>,
}

/// What a launch leaves behind.
pub struct Outcome {
    pub errors: Vec<Finding>,
    pub lints: Vec<Finding>,
    pub shadow: Shadow,
}

impl Checker {
    pub fn new(check: Check, code: &Code, geometry: &Geometry, shadow: Shadow) -> Checker {
        let warps = geometry.warps();
        let local_bytes = u64::from(code.local_bytes);
        Checker {
            check,
            block: [0; 3],
            findings: Collection::default(),
            registers: Registers::new(code.watched.numbers(), warps),
            shadow,
            shared: Written::new(u64::from(code.shared_bytes + geometry.shared_bytes)),
            local: Written::new(u64::from(32 * warps) * local_bytes),
            local_bytes,
            last: vec![0; code.watched.references()],
            copies: Copies::default(),
            conflicts: Vec::new(),
        }
    }

    /// A block of so many threads begins: nothing in it is written.
    pub fn begin_block(&mut self, index: [u32; 3], threads: u32, chance: Option<&Chance>) {
        self.block = index;
        self.shadow.races.begin_block(index, threads);
        self.copies.begin_block(threads, chance);
        self.registers.reset();
        self.shared.reset(self.shared.len());
        self.local.reset(self.local.len());
    }

    /// A lane of a warp of the block that runs.
    pub fn who(&self, warp: &Warp, lane: u32) -> Who {
        Who { block: self.block, warp: warp.index, lane }
    }

    /// A warp of the block that runs could not go on.
    pub fn fault(&mut self, code: &Code, fault: &Fault) {
        let line = code.line(fault.pc);
        let kind = fault.cause.kind();
        let who = Who { block: self.block, warp: fault.warp, lane: fault.lane.unwrap_or(0) };
        self.findings.add(kind, line, 0, || Found {
            address: address(&fault.cause),
            message: fault.cause.to_string(),
            notes: fault.cause.places().map(|(text, pc)| (text, Some(code.line(pc)))).collect(),
            ..Found::new(kind, line, who)
        });
    }

    /// What was found, and what the next launch must know.
    pub fn finish(self, code: &Code, block: [u32; 3], source: impl Fn(u32) -> SourceLine) -> Outcome {
        let (errors, lints) = self.findings.finish(self.check.strict, code, block, source);
        Outcome { errors, lints, shadow: self.shadow }
    }
}

fn address(cause: &Cause) -> Option<u64> {
    match cause {
        Cause::OutOfBounds { address, .. }
        | Cause::Misaligned { address, .. }
        | Cause::NotShared { address }
        | Cause::ReadOnly { address } => Some(*address),
        _ => None,
    }
}
