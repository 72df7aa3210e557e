//! Launches, and graphs of them.

use crate::state::{INVALID_VALUE, enter, give, note, status};
use std::ffi::{c_uint, c_ulonglong, c_void};

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuLaunchKernel(
    function: usize,
    grid_x: c_uint,
    grid_y: c_uint,
    grid_z: c_uint,
    block_x: c_uint,
    block_y: c_uint,
    block_z: c_uint,
    shared: c_uint,
    stream: usize,
    params: *const *const u8,
    _extra: *mut c_void,
) -> c_uint {
    status(enter("cuLaunchKernel").and_then(|mut entered| {
        let state = entered.state();
        let function = state.functions.get(&function).ok_or(INVALID_VALUE)?;
        if grid_x * grid_y * grid_z == 0 || block_x * block_y * block_z > 1024 {
            return Err(INVALID_VALUE);
        }
        if shared > function.shared_limit {
            return Err(INVALID_VALUE);
        }
        let places = unsafe { std::slice::from_raw_parts(params, function.params.len()) };
        let pairs = function.params.iter().zip(places);
        let args: Vec<_> = pairs.map(|(ty, &place)| unsafe { show(ty, place) }).collect();
        let line = format!(
            "{}<<<{grid_x},{grid_y},{grid_z}; {block_x},{block_y},{block_z}; {shared}>>>({})",
            function.entry,
            args.join(", ")
        );
        match &mut state.capturing {
            Some((capturing, lines)) if *capturing == stream => lines.push(line),
            _ => note(&format!("launch {line} on stream {stream}")),
        }
        Ok(0)
    }))
}

/// A parameter as its PTX type has it.
unsafe fn show(ty: &str, place: *const u8) -> String {
    unsafe {
        match ty {
            ".u64" => format!("{:#x}", place.cast::<u64>().read_unaligned()),
            ".u32" => place.cast::<u32>().read_unaligned().to_string(),
            ".s32" => place.cast::<i32>().read_unaligned().to_string(),
            ".f32" => place.cast::<f32>().read_unaligned().to_string(),
            ".f64" => place.cast::<f64>().read_unaligned().to_string(),
            _ => format!("unknown type {ty}"),
        }
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamBeginCapture_v2(stream: usize, _mode: c_uint) -> c_uint {
    status(enter("cuStreamBeginCapture_v2").map(|mut entered| {
        note(&format!("capture on stream {stream}"));
        entered.state().capturing = Some((stream, Vec::new()));
        0
    }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuStreamEndCapture(stream: usize, graph: *mut usize) -> c_uint {
    status(enter("cuStreamEndCapture").and_then(|mut entered| {
        let state = entered.state();
        let (_, lines) = state.capturing.take().filter(|(at, _)| *at == stream).ok_or(INVALID_VALUE)?;
        let handle = state.make("graph");
        state.graphs.insert(handle, lines);
        Ok(unsafe { give(graph, handle) })
    }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuGraphInstantiateWithFlags(
    executable: *mut usize,
    graph: usize,
    _flags: c_ulonglong,
) -> c_uint {
    status(enter("cuGraphInstantiateWithFlags").and_then(|mut entered| {
        let state = entered.state();
        let lines = state.graphs.get(&graph).ok_or(INVALID_VALUE)?.clone();
        note(&format!("instantiate {} nodes", lines.len()));
        let handle = state.make("executable");
        state.graphs.insert(handle, lines);
        Ok(unsafe { give(executable, handle) })
    }))
}

// Left out of the library that stands for an incomplete one.
#[cfg(not(incomplete))]
#[unsafe(no_mangle)]
pub extern "C" fn cuGraphLaunch(executable: usize, stream: usize) -> c_uint {
    status(enter("cuGraphLaunch").and_then(|mut entered| {
        let state = entered.state();
        if state.live.get(&executable) != Some(&"executable") {
            return Err(INVALID_VALUE);
        }
        note(&format!("graph on stream {stream}"));
        for line in &state.graphs[&executable] {
            note(&format!("node {line}"));
        }
        Ok(0)
    }))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphExecDestroy(executable: usize) -> c_uint {
    status(
        enter("cuGraphExecDestroy").map(|mut entered| entered.state().drop_handle(executable, "executable")),
    )
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphDestroy(graph: usize) -> c_uint {
    status(enter("cuGraphDestroy").map(|mut entered| entered.state().drop_handle(graph, "graph")))
}
