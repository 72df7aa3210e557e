//! Contexts: the primary one, created ones, and each thread's stack of current ones.

use crate::abi::{In, Out, Status};
use crate::capture;
use crate::device::{DEVICE, check};
use crate::driver::{VERSION, soft};
use crate::error::Code;
use crate::handle::{Handle, Table, fresh, lock};
use crate::stream::Stream;
use crate::{event, memory, module, stream};
use std::cell::RefCell;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

static CONTEXTS: Table<Context> = Table::new();
static PRIMARY: Mutex<Primary> = Mutex::new(Primary { handle: None, uses: 0, flags: 0 });

thread_local! {
    /// The current context is the last; 0 stands for none.
    static STACK: RefCell<Vec<Handle>> = const { RefCell::new(Vec::new()) };
}

/// `CUlimit` values at first: stack of a thread, output buffer, heap, and what the device has no use for.
const LIMITS: [usize; 11] = [1024, 1 << 20, 8 << 20, 2, 2048, 128, 0, 0, 0, 0, 0];

/// A context.
pub struct Context {
    pub handle: Handle,
    pub legacy_stream: Arc<Stream>,
    flags: AtomicU32,
    cache_config: AtomicU32,
    shared_config: AtomicU32,
    limits: Mutex<[usize; LIMITS.len()]>,
    fault: Mutex<Option<Code>>,
}

struct Primary {
    handle: Option<Handle>,
    uses: u32,
    flags: u32,
}

impl Context {
    fn create(flags: u32) -> Arc<Context> {
        let handle = fresh();
        let context = Context {
            handle,
            legacy_stream: Arc::new(Stream::legacy(handle)),
            flags: AtomicU32::new(flags),
            cache_config: AtomicU32::new(0),
            shared_config: AtomicU32::new(0),
            limits: Mutex::new(LIMITS),
            fault: Mutex::new(None),
        };
        CONTEXTS.insert(handle, context)
    }

    /// Refuses a context that a kernel's fault has spoilt, with the fault's code.
    pub fn well(&self) -> Status {
        lock(&self.fault).map_or(Ok(()), Err)
    }

    /// Spoils the context if `code` is that of a kernel's fault. The first one stays.
    pub fn note(&self, code: Code) {
        if matches!(code.0, 700 | 702 | 710 | 714..=719) {
            lock(&self.fault).get_or_insert(code);
        }
    }
}

/// A context by its handle.
///
/// # Errors
/// [`Code::INVALID_CONTEXT`].
pub fn find(handle: Handle) -> Result<Arc<Context>, Code> {
    soft()?;
    CONTEXTS.get(handle).map_err(|_| Code::INVALID_CONTEXT)
}

fn top() -> Handle {
    STACK.with_borrow(|stack| stack.last().copied().unwrap_or(0))
}

/// The current context, which must be well.
///
/// # Errors
/// [`Code::NOT_INITIALIZED`], [`Code::INVALID_CONTEXT`], [`Code::CONTEXT_IS_DESTROYED`], a kernel's fault.
pub fn current() -> Result<Arc<Context>, Code> {
    soft()?;
    let handle = top();
    if handle == 0 {
        return Err(Code::INVALID_CONTEXT);
    }
    let context = CONTEXTS.get(handle).map_err(|_| Code::CONTEXT_IS_DESTROYED)?;
    context.well()?;
    Ok(context)
}

/// Ends all that lives in a context, and the context.
fn end(handle: Handle) {
    stream::end_all(handle);
    event::end_all(handle);
    module::end_all(handle);
    memory::free_all(handle);
    let _ = CONTEXTS.remove(handle);
}

fn create(place: Out<Handle>, flags: u32, device: i32) -> Status {
    check(device)?;
    let place = place.wanted()?;
    let handle = Context::create(flags).handle;
    STACK.with_borrow_mut(|stack| stack.push(handle));
    place.set(handle)
}

fn create_with_affinity(
    place: Out<Handle>,
    _affinity: In<u64>,
    count: i32,
    flags: u32,
    device: i32,
) -> Status {
    if count != 0 {
        return Err(Code::UNSUPPORTED_EXEC_AFFINITY);
    }
    create(place, flags, device)
}

fn create_with_params(place: Out<Handle>, params: In<[usize; 3]>, flags: u32, device: i32) -> Status {
    if !params.is_null() && params.get()? != [0; 3] {
        return Err(Code::NOT_SUPPORTED);
    }
    create(place, flags, device)
}

fn destroy(handle: Handle) -> Status {
    find(handle)?;
    if lock(&PRIMARY).handle == Some(handle) {
        return Err(Code::INVALID_CONTEXT);
    }
    end(handle);
    STACK.with_borrow_mut(|stack| {
        stack.pop_if(|top| *top == handle);
    });
    Ok(())
}

fn retain(place: Out<Handle>, device: i32) -> Status {
    check(device)?;
    let place = place.wanted()?;
    let mut primary = lock(&PRIMARY);
    let flags = primary.flags;
    let handle = *primary.handle.get_or_insert_with(|| Context::create(flags).handle);
    primary.uses += 1;
    place.set(handle)
}

fn release(device: i32) -> Status {
    check(device)?;
    let mut primary = lock(&PRIMARY);
    primary.uses = primary.uses.checked_sub(1).ok_or(Code::INVALID_CONTEXT)?;
    if primary.uses == 0
        && let Some(handle) = primary.handle.take()
    {
        end(handle);
    }
    Ok(())
}

/// Whoever holds the primary context goes on to hold a fresh one.
fn reset(device: i32) -> Status {
    check(device)?;
    let mut primary = lock(&PRIMARY);
    if let Some(handle) = primary.handle.take() {
        end(handle);
    }
    primary.uses = 0;
    Ok(())
}

fn primary_state(device: i32, flags: Out<u32>, active: Out<i32>) -> Status {
    check(device)?;
    let primary = lock(&PRIMARY);
    flags.set(primary.flags)?;
    active.set(i32::from(primary.handle.is_some()))
}

fn set_primary_flags(device: i32, flags: u32) -> Status {
    check(device)?;
    let mut primary = lock(&PRIMARY);
    primary.flags = flags;
    if let Some(context) = primary.handle.and_then(|handle| CONTEXTS.get(handle).ok()) {
        context.flags.store(flags, Relaxed);
    }
    Ok(())
}

fn push(handle: Handle) -> Status {
    find(handle)?;
    STACK.with_borrow_mut(|stack| stack.push(handle));
    Ok(())
}

fn pop(place: Out<Handle>) -> Status {
    soft()?;
    let handle = STACK.with_borrow_mut(Vec::pop).ok_or(Code::INVALID_CONTEXT)?;
    place.set_if_wanted(handle);
    Ok(())
}

fn set_current(handle: Handle) -> Status {
    soft()?;
    if handle != 0 {
        find(handle)?;
    }
    STACK.with_borrow_mut(|stack| {
        stack.pop();
        stack.extend((handle != 0).then_some(handle));
    });
    Ok(())
}

fn get_current(place: Out<Handle>) -> Status {
    soft()?;
    place.set(top())
}

/// The context of that handle, the current one for 0.
fn find_or_current(handle: Handle) -> Result<Arc<Context>, Code> {
    if handle == 0 { current() } else { find(handle) }
}

fn device_of(device: Out<i32>, handle: Handle) -> Status {
    find_or_current(handle)?;
    device.set(DEVICE)
}

fn device(device: Out<i32>) -> Status {
    device_of(device, 0)
}

fn flags(flags: Out<u32>) -> Status {
    flags.set(current()?.flags.load(Relaxed))
}

fn set_flags(flags: u32) -> Status {
    current()?.flags.store(flags, Relaxed);
    Ok(())
}

fn id(handle: Handle, id: Out<u64>) -> Status {
    id.set(find_or_current(handle)?.handle as u64)
}

fn api_version(handle: Handle, version: Out<u32>) -> Status {
    find_or_current(handle)?;
    version.set(VERSION as u32)
}

/// All queued work is done already.
fn synchronize() -> Status {
    current()?;
    capture::refuse()
}

fn synchronize_context(handle: Handle) -> Status {
    find_or_current(handle)?.well()?;
    capture::refuse()
}

fn limit(value: Out<usize>, which: u32) -> Status {
    let context = current()?;
    let limits = lock(&context.limits);
    value.set(*limits.get(which as usize).ok_or(Code::UNSUPPORTED_LIMIT)?)
}

fn set_limit(which: u32, value: usize) -> Status {
    let context = current()?;
    let mut limits = lock(&context.limits);
    *limits.get_mut(which as usize).ok_or(Code::UNSUPPORTED_LIMIT)? = value;
    Ok(())
}

fn cache_config(config: Out<u32>) -> Status {
    config.set(current()?.cache_config.load(Relaxed))
}

fn set_cache_config(config: u32) -> Status {
    if config > 3 {
        return Err(Code::INVALID_VALUE);
    }
    current()?.cache_config.store(config, Relaxed);
    Ok(())
}

fn shared_config(config: Out<u32>) -> Status {
    config.set(current()?.shared_config.load(Relaxed))
}

fn set_shared_config(config: u32) -> Status {
    if config > 2 {
        return Err(Code::INVALID_VALUE);
    }
    current()?.shared_config.store(config, Relaxed);
    Ok(())
}

/// Priorities are taken and kept; work is done in the order in which it comes.
fn priority_range(least: Out<i32>, greatest: Out<i32>) -> Status {
    current()?;
    least.set_if_wanted(stream::LEAST_PRIORITY);
    greatest.set_if_wanted(stream::GREATEST_PRIORITY);
    Ok(())
}

fn reset_persisting_cache() -> Status {
    current().map(drop)
}

export! {
    cuCtxCreate_v2(place: Out<Handle>, flags: u32, device: i32) => create;
    cuCtxCreate_v3(place: Out<Handle>, affinity: In<u64>, count: i32, flags: u32, device: i32)
        => create_with_affinity;
    cuCtxCreate_v4(place: Out<Handle>, params: In<[usize; 3]>, flags: u32, device: i32) => create_with_params;
    cuCtxDestroy_v2(handle: Handle) => destroy;
    cuDevicePrimaryCtxRetain(place: Out<Handle>, device: i32) => retain;
    cuDevicePrimaryCtxRelease_v2(device: i32) => release;
    cuDevicePrimaryCtxReset_v2(device: i32) => reset;
    cuDevicePrimaryCtxGetState(device: i32, flags: Out<u32>, active: Out<i32>) => primary_state;
    cuDevicePrimaryCtxSetFlags_v2(device: i32, flags: u32) => set_primary_flags;
    cuCtxPushCurrent_v2(handle: Handle) => push;
    cuCtxPopCurrent_v2(place: Out<Handle>) => pop;
    cuCtxSetCurrent(handle: Handle) => set_current;
    cuCtxGetCurrent(place: Out<Handle>) => get_current;
    cuCtxGetDevice(place: Out<i32>) => device;
    cuCtxGetDevice_v2(place: Out<i32>, handle: Handle) => device_of;
    cuCtxGetFlags(place: Out<u32>) => flags;
    cuCtxSetFlags(flags: u32) => set_flags;
    cuCtxGetId(handle: Handle, place: Out<u64>) => id;
    cuCtxGetApiVersion(handle: Handle, place: Out<u32>) => api_version;
    cuCtxSynchronize() => synchronize;
    cuCtxSynchronize_v2(handle: Handle) => synchronize_context;
    cuCtxGetLimit(place: Out<usize>, which: u32) => limit;
    cuCtxSetLimit(which: u32, value: usize) => set_limit;
    cuCtxGetCacheConfig(place: Out<u32>) => cache_config;
    cuCtxSetCacheConfig(config: u32) => set_cache_config;
    cuCtxGetSharedMemConfig(place: Out<u32>) => shared_config;
    cuCtxSetSharedMemConfig(config: u32) => set_shared_config;
    cuCtxGetStreamPriorityRange(least: Out<i32>, greatest: Out<i32>) => priority_range;
    cuCtxResetPersistingL2Cache() => reset_persisting_cache;
}
