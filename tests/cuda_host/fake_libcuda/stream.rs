//! Streams and events.

use crate::state::{INVALID_VALUE, Work, enter, give, note, status};
use std::ffi::c_uint;

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuStreamCreate(stream: *mut usize, flags: c_uint) -> c_uint {
    status(enter("cuStreamCreate").map(|mut entered| {
        let handle = entered.state().make("stream");
        note(&format!("stream {handle} flags {flags}"));
        unsafe { give(stream, handle) }
    }))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamSynchronize(_stream: usize) -> c_uint {
    status(enter("cuStreamSynchronize").map(|mut entered| {
        entered.state().work_until(None);
        0
    }))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamDestroy_v2(stream: usize) -> c_uint {
    status(enter("cuStreamDestroy_v2").map(|mut entered| entered.state().drop_handle(stream, "stream")))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuEventCreate(event: *mut usize, flags: c_uint) -> c_uint {
    status(enter("cuEventCreate").map(|mut entered| {
        let kind = if flags & 2 == 0 { "timed event" } else { "event" };
        unsafe { give(event, entered.state().make(kind)) }
    }))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuEventRecord(event: usize, _stream: usize) -> c_uint {
    status(enter("cuEventRecord").map(|mut entered| {
        let state = entered.state();
        state.queued.push(Work::Event(event));
        if state.live.get(&event) == Some(&"timed event") {
            note("time");
        }
        0
    }))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuEventSynchronize(event: usize) -> c_uint {
    status(enter("cuEventSynchronize").map(|mut entered| {
        entered.state().work_until(Some(event));
        0
    }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuEventElapsedTime(ms: *mut f32, start: usize, end: usize) -> c_uint {
    status(enter("cuEventElapsedTime").map(|mut entered| {
        let state = entered.state();
        let timed = |event| state.live.get(event) == Some(&"timed event");
        let over = !state.queued.iter().any(|work| matches!(work, Work::Event(at) if *at == end));
        if timed(&start) && timed(&end) && over { unsafe { give(ms, 1.5) } } else { INVALID_VALUE }
    }))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuEventDestroy_v2(event: usize) -> c_uint {
    status(enter("cuEventDestroy_v2").map(|mut entered| {
        let kind = entered.state().live.get(&event).copied().unwrap_or("none");
        entered.state().drop_handle(event, kind)
    }))
}
