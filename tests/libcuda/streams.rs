//! Streams, events, functions of the host's.

use crate::kernels::{function, scale, stream};
use crate::library::{
    Cuda, INVALID_HANDLE, INVALID_VALUE, call, download, from, get, get_last, ok, place, upload,
};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

#[test]
fn streams_are_made_and_ended() {
    let cuda = Cuda::new();
    let stream: u64 = get("cuStreamCreateWithPriority", &[1, -3i32 as u32 as u64]);
    assert_eq!(get_last::<i32>("cuStreamGetPriority", &[stream]), -3);
    assert_eq!(get_last::<u32>("cuStreamGetFlags", &[stream]), 1);
    assert_eq!(get_last::<u64>("cuStreamGetCtx", &[stream]), cuda.context);
    ok("cuStreamQuery", &[stream]);
    ok("cuStreamSynchronize", &[stream]);
    ok("cuStreamDestroy_v2", &[stream]);
    assert_eq!(call("cuStreamQuery", &[stream]), INVALID_HANDLE);
    assert_eq!(call("cuStreamDestroy_v2", &[0]), INVALID_HANDLE);
    let mut place_for = 0u64;
    assert_eq!(call("cuStreamCreate", &[place(&mut place_for), 8]), INVALID_VALUE);
}

#[test]
fn default_streams_are_not_the_same() {
    let _cuda = Cuda::new();
    let id = |name, stream| get_last::<u64>(name, &[stream]);
    let (legacy, own) = (id("cuStreamGetId", 1), id("cuStreamGetId", 2));
    assert_ne!(legacy, own);
    assert_eq!(id("cuStreamGetId", 0), legacy);
    assert_eq!(id("cuStreamGetId_ptsz", 0), own);
    let y = upload(&[1f32; 4]);
    for stream in [0, 1, 2] {
        scale(function("scale"), y, 2.0, 4, stream);
    }
    assert_eq!(download::<f32>(y, 4), [8.0; 4]);
}

#[test]
fn events_note_the_time() {
    let _cuda = Cuda::new();
    let stream = stream();
    let (start, end): (u64, u64) = (get("cuEventCreate", &[0]), get("cuEventCreate", &[0]));
    let untimed: u64 = get("cuEventCreate", &[2]);
    let mut milliseconds = -1f32;
    let mut elapsed = |start, end| call("cuEventElapsedTime", &[place(&mut milliseconds), start, end]);
    assert_eq!(elapsed(start, end), INVALID_HANDLE);
    ok("cuEventRecord", &[start, stream]);
    std::thread::sleep(Duration::from_millis(20));
    ok("cuEventRecord", &[end, stream]);
    ok("cuEventRecord", &[untimed, stream]);
    ok("cuStreamWaitEvent", &[0, end, 0]);
    ok("cuEventQuery", &[end]);
    ok("cuEventSynchronize", &[end]);
    assert_eq!(elapsed(start, untimed), INVALID_HANDLE);
    assert_eq!(elapsed(start, end), 0);
    assert!(milliseconds >= 20.0, "{milliseconds}");
    let first = milliseconds;
    ok("cuEventElapsedTime_v2", &[place(&mut milliseconds), end, start]);
    assert_eq!(milliseconds, -first);
    ok("cuEventDestroy_v2", &[start]);
    assert_eq!(call("cuEventRecord", &[start, stream]), INVALID_HANDLE);
    assert_eq!(call("cuEventCreate", &[place(&mut milliseconds), 64]), INVALID_VALUE);
}

extern "C" fn add_one(counter: u64) {
    // SAFETY: the test passes the address of a counter that outlives the stream's work.
    unsafe { &*(counter as *const AtomicU64) }.fetch_add(1, Ordering::Relaxed);
}

extern "C" fn add_ten(_stream: u64, status: u32, counter: u64) {
    assert_eq!(status, 0);
    // SAFETY: as above.
    unsafe { &*(counter as *const AtomicU64) }.fetch_add(10, Ordering::Relaxed);
}

#[test]
fn functions_of_the_host_are_called() {
    let _cuda = Cuda::new();
    let counter = AtomicU64::new(0);
    let stream = stream();
    let (one, ten) = (add_one as extern "C" fn(u64), add_ten as extern "C" fn(u64, u32, u64));
    ok("cuLaunchHostFunc", &[stream, one as usize as u64, from(&counter)]);
    ok("cuStreamAddCallback", &[stream, ten as usize as u64, from(&counter), 0]);
    assert_eq!(counter.load(Ordering::Relaxed), 11);
    assert_eq!(call("cuLaunchHostFunc", &[stream, 0, 0]), INVALID_VALUE);
}
