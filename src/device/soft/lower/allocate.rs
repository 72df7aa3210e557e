//! Slots for registers: a linear scan over their intervals.

use super::liveness::{Interval, intervals};
use crate::ptx::typed::Entry;

/// Where each register lies.
pub struct Allocation {
    /// The slot of a register, or the index of a predicate.
    pub place: Vec<u16>,
    pub slots: usize,
    pub preds: usize,
}

/// The places of one kind that are taken, until when.
#[derive(Default)]
struct Places {
    taken_until: Vec<Option<u32>>,
}

impl Places {
    /// The lowest `width` neighbours that are free from `interval.first` on.
    fn take(&mut self, interval: Interval, width: usize) -> usize {
        let free = |until: &Option<u32>| until.is_none_or(|last| last < interval.first);
        let mut start = 0;
        let found = loop {
            let end = (start + width).min(self.taken_until.len());
            match self.taken_until[start..end].iter().rposition(|until| !free(until)) {
                Some(blocked) => start += blocked + 1,
                None => break start,
            }
        };
        if self.taken_until.len() < found + width {
            self.taken_until.resize(found + width, None);
        }
        self.taken_until[found..found + width].fill(Some(interval.last));
        found
    }
}

/// Gives every register that is used a slot (two for 64 bits) or a predicate; `None` if there are too many.
pub fn allocate(entry: &Entry, first_pred: u16) -> Option<Allocation> {
    let intervals = intervals(entry);
    let mut order: Vec<usize> = (0..intervals.len()).filter(|reg| intervals[*reg].is_some()).collect();
    order.sort_by_key(|reg| intervals[*reg].map(|interval| (interval.first, interval.last)));
    let (mut slots, mut preds) = (Places::default(), Places::default());
    let mut place = vec![0; intervals.len()];
    for reg in order {
        let interval = intervals[reg]?;
        let found = match entry.registers[reg].ty.bytes() {
            0 => preds.take(interval, 1) + first_pred as usize,
            8 => slots.take(interval, 2),
            _ => slots.take(interval, 1),
        };
        place[reg] = u16::try_from(found).ok()?;
    }
    let preds = preds.taken_until.len() + first_pred as usize;
    Some(Allocation { place, slots: slots.taken_until.len(), preds })
}
