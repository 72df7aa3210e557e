//! The CUDA device, through libcuda.
//!
//! Needs the NVIDIA driver (525 or newer) and nothing else. cudarc finds the library; [`probe`] says what
//! is there without ever panicking. One stream carries all work, so that it is done in the order in which
//! it was queued; a recorded list of launches is one CUDA graph.

mod context;
mod driver;
mod failure;
mod graph;
mod jit_log;
mod memory;
mod module;
mod probe;
mod queue;
mod staging;

pub use failure::Failure;
pub use module::{Attributes, Code};
pub use probe::{Absent, Found, OLDEST_CAPABILITY, Version, probe};

use super::{Backend, DeviceError, Kernel, Launch, Replay, Result};
use context::{Context, Event, Stream};
use driver::Driver;
use memory::Memory;
use module::Modules;
use queue::Queue;
use std::sync::Arc;
use std::time::Duration;

/// A CUDA device.
pub struct Cuda {
    found: Found,
    queue: Arc<Queue>,
    memory: Memory,
}

impl Cuda {
    /// Card number `ordinal` of the driver.
    ///
    /// # Errors
    /// [`DeviceError::Unavailable`] with what was looked for and what was found.
    pub fn new(ordinal: usize) -> Result<Cuda> {
        let found = find(ordinal)?;
        let driver = Driver::open().map_err(unavailable)?;
        let context = Context::retain(driver, &found)?;
        let stream = Arc::new(Stream::new(&context)?);
        let memory = Memory::new(stream.clone(), &found)?;
        let modules = Modules::new(context, &found);
        Ok(Cuda { found, queue: Arc::new(Queue { stream, modules }), memory })
    }

    /// What the driver says of `kernel`; loads it if it is not loaded yet.
    pub fn attributes(&self, kernel: &'static Kernel) -> Result<Attributes> {
        Ok(self.queue.modules.function(kernel)?.attributes)
    }
}

/// The card, if it can run the kernels.
fn find(ordinal: usize) -> Result<Found> {
    let cards = probe().map_err(unavailable)?;
    let Some(found) = cards.iter().find(|card| card.ordinal == ordinal) else {
        let names: Vec<_> = cards.iter().map(Found::to_string).collect();
        let list = names.join(", ");
        return Err(DeviceError::Unavailable(format!("there is no cuda:{ordinal}; the driver has {list}")));
    };
    if !found.usable() {
        return Err(DeviceError::Unavailable(format!(
            "{found} cannot run the kernels, which need sm_{OLDEST_CAPABILITY} or newer; use --device soft"
        )));
    }
    Ok(found.clone())
}

fn unavailable(absent: Absent) -> DeviceError {
    DeviceError::Unavailable(absent.to_string())
}

impl Backend for Cuda {
    fn name(&self) -> String {
        self.found.to_string()
    }

    fn alloc(&self, bytes: usize) -> Result<u64> {
        self.memory.alloc(bytes)
    }

    fn free(&self, address: u64) {
        self.memory.free(address);
    }

    fn write(&self, address: u64, data: &[u8]) -> Result<()> {
        self.memory.write(address, data)
    }

    fn read(&self, address: u64, data: &mut [u8]) -> Result<()> {
        self.memory.read(address, data)
    }

    fn fill(&self, address: u64, byte: u8, bytes: usize) -> Result<()> {
        self.memory.fill(address, byte, bytes)
    }

    fn prepare(&self, kernel: &'static Kernel) -> Result<()> {
        self.queue.modules.function(kernel).map(drop)
    }

    fn launch(&self, launch: &Launch) -> Result<()> {
        self.queue.launch(launch)
    }

    fn record(&self, launches: Vec<Launch>) -> Result<Box<dyn Replay>> {
        graph::record(&self.queue, launches)
    }

    fn synchronize(&self) -> Result<()> {
        Ok(self.queue.stream.synchronize()?)
    }

    fn time(&self, work: &mut dyn FnMut() -> Result<()>) -> Result<Duration> {
        let stream = &self.queue.stream;
        let (start, end) = (Event::timed(&stream.context)?, Event::timed(&stream.context)?);
        start.record(stream)?;
        work()?;
        end.record(stream)?;
        end.synchronize()?;
        Ok(start.elapsed(&end)?)
    }

    fn multiprocessors(&self) -> u32 {
        self.found.multiprocessors
    }
}
