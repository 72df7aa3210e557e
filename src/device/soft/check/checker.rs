//! What one checked launch remembers.

use super::Check;
use super::collect::{Collection, Found, Who};
use super::copies::Copies;
use super::finding::{Finding, SourceLine};
use super::race::{Conflict, Races};
use crate::device::soft::chance::Chance;
use crate::device::soft::exec::Warp;
use crate::device::soft::fault::{Cause, Fault};
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
    pub races: Races,
    pub copies: Copies,
    /// Room for what one access is in conflict with.
    pub conflicts: Vec<Conflict>,
}

impl Checker {
    /// `races` is what the device remembers of earlier launches.
    pub fn new(check: Check, races: Races) -> Checker {
        Checker {
            check,
            block: [0; 3],
            findings: Collection::default(),
            races,
            copies: Copies::default(),
            conflicts: Vec::new(),
        }
    }

    /// A block of so many threads begins.
    pub fn begin_block(&mut self, index: [u32; 3], threads: u32, chance: Option<&Chance>) {
        self.block = index;
        self.races.begin_block(index, threads);
        self.copies.begin_block(threads, chance);
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
            kind,
            line,
            who,
            address: address(&fault.cause),
            message: fault.cause.to_string(),
            notes: fault.cause.places().map(|(text, pc)| (text, Some(code.line(pc)))).collect(),
            other: None,
        });
    }

    /// What the next launch must know.
    pub fn return_races(&mut self) -> Races {
        std::mem::take(&mut self.races)
    }

    /// Errors and lints of the launch.
    pub fn finish(
        self,
        code: &Code,
        block: [u32; 3],
        source: impl Fn(u32) -> SourceLine,
    ) -> (Vec<Finding>, Vec<Finding>) {
        self.findings.finish(code, block, source)
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
