//! The checked mode: what a kernel may not do is found while it runs, and named.
//!
//! In checked code every typed instruction has a *watch* in front of it (`watch`), which knows the
//! instruction's registers and memory accesses (`watched`) and asks the [`Checker`] before the instruction's
//! own handler runs. Unchecked code has no watches and pays nothing. Checked launches run on one thread.

mod checker;
mod collect;
mod conflicts;
pub(super) mod copies;
mod finding;
mod memory;
mod race;
pub(super) mod watch;
pub(super) mod watched;

pub use finding::{Finding, Kind, OtherAccess, Severity, SourceLine, merge, print};

pub(super) use checker::Checker;
pub(super) use race::Races;

/// How a device checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Check {
    /// Chooses one of the orders in which threads may run. Results must not depend on it.
    pub seed: u64,
}
