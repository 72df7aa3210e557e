//! A kernel's text, with what each line did.

use crate::device::Kernel;
use crate::device::model::{Chip, instruction_cycles};
use crate::device::soft::count::{GlobalTraffic, KernelCounts, SharedTraffic};
use std::collections::BTreeMap;

/// A line is hot if it takes at least this part of the cycles of all lines.
const HOT: f64 = 0.01;

/// One line of the text.
#[derive(Debug, Clone, PartialEq)]
pub struct Line<'a> {
    /// From 1.
    pub number: u32,
    pub text: &'a str,
    /// What its instructions did, if it has any.
    pub did: Option<Did>,
}

/// What the instructions of a line did.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Did {
    /// Warps that executed the line.
    pub executions: u64,
    pub lanes: u64,
    pub global: GlobalTraffic,
    pub shared: SharedTraffic,
    /// Cycles on the pipe that the line takes longest on.
    cycles: f64,
    /// Its part of the cycles of all lines.
    pub share: f64,
}

impl Did {
    pub fn is_hot(&self) -> bool {
        self.share >= HOT
    }
}

/// The lines from the module's header to the end of the kernel; other entries of the module are left out.
/// Without counts no line did anything.
pub fn listing<'a>(
    kernel: &Kernel,
    text: &'a str,
    counts: Option<&KernelCounts>,
    chip: &Chip,
) -> Vec<Line<'a>> {
    let did = did(counts, chip);
    let mut inside = true;
    let mut own = false;
    let mut lines = vec![];
    for (number, text) in (1..).zip(text.lines()) {
        if let Some((_, entry)) = text.split_once(".entry ") {
            own = entry.split(['(', ' ']).next() == Some(kernel.entry);
            inside = own;
        }
        if inside {
            lines.push(Line { number, text, did: did.get(&number).copied() });
        }
        if text == "}" && own {
            // What follows belongs to another entry.
            inside = false;
        }
    }
    lines
}

fn did(counts: Option<&KernelCounts>, chip: &Chip) -> BTreeMap<u32, Did> {
    let mut lines: BTreeMap<u32, Did> = BTreeMap::new();
    for instruction in counts.iter().flat_map(|counts| &counts.instructions) {
        let did = lines.entry(instruction.line).or_default();
        did.executions += instruction.executions;
        did.lanes += instruction.lanes;
        did.global += instruction.global;
        did.shared += instruction.shared;
        did.cycles += instruction_cycles(chip, instruction);
    }
    let all: f64 = lines.values().map(|did| did.cycles).sum();
    for did in lines.values_mut().filter(|_| all > 0.0) {
        did.share = did.cycles / all;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::listing;
    use crate::device::model::Chip;
    use crate::kernels::ALL;

    /// Every kernel's listing has its own entry and no other.
    #[test]
    fn one_entry() {
        for kernel in ALL {
            let lines = listing(kernel, kernel.module.ptx, None, &Chip::ALL[0]);
            let entries: Vec<&str> =
                lines.iter().map(|line| line.text).filter(|text| text.contains(".entry ")).collect();
            assert_eq!(entries.len(), 1, "{}", kernel.entry);
            assert!(entries[0].contains(kernel.entry));
            assert_eq!(lines.last().map(|line| line.text), Some("}"));
        }
    }
}
