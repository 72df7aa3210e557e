//! Findings while a kernel runs: told apart, counted, and given their source lines at the end.

use super::finding::{Finding, Kind, OtherAccess, Severity, SourceLine};
use crate::device::soft::lower::Code;

/// Different errors after which a launch stops: whoever reads them has enough to do.
const MOST: usize = 24;

/// A thread as the device numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Who {
    pub block: [u32; 3],
    pub warp: u32,
    pub lane: u32,
}

/// Another place that a finding names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elsewhere {
    /// Line of the module's text.
    pub line: u32,
    pub who: Who,
    pub what: String,
}

/// A finding in terms of the code that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub kind: Kind,
    /// Line of the module's text.
    pub line: u32,
    pub who: Who,
    pub address: Option<u64>,
    pub message: String,
    /// Further remarks, each with the line that it is about, if it is about one.
    pub notes: Vec<(String, Option<u32>)>,
    pub other: Option<Elsewhere>,
}

impl Found {
    /// A finding without address and remarks.
    pub fn new(kind: Kind, line: u32, who: Who) -> Found {
        Found { kind, line, who, address: None, message: String::new(), notes: Vec::new(), other: None }
    }
}

/// The findings of one launch.
#[derive(Debug, Default)]
pub struct Collection {
    /// With the line that tells findings of one kind and line apart, and how often each was seen.
    found: Vec<(Found, u32, u64)>,
    errors: usize,
}

impl Collection {
    /// Takes a finding, which `describe` tells of only if it is a new one. Findings of one kind and line are
    /// the same unless they differ in `other`, the line of another access.
    pub fn add(&mut self, kind: Kind, line: u32, other: u32, describe: impl FnOnce() -> Found) {
        let same = |(found, old, _): &&mut (Found, u32, u64)| {
            found.kind == kind && found.line == line && *old == other
        };
        if let Some((_, _, count)) = self.found.iter_mut().find(same) {
            *count += 1;
            return;
        }
        self.errors += usize::from(kind.severity() == Severity::Error);
        self.found.push((describe(), other, 1));
    }

    /// Whether there are so many errors that the launch need not go on.
    pub fn is_full(&self) -> bool {
        self.errors >= MOST
    }

    /// Who comes too early, because nothing makes him wait, finds what nothing has written: one mistake, not
    /// two, and whether the second shows depends on the order of threads.
    fn drop_consequences(&mut self) {
        let early = |found: &Found| match found.kind {
            Kind::Race | Kind::PendingCopy => {
                [Some(found.line), found.other.as_ref().map(|other| other.line)]
            }
            _ => [None; 2],
        };
        let lines: Vec<u32> = self.found.iter().flat_map(|(found, ..)| early(found)).flatten().collect();
        self.found.retain(|(found, ..)| {
            !matches!(found.kind, Kind::UnwrittenGlobal | Kind::UnwrittenShared)
                || !lines.contains(&found.line)
        });
    }

    /// Errors and lints with their places in the source, each in the order in which they were found; lints are
    /// among the errors if the checks are `strict`.
    pub fn finish(
        mut self,
        strict: bool,
        code: &Code,
        block: [u32; 3],
        source: impl Fn(u32) -> SourceLine,
    ) -> (Vec<Finding>, Vec<Finding>) {
        self.drop_consequences();
        let finish = |(found, _, count): (Found, u32, u64)| Finding {
            kind: found.kind,
            kernel: code.name.clone(),
            source: source(found.line),
            block: found.who.block,
            thread: thread(found.who, block),
            address: found.address,
            message: found.message,
            notes: found.notes.into_iter().map(|(text, line)| note(text, line.map(&source))).collect(),
            other: found.other.map(|other| OtherAccess {
                kernel: code.name.clone(),
                source: source(other.line),
                block: other.who.block,
                thread: Some(thread(other.who, block)),
                what: other.what,
            }),
            count,
        };
        self.found
            .into_iter()
            .map(finish)
            .partition(|finding| strict || finding.severity() == Severity::Error)
    }
}

fn thread(who: Who, block: [u32; 3]) -> [u32; 3] {
    let thread = 32 * who.warp + who.lane;
    let (x, rest) = (thread % block[0], thread / block[0]);
    [x, rest % block[1], rest / block[1]]
}

fn note(text: String, source: Option<SourceLine>) -> String {
    match source {
        Some(SourceLine { place, text: line }) => format!("{text} {place}: {line}"),
        None => text,
    }
}
