//! The bytes of an access: which of them somebody has written.

use super::checker::Checker;
use super::memory::{Home, Touch};
use super::written::Written;
use crate::device::soft::exec::Warp;

/// Lanes that lie within so many bytes are looked at together.
const NEAR: u64 = 4096;

/// For each lane which of its bytes nobody has written.
pub type Missing = [u16; 32];

impl Checker {
    /// Which bytes of an access nobody has written; `None` if all are.
    #[inline(always)]
    pub fn missing(&self, touch: &Touch) -> Option<Missing> {
        let written = match touch.home {
            Home::Global(index) => self.shadow.written.get(index)?,
            Home::Shared => &self.shared,
            Home::Local => &self.local,
            Home::Param => return None,
        };
        if written.is_complete() {
            return None;
        }
        let (start, end) = touch.span;
        let near = touch.home != Home::Local && end - start < NEAR;
        if near && written.has(start, end - start) {
            return None;
        }
        let mut missing = [0; 32];
        let mut any = 0;
        for (lane, missing) in missing.iter_mut().enumerate() {
            if touch.lanes >> lane & 1 != 0 {
                *missing = written.missing(self.offset(touch, lane), touch.bytes);
                any |= *missing;
            }
        }
        (any != 0).then_some(missing)
    }

    /// An access writes all its bytes.
    #[inline(always)]
    pub fn written(&mut self, touch: &Touch) {
        let rows = touch.rows && touch.home != Home::Local;
        let local = (u64::from(touch.warp) * 32, self.local_bytes);
        let Some(written) = self.written_at(touch.home).filter(|written| !written.is_complete()) else {
            return;
        };
        if rows {
            return written.add(touch.offsets[0], 32 * u64::from(touch.bytes));
        }
        for lane in (0..32).filter(|lane| touch.lanes >> lane & 1 != 0) {
            let start = if touch.home == Home::Local { (local.0 + lane as u64) * local.1 } else { 0 };
            written.add(start + touch.offsets[lane], u64::from(touch.bytes));
        }
    }

    /// An access writes, and some of what it writes is not valid.
    #[cold]
    pub fn written_in_part(&mut self, touch: &Touch, missing: &Missing) {
        for lane in (0..32).filter(|lane| touch.lanes >> lane & 1 != 0) {
            let offset = self.offset(touch, lane);
            if let Some(written) = self.written_at(touch.home) {
                written.set(offset, touch.bytes, missing[lane]);
            }
        }
    }

    /// Where a lane's bytes are in the record of what is written.
    #[inline(always)]
    pub fn offset(&self, touch: &Touch, lane: usize) -> u64 {
        match touch.home {
            Home::Local => {
                (u64::from(touch.warp) * 32 + lane as u64) * self.local_bytes + touch.offsets[lane]
            }
            _ => touch.offsets[lane],
        }
    }

    #[inline(always)]
    fn written_at(&mut self, home: Home) -> Option<&mut Written> {
        match home {
            Home::Global(index) => self.shadow.written.get_mut(index),
            Home::Shared => Some(&mut self.shared),
            Home::Local => Some(&mut self.local),
            Home::Param => None,
        }
    }

    /// The address of a lane of an access, for people.
    pub fn address(&self, warp: &Warp, touch: &Touch, lane: usize) -> u64 {
        match touch.home {
            Home::Global(index) => warp.block.regions[index].lo + touch.offsets[lane],
            _ => touch.offsets[lane],
        }
    }
}
