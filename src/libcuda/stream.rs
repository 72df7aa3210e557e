//! Streams. Work is done when it is queued, unless the stream is capturing.

use crate::abi::{Out, Status, own_default_stream};
use crate::capture::{self, Joined};
use crate::context::{self, Context, current};
use crate::device::DEVICE;
use crate::driver::soft;
use crate::error::Code;
use crate::handle::{Handle, Table, fresh, lock};
use crate::memory::allocation;
use crate::work::{HostCall, Work};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

pub const LEAST_PRIORITY: i32 = 0;
pub const GREATEST_PRIORITY: i32 = -5;

/// `CU_STREAM_NON_BLOCKING`: does not wait for the legacy stream.
const NON_BLOCKING: u32 = 1;

/// `CU_STREAM_LEGACY`, which 0 means too.
const LEGACY: Handle = 1;
/// `CU_STREAM_PER_THREAD`.
const PER_THREAD: Handle = 2;

static STREAMS: Table<Stream> = Table::new();

thread_local! {
    /// This thread's default streams, by context.
    static OWN: RefCell<BTreeMap<Handle, Arc<Stream>>> = const { RefCell::new(BTreeMap::new()) };
}

/// A stream.
pub struct Stream {
    pub handle: Handle,
    context: Handle,
    flags: u32,
    priority: i32,
    /// The capture that the stream takes part in.
    pub joined: Mutex<Option<Joined>>,
}

impl Stream {
    fn new(handle: Handle, context: Handle, flags: u32, priority: i32) -> Stream {
        Stream { handle, context, flags, priority, joined: Mutex::new(None) }
    }

    /// The legacy default stream of a context.
    pub fn legacy(context: Handle) -> Stream {
        Stream::new(LEGACY, context, 0, LEAST_PRIORITY)
    }

    pub fn is_legacy(&self) -> bool {
        self.handle == LEGACY
    }

    /// Whether it and the legacy stream wait for each other.
    pub fn is_blocking(&self) -> bool {
        self.flags & NON_BLOCKING == 0
    }

    /// The context, which must be well.
    pub fn context(&self) -> Result<Arc<Context>, Code> {
        let context = context::find(self.context)?;
        context.well()?;
        Ok(context)
    }

    /// Does work now, or adds it to the graph that the stream is capturing.
    pub fn submit(&self, work: Work) -> Status {
        let context = self.context()?;
        if let Some(joined) = &mut *lock(&self.joined) {
            return joined.add(work);
        }
        if self.is_legacy() {
            capture::refuse_legacy(self.context)?;
        }
        work.run().inspect_err(|code| context.note(*code))
    }

    /// Refuses a stream that is capturing, and spoils the capture.
    pub fn refuse_capturing(&self) -> Status {
        match &*lock(&self.joined) {
            None => Ok(()),
            Some(joined) => {
                joined.capture.spoil();
                Err(Code::STREAM_CAPTURE_UNSUPPORTED)
            }
        }
    }
}

/// The stream of a handle: a default stream of the current context for 0, 1 and 2.
///
/// # Errors
/// [`Code::INVALID_HANDLE`], or why there is no current context.
pub fn find(handle: Handle) -> Result<Arc<Stream>, Code> {
    match handle {
        0 if own_default_stream() => own(),
        0 | LEGACY => Ok(current()?.legacy_stream.clone()),
        PER_THREAD => own(),
        _ => {
            soft()?;
            STREAMS.get(handle)
        }
    }
}

/// This thread's default stream in the current context.
fn own() -> Result<Arc<Stream>, Code> {
    let context = current()?.handle;
    let make = || Arc::new(Stream::new(PER_THREAD, context, 0, LEAST_PRIORITY));
    Ok(OWN.with_borrow_mut(|own| own.entry(context).or_insert_with(make).clone()))
}

/// Ends the streams of a context.
pub fn end_all(context: Handle) {
    for (_, stream) in STREAMS.all() {
        if stream.context == context {
            capture::forsake(&stream);
        }
    }
    STREAMS.remove_all(|stream| stream.context == context);
}

/// Queues work on the stream of a handle.
pub fn submit(handle: Handle, work: Work) -> Status {
    find(handle)?.submit(work)
}

fn create(place: Out<Handle>, flags: u32) -> Status {
    create_with_priority(place, flags, LEAST_PRIORITY)
}

fn create_with_priority(place: Out<Handle>, flags: u32, priority: i32) -> Status {
    let context = current()?;
    let place = place.wanted()?;
    if flags > NON_BLOCKING {
        return Err(Code::INVALID_VALUE);
    }
    let handle = fresh();
    let priority = priority.clamp(GREATEST_PRIORITY, LEAST_PRIORITY);
    STREAMS.insert(handle, Stream::new(handle, context.handle, flags, priority));
    place.set(handle)
}

fn destroy(handle: Handle) -> Status {
    capture::forsake(&STREAMS.remove(handle)?);
    Ok(())
}

fn synchronize(handle: Handle) -> Status {
    let stream = find(handle)?;
    stream.context()?;
    stream.refuse_capturing()
}

/// All queued work is done.
fn query(handle: Handle) -> Status {
    synchronize(handle)
}

fn context_of(handle: Handle, context: Out<Handle>) -> Status {
    context.set(find(handle)?.context)
}

/// The stream is of no green context.
fn contexts_of(handle: Handle, context: Out<Handle>, green: Out<Handle>) -> Status {
    green.set_if_wanted(0);
    context_of(handle, context)
}

fn device_of(handle: Handle, device: Out<i32>) -> Status {
    find(handle)?;
    device.set(DEVICE)
}

fn id(handle: Handle, id: Out<u64>) -> Status {
    id.set(find(handle)?.handle as u64)
}

fn flags(handle: Handle, flags: Out<u32>) -> Status {
    flags.set(find(handle)?.flags)
}

fn priority(handle: Handle, priority: Out<i32>) -> Status {
    priority.set(find(handle)?.priority)
}

fn host_function(handle: Handle, function: Option<extern "C" fn(usize)>, data: usize) -> Status {
    let function = function.ok_or(Code::INVALID_VALUE)?;
    submit(handle, Work::Host(HostCall { function, data }))
}

/// How the host waits for the function is of no account: it is called now.
fn host_function_with_mode(
    handle: Handle,
    function: Option<extern "C" fn(usize)>,
    data: usize,
    _mode: u32,
) -> Status {
    host_function(handle, function, data)
}

/// The callback is told that all went well; work that does not ends with its own call.
fn callback(
    handle: Handle,
    function: Option<extern "C" fn(Handle, u32, usize)>,
    data: usize,
    flags: u32,
) -> Status {
    let function = function.filter(|_| flags == 0).ok_or(Code::INVALID_VALUE)?;
    let stream = find(handle)?;
    stream.context()?;
    stream.refuse_capturing()?;
    function(handle, 0, data);
    Ok(())
}

/// Managed memory belongs to all streams at all times.
fn attach_memory(handle: Handle, address: u64, _bytes: usize, _flags: u32) -> Status {
    find(handle)?;
    allocation(address).map(drop).ok_or(Code::INVALID_VALUE)
}

fn copy_attributes(to: Handle, from: Handle) -> Status {
    find(to)?;
    find(from).map(drop)
}

export! {
    cuStreamCreate(place: Out<Handle>, flags: u32) => create;
    cuStreamCreateWithPriority(place: Out<Handle>, flags: u32, priority: i32) => create_with_priority;
    cuStreamDestroy_v2(stream: Handle) => destroy;
    cuStreamSynchronize [cuStreamSynchronize_ptsz] (stream: Handle) => synchronize;
    cuStreamQuery [cuStreamQuery_ptsz] (stream: Handle) => query;
    cuStreamGetCtx [cuStreamGetCtx_ptsz] (stream: Handle, place: Out<Handle>) => context_of;
    cuStreamGetCtx_v2 [cuStreamGetCtx_v2_ptsz] (stream: Handle, place: Out<Handle>, green: Out<Handle>)
        => contexts_of;
    cuStreamGetDevice [cuStreamGetDevice_ptsz] (stream: Handle, place: Out<i32>) => device_of;
    cuStreamGetId [cuStreamGetId_ptsz] (stream: Handle, place: Out<u64>) => id;
    cuStreamGetFlags [cuStreamGetFlags_ptsz] (stream: Handle, place: Out<u32>) => flags;
    cuStreamGetPriority [cuStreamGetPriority_ptsz] (stream: Handle, place: Out<i32>) => priority;
    cuLaunchHostFunc [cuLaunchHostFunc_ptsz]
        (stream: Handle, function: Option<extern "C" fn(usize)>, data: usize) => host_function;
    cuLaunchHostFunc_v2 [cuLaunchHostFunc_v2_ptsz]
        (stream: Handle, function: Option<extern "C" fn(usize)>, data: usize, mode: u32) => host_function_with_mode;
    cuStreamAddCallback [cuStreamAddCallback_ptsz]
        (stream: Handle, function: Option<extern "C" fn(Handle, u32, usize)>, data: usize, flags: u32) => callback;
    cuStreamAttachMemAsync [cuStreamAttachMemAsync_ptsz]
        (stream: Handle, address: u64, bytes: usize, flags: u32) => attach_memory;
    cuStreamCopyAttributes [cuStreamCopyAttributes_ptsz] (to: Handle, from: Handle) => copy_attributes;
}
