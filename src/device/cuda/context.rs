//! The context of a device, and the streams and events in it.
//!
//! Whatever lives in a context holds it by an `Arc`, so that the context is released last.

use super::driver::Driver;
use super::failure::Failure;
use super::probe::Found;
use cudarc::driver::sys::{CUcontext, CUdevice, CUevent, CUevent_flags, CUstream, CUstream_flags};
use std::ptr::null_mut;
use std::sync::Arc;
use std::time::Duration;

/// A device's primary context, which all CUDA users of the process share.
pub struct Context {
    pub driver: &'static Driver,
    device: CUdevice,
    handle: CUcontext,
}

// SAFETY: the driver takes calls from any thread; `bind` makes the context current on the calling one.
unsafe impl Send for Context {}
// SAFETY: as above.
unsafe impl Sync for Context {}

impl Context {
    pub fn retain(driver: &'static Driver, found: &Found) -> Result<Arc<Context>, Failure> {
        let mut handle = null_mut();
        // SAFETY: `handle` is a valid place for the result, and the driver gave `device`.
        unsafe { driver.cuDevicePrimaryCtxRetain(&mut handle, found.device) }?;
        Ok(Arc::new(Context { driver, device: found.device, handle }))
    }

    /// Makes the context current on this thread, as calls that name no stream need it, and gives the driver.
    pub fn bind(&self) -> Result<&'static Driver, Failure> {
        // SAFETY: the context is retained for as long as `self` lives.
        unsafe { self.driver.cuCtxSetCurrent(self.handle) }?;
        Ok(self.driver)
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: pairs with the retain; everything in the context holds an `Arc` of it and is gone.
        let _ = unsafe { self.driver.cuDevicePrimaryCtxRelease_v2(self.device) };
    }
}

/// A queue of device work that is done in order.
pub struct Stream {
    pub context: Arc<Context>,
    pub handle: CUstream,
}

// SAFETY: a stream takes work from any thread; the driver locks it.
unsafe impl Send for Stream {}
// SAFETY: as above.
unsafe impl Sync for Stream {}

impl Stream {
    /// A stream that does not wait for the legacy default stream.
    pub fn new(context: &Arc<Context>) -> Result<Stream, Failure> {
        let mut handle = null_mut();
        let flags = CUstream_flags::CU_STREAM_NON_BLOCKING as u32;
        // SAFETY: the context is bound, and `handle` is a valid place for the result.
        unsafe { context.bind()?.cuStreamCreate(&mut handle, flags) }?;
        Ok(Stream { context: context.clone(), handle })
    }

    /// Waits until all work queued so far is done.
    pub fn synchronize(&self) -> Result<(), Failure> {
        // SAFETY: the stream lives as long as `self`.
        unsafe { self.context.bind()?.cuStreamSynchronize(self.handle) }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Ok(driver) = self.context.bind() {
            // SAFETY: no one else has the handle; the driver lets queued work finish.
            let _ = unsafe { driver.cuStreamDestroy_v2(self.handle) };
        }
    }
}

/// A point in a stream's work.
pub struct Event {
    context: Arc<Context>,
    handle: CUevent,
}

// SAFETY: an event may be recorded and waited for from any thread.
unsafe impl Send for Event {}
// SAFETY: as above.
unsafe impl Sync for Event {}

impl Event {
    /// An event that is cheap because it notes no time.
    pub fn new(context: &Arc<Context>) -> Result<Event, Failure> {
        Event::with_flags(context, CUevent_flags::CU_EVENT_DISABLE_TIMING)
    }

    /// An event that notes the time at which the stream comes to it.
    pub fn timed(context: &Arc<Context>) -> Result<Event, Failure> {
        Event::with_flags(context, CUevent_flags::CU_EVENT_DEFAULT)
    }

    fn with_flags(context: &Arc<Context>, flags: CUevent_flags) -> Result<Event, Failure> {
        let mut handle = null_mut();
        // SAFETY: the context is bound, and `handle` is a valid place for the result.
        unsafe { context.bind()?.cuEventCreate(&mut handle, flags as u32) }?;
        Ok(Event { context: context.clone(), handle })
    }

    /// Places the event after all work queued on `stream` so far.
    pub fn record(&self, stream: &Stream) -> Result<(), Failure> {
        // SAFETY: both live, and are of the same context.
        unsafe { self.context.bind()?.cuEventRecord(self.handle, stream.handle) }
    }

    /// Waits until the stream has come to the event; at once if it was never recorded.
    pub fn synchronize(&self) -> Result<(), Failure> {
        // SAFETY: the event lives as long as `self`.
        unsafe { self.context.bind()?.cuEventSynchronize(self.handle) }
    }

    /// Time from this event to `end`, both timed and over.
    pub fn elapsed(&self, end: &Event) -> Result<Duration, Failure> {
        let mut milliseconds = 0f32;
        // SAFETY: both live, and `milliseconds` is a valid place for the result.
        unsafe { self.context.bind()?.cuEventElapsedTime(&mut milliseconds, self.handle, end.handle) }?;
        Ok(Duration::from_secs_f64(f64::from(milliseconds.max(0.0)) / 1e3))
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        if let Ok(driver) = self.context.bind() {
            // SAFETY: no one else has the handle.
            let _ = unsafe { driver.cuEventDestroy_v2(self.handle) };
        }
    }
}
