//! The memory of temporaries.

use super::plan::Plan;
use crate::device::{Buffer, Device, Result};

/// Where temporaries live.
pub(super) enum Temporaries {
    /// One arena, at the offsets of the plan.
    Arena { arena: Buffer, offsets: Vec<Option<usize>> },
    /// By value number: each has memory of its own, so that a device can tell when a kernel leaves it.
    Apart(Vec<Option<Buffer>>),
}

impl Temporaries {
    pub fn new(device: &Device, plan: &Plan) -> Result<Temporaries> {
        if device.isolates() {
            let apart = plan.sizes.iter().map(|size| size.map(|bytes| device.alloc::<u8>(bytes)).transpose());
            return Ok(Temporaries::Apart(apart.collect::<Result<_>>()?));
        }
        // An empty arena is no allocation on a GPU.
        let arena = device.alloc::<u8>(plan.bytes.max(1))?;
        Ok(Temporaries::Arena { arena, offsets: plan.offsets.clone() })
    }

    /// The buffer that a temporary lies in, and the offset of its first byte.
    pub fn get(&self, id: u32) -> Option<(&Buffer, usize)> {
        match self {
            Temporaries::Arena { arena, offsets } => Some((arena, offsets[id as usize]?)),
            Temporaries::Apart(buffers) => Some((buffers[id as usize].as_ref()?, 0)),
        }
    }

    /// Makes every byte undefined.
    pub fn poison(&self) -> Result<()> {
        match self {
            Temporaries::Arena { arena, .. } => arena.poison(),
            Temporaries::Apart(buffers) => buffers.iter().flatten().try_for_each(Buffer::poison),
        }
    }
}
