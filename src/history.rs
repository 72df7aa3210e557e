//! Numbers of the last steps, written by the device and read by the host many at once.

use crate::device::{Buffer, DType, Device, Result};
use crate::graph::{Tape, Tensor};
use std::ops::Range;
use std::sync::Arc;

/// A ring of f32 in device memory: the number of step s is at s modulo its length. Reading it waits for the
/// device, so it is read once in many steps.
#[derive(Clone)]
pub struct History {
    buffer: Arc<Buffer>,
    len: usize,
}

impl History {
    /// A ring for the numbers of at least `steps` steps; its length is a power of two.
    pub fn new(device: &Device, steps: usize) -> Result<History> {
        let len = steps.next_power_of_two();
        Ok(History { buffer: Arc::new(device.alloc_zeroed::<f32>(len)?), len })
    }

    /// How many steps it holds.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The ring on a tape, f32 `[len]`.
    pub fn tensor(&self, tape: &mut Tape) -> Tensor {
        tape.resident(&self.buffer, 0, &[self.len], DType::F32)
    }

    /// The length less 1: a step's place is its number and this.
    pub fn mask(&self) -> u32 {
        self.len as u32 - 1
    }

    /// The numbers of `steps`, after all queued work.
    ///
    /// # Panics
    /// If the ring does not hold so many.
    pub fn read(&self, steps: Range<u64>) -> Result<Vec<f32>> {
        let count = steps.end.saturating_sub(steps.start);
        assert!(count <= self.len as u64, "{count} steps of a history of {}", self.len);
        let ring = self.buffer.to_vec::<f32>()?;
        Ok(steps.map(|step| ring[(step % self.len as u64) as usize]).collect())
    }
}
