//! Device memory: allocation, copies to and from the host, filling. All in the order of one stream.

use super::context::Stream;
use super::failure::{Failure, code};
use super::probe::Found;
use super::staging::Staging;
use crate::device::{DeviceError, Result};
use cudarc::driver::sys::{CUdevice, CUmemPool_attribute};
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::{Arc, Mutex, PoisonError};

/// The memory of one device, as one stream sees it.
pub struct Memory {
    stream: Arc<Stream>,
    /// Whether the device has pools, which make allocation and freeing part of the stream's order.
    pooled: bool,
    /// The device's name, for messages.
    name: String,
    /// Made at the first copy.
    staging: Mutex<Option<Staging>>,
}

impl Memory {
    pub fn new(stream: Arc<Stream>, found: &Found) -> Result<Memory> {
        if found.pools {
            keep_freed_memory(&stream, found.device)?;
        }
        Ok(Memory { stream, pooled: found.pools, name: found.to_string(), staging: Mutex::new(None) })
    }

    /// At least `bytes` of memory, aligned to 256 bytes; never address 0, even for no bytes.
    pub fn alloc(&self, bytes: usize) -> Result<u64> {
        let driver = self.stream.context.bind()?;
        let mut address = 0;
        // The driver refuses an allocation of nothing.
        let size = bytes.max(1);
        let status = if self.pooled {
            // SAFETY: `address` is a valid place for the result, and the stream lives.
            unsafe { driver.cuMemAllocAsync(&mut address, size, self.stream.handle) }
        } else {
            // SAFETY: `address` is a valid place for the result.
            unsafe { driver.cuMemAlloc_v2(&mut address, size) }
        };
        match status {
            Ok(()) => Ok(address),
            Err(failure) if failure.code == code::OUT_OF_MEMORY => Err(self.out_of_memory(bytes)),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Gives memory back once the work queued so far is done. An error here means that the context is lost,
    /// which the next call with a result reports.
    pub fn free(&self, address: u64) {
        let Ok(driver) = self.stream.context.bind() else { return };
        if self.pooled {
            // SAFETY: `address` came from `alloc`, and its one owner gives it up.
            let _ = unsafe { driver.cuMemFreeAsync(address, self.stream.handle) };
        } else {
            let _ = self.stream.synchronize();
            // SAFETY: as above, and no queued work uses it any more.
            let _ = unsafe { driver.cuMemFree_v2(address) };
        }
    }

    /// Queues a copy to the device; `data` may change as soon as this returns.
    pub fn write(&self, address: u64, data: &[u8]) -> Result<()> {
        self.with_staging(|staging| staging.write(&self.stream, address, data))
    }

    /// Copies from the device after all queued work.
    pub fn read(&self, address: u64, data: &mut [u8]) -> Result<()> {
        self.with_staging(|staging| staging.read(&self.stream, address, data))
    }

    /// Queues setting `bytes` bytes.
    pub fn fill(&self, address: u64, byte: u8, bytes: usize) -> Result<()> {
        if bytes == 0 {
            return Ok(());
        }
        let driver = self.stream.context.bind()?;
        // SAFETY: the caller's range is within an allocation (a `Buffer` owns it).
        Ok(unsafe { driver.cuMemsetD8Async(address, byte, bytes, self.stream.handle) }?)
    }

    fn with_staging(&self, copy: impl FnOnce(&mut Staging) -> Result<(), Failure>) -> Result<()> {
        // A panic in another thread's copy leaves the staging memory usable.
        let mut staging = self.staging.lock().unwrap_or_else(PoisonError::into_inner);
        if staging.is_none() {
            *staging = Some(Staging::new(&self.stream.context)?);
        }
        Ok(staging.as_mut().map_or(Ok(()), copy)?)
    }

    fn out_of_memory(&self, bytes: usize) -> DeviceError {
        let (mut free, mut total) = (0, 0);
        // SAFETY: both are valid places for the results; the context was bound by the failed allocation.
        let known = unsafe { self.stream.context.driver.cuMemGetInfo_v2(&mut free, &mut total) }.is_ok();
        let device = match known {
            true => format!("{}, where {} MiB of {} MiB are free", self.name, free >> 20, total >> 20),
            false => self.name.clone(),
        };
        DeviceError::OutOfMemory { wanted: bytes as u64, device }
    }
}

/// By default a pool returns unused memory to the system at each synchronisation, and the next allocation
/// pays for it again.
fn keep_freed_memory(stream: &Stream, device: CUdevice) -> Result<(), Failure> {
    let driver = stream.context.bind()?;
    let mut pool = null_mut();
    let mut threshold = u64::MAX;
    let attribute = CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
    // SAFETY: `pool` is a valid place for the result, the driver gave `device`, and the attribute is a u64.
    unsafe {
        driver.cuDeviceGetDefaultMemPool(&mut pool, device)?;
        driver.cuMemPoolSetAttribute(pool, attribute, (&raw mut threshold).cast::<c_void>())
    }
}
