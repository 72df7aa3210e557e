//! The state of one warp, and its reconvergence.
//!
//! Lanes that stand at one instruction form a group. The group with the lowest program counter runs;
//! groups merge where they meet, at labels and behind branches. A group that keeps branching backwards
//! gives others a turn, so that lanes may wait for each other.

use super::super::chance::Chance;
use super::super::check::Checker;
use super::super::cluster::ClusterView;
use super::super::count::Tally;
use super::super::fault::{Cause, Fault};
use super::super::lower::Code;
use super::super::memory::Region;
use super::{Inst, NEGATED};

/// Lanes of a warp.
pub const LANES: usize = 32;

/// Why a warp returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// All lanes have exited.
    Exit,
    /// The time slice is over.
    Yield,
    /// Looked at an mbarrier whose phase is not complete.
    Wait,
    /// At a barrier, which [`Warp::barrier`] describes.
    Barrier,
    /// At `barrier.cluster.arrive`.
    ClusterArrive,
    /// At `barrier.cluster.wait`.
    ClusterWait,
    /// Went wrong; [`Warp::fault`] says how.
    Fault,
}

/// A barrier instruction that a warp has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BarrierRequest {
    pub id: u32,
    /// Number of threads that take part; 0 means all of the block.
    pub threads: u32,
    /// `bar.arrive`: count, but do not wait.
    pub arrive_only: bool,
    /// `bar.red`
    pub reduces: bool,
    /// Lanes whose predicate is true and lanes that take part, for `bar.red`.
    pub votes: u32,
    pub voters: u32,
}

/// What a barrier's `bar.red` found, for all its participants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BarrierVotes {
    pub count: u32,
    pub all: bool,
    pub any: bool,
}

/// A group of lanes that waits for its turn.
#[derive(Debug, Clone, Copy)]
struct Group {
    pc: u32,
    lanes: u32,
    /// Waits for other lanes at a `.sync` instruction or a barrier.
    parked: bool,
    /// When the group was last set aside.
    since: u64,
}

/// Backward branches of a divergent warp after which another group gets a turn.
const PATIENCE: u32 = 64;

/// The allocation that an access instruction touched last.
#[derive(Clone, Copy)]
pub struct Site {
    pub lo: u64,
    pub len: u64,
    pub host: *mut u8,
}

impl Site {
    /// Matches no address.
    pub const EMPTY: Site = Site { lo: 0, len: 0, host: std::ptr::null_mut() };
}

/// What all warps of a block see.
pub struct BlockView<'a> {
    pub code: &'a Code,
    pub regions: &'a [Region],
    pub params: &'a [u8],
    pub shared: *mut u8,
    pub shared_len: u32,
    pub cluster: ClusterView<'a>,
    /// Slots for the products of [`super::product`].
    pub scratch: *mut u32,
    /// Local memory of the block, thread after thread.
    pub local: *mut u8,
    /// Decides whose turn it is, unless the order is the plain one.
    pub chance: Option<&'a Chance>,
    /// The checks of the launch, in checked code; else null.
    pub checker: *mut Checker,
    /// Host time at which the launch began, for the clock registers.
    pub started: std::time::Instant,
    /// What the worker counts, if the code is counted.
    pub tally: *mut Tally,
}

/// One warp.
pub struct Warp<'a> {
    /// The register file.
    pub regs: *mut u32,
    /// The predicates, a lane mask each.
    pub preds: *mut u32,
    /// In which lanes each register is valid, by its number; null unless the code is checked.
    pub valid: *mut u32,
    /// Lanes of the group that runs.
    pub active: u32,
    pub shared: *mut u8,
    pub shared_len: u32,
    /// One inline cache for each access instruction.
    pub sites: *mut Site,
    pub code: *const Inst,
    pub block: &'a BlockView<'a>,
    /// Instructions left in this time slice.
    pub fuel: i64,
    groups: Vec<Group>,
    /// Index in the block.
    pub index: u32,
    /// Where to go on after a stop; of a faulting instruction, where it is.
    pub pc: u32,
    pub stop: Stop,
    pub barrier: BarrierRequest,
    pub votes: BarrierVotes,
    pub fault: Option<Fault>,
    /// The [tiles](super::tile) that hold what registers do not.
    pub tiled: u64,
    /// Those of them with which [AMX](super::amx) could meet a subnormal number.
    pub subnormal: u64,
    clock: u64,
    impatience: u32,
    hold: u32,
    /// Parked groups that were tried one after the other without success.
    stuck: usize,
}

impl<'a> Warp<'a> {
    /// A warp whose register file is at `regs`.
    pub fn new(
        block: &'a BlockView<'a>,
        index: u32,
        regs: *mut u32,
        preds: *mut u32,
        sites: *mut Site,
    ) -> Self {
        Warp {
            regs,
            preds,
            valid: std::ptr::null_mut(),
            active: 0,
            shared: block.shared,
            shared_len: block.shared_len,
            sites,
            code: block.code.insts.as_ptr(),
            block,
            fuel: 0,
            groups: Vec::new(),
            index,
            pc: 0,
            stop: Stop::Yield,
            barrier: BarrierRequest::default(),
            votes: BarrierVotes::default(),
            fault: None,
            tiled: 0,
            subnormal: 0,
            clock: 0,
            impatience: 0,
            hold: 0,
            stuck: 0,
        }
    }

    /// Stands all of `lanes` at the first instruction.
    pub fn restart(&mut self, lanes: u32) {
        self.active = lanes;
        self.pc = 0;
        self.stop = Stop::Yield;
        self.groups.clear();
        self.tiled = 0;
        self.hold = 0;
        self.impatience = 0;
        self.stuck = 0;
    }

    /// Runs until the warp stops or `fuel` is used up.
    ///
    /// # Safety
    /// `pc` is inside the code, and the warp's pointers are those of the block that runs.
    pub unsafe fn run(&mut self, fuel: i64) -> Stop {
        self.fuel = fuel;
        // SAFETY: the caller's contract; handlers return instructions of the same code or null.
        unsafe {
            let mut ip = self.code.add(self.pc as usize);
            while !ip.is_null() {
                ip = ((*ip).run)(ip, self);
            }
        }
        self.stop
    }

    /// First lane of a slot.
    ///
    /// # Safety
    /// The slot lies in the register file.
    #[inline(always)]
    pub unsafe fn slot<T>(&self, slot: u16) -> *mut T {
        // SAFETY: the caller's contract.
        unsafe { self.regs.add(slot as usize * LANES).cast() }
    }

    /// Active lanes whose guard is true.
    ///
    /// # Safety
    /// The instruction belongs to the warp's code.
    #[inline(always)]
    pub unsafe fn mask(&self, i: &Inst) -> u32 {
        let negate = ((i.guard as i16) >> 15) as i32 as u32;
        // SAFETY: decoded predicates lie in the predicate file.
        self.active & (unsafe { *self.preds.add((i.guard & !NEGATED) as usize) } ^ negate)
    }

    /// Writes a predicate in the lanes of `mask`.
    ///
    /// # Safety
    /// The predicate lies in the predicate file.
    #[inline(always)]
    pub unsafe fn set_pred(&mut self, pred: u16, mask: u32, bits: u32) {
        // SAFETY: the caller's contract.
        unsafe {
            let p = self.preds.add(pred as usize);
            *p = (bits & mask) | (*p & !mask);
        }
    }

    /// Reads a predicate operand; the top bit of `operand` negates it.
    ///
    /// # Safety
    /// The predicate lies in the predicate file.
    #[inline(always)]
    pub unsafe fn pred(&self, operand: u16) -> u32 {
        let negate = ((operand as i16) >> 15) as i32 as u32;
        // SAFETY: the caller's contract.
        unsafe { *self.preds.add((operand & !NEGATED) as usize) ^ negate }
    }

    #[inline(always)]
    pub fn pc_of(&self, ip: *const Inst) -> u32 {
        // SAFETY: both pointers are into the warp's code.
        unsafe { ip.offset_from(self.code) as u32 }
    }

    #[inline(always)]
    pub fn at(&self, pc: u32) -> *const Inst {
        // SAFETY: program counters come from decoded branches and stops.
        unsafe { self.code.add(pc as usize) }
    }

    /// Whether all lanes that have not exited are in the running group.
    #[inline(always)]
    pub fn converged(&self) -> bool {
        self.groups.is_empty()
    }

    /// Lanes that have not exited.
    pub fn live(&self) -> u32 {
        self.groups.iter().fold(self.active, |lanes, group| lanes | group.lanes)
    }

    fn set_aside(&mut self, pc: u32, lanes: u32, parked: bool) {
        if lanes == 0 {
            return;
        }
        self.clock += 1;
        let since = self.clock;
        // By chance, lanes come together only where they wait for each other.
        let late = self.block.chance.is_some();
        let joins = |group: &&mut Group| group.pc == pc && (!late || (parked && group.parked));
        match self.groups.iter_mut().find(joins) {
            Some(group) => {
                group.lanes |= lanes;
                group.parked = false;
            }
            None => self.groups.push(Group { pc, lanes, parked, since }),
        }
    }

    /// Lets `lanes` wait for their turn at `pc`.
    pub fn wait_at(&mut self, pc: u32, lanes: u32) {
        self.set_aside(pc, lanes, false);
    }

    /// Makes a waiting group the running one. Null when no group can go on.
    fn pick(&mut self, preferred: Option<u32>) -> *const Inst {
        let ready = self.groups.iter().enumerate().filter(|(_, group)| !group.parked);
        let chosen = match preferred {
            _ if self.block.chance.is_some() => self.any_of(ready),
            Some(pc) if self.hold > 0 => ready.min_by_key(|(_, group)| (group.pc != pc, group.pc)),
            _ => ready.min_by_key(|(_, group)| group.pc),
        };
        self.hold = self.hold.saturating_sub(1);
        let index = match chosen {
            Some((index, _)) => index,
            None => {
                self.stuck += 1;
                if self.stuck > self.groups.len() + 1 {
                    let mut groups: Vec<_> =
                        self.groups.iter().map(|group| (group.lanes, group.pc)).collect();
                    groups.sort_by_key(|(_, pc)| *pc);
                    return self.fail(groups[0].1, Cause::Divergent { groups }, None);
                }
                let oldest = self.groups.iter().enumerate().min_by_key(|(_, group)| group.since);
                oldest.expect("a live warp has a group").0
            }
        };
        let group = self.groups.swap_remove(index);
        self.active = group.lanes;
        self.at(group.pc)
    }

    /// One of some groups, by chance.
    fn any_of<'b>(&self, groups: impl Iterator<Item = (usize, &'b Group)>) -> Option<(usize, &'b Group)> {
        let chance = self.block.chance?;
        // There are 32 groups at most.
        let all: Vec<_> = groups.collect();
        (!all.is_empty()).then(|| all[chance.below(all.len() as u32) as usize])
    }

    /// Ends the turn of the running group before `pc`, and of the warp.
    pub fn take_turns(&mut self, pc: u32) -> *const Inst {
        if self.converged() {
            return self.interrupt(pc);
        }
        self.set_aside(pc, self.active, false);
        let next = self.pick(None);
        if next.is_null() { next } else { self.interrupt(self.pc_of(next)) }
    }

    /// The running group goes on at two places, or at one if a mask is empty.
    #[cold]
    #[inline(never)]
    pub fn split(&mut self, target: u32, taken: u32, next: u32, backward: bool) -> *const Inst {
        let not_taken = self.active & !taken;
        self.set_aside(target, taken, false);
        self.set_aside(next, not_taken, false);
        let here = if taken != 0 { target } else { next };
        if backward {
            self.impatience += 1;
            if self.impatience >= PATIENCE && self.groups.len() > 1 {
                self.impatience = 0;
                self.hold = PATIENCE;
                let ready = self.groups.iter().filter(|group| !group.parked);
                let oldest = ready.min_by_key(|group| group.since).map(|group| group.pc);
                return self.pick(oldest);
            }
        }
        self.pick(Some(here))
    }

    /// The running group has come to a label where others may wait.
    #[cold]
    #[inline(never)]
    pub fn meet(&mut self, next: u32) -> *const Inst {
        self.set_aside(next, self.active, false);
        self.pick(Some(next))
    }

    /// Waits at `ip` until all live lanes of `needed` are in the running group: `None` if they are,
    /// else the instruction to go on with.
    #[inline(always)]
    pub fn gather(&mut self, ip: *const Inst, needed: u32) -> Option<*const Inst> {
        if self.converged() { None } else { self.gather_divergent(ip, needed) }
    }

    #[cold]
    #[inline(never)]
    fn gather_divergent(&mut self, ip: *const Inst, needed: u32) -> Option<*const Inst> {
        if needed & self.live() & !self.active == 0 {
            self.stuck = 0;
            return None;
        }
        let pc = self.pc_of(ip);
        self.set_aside(pc, self.active, true);
        Some(self.pick(None))
    }

    /// The running group waits at `pc`; others go on.
    pub fn park(&mut self, pc: u32) -> *const Inst {
        self.set_aside(pc, self.active, true);
        self.pick(None)
    }

    /// Where the other groups wait, and their lanes; `None` if one of them can go on.
    pub fn others_wait(&self) -> Option<Vec<(u32, u32)>> {
        self.groups.iter().map(|group| group.parked.then_some((group.pc, group.lanes))).collect()
    }

    /// The other groups have got what they wait for.
    pub fn pass_waits(&mut self) {
        self.stuck = 0;
        for group in &mut self.groups {
            group.pc += 1;
            group.parked = false;
        }
    }

    /// Removes `lanes` of the running group.
    pub fn exit(&mut self, ip: *const Inst, lanes: u32) -> *const Inst {
        self.active &= !lanes;
        if self.active != 0 {
            // SAFETY: code ends with an unguarded exit, so there is a next instruction.
            return unsafe { ip.add(1) };
        }
        if self.converged() {
            self.stop = Stop::Exit;
            return std::ptr::null();
        }
        self.pick(None)
    }

    /// Ends the time slice; the warp goes on at `pc`.
    #[cold]
    pub fn interrupt(&mut self, pc: u32) -> *const Inst {
        self.pc = pc;
        self.stop = Stop::Yield;
        std::ptr::null()
    }

    /// Stops with a fault at instruction `pc`; `lane` is the lane that caused it.
    #[cold]
    #[inline(never)]
    pub fn fail(&mut self, pc: u32, cause: Cause, lane: Option<u32>) -> *const Inst {
        self.pc = pc;
        self.stop = Stop::Fault;
        self.fault = Some(Fault { pc, warp: self.index, lane, cause });
        std::ptr::null()
    }
}
