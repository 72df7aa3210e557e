//! Streams that capture.

use crate::kernels::{function, scale, stream};
use crate::library::{Cuda, call, download, from, get, get_last, ok, place, upload};

const ILLEGAL_STATE: u32 = 401;
const UNSUPPORTED: u32 = 900;
const INVALIDATED: u32 = 901;
const UNMATCHED: u32 = 903;
const UNJOINED: u32 = 904;
const ISOLATION: u32 = 905;
const IMPLICIT: u32 = 906;
const CAPTURED_EVENT: u32 = 907;
const WRONG_THREAD: u32 = 908;

const GLOBAL: u64 = 0;
const THREAD_LOCAL: u64 = 1;
const RELAXED: u64 = 2;

fn begin(stream: u64, mode: u64) {
    ok("cuStreamBeginCapture_v2", &[stream, mode]);
}

fn end(stream: u64) -> u64 {
    get_last("cuStreamEndCapture", &[stream])
}

/// The code with which a capture ends that has failed.
fn end_in_vain(stream: u64) -> u32 {
    let mut graph = 1u64;
    let code = call("cuStreamEndCapture", &[stream, place(&mut graph)]);
    assert_eq!(graph, 0);
    code
}

fn status(stream: u64) -> u32 {
    get_last("cuStreamIsCapturing", &[stream])
}

fn executable(graph: u64) -> u64 {
    get("cuGraphInstantiateWithFlags", &[graph, 0])
}

#[test]
fn nothing_runs_until_the_graph_does() {
    let _cuda = Cuda::new();
    let (function, stream) = (function("scale"), stream());
    let y = upload(&[1f32; 8]);
    let z = upload(&[0f32; 8]);
    begin(stream, GLOBAL);
    assert_eq!(status(stream), 1);
    scale(function, y, 2.0, 8, stream);
    scale(function, y, 3.0, 4, stream);
    ok("cuMemcpyDtoDAsync_v2", &[z, y, 32, stream]);
    ok("cuMemsetD32Async", &[y, 0, 1, stream]);
    let graph = end(stream);
    assert_eq!(status(stream), 0);
    assert_eq!(download::<f32>(y, 8), [1.0; 8]);
    let executable = executable(graph);
    ok("cuGraphUpload", &[executable, stream]);
    ok("cuGraphDestroy", &[graph]);
    ok("cuGraphLaunch", &[executable, stream]);
    assert_eq!(download::<f32>(z, 8), [6.0, 6.0, 6.0, 6.0, 2.0, 2.0, 2.0, 2.0]);
    assert_eq!(download::<f32>(y, 2), [0.0, 6.0]);
    ok("cuGraphLaunch", &[executable, 0]);
    assert_eq!(download::<f32>(z, 8), [0.0, 36.0, 36.0, 36.0, 4.0, 4.0, 4.0, 4.0]);
    ok("cuGraphExecDestroy", &[executable]);
    assert_eq!(call("cuGraphLaunch", &[executable, 0]), 1);
}

#[test]
fn events_lead_other_streams_into_it_and_back() {
    let _cuda = Cuda::new();
    let (function, first, second) = (function("scale"), stream(), stream());
    let (fork, join): (u64, u64) = (get("cuEventCreate", &[2]), get("cuEventCreate", &[2]));
    let y = upload(&[1f32; 4]);
    begin(first, THREAD_LOCAL);
    scale(function, y, 2.0, 4, first);
    ok("cuEventRecord", &[fork, first]);
    assert_eq!(status(second), 0);
    ok("cuStreamWaitEvent", &[second, fork, 0]);
    assert_eq!(status(second), 1);
    scale(function, y, 3.0, 4, second);
    ok("cuEventRecord", &[join, second]);
    ok("cuStreamWaitEvent", &[first, join, 0]);
    scale(function, y, 5.0, 4, first);
    assert_eq!(call("cuEventElapsedTime", &[from(&y), fork, join]), CAPTURED_EVENT);
    let graph = end(first);
    assert_eq!((status(first), status(second)), (0, 0));
    let mut nodes = 0usize;
    ok("cuGraphGetNodes", &[graph, 0, place(&mut nodes)]);
    let mut edges = 0usize;
    ok("cuGraphGetEdges", &[graph, 0, 0, place(&mut edges)]);
    // The last comes after the second stream's node and, through the first stream, after the first node.
    assert_eq!((nodes, edges), (3, 3));
    // An event of a capture that is over is nothing to wait for.
    assert_eq!(call("cuStreamWaitEvent", &[second, fork, 0]), CAPTURED_EVENT);
    ok("cuEventRecord", &[fork, first]);
    ok("cuStreamWaitEvent", &[second, fork, 0]);
    ok("cuGraphLaunch", &[executable(graph), first]);
    assert_eq!(download::<f32>(y, 4), [30.0; 4]);
}

#[test]
fn a_stream_that_does_not_come_back() {
    let _cuda = Cuda::new();
    let (function, first, second) = (function("scale"), stream(), stream());
    let fork: u64 = get("cuEventCreate", &[2]);
    let y = upload(&[1f32; 4]);
    begin(first, THREAD_LOCAL);
    ok("cuEventRecord", &[fork, first]);
    ok("cuStreamWaitEvent", &[second, fork, 0]);
    scale(function, y, 3.0, 4, second);
    assert_eq!(end_in_vain(first), UNJOINED);
    assert_eq!((status(first), status(second)), (0, 0));
    begin(first, THREAD_LOCAL);
    ok("cuEventRecord", &[fork, first]);
    ok("cuStreamWaitEvent", &[second, fork, 0]);
    assert_eq!(end_in_vain(second), UNMATCHED);
    assert_eq!(end_in_vain(first), INVALIDATED);
}

#[test]
fn what_is_not_allowed_spoils_it() {
    let _cuda = Cuda::new();
    let (stream, event): (u64, u64) = (stream(), get("cuEventCreate", &[2]));
    let mut word = 0u64;
    let cases: [(&str, Vec<u64>, u32); 5] = [
        ("cuMemAlloc_v2", vec![place(&mut word), 16], UNSUPPORTED),
        ("cuCtxSynchronize", vec![], UNSUPPORTED),
        ("cuStreamSynchronize", vec![stream], UNSUPPORTED),
        ("cuMemAllocAsync", vec![place(&mut word), 16, stream], UNSUPPORTED),
        ("cuStreamWaitEvent", vec![stream, event, 0], ISOLATION),
    ];
    for (name, args, expected) in cases {
        begin(stream, GLOBAL);
        assert_eq!(call(name, &args), expected, "{name}");
        assert_eq!(status(stream), 2, "{name}");
        assert_eq!(end_in_vain(stream), INVALIDATED, "{name}");
    }
    assert_eq!(end_in_vain(stream), ILLEGAL_STATE);
}

#[test]
fn modes_say_whom_it_keeps_from_what() {
    let _cuda = Cuda::new();
    let stream = stream();
    let alloc = || call("cuMemAlloc_v2", &[place(&mut 0u64), 16]);
    let context: u64 = get("cuCtxGetCurrent", &[]);
    let alloc_elsewhere = || {
        let there = move || {
            ok("cuCtxSetCurrent", &[context]);
            call("cuMemAlloc_v2", &[place(&mut 0u64), 16])
        };
        std::thread::spawn(there).join().unwrap()
    };
    begin(stream, RELAXED);
    assert_eq!((alloc(), alloc_elsewhere()), (0, 0));
    end(stream);
    begin(stream, THREAD_LOCAL);
    assert_eq!(alloc_elsewhere(), 0);
    assert_eq!(alloc(), UNSUPPORTED);
    assert_eq!(end_in_vain(stream), INVALIDATED);
    begin(stream, GLOBAL);
    assert_eq!(alloc_elsewhere(), UNSUPPORTED);
    assert_eq!(end_in_vain(stream), INVALIDATED);
    begin(stream, GLOBAL);
    let mut mode = RELAXED as u32;
    ok("cuThreadExchangeStreamCaptureMode", &[place(&mut mode)]);
    assert_eq!(alloc(), 0);
    ok("cuThreadExchangeStreamCaptureMode", &[place(&mut mode)]);
    assert_eq!(std::hint::black_box(mode), RELAXED as u32);
    end(stream);
}

#[test]
fn only_its_own_thread_ends_it() {
    let _cuda = Cuda::new();
    let stream = stream();
    begin(stream, THREAD_LOCAL);
    let context: u64 = get("cuCtxGetCurrent", &[]);
    let there = move || {
        ok("cuCtxSetCurrent", &[context]);
        end_in_vain(stream)
    };
    assert_eq!(std::thread::spawn(there).join().unwrap(), WRONG_THREAD);
    end(stream);
}

#[test]
fn a_stream_that_ends_in_the_middle() {
    let _cuda = Cuda::new();
    let alloc = || call("cuMemAlloc_v2", &[place(&mut 0u64), 16]);
    let (stream, other) = (stream(), stream());
    begin(stream, GLOBAL);
    ok("cuStreamDestroy_v2", &[stream]);
    assert_eq!(alloc(), 0);
    let doomed: u64 = get("cuCtxCreate_v2", &[0, 0]);
    begin(get("cuStreamCreate", &[1]), GLOBAL);
    ok("cuCtxDestroy_v2", &[doomed]);
    assert_eq!(alloc(), 0);
    // One that has only joined spoils it.
    let fork: u64 = get("cuEventCreate", &[2]);
    begin(other, GLOBAL);
    ok("cuEventRecord", &[fork, other]);
    let joined: u64 = get("cuStreamCreate", &[1]);
    ok("cuStreamWaitEvent", &[joined, fork, 0]);
    ok("cuStreamDestroy_v2", &[joined]);
    assert_eq!(end_in_vain(other), INVALIDATED);
}

#[test]
fn the_legacy_stream_cannot() {
    let _cuda = Cuda::new();
    assert_eq!(call("cuStreamBeginCapture_v2", &[0, RELAXED]), UNSUPPORTED);
    // The thread's own default stream can.
    begin(2, RELAXED);
    end(2);
    // Work of the legacy stream would wait for a stream that blocks it.
    let blocking: u64 = get("cuStreamCreate", &[0]);
    let y = upload(&[1f32; 4]);
    begin(blocking, RELAXED);
    assert_eq!(call("cuMemsetD8Async", &[y, 0, 4, 0]), IMPLICIT);
    assert_eq!(end_in_vain(blocking), INVALIDATED);
    let free = stream();
    begin(free, RELAXED);
    ok("cuMemsetD8Async", &[y, 0, 4, 0]);
    end(free);
    assert_eq!(download::<f32>(y, 2), [0.0, 1.0]);
}

#[test]
fn what_is_captured_can_be_looked_at() {
    let _cuda = Cuda::new();
    let (stream, y) = (stream(), upload(&[1f32; 4]));
    let (mut status, mut id, mut graph, mut nodes, mut count) = (9u32, 0u64, 0u64, 0u64, 0usize);
    begin(stream, RELAXED);
    ok("cuMemsetD8Async", &[y, 0, 4, stream]);
    let places =
        [place(&mut status), place(&mut id), place(&mut graph), place(&mut nodes), place(&mut count)];
    ok("cuStreamGetCaptureInfo_v2", &[&[stream], &places[..]].concat());
    assert_eq!((status, count), (1, 1));
    // The program's own node after the captured one, and before what comes next.
    let mut own = 0u64;
    ok("cuGraphAddEmptyNode", &[place(&mut own), graph, nodes, 1]);
    ok("cuStreamUpdateCaptureDependencies", &[stream, from(&own), 1, 1]);
    ok("cuMemsetD8Async", &[y, 1, 4, stream]);
    assert_eq!(end(stream), graph);
    let mut edges = 0usize;
    ok("cuGraphGetEdges", &[graph, 0, 0, place(&mut edges)]);
    assert_eq!(edges, 2);
    assert_ne!(id, 0);
}
