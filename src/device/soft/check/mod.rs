//! The checked mode: what a kernel may not do is found while it runs, and named.
//!
//! In checked code every typed instruction has a *watch* in front of it (`watch`), which knows the
//! instruction's registers and memory accesses (`watched`) and asks the [`Checker`] before the instruction's
//! own handler runs. Unchecked code has no watches and pays nothing. Checked launches run on one thread.

mod bounds;
mod bytes;
mod checker;
mod collect;
mod conflicts;
mod copies;
pub(super) mod copying;
mod finding;
mod memory;
mod parts;
mod race;
mod registers;
mod shadow;
mod transfer;
mod values;
mod warps;
pub(super) mod watch;
pub(super) mod watched;
mod written;

pub use finding::{Finding, Kind, OtherAccess, Severity, SourceLine, merge, print};

pub(super) use checker::{Checker, Outcome};
pub(super) use shadow::Shadow;

/// How a device checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Check {
    /// Chooses one of the orders in which threads may run. Results must not depend on it.
    pub seed: u64,
    /// Whether lints are errors, too.
    pub strict: bool,
    /// Orders in which a launch is run, that of `seed` first and those of the seeds behind it after that, if more
    /// than one; their results are compared. Of launches that differ in addresses and data only, the first is.
    pub orders: u32,
}
