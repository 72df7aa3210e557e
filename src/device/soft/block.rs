//! Runs the blocks of a launch: warps in turn, and the memory of each block.

use super::chance::Chance;
use super::check::Checker;
use super::cluster::{ClusterView, Meeting, Peer, Place, complete};
use super::count::{Counting, Ground, Tally, Totals};
use super::exec::warp::{BlockView, Site};
use super::exec::{Stop, Warp};
use super::fault::{Cause, Fault};
use super::lower::Code;
use super::memory::{POISON, Region};
use super::turn::{BARRIERS, Turn};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Instructions of loops that a warp may run before the next one's turn.
const SLICE: i64 = 1 << 16;
/// Looks at mbarriers in vain, with nothing else done in the block, after which it is taken to be stuck.
const MOST_WAITS: u32 = 1 << 16;
const LANES: u32 = 32;

/// One launch, as all workers see it.
pub struct Job<'a> {
    pub code: &'a Code,
    pub regions: &'a [Region],
    pub params: &'a [u8],
    pub grid: [u32; 3],
    pub block: [u32; 3],
    /// Blocks of a cluster; divides the grid.
    pub cluster: [u32; 3],
    /// Dynamic shared memory.
    pub dynamic_bytes: u32,
    /// Loop instructions that a warp may execute in all.
    pub budget: u64,
    pub workers: u32,
    pub started: Instant,
    /// Decides whose turn it is, unless the order is the plain one; then there is one worker.
    pub chance: Option<Chance>,
    /// Null unless the launch is checked, and then it has one worker.
    pub checker: *mut Checker,
    /// The next cluster.
    next: AtomicU64,
    /// No cluster from here on needs to run: one before it has failed.
    limit: AtomicU64,
    fault: Mutex<Option<(u64, Place, Fault)>>,
    ground: Arc<Ground>,
    totals: Mutex<Totals>,
}

// SAFETY: the regions are those of the device, which is locked while the job runs; a checker and a chance are
// used by one thread.
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

/// A block that runs, beside the others of its cluster.
pub struct Resident<'a> {
    warps: Vec<Warp<'a>>,
    pub turn: Turn,
    pub meeting: Meeting,
    peer: &'a Peer,
}

impl Resident<'_> {
    /// Nobody will let the warps go that have not exited.
    fn deadlock(&self) -> Fault {
        let waiting = self.warps.iter().filter(|warp| self.turn.running >> warp.index & 1 != 0);
        let places: Vec<_> = waiting.map(|warp| (warp.index, warp.pc.saturating_sub(1))).collect();
        let (warp, pc) = places.first().copied().unwrap_or_default();
        Fault { pc, warp, lane: None, cause: Cause::Deadlock { warps: places } }
    }
}

/// A warp that came to a barrier does not fit with an earlier one. Who came first is chance: the fault is at the
/// instruction that stands further down.
fn mismatch(index: usize, here: u32, cause: Cause) -> Fault {
    let other = match &cause {
        Cause::Mismatch { warps: [first, _], .. } => *first,
        _ => (index as u32, here),
    };
    let (warp, pc) = if other.1 > here { other } else { (index as u32, here) };
    Fault { pc, warp, lane: None, cause }
}

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
        cluster: [u32; 3],
    ) -> Self {
        let clusters = (0..3).map(|axis| u64::from(grid[axis] / cluster[axis])).product();
        Job {
            code,
            regions,
            params,
            grid,
            block,
            cluster,
            dynamic_bytes: 0,
            budget: u64::MAX,
            workers: 1,
            started: Instant::now(),
            chance: None,
            checker: std::ptr::null_mut(),
            next: AtomicU64::new(0),
            limit: AtomicU64::new(clusters),
            fault: Mutex::new(None),
            ground: Arc::new(if code.counting.is_some() { Ground::of(regions) } else { Ground::default() }),
            totals: Mutex::default(),
        }
    }

    /// Number of blocks.
    pub fn blocks(&self) -> u64 {
        self.grid.iter().map(|n| u64::from(*n)).product()
    }

    /// Number of clusters along each axis.
    pub(super) fn clusters(&self) -> [u32; 3] {
        std::array::from_fn(|axis| self.grid[axis] / self.cluster[axis])
    }

    fn threads(&self) -> u32 {
        self.block.iter().product()
    }

    /// Warps of a block.
    pub fn warps(&self) -> u32 {
        self.threads().div_ceil(LANES)
    }

    /// The fault of the first block that failed.
    pub fn fault(&self) -> Option<(Place, Fault)> {
        let found = self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone();
        found.map(|(_, place, fault)| (place, fault))
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

    /// Makes room for the blocks of one cluster, and runs clusters there.
    fn run_blocks(&self, scratch: &mut Scratch) {
        let _registers = self.code.configure();
        let warps = self.warps() as usize;
        let ranks: u32 = self.cluster.iter().product();
        let blocks = ranks as usize;
        // An odd number of lines between the warps' files keeps their slots out of the same cache sets.
        let stride = self.code.slots | 1;
        let pred_stride = self.code.preds;
        let shared_len = self.code.shared_bytes + self.dynamic_bytes;
        let local_bytes = self.code.local_bytes as usize * self.threads().next_multiple_of(LANES) as usize;
        let (shared_lines, local_lines) = (lines(shared_len as usize), lines(local_bytes));
        scratch.registers.resize(stride * warps * blocks, LINE);
        scratch.preds.resize(pred_stride * warps * blocks, 0);
        scratch.shared.resize(shared_lines * blocks, LINE);
        scratch.local.resize(local_lines * blocks, LINE);
        scratch.products.resize(self.code.scratch(), LINE);
        scratch.sites.clear();
        scratch.sites.resize(self.code.accesses.len(), Site::EMPTY);
        let (shared, local) = (scratch.shared.as_mut_ptr(), scratch.local.as_mut_ptr());
        let peer =
            |rank| Peer { shared: shared.wrapping_add(shared_lines * rank).cast(), alive: Cell::new(true) };
        let peers: Vec<Peer> = (0..blocks).map(peer).collect();
        let view = |rank: u32| BlockView {
            code: self.code,
            regions: self.regions,
            params: self.params,
            shared: peers[rank as usize].shared,
            shared_len,
            cluster: ClusterView { rank, peers: &peers },
            scratch: scratch.products.as_mut_ptr().cast(),
            local: local.wrapping_add(local_lines * rank as usize).cast(),
            chance: self.chance.as_ref(),
            checker: self.checker,
            started: self.started,
            tally: &raw mut scratch.tally,
        };
        let views: Vec<BlockView> = (0..ranks).map(view).collect();
        let (regs, preds) = (scratch.registers.as_mut_ptr(), scratch.preds.as_mut_ptr());
        let sites = scratch.sites.as_mut_ptr();
        let warp = |view, index: usize, file: usize| {
            let regs = regs.wrapping_add(stride * file).cast();
            let preds = preds.wrapping_add(pred_stride * file);
            let mut warp = Warp::new(view, index as u32, regs, preds, sites);
            self.fill_constants(&mut warp);
            self.checked(|checker| warp.valid = checker.registers.of(warp.index));
            warp
        };
        let resident = |(rank, view)| Resident {
            warps: (0..warps).map(|index| warp(view, index, rank * warps + index)).collect(),
            turn: Turn::new(warps),
            meeting: Meeting::default(),
            peer: &peers[rank],
        };
        let mut residents: Vec<Resident> = views.iter().enumerate().map(resident).collect();
        self.run_clusters(&mut residents, || {
            // SAFETY: the scratch memory has that many lines.
            unsafe {
                shared.write_bytes(POISON, shared_lines * blocks);
                local.write_bytes(POISON, local_lines * blocks);
            }
        });
    }

    /// Runs clusters in the places of `residents`, in memory that `poison` makes fresh, until none is left.
    fn run_clusters(&self, residents: &mut [Resident], poison: impl Fn()) {
        let clusters = self.clusters().iter().map(|n| u64::from(*n)).product();
        let shuffle = self.chance.as_ref().map(|chance| chance.shuffle(clusters));
        loop {
            let next = self.next.fetch_add(1, Relaxed);
            if next >= self.limit.load(Relaxed) {
                break;
            }
            let cluster = shuffle.map_or(next, |shuffle| shuffle.at(next));
            poison();
            for (rank, resident) in residents.iter_mut().enumerate() {
                let place = self.place(cluster, rank);
                self.checked(|checker| {
                    checker.begin_block(place.block, self.threads(), self.chance.as_ref());
                });
                self.restart(resident, &place);
            }
            if let Err((rank, fault)) = self.run_cluster(residents) {
                self.record(cluster, self.place(cluster, rank), fault);
            }
            self.checked(|checker| {
                if checker.findings.is_full() {
                    self.limit.store(0, Relaxed);
                }
            });
        }
    }

    fn place(&self, cluster: u64, rank: usize) -> Place {
        Place::new(cluster, rank as u32, self.clusters(), self.cluster)
    }

    /// Does something with the checks, if there are any.
    fn checked(&self, work: impl FnOnce(&mut Checker)) {
        // SAFETY: the checker outlives the launch; one thread runs it, and no watch is active.
        if let Some(checker) = unsafe { self.checker.as_mut() } {
            work(checker);
        }
    }

    fn record(&self, cluster: u64, place: Place, fault: Fault) {
        if !self.checker.is_null() {
            self.limit.store(0, Relaxed);
            return self.checked(|checker| checker.fault(self.code, &fault));
        }
        self.limit.fetch_min(cluster, Relaxed);
        let mut first = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        if first.as_ref().is_none_or(|(earlier, ..)| cluster < *earlier) {
            *first = Some((cluster, place, fault));
        }
    }

    /// Stands all warps of a block at the first instruction.
    fn restart(&self, resident: &mut Resident, place: &Place) {
        for warp in &mut resident.warps {
            let threads = self.threads() - LANES * warp.index;
            warp.restart(if threads >= LANES { !0 } else { (1 << threads) - 1 });
            self.fill_block_constants(warp, place);
        }
        resident.turn = Turn::new(resident.warps.len());
        resident.meeting = Meeting::default();
        resident.peer.alive.set(true);
    }

    /// Runs the blocks of a cluster in turns; the error has the rank of the block that failed.
    fn run_cluster(&self, residents: &mut [Resident]) -> Result<(), (usize, Fault)> {
        while residents.iter().any(|resident| resident.turn.running != 0) {
            let stuck = residents.iter().all(|resident| resident.turn.ready == 0);
            if stuck {
                let waits = |resident: &Resident| resident.turn.running != 0;
                let rank = residents.iter().position(waits).unwrap_or(0);
                return Err((rank, residents[rank].deadlock()));
            }
            for rank in 0..residents.len() {
                self.run_ready(residents, rank).map_err(|fault| (rank, fault))?;
            }
        }
        Ok(())
    }

    /// Runs the warps of one block that are ready, a slice each.
    fn run_ready(&self, residents: &mut [Resident], rank: usize) -> Result<(), Fault> {
        let ready = residents[rank].turn.ready;
        let turns = match &self.chance {
            Some(chance) if ready != 0 => 1 << chance.bit_of(ready),
            _ => ready,
        };
        for index in (0..residents[rank].warps.len()).filter(|index| turns >> index & 1 != 0) {
            let mut again = true;
            while again {
                // SAFETY: the warp was made for this code and this worker's memory.
                let stop = unsafe { residents[rank].warps[index].run(SLICE) };
                again = self.stopped(stop, index, residents, rank)?;
            }
        }
        Ok(())
    }

    /// Lets the warps of a barrier go if it is complete.
    fn release(&self, id: usize, warps: &mut [Warp], turn: &mut Turn) {
        if let Some(waiting) = turn.release(id, warps) {
            self.checked(|checker| checker.shadow.races.complete(id, waiting, checker.copies.targets()));
        }
    }

    /// Deals with a warp that stopped; whether it goes on at once.
    fn stopped(
        &self,
        stop: Stop,
        index: usize,
        residents: &mut [Resident],
        rank: usize,
    ) -> Result<bool, Fault> {
        let sleeps = residents[rank].warps[index].fuel >= 0;
        if !residents[rank].turn.may_wait(index, stop, sleeps, self.chance.is_some()) {
            residents.iter_mut().for_each(|resident| resident.turn.waits = 0);
        }
        let Resident { warps, turn, meeting, peer } = &mut residents[rank];
        let misuse = |pc: u32, message| Fault {
            pc: pc - 1,
            warp: index as u32,
            lane: None,
            cause: Cause::Barrier(message),
        };
        match stop {
            Stop::Fault => {
                let fault = warps[index].fault.take();
                Err(fault.unwrap_or(Fault { pc: 0, warp: index as u32, lane: None, cause: Cause::Trap }))
            }
            Stop::Wait => {
                turn.waits += 1;
                if turn.waits > MOST_WAITS {
                    return Err(residents[rank].deadlock());
                }
                Ok(false)
            }
            Stop::Yield => {
                turn.spent[index] += (SLICE - warps[index].fuel).max(1) as u64;
                if turn.spent[index] > self.budget {
                    let cause = Cause::Budget { instructions: self.budget };
                    let pc = self.code.loop_end(warps[index].pc);
                    return Err(Fault { pc, warp: index as u32, lane: None, cause });
                }
                Ok(false)
            }
            Stop::Exit => {
                turn.running &= !(1 << index);
                turn.ready &= !(1 << index);
                self.checked(|checker| checker.shadow.races.order.exit(index as u32, !0));
                for id in 0..BARRIERS {
                    self.release(id, warps, turn);
                }
                peer.alive.set(turn.running != 0);
                complete(residents);
                Ok(false)
            }
            Stop::Barrier => {
                let request = warps[index].barrier;
                let here = warps[index].pc - 1;
                turn.arrive(index, request, here).map_err(|cause| mismatch(index, here, cause))?;
                if request.arrive_only {
                    self.checked(|checker| {
                        checker.shadow.races.order.arrive(request.id as usize, index as u32)
                    });
                }
                self.release(request.id as usize, warps, turn);
                Ok(request.arrive_only)
            }
            Stop::ClusterArrive => {
                meeting.arrive(index).map_err(|message| misuse(warps[index].pc, message))?;
                complete(residents);
                Ok(true)
            }
            Stop::ClusterWait => {
                let goes_on = meeting.wait(index).map_err(|message| misuse(warps[index].pc, message))?;
                if !goes_on {
                    turn.ready &= !(1 << index);
                }
                Ok(goes_on)
            }
        }
    }
}
