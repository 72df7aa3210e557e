//! What a launch would take on a chip, from what the software device counted of it.
//!
//! A model in plain formulas ([`estimate`]), not a simulation: every pipe of the chip gets the work that was
//! counted, at the rate that is published for it, and the launch takes as long as the pipe that takes longest.
//! It knows no latencies, no caches besides "each sector comes from L2, each distinct one from DRAM once", and
//! counts instructions of the PTX text, of which an assembler makes fewer or more. So it says which pipe bounds a
//! kernel, and what a change of the counts is worth; it is a lower bound rather than a prediction.

mod chip;
mod occupancy;
mod time;

pub use chip::Chip;
pub use occupancy::{Limit, Occupancy, occupancy};
pub use time::{Estimate, Pipe, estimate, instruction_cycles};
