//! Slots for registers: a linear scan over their intervals.
//!
//! Registers of 32 and of 64 bits never share a slot. In a pair of slots a lane has other bytes than in a
//! single one, so the write of one lane would hit another lane's register where the two have diverged.

use super::liveness::{Interval, intervals};
use crate::ptx::typed::{Entry, Reg};

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
    taken_until: Vec<u32>,
}

impl Places {
    /// The lowest place that is free from `interval.first` on.
    fn take(&mut self, interval: Interval) -> usize {
        match self.taken_until.iter().position(|last| *last < interval.first) {
            Some(free) => {
                self.taken_until[free] = interval.last;
                free
            }
            None => {
                self.taken_until.push(interval.last);
                self.taken_until.len() - 1
            }
        }
    }
}

/// Gives every register that is used a slot (two for 64 bits) or a predicate; `None` if there are too many.
/// Those of `alone` share theirs with no other register.
pub fn allocate(entry: &Entry, first_pred: u16, alone: &[Reg]) -> Option<Allocation> {
    let mut intervals = intervals(entry);
    for reg in alone {
        intervals[reg.0 as usize] = Some(Interval { first: 0, last: u32::MAX });
    }
    let mut order: Vec<(Interval, usize)> =
        intervals.iter().enumerate().filter_map(|(reg, interval)| Some(((*interval)?, reg))).collect();
    order.sort_by_key(|(interval, reg)| (interval.first, interval.last, *reg));
    let (mut narrow, mut wide, mut preds) = (Places::default(), Places::default(), Places::default());
    let mut place = vec![0; intervals.len()];
    let bytes = |reg: usize| entry.registers[reg].ty.bytes();
    for (interval, reg) in order {
        place[reg] = match bytes(reg) {
            0 => preds.take(interval) + first_pred as usize,
            8 => wide.take(interval),
            _ => narrow.take(interval),
        };
    }
    // Pairs stand behind the single slots.
    let single = narrow.taken_until.len();
    for (reg, place) in place.iter_mut().enumerate().filter(|(reg, _)| bytes(*reg) == 8) {
        *place = if intervals[reg].is_some() { single + 2 * *place } else { 0 };
    }
    let place = place.into_iter().map(u16::try_from).collect::<Result<_, _>>().ok()?;
    let slots = single + 2 * wide.taken_until.len();
    Some(Allocation { place, slots, preds: preds.taken_until.len() + first_pred as usize })
}
