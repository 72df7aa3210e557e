//! What is found about races and copies, in words.

use super::checker::Checker;
use super::collect::{Elsewhere, Found, Who};
use super::finding::Kind;
use super::memory::{self, Touch};
use super::race::{Conflict, Deed, Home, Stamp, Step};
use super::watched::Mode;
use crate::device::soft::exec::Warp;
use crate::device::soft::exec::access::read_place;
use crate::device::soft::lower::Code;
use crate::device::soft::memory::Region;
use crate::ptx::typed::{Op, Order};

impl Checker {
    /// Looks whether an access is ordered with those of other threads.
    #[inline(always)]
    pub(super) fn races(&mut self, warp: &Warp, touch: &Touch) {
        let home = match touch.home {
            memory::Home::Shared => Home::Shared,
            memory::Home::Global(index) => Home::Global(index),
            memory::Home::Local | memory::Home::Param => return,
        };
        let deed = match touch.mode {
            Mode::Read => Deed::Read,
            Mode::Write => Deed::Write,
            Mode::Atomic => Deed::Atomic,
            // Those are looked at when the copy is issued.
            Mode::CopySource | Mode::CopyTarget => return,
        };
        let (lanes, offsets, bytes, site) = (touch.lanes, touch.offsets, touch.bytes, touch.site);
        let (span, rows) = (touch.span, touch.rows);
        let step = Step { deed, warp: touch.warp, lanes, home, offsets, span, rows, bytes, site };
        self.step(warp, &step);
        if self.shadow.races.orders(site) {
            let watched = &warp.block.code.watched.list[site as usize];
            let returns = !watched.writes.is_empty();
            self.shadow.races.synchronise(&step, warp.block.regions, &watched.op, returns);
        }
    }

    #[inline(always)]
    pub(super) fn step(&mut self, warp: &Warp, step: &Step) {
        self.shadow.races.step(step, warp.block.regions, &mut self.conflicts);
        if !self.conflicts.is_empty() || self.copies.are_pending() {
            self.judge(warp, step);
        }
    }

    /// Reports what an access is in conflict with.
    #[inline(never)]
    fn judge(&mut self, warp: &Warp, step: &Step) {
        let mut conflicts = std::mem::take(&mut self.conflicts);
        if self.overwrites_source(warp, step) {
            conflicts.clear();
        }
        for conflict in conflicts.drain(..) {
            self.conflict(warp, step, &conflict);
        }
        self.conflicts = conflicts;
    }

    #[cold]
    fn conflict(&mut self, warp: &Warp, step: &Step, conflict: &Conflict) {
        let other = conflict.other;
        let own = self.shadow.races.order.is_here(other)
            && other.warp() == step.warp
            && other.lane() == conflict.lane;
        if other.is_pending() && own && step.deed == Deed::Copy {
            // Groups of one thread complete in their order, copies of one group do not.
            if self.copies.in_open_group(step.warp, conflict.lane, conflict.offset) {
                self.one_sided(warp, step, conflict, Kind::CopyOverlap);
            }
        } else if other.is_pending() && own {
            self.one_sided(warp, step, conflict, Kind::PendingCopy);
        } else if self.is_same_store(step, conflict) && same_value(warp, step, conflict) {
            self.one_sided(warp, step, conflict, Kind::SameValue);
        } else {
            self.race(warp, step, conflict);
        }
    }

    /// A lane arrives at a barrier object, which completes the phase or not.
    pub fn arrive(&mut self, warp: &Warp, lane: u32, object: *const u64, completes: bool) {
        let offset = object as u64 - warp.shared as u64;
        self.shadow.races.arrive_at_object(warp.index, lane, offset, completes);
    }

    /// A lane has seen that a phase of a barrier object is complete.
    pub fn waited(&mut self, warp: &Warp, lane: u32, object: *const u64) {
        let offset = object as u64 - warp.shared as u64;
        self.shadow.races.wait_for_object(warp.index, lane, offset);
    }

    /// A barrier object begins or ends.
    pub fn reset(&mut self, warp: &Warp, object: *const u64) {
        self.shadow.races.reset_object(object as u64 - warp.shared as u64);
    }

    /// A finding at the access that is looked at.
    pub(super) fn one_sided(&mut self, warp: &Warp, step: &Step, conflict: &Conflict, kind: Kind) {
        let (message, what, note) = match kind {
            Kind::CopyOverlap => (
                "two copies of one group go to the same place",
                "is the target of this copy, too",
                "copies of one group land in any order",
            ),
            Kind::SameValue => (
                "several lanes of one store write the same value to one place",
                "is written by another lane",
                "PTX calls this a race all the same",
            ),
            _ => (
                "access to what a copy of this thread is still reading or writing",
                "is copied here",
                "cp.async.wait_group or cp.async.wait_all must come before",
            ),
        };
        let here = Side { site: step.site, who: self.who(warp, conflict.lane) };
        let there = self.side(conflict.other);
        let address = address(warp, step, conflict);
        self.report(warp, kind, [here, there], address, message.to_string(), what.to_string(), note);
    }

    /// Of the two accesses the one that stands further down is named first, whichever came first this time.
    pub(super) fn race(&mut self, warp: &Warp, step: &Step, conflict: &Conflict) {
        let other = conflict.other;
        let here = Side { site: step.site, who: self.who(warp, conflict.lane) };
        let there = self.side(other);
        let what = |site| deed(warp, site);
        let copies = [here.site, there.site].into_iter().any(|site| what(site) == "copy");
        let note = match () {
            () if copies => {
                "a copy is in order with other threads after its thread's wait and then a barrier"
            }
            () if !self.shadow.races.order.is_here(other) => {
                "blocks of a launch are ordered by fences with atomics only"
            }
            () if other.warp() == step.warp => "lanes of a warp are ordered by bar.warp.sync or bar.sync",
            () => "threads of a block are ordered by bar.sync",
        };
        let memory = if step.home == Home::Shared { "shared" } else { "global" };
        let address = address(warp, step, conflict);
        let mut sides = [here, there];
        if self.line_of(warp, there.site) > self.line_of(warp, here.site) {
            sides.reverse();
        }
        let (first, second) = (what(sides[0].site), what(sides[1].site));
        if sides.iter().any(|side| is_read_only(warp, side.site)) {
            let message = "a read with .nc of what the same launch writes".to_string();
            let note = "ld.global.nc is for memory that nobody writes while the kernel runs";
            return self.report(
                warp,
                Kind::NonCoherent,
                sides,
                address,
                message,
                format!("the {second}"),
                note,
            );
        }
        let message =
            format!("this {first} and the {second} of another thread are in no order ({memory} memory)");
        self.report(warp, Kind::Race, sides, address, message, format!("the {second}"), note);
    }

    /// A lane exits with a copy that it has not waited for.
    pub(super) fn forgotten_copy(&mut self, warp: &Warp, lane: u32, exit: u32, copy: Stamp, offset: u64) {
        let line = self.line_of(warp, copy.site());
        let other = Elsewhere {
            line: self.line_of(warp, exit),
            who: self.who(warp, lane),
            what: "exits here".to_string(),
        };
        let who = self.who(warp, lane);
        self.findings.add(Kind::ForgottenCopy, line, other.line, || Found {
            kind: Kind::ForgottenCopy,
            line,
            who,
            address: Some(offset),
            message: "a copy is pending when its thread exits".to_string(),
            notes: vec![("cp.async.wait_all waits for all copies of a thread".to_string(), None)],
            other: Some(other),
        });
    }

    /// A byte is not what it was in another order.
    pub fn depends_on_order(
        &mut self,
        code: &Code,
        regions: &[Region],
        (index, offset): (usize, u64),
        seed: u64,
    ) {
        let writer = self.shadow.races.writer(index, offset);
        let line = |stamp: Stamp| code.watched.list.get(stamp.site() as usize).map(|watched| watched.line);
        let line = writer.and_then(line).unwrap_or(code.line(0));
        let who = writer.map_or(Who { block: self.block, warp: 0, lane: 0 }, |stamp| self.side(stamp).who);
        self.findings.add(Kind::OrderDependent, line, 0, || Found {
            address: Some(regions[index].lo + offset),
            message: format!("threads in another order (seed {seed}) leave something else in memory"),
            ..Found::new(Kind::OrderDependent, line, who)
        });
    }

    fn line_of(&self, warp: &Warp, site: u32) -> u32 {
        warp.block.code.watched.list.get(site as usize).map_or(0, |watched| watched.line)
    }

    fn side(&self, stamp: Stamp) -> Side {
        let block = self.shadow.races.order.place_of(stamp);
        Side { site: stamp.site(), who: Who { block, warp: stamp.warp(), lane: stamp.lane() } }
    }

    #[allow(clippy::too_many_arguments)]
    fn report(
        &mut self,
        warp: &Warp,
        kind: Kind,
        sides: [Side; 2],
        address: u64,
        message: String,
        what: String,
        note: &str,
    ) {
        let [line, other] = sides.map(|side| self.line_of(warp, side.site));
        self.findings.add(kind, line, other, || Found {
            kind,
            line,
            who: sides[0].who,
            address: Some(address),
            message,
            notes: vec![(note.to_string(), None)],
            other: Some(Elsewhere { line: other, who: sides[1].who, what }),
        });
    }

    /// Whether the other access is that of another lane of the same instruction, this time.
    fn is_same_store(&self, step: &Step, conflict: &Conflict) -> bool {
        let other = conflict.other;
        let now = self.shadow.races.order.is_now(step.warp, other);
        let same = now && other.site() == step.site.min(u32::from(u16::MAX)) && other.warp() == step.warp;
        let start = step.offsets[other.lane() as usize];
        let covered = (start..start + u64::from(step.bytes)).contains(&conflict.offset);
        step.deed == Deed::Write && same && step.lanes >> other.lane() & 1 != 0 && covered
    }
}

/// One of two accesses.
#[derive(Debug, Clone, Copy)]
struct Side {
    site: u32,
    who: Who,
}

/// What an instruction does to memory, in a word.
fn deed(warp: &Warp, site: u32) -> &'static str {
    match warp.block.code.watched.list.get(site as usize).map(|watched| &watched.op) {
        Some(Op::Store(_)) => "write",
        Some(Op::Atomic { .. }) => "atomic access",
        Some(Op::CopyAsync { .. }) => "copy",
        _ => "read",
    }
}

fn is_read_only(warp: &Warp, site: u32) -> bool {
    let op = warp.block.code.watched.list.get(site as usize).map(|watched| &watched.op);
    matches!(op, Some(Op::Load(access)) if access.order == Order::ReadOnly)
}

fn address(warp: &Warp, step: &Step, conflict: &Conflict) -> u64 {
    let start = match step.home {
        Home::Shared => 0,
        Home::Global(index) => warp.block.regions[index].lo,
    };
    start + conflict.offset
}

/// Whether two lanes of a store write the same to a place.
fn same_value(warp: &Warp, step: &Step, conflict: &Conflict) -> bool {
    let code = warp.block.code;
    let end = code.watched.list[step.site as usize].end;
    let access = &code.accesses[code.insts[end as usize - 1].site as usize];
    let value = |lane: u32| {
        let at = (conflict.offset - step.offsets[lane as usize]) as u32;
        let place = access.elements[(at / access.bytes) as usize];
        // SAFETY: the store's operands lie in the warp's register file.
        let element = unsafe { read_place(warp, place, lane as usize) };
        let bits = 8 * (access.bytes - at % access.bytes).min(4);
        (element >> (8 * (at % access.bytes))) & (u64::MAX >> (64 - bits))
    };
    value(conflict.lane) == value(conflict.other.lane())
}
