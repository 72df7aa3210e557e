//! A list of launches as one CUDA graph.

use super::context::{Context, Stream};
use super::failure::{Failure, code};
use super::queue::Queue;
use crate::device::{Launch, Replay, Result};
use cudarc::driver::sys::{CUgraph, CUgraphExec, CUstreamCaptureMode};
use std::ptr::null_mut;
use std::sync::Arc;

/// Records `launches`; a loop where the driver cannot make a graph of them.
pub fn record(queue: &Arc<Queue>, launches: Vec<Launch>) -> Result<Box<dyn Replay>> {
    // Loading a module is not allowed during a capture.
    for launch in &launches {
        queue.modules.function(launch.kernel)?;
    }
    match capture(queue, &launches)? {
        Some(executable) => Ok(Box::new(Recorded { queue: queue.clone(), executable })),
        None => Ok(Box::new(Loop { queue: queue.clone(), launches })),
    }
}

/// An instantiated graph. Holds the queue, and so the modules that its nodes are of.
struct Recorded {
    queue: Arc<Queue>,
    executable: Executable,
}

impl Replay for Recorded {
    fn run(&self) -> Result<()> {
        let stream = &self.queue.stream;
        let driver = stream.context.bind()?;
        // SAFETY: graph and stream live, and are of the same context. Runs of one graph on one stream are in
        // order.
        Ok(unsafe { driver.cuGraphLaunch(self.executable.handle, stream.handle) }?)
    }
}

/// The launches one by one.
struct Loop {
    queue: Arc<Queue>,
    launches: Vec<Launch>,
}

impl Replay for Loop {
    fn run(&self) -> Result<()> {
        self.launches.iter().try_for_each(|launch| self.queue.launch(launch))
    }
}

/// Captures on a stream of its own, so that other threads' work on the device's stream is not caught.
fn capture(queue: &Queue, launches: &[Launch]) -> Result<Option<Executable>> {
    let stream = Stream::new(&queue.stream.context)?;
    let driver = stream.context.bind()?;
    let mode = CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
    // SAFETY: the stream is new and this function's own.
    if !supported(unsafe { driver.cuStreamBeginCapture_v2(stream.handle, mode) })? {
        return Ok(None);
    }
    let launched = launches.iter().try_for_each(|launch| queue.launch_on(&stream, launch));
    let mut graph = null_mut();
    // SAFETY: the stream is capturing, and `graph` is a valid place for the result.
    let ended = unsafe { driver.cuStreamEndCapture(stream.handle, &mut graph) };
    let graph = Graph { context: stream.context.clone(), handle: graph };
    // The launch's error says more than that of the capture that it spoiled.
    launched?;
    if !supported(ended)? {
        return Ok(None);
    }
    graph.instantiate()
}

/// `false` if the driver says that it cannot do this at all.
fn supported(status: Result<(), Failure>) -> Result<bool> {
    match status {
        Ok(()) => Ok(true),
        Err(failure) if [code::NOT_SUPPORTED, code::CAPTURE_UNSUPPORTED].contains(&failure.code) => Ok(false),
        Err(failure) => Err(failure.into()),
    }
}

/// A captured graph; null if the capture failed.
struct Graph {
    context: Arc<Context>,
    handle: CUgraph,
}

impl Graph {
    fn instantiate(&self) -> Result<Option<Executable>> {
        let driver = self.context.bind()?;
        let mut handle = null_mut();
        // SAFETY: the graph lives, and `handle` is a valid place for the result.
        let made = supported(unsafe { driver.cuGraphInstantiateWithFlags(&mut handle, self.handle, 0) })?;
        Ok(made.then(|| Executable { context: self.context.clone(), handle }))
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        if let (false, Ok(driver)) = (self.handle.is_null(), self.context.bind()) {
            // SAFETY: no one else has the handle; executables made of it stand alone.
            let _ = unsafe { driver.cuGraphDestroy(self.handle) };
        }
    }
}

/// A graph that is ready to run.
struct Executable {
    context: Arc<Context>,
    handle: CUgraphExec,
}

// SAFETY: the handle is only launched, on one stream, which the driver orders.
unsafe impl Send for Executable {}
// SAFETY: as above.
unsafe impl Sync for Executable {}

impl Drop for Executable {
    fn drop(&mut self) {
        if let Ok(driver) = self.context.bind() {
            // SAFETY: no one else has the handle; the driver lets runs under way finish.
            let _ = unsafe { driver.cuGraphExecDestroy(self.handle) };
        }
    }
}
