//! Host copies through pinned memory.
//!
//! A copy from ordinary memory makes the driver wait for the stream. Two pinned slots, used in turn, let
//! the host fill one while the device reads the other; a write returns without waiting for the device
//! unless both slots are in use.

use super::context::{Context, Event, Stream};
use super::failure::Failure;
use std::ffi::c_void;
use std::ptr::null_mut;
use std::slice;
use std::sync::Arc;

/// Large enough for the full rate of the bus, small enough to be had on any machine.
const SLOT_BYTES: usize = 4 << 20;

/// Two pinned slots.
pub struct Staging {
    slots: [Slot; 2],
    next: usize,
}

impl Staging {
    pub fn new(context: &Arc<Context>) -> Result<Staging, Failure> {
        Ok(Staging { slots: [Slot::new(context)?, Slot::new(context)?], next: 0 })
    }

    /// Queues a copy of `data` to `address`. All of `data` is read before this returns.
    pub fn write(&mut self, stream: &Stream, address: u64, data: &[u8]) -> Result<(), Failure> {
        let mut address = address;
        for chunk in data.chunks(SLOT_BYTES) {
            let slot = &mut self.slots[self.next];
            slot.bytes_when_free(chunk.len())?.copy_from_slice(chunk);
            slot.send(stream, address, chunk.len())?;
            address += chunk.len() as u64;
            self.next = 1 - self.next;
        }
        Ok(())
    }

    /// Copies from `address` after all work queued on `stream`, and waits for it.
    pub fn read(&mut self, stream: &Stream, address: u64, data: &mut [u8]) -> Result<(), Failure> {
        let mut address = address;
        let mut under_way = None;
        for chunk in data.chunks_mut(SLOT_BYTES) {
            let index = self.next;
            self.next = 1 - index;
            self.slots[index].receive(stream, address, chunk.len())?;
            address += chunk.len() as u64;
            if let Some((index, chunk)) = under_way.replace((index, chunk)) {
                self.finish(index, chunk)?;
            }
        }
        match under_way {
            Some((index, chunk)) => self.finish(index, chunk),
            None => Ok(()),
        }
    }

    /// Copies what a slot received, once it is there.
    fn finish(&mut self, index: usize, chunk: &mut [u8]) -> Result<(), Failure> {
        chunk.copy_from_slice(self.slots[index].bytes_when_free(chunk.len())?);
        Ok(())
    }
}

/// Pinned memory, and the event after which the device has no more to do with it.
struct Slot {
    context: Arc<Context>,
    host: *mut u8,
    free: Event,
}

// SAFETY: the pinned memory has one owner, and all contexts of the process may use it.
unsafe impl Send for Slot {}

impl Slot {
    fn new(context: &Arc<Context>) -> Result<Slot, Failure> {
        let free = Event::new(context)?;
        let mut host: *mut c_void = null_mut();
        // SAFETY: `host` is a valid place for the result. Flags 0: cached, because the host reads it too.
        unsafe { context.bind()?.cuMemHostAlloc(&mut host, SLOT_BYTES, 0) }?;
        Ok(Slot { context: context.clone(), host: host.cast(), free })
    }

    /// The first `len` bytes, after waiting until the device is done with them.
    fn bytes_when_free(&mut self, len: usize) -> Result<&mut [u8], Failure> {
        assert!(len <= SLOT_BYTES, "a chunk is no larger than a slot");
        self.free.synchronize()?;
        // SAFETY: the slot has `SLOT_BYTES` bytes, which the driver zeroed or a copy has written, the device
        // is done with them, and `&mut self` keeps others away.
        Ok(unsafe { slice::from_raw_parts_mut(self.host, len) })
    }

    fn send(&mut self, stream: &Stream, address: u64, len: usize) -> Result<(), Failure> {
        let driver = self.context.bind()?;
        // SAFETY: the slot holds `len` bytes that stay until `free` is over; the device range is within an
        // allocation of the caller's.
        unsafe { driver.cuMemcpyHtoDAsync_v2(address, self.host.cast(), len, stream.handle) }?;
        self.free.record(stream)
    }

    fn receive(&mut self, stream: &Stream, address: u64, len: usize) -> Result<(), Failure> {
        // The slot's last copy is earlier in the same stream, so that this one cannot overtake it.
        let driver = self.context.bind()?;
        // SAFETY: as for `send`, with the roles exchanged.
        unsafe { driver.cuMemcpyDtoHAsync_v2(self.host.cast(), address, len, stream.handle) }?;
        self.free.record(stream)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let _ = self.free.synchronize();
        if let Ok(driver) = self.context.bind() {
            // SAFETY: the device is done with the memory, and no one else has its address.
            let _ = unsafe { driver.cuMemFreeHost(self.host.cast()) };
        }
    }
}
