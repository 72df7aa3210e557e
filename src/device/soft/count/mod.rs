//! Counting what kernels do: instructions, memory traffic, tensor-core work.
//!
//! Counts are exact, and the same for any number of workers and with or without superinstructions. Code that
//! is lowered for counting has a few extra instructions (`hooks`), which `plan` puts in: one at the start of
//! each *segment*, a stretch of code that all its lanes run from end to end, and one before each memory access
//! that looks at the lanes' addresses. All else follows from how often segments were run. Sectors and bank
//! conflicts depend only on how the addresses lie relative to the first one (`pattern`), so they are worked
//! out once for each pattern (`memo`); a repeat is a comparison. What a launch touched is a bit for every
//! sector (`footprint`).
//!
//! Instructions are those of the PTX text, not of the machine code that a driver makes of it.

mod class;
mod counters;
mod footprint;
pub(super) mod hooks;
mod memo;
mod pattern;
pub(super) mod plan;
mod tally;
mod traffic;

pub use class::{Class, TensorType, Work};
pub use counters::{Counters, InstructionCounts, KernelCounts, LaunchCounts};
pub use traffic::{GlobalTraffic, SharedTraffic};

pub(super) use counters::{Launched, Record};
pub(super) use footprint::Ground;
pub(super) use plan::Counting;
pub(super) use tally::{Tally, Totals};
