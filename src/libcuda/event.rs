//! Events: the time at which a stream came to them, and the order between captured streams.

use crate::abi::{Out, Status};
use crate::capture::{Joined, wait_in_capture};
use crate::context::{self, current};
use crate::error::Code;
use crate::handle::{Handle, Table, fresh, lock};
use crate::stream;
use crate::work::Work;
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// `CU_EVENT_DISABLE_TIMING`.
const NO_TIMING: u32 = 2;
/// All of `CU_EVENT_*`: blocking, no timing, between processes.
const ALL_FLAGS: u32 = 7;
/// `CU_EVENT_RECORD_EXTERNAL`, `CU_EVENT_WAIT_EXTERNAL`: a node of its own in a capture.
const EXTERNAL: u32 = 1;

static EVENTS: Table<Event> = Table::new();

/// An event.
pub struct Event {
    context: Handle,
    flags: u32,
    last: Mutex<Last>,
}

/// What the event was last recorded in.
enum Last {
    Never,
    At(Instant),
    Captured(Joined),
}

impl Event {
    /// Notes the time.
    pub fn record(&self) {
        *lock(&self.last) = Last::At(Instant::now());
    }

    /// Where in a capture it was recorded, if it was.
    pub fn captured(&self) -> Option<Joined> {
        match &*lock(&self.last) {
            Last::Captured(joined) => Some(joined.clone()),
            _ => None,
        }
    }

    fn time(&self) -> Result<Instant, Code> {
        match &*lock(&self.last) {
            Last::At(time) if self.flags & NO_TIMING == 0 => Ok(*time),
            Last::Captured(_) => Err(Code::CAPTURED_EVENT),
            _ => Err(Code::INVALID_HANDLE),
        }
    }
}

pub fn find(handle: Handle) -> Result<Arc<Event>, Code> {
    EVENTS.get(handle)
}

/// Ends the events of a context.
pub fn end_all(context: Handle) {
    EVENTS.remove_all(|event| event.context == context);
}

fn create(place: Out<Handle>, flags: u32) -> Status {
    let context = current()?.handle;
    let place = place.wanted()?;
    if flags & !ALL_FLAGS != 0 {
        return Err(Code::INVALID_VALUE);
    }
    let handle = fresh();
    EVENTS.insert(handle, Event { context, flags, last: Mutex::new(Last::Never) });
    place.set(handle)
}

fn destroy(handle: Handle) -> Status {
    EVENTS.remove(handle).map(drop)
}

fn record(handle: Handle, stream: Handle) -> Status {
    record_with_flags(handle, stream, 0)
}

fn record_with_flags(handle: Handle, stream: Handle, flags: u32) -> Status {
    let event = find(handle)?;
    let stream = stream::find(stream)?;
    if flags & !EXTERNAL != 0 {
        return Err(Code::INVALID_VALUE);
    }
    if flags == 0 {
        let joined = lock(&stream.joined).clone();
        if let Some(joined) = joined {
            joined.capture.well()?;
            *lock(&event.last) = Last::Captured(joined);
            return Ok(());
        }
    }
    stream.submit(Work::Record(event))
}

fn wait(stream: Handle, handle: Handle, flags: u32) -> Status {
    let event = find(handle)?;
    let stream = stream::find(stream)?;
    stream.context()?;
    match flags {
        0 => wait_in_capture(&stream, &event),
        EXTERNAL => stream.submit(Work::Wait),
        _ => Err(Code::INVALID_VALUE),
    }
}

/// What was recorded is done.
fn done(handle: Handle) -> Status {
    let event = find(handle)?;
    context::find(event.context)?.well()?;
    if let Some(joined) = event.captured() {
        joined.capture.spoil();
        return Err(Code::CAPTURED_EVENT);
    }
    Ok(())
}

fn elapsed(milliseconds: Out<f32>, start: Handle, end: Handle) -> Status {
    let (start, end) = (find(start)?.time()?, find(end)?.time()?);
    let seconds = match end.checked_duration_since(start) {
        Some(later) => later.as_secs_f64(),
        None => -(start - end).as_secs_f64(),
    };
    milliseconds.set((seconds * 1e3) as f32)
}

export! {
    cuEventCreate(place: Out<Handle>, flags: u32) => create;
    cuEventDestroy_v2(event: Handle) => destroy;
    cuEventRecord [cuEventRecord_ptsz] (event: Handle, stream: Handle) => record;
    cuEventRecordWithFlags [cuEventRecordWithFlags_ptsz] (event: Handle, stream: Handle, flags: u32)
        => record_with_flags;
    cuStreamWaitEvent [cuStreamWaitEvent_ptsz] (stream: Handle, event: Handle, flags: u32) => wait;
    cuEventQuery(event: Handle) => done;
    cuEventSynchronize(event: Handle) => done;
    cuEventElapsedTime(milliseconds: Out<f32>, start: Handle, end: Handle) => elapsed;
    cuEventElapsedTime_v2(milliseconds: Out<f32>, start: Handle, end: Handle) => elapsed;
}
