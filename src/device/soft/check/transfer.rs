//! Loads, stores, atomic operations and copies: what they move, and whether somebody wrote it.

use super::bytes::Missing;
use super::checker::Checker;
use super::collect::Found;
use super::finding::Kind;
use super::memory::{Home, Touch};
use super::registers::{Blame, set_valid, valid};
use super::watched::{Mode, Watched};
use crate::device::soft::exec::Warp;
use crate::device::soft::exec::access::read_place;
use crate::ptx::typed::{CopyTail, MbarrierOp, Op};

impl Checker {
    /// An access of an instruction is about to happen.
    ///
    /// # Safety
    /// `watched` belongs to the warp's code.
    #[inline(always)]
    pub unsafe fn transfer(&mut self, warp: &Warp, watched: &Watched, touch: &Touch) {
        self.races(warp, touch);
        // SAFETY: the caller's contract.
        unsafe {
            match touch.mode {
                Mode::Read => self.load(warp, watched, touch),
                Mode::Write => self.store(warp, watched, touch),
                Mode::Atomic => self.update(warp, watched, touch),
                // A copy looks at both of its sides when it comes to the second one.
                Mode::CopySource | Mode::CopyTarget => {}
            }
        }
    }

    /// What a load gets is as valid as the bytes; where they are not, its use is the mistake.
    #[inline(always)]
    unsafe fn load(&mut self, warp: &Warp, watched: &Watched, touch: &Touch) {
        match self.missing(touch) {
            None => {
                for write in &watched.writes {
                    // SAFETY: the caller's contract.
                    unsafe { set_valid(warp, *write, touch.lanes, !0) };
                }
            }
            // SAFETY: as above.
            Some(missing) => unsafe { self.load_unwritten(warp, watched, touch, &missing) },
        }
    }

    #[cold]
    #[inline(never)]
    unsafe fn load_unwritten(&mut self, warp: &Warp, watched: &Watched, touch: &Touch, missing: &Missing) {
        let element = touch.bytes as usize / watched.writes.len().max(1);
        let part = (1u32 << element.min(8)) - 1;
        for (k, write) in watched.writes.iter().enumerate() {
            let bytes = std::array::from_fn(|lane| (u32::from(missing[lane]) >> (k * element) & part) as u8);
            // SAFETY: the caller's contract.
            unsafe { self.registers.set_bytes(warp, *write, touch.lanes, &bytes) };
            let wrong = touch.lanes & lanes_where(|lane| bytes[lane] != 0);
            if wrong != 0 {
                let lane = wrong.trailing_zeros() as usize;
                let byte = (k * element) as u32 + u32::from(bytes[lane]).trailing_zeros();
                let blame = self.blame_memory(warp, touch, lane, byte);
                self.registers.blame(warp.index, *write, blame);
            }
        }
    }

    /// Who is to blame for a byte that a lane reads.
    pub fn blame_memory(&mut self, warp: &Warp, touch: &Touch, lane: usize, byte: u32) -> Blame {
        let place = (touch.home, self.offset(touch, lane) + u64::from(byte));
        let address = self.address(warp, touch, lane) + u64::from(byte);
        self.load_unwritten_byte(warp, touch.site, place, (address, lane as u32))
    }

    /// Shared and local memory may take what is not valid; in global memory it counts as used.
    #[inline(always)]
    unsafe fn store(&mut self, warp: &Warp, watched: &Watched, touch: &Touch) {
        // SAFETY: the caller's contract.
        unsafe {
            let values = &watched.reads[1..];
            let all = values.iter().fold(!0, |all, read| all & valid(warp, *read));
            if touch.lanes & !all == 0 {
                return self.written(touch);
            }
            self.store_unwritten(warp, watched, touch);
        }
    }

    #[cold]
    #[inline(never)]
    unsafe fn store_unwritten(&mut self, warp: &Warp, watched: &Watched, touch: &Touch) {
        let values = &watched.reads[1..];
        let element = touch.bytes as usize / values.len().max(1);
        let part = ((1u32 << element.min(8)) - 1) as u8;
        let mut missing = [0u16; 32];
        for (k, read) in values.iter().enumerate() {
            // SAFETY: the caller's contract.
            let mut bytes = unsafe { self.registers.wrong_bytes(warp, *read, touch.lanes) };
            let all = lanes_where(|lane| bytes[lane] & part == part);
            if let Home::Global(_) = touch.home
                && all != 0
            {
                // What is not valid in part may be the padding of a structure.
                // SAFETY: as above.
                unsafe { self.use_one(warp, touch.site, *read, all) };
                bytes = std::array::from_fn(|lane| if all >> lane & 1 != 0 { 0 } else { bytes[lane] });
            }
            let wrong = lanes_where(|lane| bytes[lane] & part != 0);
            if wrong == 0 {
                continue;
            }
            let blame = self.culprit_of(warp, touch.site, *read, wrong);
            for lane in (0..32).filter(|lane| wrong >> lane & 1 != 0) {
                missing[lane] |= u16::from(bytes[lane] & part) << (k * element);
                let start = self.offset(touch, lane) + (k * element) as u64;
                for byte in (0..8).filter(|byte| (bytes[lane] & part) >> byte & 1 != 0) {
                    self.registers.stored(touch.home, start + byte, blame);
                }
            }
        }
        self.written_in_part(touch, &missing);
    }

    /// An atomic operation uses the memory, and its operands.
    unsafe fn update(&mut self, warp: &Warp, watched: &Watched, touch: &Touch) {
        let begins = matches!(watched.op, Op::Mbarrier { op: MbarrierOp::Init, .. });
        if let Some(missing) = self.missing(touch).filter(|_| !begins) {
            let lane = lanes_where(|lane| missing[lane] != 0).trailing_zeros() as usize;
            let blame = self.blame_memory(warp, touch, lane, missing[lane].trailing_zeros());
            self.report_unwritten(warp, touch.site, "its operation", blame, lane as u32);
        }
        // SAFETY: the caller's contract.
        unsafe {
            self.use_all(warp, touch.site, &watched.reads[1..], touch.lanes);
            for write in &watched.writes {
                set_valid(warp, *write, touch.lanes, !0);
            }
        }
        self.written(touch);
    }

    /// An asynchronous copy: `lanes` copy. The result are the lanes that cannot.
    ///
    /// # Safety
    /// `site` is a copy of the warp's code.
    pub unsafe fn copy(&mut self, warp: &Warp, site: u32, lanes: u32) -> u32 {
        let watched = &warp.block.code.watched.list[site as usize];
        // SAFETY: the caller's contract.
        unsafe {
            let whole = watched.references[0].bytes;
            let sizes = self.sizes(warp, watched, lanes, whole);
            let mut source = watched.references[0];
            let mut missing: Missing = [0; 32];
            let mut bad = lanes_where(|lane| lanes >> lane & 1 != 0 && sizes[lane] > whole);
            // The source is read in sizes that differ from lane to lane, most often one for all.
            let mut left = lanes & !bad & lanes_where(|lane| sizes[lane] > 0);
            while left != 0 {
                source.bytes = sizes[left.trailing_zeros() as usize];
                let same = left & lanes_where(|lane| sizes[lane] == source.bytes);
                bad |= self.reference(warp, site, &source, same, |checker, touch| {
                    for (lane, bytes) in checker.missing(touch).unwrap_or([0; 32]).iter().enumerate() {
                        missing[lane] |= bytes;
                    }
                });
                left &= !same;
            }
            let lanes = lanes & !bad;
            if lanes == 0 {
                return bad;
            }
            let clean = lanes_where(|lane| missing[lane] != 0) == 0;
            bad | self.reference(warp, site, &watched.references[1], lanes, |checker, touch| match clean {
                true => checker.written(touch),
                false => checker.written_in_part(touch, &missing),
            })
        }
    }

    /// Bytes that each lane of a copy reads. Sizes that are too large are reported.
    unsafe fn sizes(&mut self, warp: &Warp, watched: &Watched, lanes: u32, whole: u32) -> [u32; 32] {
        let mut sizes = [whole; 32];
        let Op::CopyAsync { tail, .. } = watched.op else { return sizes };
        for lane in (0..32).filter(|lane| lanes >> lane & 1 != 0) {
            // SAFETY: the caller's contract.
            let size = unsafe {
                match tail {
                    CopyTail::None => whole,
                    CopyTail::SourceBytes => read_place(warp, watched.values[0], lane) as u32,
                    CopyTail::Ignore => match warp.pred(watched.values[0].slot) >> lane & 1 {
                        0 => whole,
                        _ => 0,
                    },
                }
            };
            sizes[lane] = size;
            if size > whole {
                let (kind, line, who) = (Kind::CopySize, watched.line, self.who(warp, lane as u32));
                self.findings.add(kind, line, 0, || Found {
                    message: format!("source size {size} exceeds the copy's {whole} bytes"),
                    ..Found::new(kind, line, who)
                });
            }
        }
        sizes
    }
}

/// The lanes for which something is true.
pub fn lanes_where(is: impl Fn(usize) -> bool) -> u32 {
    (0..32).filter(|lane| is(*lane)).fold(0, |lanes, lane| lanes | 1 << lane)
}
