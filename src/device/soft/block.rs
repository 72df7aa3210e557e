//! Runs the blocks of a launch: warps in turn, and the memory of each block.

use super::check::Checker;
use super::count::{Counting, Ground, Tally, Totals};
use super::exec::warp::{BlockView, Site};
use super::exec::{Stop, Warp};
use super::fault::{Cause, Fault};
use super::lower::{Code, Constant};
use super::memory::{POISON, Region};
use super::turn::Turn;
use crate::ptx::typed::Special;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Instructions of loops that a warp may run before the next one's turn.
const SLICE: i64 = 1 << 16;
const LANES: u32 = 32;

/// One launch, as all workers see it.
pub struct Job<'a> {
    pub code: &'a Code,
    pub regions: &'a [Region],
    pub params: &'a [u8],
    pub grid: [u32; 3],
    pub block: [u32; 3],
    /// Dynamic shared memory.
    pub dynamic_bytes: u32,
    /// Loop instructions that a warp may execute in all.
    pub budget: u64,
    pub workers: u32,
    pub started: Instant,
    /// Null unless the launch is checked, and then it has one worker.
    pub checker: *mut Checker,
    next: AtomicU64,
    /// No block from here on needs to run: one before it has failed.
    limit: AtomicU64,
    fault: Mutex<Option<(u64, Fault)>>,
    ground: Arc<Ground>,
    totals: Mutex<Totals>,
}

// SAFETY: the regions are those of the device, which is locked while the job runs; a checker is used by one
// thread.
unsafe impl Sync for Job<'_> {}

/// A worker's memory, used again from launch to launch.
#[derive(Default)]
pub struct Scratch {
    registers: Vec<Line>,
    preds: Vec<u32>,
    sites: Vec<Site>,
    shared: Vec<Line>,
    local: Vec<Line>,
    products: Vec<Line>,
    tally: Tally,
}

// SAFETY: the pointers in `sites` are forgotten at the start of every launch.
unsafe impl Send for Scratch {}

/// A cache line.
#[derive(Clone, Copy)]
#[repr(C, align(128))]
struct Line([u32; 32]);

const LINE: Line = Line([u32::MAX; 32]);

fn lines(bytes: usize) -> usize {
    bytes.div_ceil(size_of::<Line>())
}

impl<'a> Job<'a> {
    pub fn new(
        code: &'a Code,
        regions: &'a [Region],
        params: &'a [u8],
        grid: [u32; 3],
        block: [u32; 3],
    ) -> Self {
        let blocks = grid.iter().map(|n| u64::from(*n)).product();
        Job {
            code,
            regions,
            params,
            grid,
            block,
            dynamic_bytes: 0,
            budget: u64::MAX,
            workers: 1,
            started: Instant::now(),
            checker: std::ptr::null_mut(),
            next: AtomicU64::new(0),
            limit: AtomicU64::new(blocks),
            fault: Mutex::new(None),
            ground: Arc::new(if code.counting.is_some() { Ground::of(regions) } else { Ground::default() }),
            totals: Mutex::default(),
        }
    }

    /// Number of blocks.
    pub fn blocks(&self) -> u64 {
        self.grid.iter().map(|n| u64::from(*n)).product()
    }

    fn threads(&self) -> u32 {
        self.block.iter().product()
    }

    /// Warps of a block.
    pub fn warps(&self) -> u32 {
        self.threads().div_ceil(LANES)
    }

    /// x, y and z of a block.
    pub fn block_index(&self, block: u64) -> [u32; 3] {
        let (x, y) = (u64::from(self.grid[0]), u64::from(self.grid[1]));
        [block % x, block / x % y, block / x / y].map(|n| n as u32)
    }

    /// The fault of the first block that failed.
    pub fn fault(&self) -> Option<(u64, Fault)> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How the code is counted, if it is, and what was counted.
    pub fn counted(self) -> Option<(&'a Counting, Totals)> {
        let totals = self.totals.into_inner().unwrap_or_else(PoisonError::into_inner);
        Some((self.code.counting.as_ref()?, totals))
    }

    /// Runs blocks until none is left. Several workers do this at the same time.
    pub fn work(&self, scratch: &mut Scratch) {
        let Some(counting) = &self.code.counting else { return self.run_blocks(scratch) };
        scratch.tally.begin(counting, &self.ground);
        self.run_blocks(scratch);
        let mut totals = self.totals.lock().unwrap_or_else(PoisonError::into_inner);
        scratch.tally.finish(counting, &mut totals);
    }

    fn run_blocks(&self, scratch: &mut Scratch) {
        let warps = self.warps() as usize;
        // An odd number of lines between the warps' files keeps their slots out of the same cache sets.
        let stride = self.code.slots | 1;
        let pred_stride = self.code.preds;
        let shared_len = self.code.shared_bytes + self.dynamic_bytes;
        let local_bytes = self.code.local_bytes as usize * self.threads().next_multiple_of(LANES) as usize;
        scratch.registers.resize(stride * warps, LINE);
        scratch.preds.resize(pred_stride * warps, 0);
        scratch.shared.resize(lines(shared_len as usize), LINE);
        scratch.local.resize(lines(local_bytes), LINE);
        scratch.products.resize(self.code.scratch(), LINE);
        scratch.sites.clear();
        scratch.sites.resize(self.code.accesses.len(), Site::EMPTY);
        let view = BlockView {
            code: self.code,
            regions: self.regions,
            params: self.params,
            shared: scratch.shared.as_mut_ptr().cast(),
            shared_len,
            scratch: scratch.products.as_mut_ptr().cast(),
            local: scratch.local.as_mut_ptr().cast(),
            checker: self.checker,
            started: self.started,
            tally: &raw mut scratch.tally,
        };
        let (regs, preds) = (scratch.registers.as_mut_ptr(), scratch.preds.as_mut_ptr());
        let mut all: Vec<Warp> = (0..warps)
            .map(|index| {
                let regs = regs.wrapping_add(stride * index).cast();
                let preds = preds.wrapping_add(pred_stride * index);
                Warp::new(&view, index as u32, regs, preds, scratch.sites.as_mut_ptr())
            })
            .collect();
        for warp in &mut all {
            self.fill_constants(warp);
        }
        loop {
            let block = self.next.fetch_add(1, Relaxed);
            if block >= self.limit.load(Relaxed) {
                break;
            }
            // SAFETY: the scratch memory has that many bytes.
            unsafe {
                view.shared.write_bytes(POISON, shared_len as usize);
                view.local.write_bytes(POISON, local_bytes);
            }
            self.checked(|checker| checker.begin_block(self.block_index(block)));
            if let Err(fault) = self.run_block(&mut all, block) {
                self.record(block, fault);
            }
        }
    }

    /// Does something with the checks, if there are any.
    fn checked(&self, work: impl FnOnce(&mut Checker)) {
        // SAFETY: the checker outlives the launch; one thread runs it, and no watch is active.
        if let Some(checker) = unsafe { self.checker.as_mut() } {
            work(checker);
        }
    }

    fn record(&self, block: u64, fault: Fault) {
        if !self.checker.is_null() {
            return self.checked(|checker| self.found(checker, &fault));
        }
        self.limit.fetch_min(block, Relaxed);
        let mut first = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        if first.as_ref().is_none_or(|(earlier, _)| block < *earlier) {
            *first = Some((block, fault));
        }
    }

    /// In a checked launch the other blocks may have more to tell, unless this one hangs.
    fn found(&self, checker: &mut Checker, fault: &Fault) {
        checker.fault(self.code, fault);
        let hangs = matches!(fault.cause, Cause::Budget { .. } | Cause::Deadlock { .. });
        if hangs || checker.findings.is_full() {
            self.limit.store(0, Relaxed);
        }
    }

    fn run_block(&self, warps: &mut [Warp], block: u64) -> Result<(), Fault> {
        let index = self.block_index(block);
        for warp in warps.iter_mut() {
            let threads = self.threads() - LANES * warp.index;
            warp.restart(if threads >= LANES { !0 } else { (1 << threads) - 1 });
            self.fill_block_constants(warp, index);
        }
        let mut turn = Turn::new(warps.len());
        while turn.running != 0 {
            let ready = turn.ready;
            if ready == 0 {
                let waiting = warps.iter().filter(|warp| turn.running >> warp.index & 1 != 0);
                let places: Vec<_> = waiting.map(|warp| (warp.index, warp.pc.saturating_sub(1))).collect();
                let (warp, pc) = places[0];
                return Err(Fault { pc, warp, lane: None, cause: Cause::Deadlock { warps: places } });
            }
            for index in (0..warps.len()).filter(|index| ready >> index & 1 != 0) {
                let mut again = true;
                while again {
                    // SAFETY: the warp was made for this code and this worker's memory.
                    let stop = unsafe { warps[index].run(SLICE) };
                    again = self.stopped(stop, index, warps, &mut turn)?;
                }
            }
        }
        Ok(())
    }

    /// Deals with a warp that stopped; whether it goes on at once.
    fn stopped(&self, stop: Stop, index: usize, warps: &mut [Warp], turn: &mut Turn) -> Result<bool, Fault> {
        match stop {
            Stop::Fault => {
                let fault = warps[index].fault.take();
                Err(fault.unwrap_or(Fault { pc: 0, warp: index as u32, lane: None, cause: Cause::Trap }))
            }
            Stop::Yield => {
                turn.spent[index] += (SLICE - warps[index].fuel).max(1) as u64;
                if turn.spent[index] > self.budget {
                    let cause = Cause::Budget { instructions: self.budget };
                    return Err(Fault { pc: warps[index].pc, warp: index as u32, lane: None, cause });
                }
                Ok(false)
            }
            Stop::Exit => {
                turn.running &= !(1 << index);
                turn.ready &= !(1 << index);
                turn.release_all(warps);
                Ok(false)
            }
            Stop::Barrier => {
                let request = warps[index].barrier;
                if let Err(message) = turn.arrive(index, request) {
                    let pc = warps[index].pc - 1;
                    let cause = Cause::Barrier(message);
                    return Err(Fault { pc, warp: index as u32, lane: None, cause });
                }
                turn.release(request.id as usize, warps);
                Ok(request.arrive_only)
            }
        }
    }

    /// Fills the slots that are the same for all blocks.
    fn fill_constants(&self, warp: &mut Warp) {
        // SAFETY: there is a predicate 0, and constants have slots in the register file.
        unsafe { *warp.preds = !0 };
        for (slot, constant) in &self.code.constants {
            match *constant {
                Constant::Bits32(bits) => fill(warp, *slot, false, u64::from(bits)),
                Constant::Bits64(bits) => fill(warp, *slot, true, bits),
                Constant::Param { offset, bytes, signed, wide } => {
                    fill(warp, *slot, wide, param(self.params, offset, bytes, signed));
                }
                Constant::Special { register: Special::Ctaid(_), .. } => {}
                Constant::Special { register, wide } => {
                    let first = warp.index * LANES;
                    fill_lanes(warp, *slot, wide, |lane| {
                        u64::from(self.special(register, first + lane, lane))
                    });
                }
            }
        }
    }

    fn fill_block_constants(&self, warp: &mut Warp, index: [u32; 3]) {
        for (slot, constant) in &self.code.constants {
            if let Constant::Special { register: Special::Ctaid(axis), wide } = *constant {
                fill(warp, *slot, wide, u64::from(index[axis as usize]));
            }
        }
    }

    /// A special register of one thread, where it does not depend on the block.
    fn special(&self, register: Special, thread: u32, lane: u32) -> u32 {
        let [x, y, _] = self.block;
        let below = (1u32 << lane) - 1;
        match register {
            Special::Tid(0) => thread % x,
            Special::Tid(1) => thread / x % y,
            Special::Tid(_) => thread / x / y,
            Special::Ntid(axis) => self.block[axis as usize],
            Special::Nctaid(axis) => self.grid[axis as usize],
            Special::LaneId => lane,
            Special::WarpId => thread / LANES,
            Special::WarpCount => self.warps(),
            Special::SmCount => self.workers,
            Special::LaneMaskEq => 1 << lane,
            Special::LaneMaskLt => below,
            Special::LaneMaskLe => below | 1 << lane,
            Special::LaneMaskGt => !(below | 1 << lane),
            Special::LaneMaskGe => !below,
            Special::DynamicSharedBytes => self.dynamic_bytes,
            Special::TotalSharedBytes => self.code.shared_bytes + self.dynamic_bytes,
            _ => 0,
        }
    }
}

/// The parameter's value, extended to 64 bits. A sink is a parameter past the end and reads 0.
fn param(params: &[u8], offset: u32, bytes: u32, signed: bool) -> u64 {
    let start = offset as usize;
    let mut value = [0u8; 8];
    if let Some(from) = params.get(start..start.saturating_add(bytes as usize)) {
        value[..from.len()].copy_from_slice(from);
    }
    let value = u64::from_le_bytes(value);
    match (signed, bytes) {
        (true, 1) => value as i8 as i64 as u64,
        (true, 2) => value as i16 as i64 as u64,
        (true, 4) => value as i32 as i64 as u64,
        _ => value,
    }
}

/// The same value in all lanes.
fn fill(warp: &mut Warp, slot: u16, wide: bool, value: u64) {
    // SAFETY: constants have slots in the register file.
    unsafe {
        match wide {
            true => warp.slot::<[u64; 32]>(slot).write([value; 32]),
            false => warp.slot::<[u32; 32]>(slot).write([value as u32; 32]),
        }
    }
}

/// A value for each lane.
fn fill_lanes(warp: &mut Warp, slot: u16, wide: bool, value: impl Fn(u32) -> u64) {
    for lane in 0..LANES {
        let value = value(lane);
        // SAFETY: constants have slots in the register file.
        unsafe {
            match wide {
                true => *warp.slot::<u64>(slot).add(lane as usize) = value,
                false => *warp.slot::<u32>(slot).add(lane as usize) = value as u32,
            }
        }
    }
}
