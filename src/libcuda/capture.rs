//! Capture: streams whose work becomes a graph's nodes.

use crate::abi::{In, Out, Status};
use crate::error::Code;
use crate::event::Event;
use crate::graph::{self, with_graph};
use crate::handle::{Handle, fresh, lock};
use crate::stream::{self, Stream};
use crate::work::Work;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};

/// `CU_STREAM_CAPTURE_MODE_*`: who is kept from calls that would disturb a capture. Everybody, or nobody; the one in
/// between, 1, is the thread that began it.
const GLOBAL: u32 = 0;
const RELAXED: u32 = 2;

/// `CU_STREAM_CAPTURE_STATUS_*`.
const NONE: u32 = 0;
const ACTIVE: u32 = 1;
const SPOILT: u32 = 2;

static CAPTURES: Mutex<Vec<Arc<Capture>>> = Mutex::new(Vec::new());

thread_local! {
    static MODE: Cell<u32> = const { Cell::new(GLOBAL) };
}

/// A capture under way.
pub struct Capture {
    id: u64,
    graph: Handle,
    /// Whether the graph was made for the capture, and not given to it.
    owned: bool,
    mode: u32,
    thread: ThreadId,
    context: Handle,
    /// Whether its first stream and the legacy stream wait for each other.
    blocking: bool,
    streams: Mutex<Vec<Arc<Stream>>>,
    spoilt: AtomicBool,
    over: AtomicBool,
}

/// A stream's, or an event's, part in a capture.
#[derive(Clone)]
pub struct Joined {
    pub capture: Arc<Capture>,
    /// What comes next runs after these nodes.
    after: Vec<Handle>,
}

impl Capture {
    /// Lets the capture fail.
    pub fn spoil(&self) {
        self.spoilt.store(true, Relaxed);
    }

    pub fn well(&self) -> Status {
        if self.spoilt.load(Relaxed) { Err(Code::STREAM_CAPTURE_INVALIDATED) } else { Ok(()) }
    }
}

impl Joined {
    pub fn add(&mut self, work: Work) -> Status {
        self.capture.well()?;
        let node = with_graph(self.capture.graph, |graph| graph.add(self.capture.graph, work, &self.after))??;
        self.after = vec![node];
        Ok(())
    }
}

/// Refuses a call that is not safe while a stream captures, as the capture's mode and the thread's say, and
/// spoils the captures that it would have disturbed.
pub fn refuse() -> Status {
    let (mode, thread) = (MODE.get(), thread::current().id());
    let disturbed = |capture: &&Arc<Capture>| match (mode, capture.mode) {
        (RELAXED, _) | (_, RELAXED) => false,
        (_, _) if capture.thread == thread => true,
        (GLOBAL, GLOBAL) => true,
        _ => false,
    };
    spoil_where(disturbed, Code::STREAM_CAPTURE_UNSUPPORTED)
}

/// Refuses work of the legacy stream where a capturing stream would have to wait for it.
pub fn refuse_legacy(context: Handle) -> Status {
    let disturbed = |capture: &&Arc<Capture>| capture.context == context && capture.blocking;
    spoil_where(disturbed, Code::STREAM_CAPTURE_IMPLICIT)
}

fn spoil_where(disturbed: impl Fn(&&Arc<Capture>) -> bool, code: Code) -> Status {
    let captures = lock(&CAPTURES);
    let mut result = Ok(());
    for capture in captures.iter().filter(disturbed) {
        capture.spoil();
        result = Err(code);
    }
    result
}

/// Makes a stream's next work wait for an event: nothing to do, except in a capture.
pub fn wait_in_capture(stream: &Arc<Stream>, event: &Event) -> Status {
    let mut joined = lock(&stream.joined);
    match (&mut *joined, event.captured()) {
        (None, None) => Ok(()),
        (None, Some(theirs)) if theirs.capture.over.load(Relaxed) => Err(Code::CAPTURED_EVENT),
        (Some(ours), None) => {
            // Nodes cannot wait for what was done before.
            ours.capture.spoil();
            Err(Code::STREAM_CAPTURE_ISOLATION)
        }
        (None, Some(theirs)) => {
            theirs.capture.well()?;
            if stream.is_legacy() {
                theirs.capture.spoil();
                return Err(Code::STREAM_CAPTURE_IMPLICIT);
            }
            lock(&theirs.capture.streams).push(stream.clone());
            *joined = Some(theirs);
            Ok(())
        }
        (Some(ours), Some(theirs)) if Arc::ptr_eq(&ours.capture, &theirs.capture) => {
            ours.capture.well()?;
            let fresh: Vec<_> = theirs.after.into_iter().filter(|node| !ours.after.contains(node)).collect();
            ours.after.extend(fresh);
            Ok(())
        }
        (Some(ours), Some(theirs)) => {
            ours.capture.spoil();
            theirs.capture.spoil();
            Err(Code::STREAM_CAPTURE_MERGE)
        }
    }
}

fn begin(handle: Handle, mode: u32) -> Status {
    begin_at(handle, mode, None, Vec::new())
}

/// Captures into a graph that is there, after some of its nodes.
fn begin_to_graph(
    handle: Handle,
    graph: Handle,
    nodes: In<Handle>,
    _edges: usize,
    count: usize,
    mode: u32,
) -> Status {
    let after = nodes.all(count)?;
    with_graph(graph, |graph| after.iter().try_for_each(|node| graph.index(*node).map(drop)))??;
    begin_at(handle, mode, Some(graph), after)
}

fn begin_at(handle: Handle, mode: u32, graph: Option<Handle>, after: Vec<Handle>) -> Status {
    let stream = stream::find(handle)?;
    let context = stream.context()?;
    if mode > RELAXED {
        return Err(Code::INVALID_VALUE);
    }
    let mut joined = lock(&stream.joined);
    if stream.is_legacy() {
        return Err(Code::STREAM_CAPTURE_UNSUPPORTED);
    }
    if joined.is_some() {
        return Err(Code::ILLEGAL_STATE);
    }
    let capture = Arc::new(Capture {
        id: fresh() as u64,
        graph: graph.unwrap_or_else(graph::create),
        owned: graph.is_none(),
        mode,
        thread: thread::current().id(),
        context: context.handle,
        blocking: stream.is_blocking(),
        streams: Mutex::new(vec![stream.clone()]),
        spoilt: AtomicBool::new(false),
        over: AtomicBool::new(false),
    });
    lock(&CAPTURES).push(capture.clone());
    *joined = Some(Joined { capture, after });
    Ok(())
}

fn end(handle: Handle, place: Out<Handle>) -> Status {
    let stream = stream::find(handle)?;
    let place = place.wanted()?;
    place.set(0)?;
    let joined = lock(&stream.joined).clone().ok_or(Code::ILLEGAL_STATE)?;
    let capture = joined.capture.clone();
    let streams = lock(&capture.streams).clone();
    if !streams.first().is_some_and(|first| Arc::ptr_eq(first, &stream)) {
        capture.spoil();
        return Err(Code::STREAM_CAPTURE_UNMATCHED);
    }
    if capture.mode != RELAXED && capture.thread != thread::current().id() {
        return Err(Code::STREAM_CAPTURE_WRONG_THREAD);
    }
    let result = capture.well().and_then(|()| all_joined(&joined, &streams));
    dissolve(&capture, &streams);
    match result {
        Ok(()) => place.set(capture.graph),
        Err(code) => {
            drop_graph(&capture)?;
            Err(code)
        }
    }
}

/// Lets the streams of a capture go.
fn dissolve(capture: &Arc<Capture>, streams: &[Arc<Stream>]) {
    capture.over.store(true, Relaxed);
    lock(&CAPTURES).retain(|other| !Arc::ptr_eq(other, capture));
    for member in streams {
        lock(&member.joined).take_if(|part| Arc::ptr_eq(&part.capture, capture));
    }
}

/// Ends what a capture that failed has made.
fn drop_graph(capture: &Capture) -> Status {
    if capture.owned { graph::destroy(capture.graph) } else { Ok(()) }
}

/// A stream is no more: the capture that it takes part in is spoilt, and over if the stream began it.
pub fn forsake(stream: &Arc<Stream>) {
    let Some(Joined { capture, .. }) = lock(&stream.joined).take() else { return };
    capture.spoil();
    let streams = lock(&capture.streams).clone();
    if streams.first().is_some_and(|first| Arc::ptr_eq(first, stream)) {
        dissolve(&capture, &streams);
        let _ = drop_graph(&capture);
    }
}

/// Refuses a capture in which another stream's work does not come before the first stream's end.
fn all_joined(first: &Joined, streams: &[Arc<Stream>]) -> Status {
    let reached: BTreeSet<Handle> = with_graph(first.capture.graph, |graph| graph.before(&first.after))?;
    let is_joined = |stream: &Arc<Stream>| match &*lock(&stream.joined) {
        Some(joined) => joined.after.iter().all(|node| reached.contains(node)),
        None => true,
    };
    if streams.iter().all(is_joined) { Ok(()) } else { Err(Code::STREAM_CAPTURE_UNJOINED) }
}

fn status_of(stream: &Stream) -> u32 {
    match &*lock(&stream.joined) {
        None => NONE,
        Some(joined) if joined.capture.well().is_ok() => ACTIVE,
        Some(_) => SPOILT,
    }
}

fn is_capturing(handle: Handle, status: Out<u32>) -> Status {
    let stream = stream::find(handle)?;
    if stream.is_legacy() {
        refuse_legacy(stream.context()?.handle)?;
    }
    status.set(status_of(&stream))
}

fn info(handle: Handle, status: Out<u32>, id: Out<u64>) -> Status {
    info_with_edges(handle, status, id, Out::NULL, Out::NULL, Out::NULL, Out::NULL)
}

fn info_with_nodes(
    handle: Handle,
    status: Out<u32>,
    id: Out<u64>,
    graph: Out<Handle>,
    nodes: Out<*const Handle>,
    count: Out<usize>,
) -> Status {
    info_with_edges(handle, status, id, graph, nodes, Out::NULL, count)
}

/// The list of nodes is good until the stream's next work, as the driver says.
fn info_with_edges(
    handle: Handle,
    status: Out<u32>,
    id: Out<u64>,
    graph: Out<Handle>,
    nodes: Out<*const Handle>,
    edges: Out<*const u64>,
    count: Out<usize>,
) -> Status {
    let stream = stream::find(handle)?;
    status.set(status_of(&stream))?;
    if let Some(joined) = &*lock(&stream.joined) {
        id.set_if_wanted(joined.capture.id);
        graph.set_if_wanted(joined.capture.graph);
        nodes.set_if_wanted(joined.after.as_ptr());
        edges.set_if_wanted(std::ptr::null());
        count.set_if_wanted(joined.after.len());
    }
    Ok(())
}

/// `flags`: 0 adds to what the stream's next work waits for, 1 replaces it.
fn update(handle: Handle, nodes: In<Handle>, count: usize, flags: u32) -> Status {
    let stream = stream::find(handle)?;
    let nodes = nodes.all(count)?;
    let mut joined = lock(&stream.joined);
    let joined = joined.as_mut().ok_or(Code::ILLEGAL_STATE)?;
    joined.capture.well()?;
    let graph = joined.capture.graph;
    with_graph(graph, |graph| nodes.iter().try_for_each(|node| graph.index(*node).map(drop)))??;
    match flags {
        0 => joined.after.extend(nodes),
        1 => joined.after = nodes,
        _ => return Err(Code::INVALID_VALUE),
    }
    Ok(())
}

fn update_with_edges(handle: Handle, nodes: In<Handle>, _edges: usize, count: usize, flags: u32) -> Status {
    update(handle, nodes, count, flags)
}

fn exchange_mode(mode: Out<u32>) -> Status {
    let wanted = mode.get()?;
    if wanted > RELAXED {
        return Err(Code::INVALID_VALUE);
    }
    mode.set(MODE.replace(wanted))
}

export! {
    cuStreamBeginCapture_v2 [cuStreamBeginCapture_v2_ptsz] (stream: Handle, mode: u32) => begin;
    cuStreamBeginCaptureToGraph [cuStreamBeginCaptureToGraph_ptsz] (
        stream: Handle, graph: Handle, nodes: In<Handle>, edges: usize, count: usize, mode: u32
    ) => begin_to_graph;
    cuStreamEndCapture [cuStreamEndCapture_ptsz] (stream: Handle, graph: Out<Handle>) => end;
    cuStreamIsCapturing [cuStreamIsCapturing_ptsz] (stream: Handle, status: Out<u32>) => is_capturing;
    cuStreamGetCaptureInfo [cuStreamGetCaptureInfo_ptsz] (stream: Handle, status: Out<u32>, id: Out<u64>) => info;
    cuStreamGetCaptureInfo_v2 [cuStreamGetCaptureInfo_v2_ptsz] (
        stream: Handle, status: Out<u32>, id: Out<u64>, graph: Out<Handle>, nodes: Out<*const Handle>, count: Out<usize>
    ) => info_with_nodes;
    cuStreamGetCaptureInfo_v3 [cuStreamGetCaptureInfo_v3_ptsz] (
        stream: Handle, status: Out<u32>, id: Out<u64>, graph: Out<Handle>, nodes: Out<*const Handle>,
        edges: Out<*const u64>, count: Out<usize>
    ) => info_with_edges;
    cuStreamUpdateCaptureDependencies [cuStreamUpdateCaptureDependencies_ptsz] (
        stream: Handle, nodes: In<Handle>, count: usize, flags: u32
    ) => update;
    cuStreamUpdateCaptureDependencies_v2 [cuStreamUpdateCaptureDependencies_v2_ptsz] (
        stream: Handle, nodes: In<Handle>, edges: usize, count: usize, flags: u32
    ) => update_with_edges;
    cuThreadExchangeStreamCaptureMode(mode: Out<u32>) => exchange_mode;
}
