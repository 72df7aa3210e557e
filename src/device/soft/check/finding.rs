//! What the checks find, as values.

use std::fmt;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// The launch fails.
    Error,
    /// Kept for whoever asks, see [`Soft::take_lints`](super::super::Soft::take_lints).
    Lint,
}

/// What kind of mistake it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Global memory outside of every allocation.
    OutOfBounds,
    /// Memory that was freed.
    UseAfterFree,
    /// Shared memory beyond what the launch has.
    SharedBounds,
    /// Local memory beyond what the thread has.
    LocalBounds,
    /// Kernel parameters beyond their end.
    ParamBounds,
    Misaligned,
    /// A write to constants or parameters.
    ReadOnly,
    /// A register or predicate that nothing wrote is used.
    UnwrittenRegister,
    /// What was read from bytes that nothing wrote is used.
    UnwrittenGlobal,
    UnwrittenShared,
    UnwrittenLocal,
    /// Lanes of a warp wait for each other at different `.aligned` or `.sync` instructions.
    Divergence,
    /// Only some lanes of a warp execute an `.aligned` instruction: the guard differs.
    PartialGuard,
    /// An `.aligned` instruction of a warp some of whose lanes have exited or never were.
    AbsentThreads,
    /// A member mask that does not name the executing lane, or names lanes that do not come, or differs.
    MemberMask,
    /// A shuffle reads a lane that does not take part.
    AbsentLane,
    /// Barriers that do not fit together.
    Barrier,
    /// Warps wait for each other and nobody can go on.
    Deadlock,
    /// No end in sight.
    Endless,
    Trap,
    DivisionByZero,
    BranchIndex,
    /// An asynchronous copy of more bytes than it has room for.
    CopySize,
    /// Accesses of two threads to the same bytes, one of them a write, in no order.
    Race,
    /// Several lanes of one store write the same value to one place.
    SameValue,
    /// A read with `.nc` of what the same launch writes.
    NonCoherent,
    /// What a launch leaves in memory depends on the order in which its threads run.
    OrderDependent,
    /// What an asynchronous copy reads or writes is accessed before its thread has waited for it.
    PendingCopy,
    /// Two copies of one group go to one place.
    CopyOverlap,
    /// A thread exits without having waited for its copies.
    ForgottenCopy,
    /// `add`, `sub` or `mul` without a rounding modifier: the assembler may fuse it with another one.
    Contraction,
    /// `sin.approx` or `cos.approx` of an angle for which no accuracy is promised.
    ApproximationRange,
    /// Operands of a tf32 product with more bits than tf32 has.
    Tf32Bits,
    /// `activemask`, `%warpid` or `%smid`: values that depend on how threads are scheduled.
    Schedule,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 34] = [
        Kind::OutOfBounds,
        Kind::UseAfterFree,
        Kind::SharedBounds,
        Kind::LocalBounds,
        Kind::ParamBounds,
        Kind::Misaligned,
        Kind::ReadOnly,
        Kind::UnwrittenRegister,
        Kind::UnwrittenGlobal,
        Kind::UnwrittenShared,
        Kind::UnwrittenLocal,
        Kind::Divergence,
        Kind::PartialGuard,
        Kind::AbsentThreads,
        Kind::MemberMask,
        Kind::AbsentLane,
        Kind::Barrier,
        Kind::Deadlock,
        Kind::Endless,
        Kind::Trap,
        Kind::DivisionByZero,
        Kind::BranchIndex,
        Kind::CopySize,
        Kind::Race,
        Kind::SameValue,
        Kind::NonCoherent,
        Kind::OrderDependent,
        Kind::PendingCopy,
        Kind::CopyOverlap,
        Kind::ForgottenCopy,
        Kind::Contraction,
        Kind::ApproximationRange,
        Kind::Tf32Bits,
        Kind::Schedule,
    ];

    /// The name that messages have in brackets.
    pub fn name(self) -> &'static str {
        match self {
            Kind::OutOfBounds => "out-of-bounds",
            Kind::UseAfterFree => "use-after-free",
            Kind::SharedBounds => "shared-bounds",
            Kind::LocalBounds => "local-bounds",
            Kind::ParamBounds => "param-bounds",
            Kind::Misaligned => "misaligned",
            Kind::ReadOnly => "read-only",
            Kind::UnwrittenRegister => "unwritten-register",
            Kind::UnwrittenGlobal => "unwritten-global",
            Kind::UnwrittenShared => "unwritten-shared",
            Kind::UnwrittenLocal => "unwritten-local",
            Kind::Divergence => "divergence",
            Kind::PartialGuard => "partial-guard",
            Kind::AbsentThreads => "absent-threads",
            Kind::MemberMask => "member-mask",
            Kind::AbsentLane => "absent-lane",
            Kind::Barrier => "barrier",
            Kind::Deadlock => "deadlock",
            Kind::Endless => "endless",
            Kind::Trap => "trap",
            Kind::DivisionByZero => "division-by-zero",
            Kind::BranchIndex => "branch-index",
            Kind::CopySize => "copy-size",
            Kind::Race => "race",
            Kind::SameValue => "same-value",
            Kind::NonCoherent => "non-coherent",
            Kind::OrderDependent => "order-dependent",
            Kind::PendingCopy => "pending-copy",
            Kind::CopyOverlap => "copy-overlap",
            Kind::ForgottenCopy => "forgotten-copy",
            Kind::Contraction => "contraction",
            Kind::ApproximationRange => "approximation-range",
            Kind::Tf32Bits => "tf32-bits",
            Kind::Schedule => "schedule",
        }
    }

    pub fn severity(self) -> Severity {
        match self {
            Kind::SameValue
            | Kind::Contraction
            | Kind::ApproximationRange
            | Kind::Tf32Bits
            | Kind::Schedule => Severity::Lint,
            _ => Severity::Error,
        }
    }
}

/// A line of a kernel's text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SourceLine {
    /// The template's file and line if they are known, else the module's: `conv/fprop.ptx:123`.
    pub place: String,
    /// The text of the line, without the spaces around it.
    pub text: String,
}

/// The access that a finding is in conflict with, or where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherAccess {
    pub kernel: String,
    pub source: SourceLine,
    pub block: [u32; 3],
    /// The thread, if it is known.
    pub thread: Option<[u32; 3]>,
    /// What it did: "is written here", "was loaded here".
    pub what: String,
}

/// One mistake of a kernel. Findings of one kind at one line (and with one other line) are one, counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub kind: Kind,
    pub kernel: String,
    /// The instruction's line.
    pub source: SourceLine,
    pub block: [u32; 3],
    /// The thread, or a thread of the warp if it is the mistake of a warp.
    pub thread: [u32; 3],
    /// The address, where it is one of memory.
    pub address: Option<u64>,
    /// What happened, in one clause.
    pub message: String,
    /// What else is known.
    pub notes: Vec<String>,
    pub other: Option<OtherAccess>,
    /// How often it was seen.
    pub count: u64,
}

impl Finding {
    pub fn severity(&self) -> Severity {
        self.kind.severity()
    }
}

impl fmt::Display for Finding {
    /// As a compiler prints an error, without a newline at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity() {
            Severity::Error => "error",
            Severity::Lint => "lint",
        };
        writeln!(f, "{severity}[{}]: {}", self.kind.name(), self.message)?;
        write_source(f, "-->", &self.source)?;
        let ([bx, by, bz], [x, y, z]) = (self.block, self.thread);
        write!(f, "   = kernel {}, block ({bx}, {by}, {bz}), thread ({x}, {y}, {z})", self.kernel)?;
        if let Some(other) = &self.other {
            writeln!(f, "\n   = {}", other.what)?;
            write_source(f, ":::", &other.source)?;
            let [bx, by, bz] = other.block;
            write!(f, "   = kernel {}, block ({bx}, {by}, {bz})", other.kernel)?;
            if let Some([x, y, z]) = other.thread {
                write!(f, ", thread ({x}, {y}, {z})")?;
            }
        }
        for note in &self.notes {
            write!(f, "\n   = {note}")?;
        }
        if self.count > 1 {
            write!(f, "\n   = seen {} times", self.count)?;
        }
        Ok(())
    }
}

fn write_source(f: &mut fmt::Formatter<'_>, arrow: &str, source: &SourceLine) -> fmt::Result {
    writeln!(f, "  {arrow} {}\n   |     {}", source.place, source.text)
}

/// Adds findings to those of earlier launches; the same mistake of the same kernel is one.
pub fn merge(all: &mut Vec<Finding>, more: Vec<Finding>) {
    for finding in more {
        let same = |old: &Finding| {
            old.kind == finding.kind && old.kernel == finding.kernel && old.source == finding.source
        };
        match all.iter_mut().find(|old| same(old)) {
            Some(old) => old.count += finding.count,
            None => all.push(finding),
        }
    }
}

/// All of them, one after the other, for the error of a launch.
pub fn print(findings: &[Finding]) -> String {
    let text: Vec<String> = findings.iter().map(Finding::to_string).collect();
    text.join("\n")
}
