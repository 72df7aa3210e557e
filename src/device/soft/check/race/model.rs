//! Random accesses and barriers, against a model that keeps everything: a clock for each pair of threads, and the list
//! of all accesses.

use super::sites::Sites;
use super::{Conflict, Deed, Home, Races, Step, lanes};
use crate::device::soft::memory::Region;
use crate::ptx::typed::Reach;
use std::collections::HashMap;

const THREADS: u32 = 96;
const WARPS: u32 = 3;
/// Bytes of each memory: few, so that threads meet.
const BYTES: u64 = 512;

/// A thread of the launch: the number of its block, and its number there.
type Thread = (usize, u32);

/// What a thread knows: how many accesses of each other one.
type Known = HashMap<Thread, usize>;

struct Access {
    thread: Thread,
    number: usize,
    writes: bool,
    home: Home,
    bytes: std::ops::Range<u64>,
    /// Shared memory is another one in every block.
    block: usize,
}

#[derive(Default)]
struct Model {
    block: usize,
    known: HashMap<Thread, Known>,
    done: HashMap<Thread, usize>,
    accesses: Vec<Access>,
    /// What has been handed on at a barrier by those who do not wait.
    arrived: Known,
}

impl Model {
    fn thread(&self, warp: u32, lane: u32) -> Thread {
        (self.block, 32 * warp + lane)
    }

    /// Everything that some threads know or have done.
    fn gather(&self, threads: &[Thread]) -> Known {
        let mut all = Known::new();
        for thread in threads {
            join(&mut all, self.known.get(thread).unwrap_or(&Known::new()));
            let own = all.entry(*thread).or_default();
            *own = (*own).max(self.done.get(thread).copied().unwrap_or(0));
        }
        all
    }

    fn learn(&mut self, threads: &[Thread], what: &Known) {
        threads.iter().for_each(|thread| join(self.known.entry(*thread).or_default(), what));
    }

    fn barrier(&mut self, threads: &[Thread]) {
        let mut all = self.gather(threads);
        join(&mut all, &std::mem::take(&mut self.arrived));
        self.learn(threads, &all);
    }

    /// The lanes of a step that are in conflict with earlier accesses, other lanes of the same step included.
    fn step(&mut self, step: &Step) -> u32 {
        let mut wrong = 0;
        for lane in lanes(step.lanes) {
            let thread = self.thread(step.warp, lane);
            let start = step.offsets[lane as usize];
            let bytes = start..start + u64::from(step.bytes);
            let writes = step.deed == Deed::Write;
            let unordered = |access: &&Access| {
                let same =
                    access.home == step.home && (step.home != Home::Shared || access.block == self.block);
                let overlap = access.bytes.start < bytes.end && bytes.start < access.bytes.end;
                let seen = self.known.get(&thread).and_then(|known| known.get(&access.thread)).copied();
                let ordered = access.thread == thread || seen.unwrap_or(0) > access.number;
                same && overlap && !ordered && (access.writes || writes)
            };
            if self.accesses.iter().any(|access| unordered(&access)) {
                wrong |= 1 << lane;
            }
            let done = self.done.entry(thread).or_default();
            let (number, home, block) = (*done, step.home, self.block);
            *done += 1;
            self.accesses.push(Access { thread, number, writes, home, bytes, block });
        }
        wrong
    }
}

fn join(all: &mut Known, other: &Known) {
    for (thread, count) in other {
        let known = all.entry(*thread).or_default();
        *known = (*known).max(*count);
    }
}

/// A small generator of numbers without a pattern.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    /// All lanes, some, or one.
    fn lanes(&mut self) -> u32 {
        match self.below(3) {
            0 => !0,
            1 => (self.below(1 << 31) as u32) << 1 | 1,
            _ => 1 << self.below(32),
        }
    }
}

/// Where lanes access: a place each, a few places, or one place.
fn offsets(numbers: &mut Numbers, bytes: u64) -> [u64; 32] {
    let places = BYTES / bytes;
    let (start, step) = (numbers.below(places), numbers.below(4));
    std::array::from_fn(|lane| (start + step * lane as u64 / 2) % places * bytes)
}

/// Accesses of a random program up to the first conflict; the number of steps.
fn program(seed: u64) -> usize {
    let mut numbers = Numbers(seed);
    let regions =
        [Region { lo: 4096, len: BYTES, host: std::ptr::null_mut(), read_only: false, borrowed: false }];
    let (mut races, mut model) = (Races::default(), Model::default());
    let shift = numbers.below(3) as u32;
    // A launch before this one leaves traces that must not matter.
    for _ in 0..2 {
        races.begin(Sites::default(), shift, &regions, BYTES as u32, WARPS);
        races.begin_block([0; 3], THREADS);
        let offsets = [0; 32];
        let step = step(Deed::Write, 1, 1 << 7, Home::Global(0), &offsets, 4);
        races.step(&step, &regions, &mut Vec::new());
    }
    races.begin(Sites::default(), shift, &regions, BYTES as u32, WARPS);
    races.begin_block([0; 3], THREADS);
    for count in 0..200 {
        let warp = numbers.below(u64::from(WARPS)) as u32;
        let of = |model: &Model, warp: u32, mask: u32| -> Vec<_> {
            lanes(mask).map(|lane| model.thread(warp, lane)).collect()
        };
        match numbers.below(24) {
            0..16 => {
                let bytes = 1 << (u64::from(shift) + numbers.below(5 - u64::from(shift)));
                let offsets = offsets(&mut numbers, bytes);
                let home = if numbers.below(2) == 0 { Home::Shared } else { Home::Global(0) };
                let deed = if numbers.below(8) == 0 { Deed::Write } else { Deed::Read };
                let step = step(deed, warp, numbers.lanes(), home, &offsets, bytes as u32);
                let mut found: Vec<Conflict> = Vec::new();
                races.step(&step, &regions, &mut found);
                let found = found.iter().fold(0, |lanes, conflict| lanes | 1 << conflict.lane);
                assert_eq!(found, model.step(&step), "seed {seed}, step {count}");
                if found != 0 {
                    return count;
                }
            }
            16..19 => {
                let mask = numbers.lanes();
                races.order.warp_barrier(warp, mask);
                let threads = of(&model, warp, mask);
                let all = model.gather(&threads);
                model.learn(&threads, &all);
            }
            19..21 => {
                races.complete(0, 0b111, std::iter::empty());
                let threads: Vec<_> = (0..THREADS).map(|thread| (model.block, thread)).collect();
                model.barrier(&threads);
            }
            21 => {
                // Two warps; the third may have arrived before them.
                let waiting = [0b011, 0b101, 0b110][warp as usize];
                if numbers.below(2) == 0 {
                    let third = [2, 1, 0][warp as usize];
                    races.order.arrive(0, third);
                    model.arrived = model.gather(&of(&model, third, !0));
                }
                races.complete(0, waiting, std::iter::empty());
                let both = lanes(waiting).flat_map(|warp| of(&model, warp, !0)).collect::<Vec<_>>();
                model.barrier(&both);
            }
            22 => {
                let (from, to) = (numbers.below(32) as u32, numbers.lanes());
                let release = races.order.release(warp, 1 << from, Reach::Block);
                let mut clock = super::clock::Clock::default();
                release.add_to(&mut clock);
                let other = (warp + 1) % WARPS;
                races.order.acquire(other, to, &clock);
                let all = model.gather(&of(&model, warp, 1 << from));
                let learners = of(&model, other, to);
                model.learn(&learners, &all);
            }
            _ if count > 40 => {
                model.block += 1;
                races.begin_block([model.block as u32, 0, 0], THREADS);
            }
            _ => {}
        }
    }
    200
}

fn step(deed: Deed, warp: u32, mask: u32, home: Home, offsets: &[u64; 32], bytes: u32) -> Step<'_> {
    let places = || lanes(mask).map(|lane| offsets[lane as usize]);
    let span = (places().min().unwrap_or(0), places().max().unwrap_or(0) + u64::from(bytes));
    let rows = mask == !0 && (0..32).all(|lane| offsets[lane] == offsets[0] + lane as u64 * u64::from(bytes));
    Step { deed, warp, lanes: mask, home, offsets, span, rows, bytes, site: warp }
}

#[test]
fn random_programs_agree_with_the_model() {
    let steps: Vec<usize> = (0..1500).map(program).collect();
    let long = steps.iter().filter(|steps| **steps > 20).count();
    assert!(long > 100, "only {long} programs get anywhere");
}
