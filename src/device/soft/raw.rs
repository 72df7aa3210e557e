//! The software device by bare addresses, without owners: what a driver on top of it needs.

use super::lower::Code;
use super::{Program, Soft};
use crate::device::{Backend, DeviceError, Result};
use std::ops::Range;

impl Soft {
    /// Worker threads, the launching one included.
    pub fn threads(&self) -> usize {
        self.0.pool.threads()
    }

    /// Address of `bytes` fresh bytes, which stay until [`Soft::release`].
    ///
    /// # Errors
    /// [`DeviceError::OutOfMemory`].
    pub fn allocate(&self, bytes: usize) -> Result<u64> {
        self.alloc(bytes)
    }

    /// Frees the allocation, or ends the loan, that begins at `address`; nothing if there is none.
    pub fn release(&self, address: u64) {
        self.free(address);
    }

    /// Lets kernels and copies use `bytes` bytes of host memory at the host's own address; `false` if they
    /// overlap with other memory of the device.
    ///
    /// # Safety
    /// The memory stays valid, and nothing else uses it while a kernel runs, until [`Soft::release`].
    pub unsafe fn borrow(&self, host: *mut u8, bytes: u64) -> bool {
        self.0.lock().memory.borrow(host, bytes)
    }

    /// The allocation or loan that `address` lies in.
    pub fn allocation(&self, address: u64) -> Option<Range<u64>> {
        let state = self.0.lock();
        let region = super::memory::find(state.memory.regions(), address, 1)?;
        Some(region.lo..region.lo + region.len)
    }

    /// Copies from the host.
    ///
    /// # Errors
    /// [`DeviceError::BadCopy`] if the target is not inside one allocation.
    pub fn copy_in(&self, to: u64, from: &[u8]) -> Result<()> {
        self.write(to, from)
    }

    /// Copies to the host.
    ///
    /// # Errors
    /// [`DeviceError::BadCopy`] if the source is not inside one allocation.
    pub fn copy_out(&self, from: u64, to: &mut [u8]) -> Result<()> {
        self.read(from, to)
    }

    /// Copies within the device; the ranges may overlap.
    ///
    /// # Errors
    /// [`DeviceError::BadCopy`] if a range is not inside one allocation.
    pub fn copy_within(&self, to: u64, from: u64, bytes: usize) -> Result<()> {
        let mut state = self.0.lock();
        let (target, source) = (to, from);
        let host = |address| {
            let bytes = bytes as u64;
            state.memory.host(address, bytes).ok_or(DeviceError::BadCopy { address, bytes })
        };
        let (to, from) = (host(to)?, host(from)?);
        // SAFETY: both have that many bytes, and the lock keeps kernels away.
        unsafe { std::ptr::copy(from, to, bytes) };
        state.memory.host_copied(target, source, bytes as u64);
        Ok(())
    }

    /// Writes `pattern` `count` times, one behind the other.
    ///
    /// # Errors
    /// [`DeviceError::BadCopy`] if the target is not inside one allocation.
    pub fn fill_with(&self, address: u64, pattern: &[u8], count: usize) -> Result<()> {
        match pattern {
            [byte] => self.fill(address, *byte, count),
            _ => self.write(address, &pattern.repeat(count)),
        }
    }
}

/// One `.entry` as a launch sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryShape {
    pub name: String,
    pub params: Vec<EntryParam>,
    /// Bytes of all parameters.
    pub param_bytes: u32,
    /// Static shared memory of a block.
    pub shared_bytes: u32,
    /// Local memory of a thread.
    pub local_bytes: u32,
    /// 32-bit registers that the software device keeps for a thread.
    pub registers: u32,
    /// `.reqntid`: exactly this block.
    pub required_block: Option<[u32; 3]>,
    /// `.reqnctapercluster`: clusters of exactly so many blocks.
    pub required_cluster: Option<[u32; 3]>,
    /// `.maxntid`: at most so many threads.
    pub max_threads: Option<u64>,
}

/// A parameter's place in the parameter block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryParam {
    pub offset: u32,
    pub bytes: u32,
}

impl EntryShape {
    fn new(code: &Code) -> EntryShape {
        let params = code.params.iter();
        EntryShape {
            name: code.name.clone(),
            params: params.map(|p| EntryParam { offset: p.offset, bytes: p.bytes }).collect(),
            param_bytes: code.param_bytes,
            shared_bytes: code.shared_bytes,
            local_bytes: code.local_bytes,
            registers: code.slots as u32,
            required_block: code.required_block,
            required_cluster: code.required_cluster,
            max_threads: code.max_threads,
        }
    }
}

impl Program {
    /// The `.version` of the text: 80 for 8.0.
    pub fn version(&self) -> u32 {
        self.module.version
    }

    /// Every entry, by name.
    pub fn entries(&self) -> Vec<EntryShape> {
        let mut entries: Vec<_> = self.module.entries().map(EntryShape::new).collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        entries
    }

    /// Address and bytes of a `.global` or `.const` variable.
    pub fn variable(&self, name: &str) -> Option<(u64, u64)> {
        let placed = self.module.variables.iter().find(|variable| variable.name == name)?;
        Some((placed.address, placed.bytes))
    }
}
