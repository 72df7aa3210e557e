//! Which lanes of which registers hold something that was written.
//!
//! What nobody has written may be moved and computed with: the results are not valid either. A mistake it
//! becomes where it counts, when it decides about a branch, an address or a barrier, or reaches global memory;
//! it is named where it came in. Each register that is not valid therefore has somebody to blame: the
//! instruction that read a register or memory that nothing had written.

use super::checker::Checker;
use super::collect::{Elsewhere, Found, Who};
use super::finding::Kind;
use super::memory::Home;
use super::parts::Parts;
use super::watched::{Number, Watched};
use crate::device::soft::exec::Warp;
use crate::ptx::typed::Op;
use std::collections::HashMap;

/// The number of somebody to blame.
pub type Blame = u32;
/// Nobody yet.
const INNOCENT: Blame = 0;
/// Bytes of which it is remembered who is to blame for what they hold.
const MOST_BYTES: usize = 1 << 16;

/// An instruction that read what nothing had written.
#[derive(Debug, Clone)]
struct Culprit {
    line: u32,
    who: Who,
    what: Unwritten,
}

/// What was read.
#[derive(Debug, Clone, Copy)]
pub enum Unwritten {
    Register(Number),
    Memory { home: Home, address: u64 },
}

/// The validity of all registers of a block, one lane mask for each register of each warp.
#[derive(Debug, Default)]
pub struct Registers {
    valid: Vec<u32>,
    /// For each register that is not valid.
    blame: Vec<Blame>,
    numbers: usize,
    culprits: Vec<Culprit>,
    /// The culprit at each instruction.
    at: HashMap<u32, Blame>,
    /// For bytes of shared and local memory that hold what is not valid.
    stored: HashMap<(Home, u64), Blame>,
    pub(super) parts: Parts,
}

impl Registers {
    pub fn new(numbers: usize, warps: u32) -> Registers {
        let all = numbers * warps as usize;
        Registers { valid: vec![0; all], blame: vec![INNOCENT; all], numbers, ..Registers::default() }
    }

    /// No register is written.
    pub fn reset(&mut self) {
        self.valid.fill(0);
        self.valid.iter_mut().step_by(self.numbers.max(1)).for_each(|always| *always = !0);
        self.stored.clear();
        self.parts.clear();
        if !self.culprits.is_empty() {
            self.blame.fill(INNOCENT);
        }
    }

    /// The masks of one warp.
    pub fn of(&mut self, warp: u32) -> *mut u32 {
        self.valid[self.numbers * warp as usize..].as_mut_ptr()
    }

    pub fn blame(&mut self, warp: u32, number: Number, blame: Blame) {
        self.blame[self.numbers * warp as usize + number as usize] = blame;
    }

    fn blamed(&self, warp: u32, number: Number) -> Blame {
        self.blame[self.numbers * warp as usize + number as usize]
    }

    /// The culprit at instruction `site`.
    fn culprit(&mut self, site: u32, culprit: Culprit) -> Blame {
        *self.at.entry(site).or_insert_with(|| {
            self.culprits.push(culprit);
            self.culprits.len() as Blame
        })
    }

    /// A byte of shared or local memory takes what is not valid.
    pub fn stored(&mut self, home: Home, offset: u64, blame: Blame) {
        if self.stored.len() < MOST_BYTES {
            self.stored.insert((home, offset), blame);
        }
    }
}

/// The lanes in which a register is valid.
///
/// # Safety
/// The number is one of the warp's code.
#[inline(always)]
pub unsafe fn valid(warp: &Warp, number: Number) -> u32 {
    // SAFETY: the caller's contract.
    unsafe { *warp.valid.add(number as usize) }
}

/// Says in which of `lanes` a register is valid from now on.
///
/// # Safety
/// As for [`valid`].
#[inline(always)]
pub unsafe fn set_valid(warp: &Warp, number: Number, lanes: u32, valid: u32) {
    // SAFETY: the caller's contract.
    unsafe {
        let mask = warp.valid.add(number as usize);
        *mask = (*mask & !lanes) | (valid & lanes);
    }
}

impl Checker {
    /// What `lanes` have in registers counts; where it is not valid that is reported, once.
    ///
    /// # Safety
    /// The registers are those of the warp's code.
    pub unsafe fn use_all(&mut self, warp: &Warp, site: u32, numbers: &[Number], lanes: u32) {
        for number in numbers {
            // SAFETY: the caller's contract.
            unsafe { self.use_one(warp, site, *number, lanes) };
        }
    }

    /// As [`Checker::use_all`] for one register.
    ///
    /// # Safety
    /// The register is one of the warp's code.
    #[inline(always)]
    pub unsafe fn use_one(&mut self, warp: &Warp, site: u32, number: Number, lanes: u32) {
        // SAFETY: the caller's contract.
        let wrong = unsafe { lanes & !valid(warp, number) };
        if wrong != 0 {
            self.report_use(warp, site, number, wrong);
            // SAFETY: as above.
            unsafe { set_valid(warp, number, lanes, !0) };
        }
    }

    #[cold]
    #[inline(never)]
    fn report_use(&mut self, warp: &Warp, site: u32, number: Number, wrong: u32) {
        let blame = self.culprit_of(warp, site, number, wrong);
        let name = warp.block.code.watched.name(number);
        self.report_unwritten(warp, site, name, blame, wrong.trailing_zeros());
    }

    /// What somebody is to blame for counts at instruction `site`, in what has that `name`.
    pub fn report_unwritten(&mut self, warp: &Warp, site: u32, name: &str, blame: Blame, lane: u32) {
        let Some(culprit) = self.registers.culprits.get(blame as usize - 1) else { return };
        let Culprit { line, who, what } = *culprit;
        let (kind, address, message) = match what {
            Unwritten::Register(number) => {
                let name = warp.block.code.watched.name(number);
                let message = format!("register {name} is read, but nothing wrote it");
                (Kind::UnwrittenRegister, None, message)
            }
            Unwritten::Memory { home, address } => {
                let (kind, what) = match home {
                    Home::Global(_) | Home::Param => (Kind::UnwrittenGlobal, "global"),
                    Home::Shared => (Kind::UnwrittenShared, "shared"),
                    Home::Local => (Kind::UnwrittenLocal, "local"),
                };
                let message = format!("read of {what} memory at {address:#x}, which nothing wrote");
                (kind, Some(address), message)
            }
        };
        let used = warp.block.code.watched.list[site as usize].line;
        let user = self.who(warp, lane);
        let counts = || Elsewhere { line: used, who: user, what: format!("it counts here, in {name}") };
        self.findings.add(kind, line, 0, || Found {
            address,
            message,
            other: (used != line).then(counts),
            ..Found::new(kind, line, who)
        });
    }

    /// Who is to blame for a register that `wrong` lanes of instruction `site` read: the instruction itself if
    /// nobody is yet.
    pub fn culprit_of(&mut self, warp: &Warp, site: u32, number: Number, wrong: u32) -> Blame {
        match self.registers.blamed(warp.index, number) {
            INNOCENT => self.read_unwritten(warp, site, Unwritten::Register(number), wrong.trailing_zeros()),
            blame => blame,
        }
    }

    /// Instruction `site` reads what nothing wrote.
    pub fn read_unwritten(&mut self, warp: &Warp, site: u32, what: Unwritten, lane: u32) -> Blame {
        let line = warp.block.code.watched.list[site as usize].line;
        let who = self.who(warp, lane);
        self.registers.culprit(site, Culprit { line, who, what })
    }

    /// As [`Checker::read_unwritten`] for a byte of memory; what was stored there has its own culprit.
    pub fn load_unwritten_byte(
        &mut self,
        warp: &Warp,
        site: u32,
        (home, offset): (Home, u64),
        (address, lane): (u64, u32),
    ) -> Blame {
        match self.registers.stored.get(&(home, offset)) {
            Some(blame) => *blame,
            None => self.read_unwritten(warp, site, Unwritten::Memory { home, address }, lane),
        }
    }

    /// The registers of an instruction some of whose sources are not valid: its results are as valid as they are.
    ///
    /// # Safety
    /// `site` is an instruction of the warp's code.
    #[cold]
    #[inline(never)]
    pub unsafe fn pass_on(&mut self, warp: &Warp, site: u32, lanes: u32) {
        let watched = &warp.block.code.watched.list[site as usize];
        // SAFETY: the caller's contract.
        unsafe {
            if counts(&watched.op) {
                self.use_all(warp, site, &watched.reads, lanes);
                return self.results_are_valid(warp, watched, lanes);
            }
            self.blame_results(warp, site, &watched.reads, &watched.writes, lanes);
            let result = match watched.op {
                Op::Mov | Op::Pack | Op::Unpack => return self.registers.move_bytes(warp, watched, lanes),
                Op::Select => selected(warp, watched),
                _ => watched.reads.iter().fold(!0, |all, read| all & valid(warp, *read)),
            };
            for write in &watched.writes {
                self.registers.set_lanes(warp, *write, lanes, result);
            }
        }
    }

    /// Whoever is to blame for `reads` is to blame for `writes`.
    ///
    /// # Safety
    /// The registers are those of the warp's code.
    pub unsafe fn blame_results(
        &mut self,
        warp: &Warp,
        site: u32,
        reads: &[Number],
        writes: &[Number],
        lanes: u32,
    ) {
        for read in reads {
            // SAFETY: the caller's contract.
            let wrong = unsafe { lanes & !valid(warp, *read) };
            if wrong != 0 {
                let blame = self.culprit_of(warp, site, *read, wrong);
                writes.iter().for_each(|write| self.registers.blame(warp.index, *write, blame));
                return;
            }
        }
    }
}

/// Of a selection the value that is not chosen does not matter.
unsafe fn selected(warp: &Warp, watched: &Watched) -> u32 {
    let [a, b, p] = watched.reads[..] else { return 0 };
    // SAFETY: the caller's contract; the first value is the predicate.
    unsafe {
        let chosen = warp.pred(watched.values[0].slot);
        valid(warp, p) & ((valid(warp, a) & chosen) | (valid(warp, b) & !chosen))
    }
}

/// Whether what an instruction reads decides about more than its results.
fn counts(op: &Op) -> bool {
    matches!(op, Op::BranchIndexed { .. } | Op::Sleep | Op::LooseBarrier(_))
}
