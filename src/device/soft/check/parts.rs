//! Registers that are valid in some of their bytes: a structure with padding, copied as a whole.

use super::registers::{Registers, set_valid, valid};
use super::transfer::lanes_where;
use super::watched::{Number, Watched};
use crate::device::soft::exec::Warp;
use std::collections::HashMap;

/// For each lane which bytes of a register are not valid; bits beyond the register's width mean nothing.
pub type Bytes = [u8; 32];

/// The registers that are valid in part, by warp; all others are valid or not as a whole.
#[derive(Debug, Default)]
pub struct Parts(HashMap<(u32, Number), Bytes>);

impl Parts {
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Which bytes are not valid, in the lanes of `wrong`, in which the register is not.
    fn of(&self, warp: u32, number: Number, wrong: u32) -> Bytes {
        let parts = self.0.get(&(warp, number));
        std::array::from_fn(|lane| match (wrong >> lane & 1, parts) {
            (0, _) => 0,
            (_, Some(bytes)) if bytes[lane] != 0 => bytes[lane],
            _ => 0xFF,
        })
    }

    fn set(&mut self, warp: u32, number: Number, bytes: Bytes) {
        // Nothing is said of those that are wrong as a whole.
        if bytes.iter().all(|bytes| matches!(bytes, 0 | 0xFF)) {
            self.0.remove(&(warp, number));
        } else {
            self.0.insert((warp, number), bytes);
        }
    }
}

impl Registers {
    /// Which bytes of a register are not valid, in `lanes`.
    ///
    /// # Safety
    /// The register is one of the warp's code.
    pub unsafe fn wrong_bytes(&self, warp: &Warp, number: Number, lanes: u32) -> Bytes {
        // SAFETY: the caller's contract.
        let wrong = lanes & unsafe { !valid(warp, number) };
        self.parts.of(warp.index, number, wrong)
    }

    /// Says which bytes of a register are not valid, in `lanes`.
    ///
    /// # Safety
    /// As for [`Registers::wrong_bytes`].
    pub unsafe fn set_bytes(&mut self, warp: &Warp, number: Number, lanes: u32, bytes: &Bytes) {
        // SAFETY: the caller's contract.
        unsafe {
            let mut all = self.wrong_bytes(warp, number, !lanes);
            for lane in (0..32).filter(|lane| lanes >> lane & 1 != 0) {
                all[lane] = bytes[lane];
            }
            self.parts.set(warp.index, number, all);
            set_valid(warp, number, lanes, lanes_where(|lane| bytes[lane] == 0));
        }
    }

    /// Says in which of `lanes` all of a register is valid; in the others nothing of it is.
    ///
    /// # Safety
    /// As for [`Registers::wrong_bytes`].
    pub unsafe fn set_lanes(&mut self, warp: &Warp, number: Number, lanes: u32, valid: u32) {
        let bytes = std::array::from_fn(|lane| if valid >> lane & 1 != 0 { 0 } else { 0xFF });
        // SAFETY: the caller's contract.
        unsafe { self.set_bytes(warp, number, lanes, &bytes) };
    }

    /// A move of whole registers, or one that takes a register apart or puts one together, in `lanes`.
    ///
    /// # Safety
    /// `watched` belongs to the warp's code.
    pub unsafe fn move_bytes(&mut self, warp: &Warp, watched: &Watched, lanes: u32) {
        let (reads, writes) = (&watched.reads, &watched.writes);
        let count = reads.len().max(writes.len());
        let wide = if reads.len() == 1 { reads[0] } else { writes[0] };
        let width = warp.block.code.watched.bytes(wide) / count as u32;
        let part = (1u32 << width) - 1;
        // SAFETY: the caller's contract.
        unsafe {
            let wrong = reads.iter().enumerate().map(|(k, read)| {
                let bytes = self.wrong_bytes(warp, *read, lanes);
                (k as u32 * width, bytes)
            });
            let wrong: Vec<(u32, Bytes)> = wrong.collect();
            let joined = |lane: usize| match &wrong[..] {
                [(_, bytes)] => u32::from(bytes[lane]),
                parts => parts.iter().fold(0, |all, (at, bytes)| all | (u32::from(bytes[lane]) & part) << at),
            };
            for (k, write) in writes.iter().enumerate() {
                let at = if writes.len() > 1 { k as u32 * width } else { 0 };
                let kept = if writes.len() > 1 { part } else { 0xFF };
                let result = std::array::from_fn(|lane| (joined(lane) >> at & kept) as u8);
                self.set_bytes(warp, *write, lanes, &result);
            }
        }
    }
}
