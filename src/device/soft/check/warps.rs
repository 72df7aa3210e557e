//! Instructions that lanes of a warp execute together: who must be there, and whose values go where.

use super::bytes::Missing;
use super::checker::Checker;
use super::collect::Found;
use super::finding::Kind;
use super::memory::Touch;
use super::registers::{set_valid, valid};
use super::transfer::lanes_where;
use super::watched::Watched;
use crate::device::soft::exec::access::read_place;
use crate::device::soft::exec::{Warp, shuffle};
use crate::ptx::typed::Op;

impl Checker {
    /// An instruction of several lanes is about to happen in `lanes` (at least one); all that it waits for are
    /// there. Whether it can.
    ///
    /// # Safety
    /// `watched` belongs to the warp's code.
    pub unsafe fn together(&mut self, warp: &Warp, watched: &Watched, lanes: u32) -> bool {
        // SAFETY: the caller's contract.
        unsafe {
            match watched.op {
                Op::Mma(_)
                | Op::MmaF16(_)
                | Op::MmaInt(_)
                | Op::MmaF64
                | Op::LoadMatrix { .. }
                | Op::StoreMatrix { .. }
                | Op::MoveMatrix => {
                    self.guard_is_uniform(warp, watched, lanes) && self.all_are_there(warp, watched)
                }
                Op::Barrier | Op::BarrierArrive | Op::BarrierReduce(_) => {
                    self.guard_is_uniform(warp, watched, lanes)
                }
                Op::Shuffle(_) => {
                    self.members_agree(warp, watched, lanes) && self.sources_are_there(warp, watched, lanes)
                }
                _ => self.members_agree(warp, watched, lanes),
            }
        }
    }

    fn guard_is_uniform(&mut self, warp: &Warp, watched: &Watched, lanes: u32) -> bool {
        let absent = warp.active & !lanes;
        if absent != 0 {
            let (kind, line) = (Kind::PartialGuard, watched.line);
            let who = self.who(warp, absent.trailing_zeros());
            let what = match watched.op {
                Op::Barrier | Op::BarrierArrive | Op::BarrierReduce(_) => "an aligned barrier",
                Op::LoadMatrix { .. } | Op::StoreMatrix { .. } | Op::MoveMatrix => "a move of matrices",
                _ => "a matrix product",
            };
            self.findings.add(kind, line, 0, || Found {
                message: format!("{what} whose guard is false in lanes {absent:#010x}, but not in all"),
                ..Found::new(kind, line, who)
            });
        }
        absent == 0
    }

    fn all_are_there(&mut self, warp: &Warp, watched: &Watched) -> bool {
        let absent = !warp.active;
        if absent != 0 {
            let (kind, line) = (Kind::AbsentThreads, watched.line);
            let who = self.who(warp, warp.active.trailing_zeros());
            self.findings.add(kind, line, 0, || Found {
                message: format!(
                    "lanes {absent:#010x} have exited or are not there, but the warp must be whole"
                ),
                ..Found::new(kind, line, who)
            });
        }
        absent == 0
    }

    /// The member mask of each lane: names the lane, only lanes that come, and is the same in all of them.
    unsafe fn members_agree(&mut self, warp: &Warp, watched: &Watched, lanes: u32) -> bool {
        let Some(place) = watched.members() else { return true };
        // SAFETY: the caller's contract.
        let masks: [u32; 32] = std::array::from_fn(|lane| unsafe { read_place(warp, place, lane) as u32 });
        let live = warp.live();
        let first = masks[lanes.trailing_zeros() as usize & 31];
        let alike = (0..32).fold(0, |bits, lane| bits | ((masks[lane] ^ first) * (lanes >> lane & 1)));
        if alike == 0 && lanes & !first == 0 && first & live & !lanes == 0 {
            return true;
        }
        for lane in (0..32).filter(|lane| lanes >> lane & 1 != 0) {
            let mask = masks[lane];
            let missing = mask & live & !lanes;
            let differs = lanes_where(|other| (mask & lanes) >> other & 1 != 0 && masks[other] != mask);
            let message = if mask >> lane & 1 == 0 {
                format!("lane {lane} is not in its own member mask, {mask:#010x}")
            } else if missing != 0 {
                format!(
                    "lanes {missing:#010x} of the member mask {mask:#010x} do not execute the instruction"
                )
            } else if differs != 0 {
                let other = differs.trailing_zeros() as usize;
                format!(
                    "lanes {lane} and {other} have different member masks, {mask:#010x} and {:#010x}",
                    masks[other]
                )
            } else {
                continue;
            };
            let (kind, line, who) = (Kind::MemberMask, watched.line, self.who(warp, lane as u32));
            self.findings.add(kind, line, 0, || Found { message, ..Found::new(kind, line, who) });
            return false;
        }
        true
    }

    unsafe fn sources_are_there(&mut self, warp: &Warp, watched: &Watched, lanes: u32) -> bool {
        let Some(place) = watched.members() else { return true };
        // SAFETY: the caller's contract.
        let (sources, mask) =
            unsafe { (sources(warp, watched), |lane: usize| read_place(warp, place, lane) as u32) };
        let absent = |lane: usize| (lanes & mask(lane)) >> sources[lane] & 1 == 0;
        let wrong = lanes_where(|lane| lanes >> lane & 1 != 0 && absent(lane));
        if wrong != 0 {
            let lane = wrong.trailing_zeros();
            let source = sources[lane as usize];
            let (kind, line, who) = (Kind::AbsentLane, watched.line, self.who(warp, lane));
            self.findings.add(kind, line, 0, || Found {
                message: format!("lane {lane} reads lane {source}, which does not take part"),
                ..Found::new(kind, line, who)
            });
        }
        wrong == 0
    }

    /// The registers of such an instruction.
    ///
    /// # Safety
    /// `site` is an instruction of the warp's code.
    pub unsafe fn exchange(&mut self, warp: &Warp, site: u32, lanes: u32) {
        let watched = &warp.block.code.watched.list[site as usize];
        // SAFETY: the caller's contract.
        unsafe {
            let all = watched.reads.iter().fold(!0, |all, read| all & valid(warp, *read));
            if lanes & !all == 0 {
                return self.results_are_valid(warp, watched, lanes);
            }
            match watched.op {
                Op::Mma(_) | Op::MmaF16(_) | Op::MmaInt(_) => self.multiplied(warp, site, watched),
                Op::Shuffle(_) => self.shuffled(warp, site, watched, lanes),
                Op::MoveMatrix => {
                    let result = turned(warp, watched);
                    self.blame_results(warp, site, &watched.reads, &watched.writes, lanes);
                    self.registers.set_lanes(warp, watched.writes[0], lanes, result);
                }
                _ => {
                    self.use_all(warp, site, &watched.reads, lanes);
                    self.results_are_valid(warp, watched, lanes);
                }
            }
        }
    }

    /// All results of an instruction are valid, or are not to be reported.
    ///
    /// # Safety
    /// `watched` belongs to the warp's code.
    pub unsafe fn results_are_valid(&mut self, warp: &Warp, watched: &Watched, lanes: u32) {
        for write in &watched.writes {
            // SAFETY: the caller's contract.
            unsafe { set_valid(warp, *write, lanes, !0) };
        }
    }

    unsafe fn shuffled(&mut self, warp: &Warp, site: u32, watched: &Watched, lanes: u32) {
        // SAFETY: the caller's contract.
        unsafe {
            self.use_all(warp, site, &watched.reads[1..], lanes);
            let (sources, value) = (sources(warp, watched), valid(warp, watched.reads[0]));
            let result = lanes_where(|lane| value >> sources[lane] & 1 != 0);
            self.blame_results(warp, site, &watched.reads[..1], &watched.writes[..1], lanes);
            self.results_are_valid(warp, watched, lanes);
            self.registers.set_lanes(warp, watched.writes[0], lanes, result);
        }
    }

    /// What is wrong in a row of A or a column of B is wrong in that row or column of D.
    unsafe fn multiplied(&mut self, warp: &Warp, site: u32, watched: &Watched) {
        let (sums, all) = (watched.writes.len(), watched.reads.len());
        // Registers of B; A has twice as many, rows 0 to 7 and rows 8 to 15 in turn.
        let steps = (all - sums) / 3;
        // SAFETY: the caller's contract.
        unsafe {
            if 3 * steps + sums != all || !matches!(sums, 2 | 4) {
                self.use_all(warp, site, &watched.reads, !0);
                return self.results_are_valid(warp, watched, !0);
            }
            let wrong = |read: usize| eighths(!valid(warp, watched.reads[read]));
            let rows = [0, 1].map(|half| (0..steps).fold(0, |rows, k| rows | wrong(2 * k + half)));
            let columns = (0..steps).fold(0, |columns, k| columns | wrong(2 * steps + k));
            self.blame_results(warp, site, &watched.reads, &watched.writes, !0);
            for (k, write) in watched.writes.iter().enumerate() {
                let wrong = lanes_where(|lane| {
                    // Two halves of a register are two columns, or there is a register for each.
                    let pair = columns >> (2 * (lane & 3)) & 3;
                    let column = if sums == 2 { pair } else { pair >> (k & 1) & 1 };
                    rows[k * 2 / sums] >> (lane >> 2) & 1 != 0 || column != 0
                });
                let sum = valid(warp, watched.reads[3 * steps + k]);
                self.registers.set_lanes(warp, *write, !0, sum & !wrong);
            }
        }
    }

    /// An `ldmatrix`: what each lane gets is as valid as the bytes that it comes from.
    ///
    /// # Safety
    /// `watched` belongs to the warp's code.
    pub unsafe fn load_matrix(&mut self, warp: &Warp, watched: &Watched, touch: &Touch, missing: &Missing) {
        let Op::LoadMatrix { transposed, .. } = watched.op else { return };
        for (k, write) in watched.writes.iter().enumerate() {
            let wrong = lanes_where(|lane| {
                let (row, column) = (lane >> 2, 2 * (lane & 3));
                let half = |row: usize, column: usize| missing[8 * k + row] >> (2 * column) & 3 != 0;
                match transposed {
                    false => half(row, column) || half(row, column + 1),
                    true => half(column, row) || half(column + 1, row),
                }
            });
            // SAFETY: the caller's contract.
            unsafe { self.registers.set_lanes(warp, *write, !0, !wrong) };
            if wrong != 0
                && let Some(row) = (8 * k..8 * k + 8).find(|row| missing[*row] != 0)
            {
                let blame = self.blame_memory(warp, touch, row, missing[row].trailing_zeros());
                self.registers.blame(warp.index, *write, blame);
            }
        }
    }
}

/// The groups of four lanes, eight of them, in which a lane is set.
fn eighths(lanes: u32) -> u32 {
    (0..8).filter(|group| lanes >> (4 * group) & 0xF != 0).fold(0, |groups, group| groups | 1 << group)
}

/// The lane that each lane of a shuffle reads; its own if the other is outside of its segment.
unsafe fn sources(warp: &Warp, watched: &Watched) -> [u32; 32] {
    let Op::Shuffle(mode) = watched.op else { return [0; 32] };
    // SAFETY: the caller's contract.
    let [b, c] = [0, 1].map(|k| unsafe { warp.slot::<[u32; 32]>(watched.values[k].slot).read() });
    shuffle::sources(mode, &b, &c)
}

/// The lanes of a transposed matrix both of whose elements come from valid lanes.
unsafe fn turned(warp: &Warp, watched: &Watched) -> u32 {
    // SAFETY: the caller's contract.
    let value = unsafe { valid(warp, watched.reads[0]) };
    lanes_where(|lane| {
        let (row, column) = (lane >> 2, 2 * (lane & 3));
        let from = |row: usize, column: usize| value >> (4 * row + column / 2) & 1 != 0;
        from(column, row) && from(column + 1, row)
    })
}
