//! Graphs made ready to run, and their later changes.

use crate::abi::{In, Out, Status};
use crate::copy::Params3d;
use crate::driver::soft;
use crate::error::Code;
use crate::graph::with_graph;
use crate::graph_nodes::{FillParams, HostParams, KernelParams, KernelParams2, child_work};
use crate::handle::{Handle, Table, fresh, lock};
use crate::stream;
use crate::user_object::Object;
use crate::work::Work;
use std::ffi::c_char;
use std::sync::{Arc, Mutex};

/// All of `CUDA_GRAPH_INSTANTIATE_FLAG_*`: freeing, uploading, from the device, priorities.
const ALL_FLAGS: u64 = 15;
/// `CUDA_GRAPH_INSTANTIATE_FLAG_DEVICE_LAUNCH`.
const FROM_DEVICE: u64 = 4;

/// `CUgraphExecUpdateResult`.
const UPDATED: u32 = 0;
const OTHER_TOPOLOGY: u32 = 2;
const OTHER_KIND: u32 = 3;

static EXECUTABLES: Table<Executable> = Table::new();

/// A graph that is ready to run.
struct Executable {
    flags: u64,
    steps: Mutex<Vec<Step>>,
    /// What lives as long as it does.
    _objects: Vec<Arc<Object>>,
}

/// A node, in order.
#[derive(Clone)]
struct Step {
    /// The node that it was made of.
    node: Handle,
    work: Work,
    /// The positions of the steps that it comes after.
    after: Vec<usize>,
    enabled: bool,
}

fn find(handle: Handle) -> Result<Arc<Executable>, Code> {
    soft()?;
    EXECUTABLES.get(handle).map_err(|_| Code::INVALID_VALUE)
}

fn steps(graph: Handle) -> Result<Vec<Step>, Code> {
    with_graph(graph, |graph| {
        let order = graph.order()?;
        let mut place = vec![0; order.len()];
        order.iter().enumerate().for_each(|(at, index)| place[*index] = at);
        let step = |index: &usize| {
            let node = &graph.nodes[*index];
            let after = node.after.iter().map(|before| Ok(place[graph.index(*before)?]));
            let mut after = after.collect::<Result<Vec<usize>, Code>>()?;
            after.sort_unstable();
            Ok(Step { node: node.handle, work: node.work.clone(), after, enabled: true })
        };
        order.iter().map(step).collect()
    })?
}

fn instantiate(place: Out<Handle>, graph: Handle, flags: u64) -> Status {
    let place = place.wanted()?;
    if flags & !ALL_FLAGS != 0 {
        return Err(Code::INVALID_VALUE);
    }
    if flags & FROM_DEVICE != 0 {
        return Err(Code::NOT_SUPPORTED);
    }
    let steps = Mutex::new(steps(graph)?);
    let handle = fresh();
    let _objects = with_graph(graph, |graph| graph.objects.clone())?;
    EXECUTABLES.insert(handle, Executable { flags, steps, _objects });
    place.set(handle)
}

fn instantiate_with_log(
    place: Out<Handle>,
    graph: Handle,
    error_node: Out<Handle>,
    log: Out<c_char>,
    room: usize,
) -> Status {
    error_node.set_if_wanted(0);
    if room > 0 {
        log.set_if_wanted(0);
    }
    instantiate(place, graph, 0)
}

/// `CUDA_GRAPH_INSTANTIATE_PARAMS`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct InstantiateParams {
    flags: u64,
    upload_stream: Handle,
    error_node: Handle,
    /// 0 is success, 1 an error.
    result: u32,
}

fn instantiate_with_params(place: Out<Handle>, graph: Handle, params: Out<InstantiateParams>) -> Status {
    let wanted = params.get()?;
    let made = instantiate(place, graph, wanted.flags);
    params.set(InstantiateParams { error_node: 0, result: u32::from(made.is_err()), ..wanted })?;
    made
}

fn destroy(handle: Handle) -> Status {
    soft()?;
    EXECUTABLES.remove(handle).map(drop).map_err(|_| Code::INVALID_VALUE)
}

/// Runs the graph in the stream's order; in a capture it becomes a node.
fn launch(handle: Handle, stream: Handle) -> Status {
    let executable = find(handle)?;
    let steps = lock(&executable.steps);
    let enabled = steps.iter().filter(|step| step.enabled);
    let work: Arc<[Work]> = enabled.map(|step| step.work.clone()).collect();
    drop(steps);
    stream::submit(stream, Work::Graph(work))
}

fn upload(handle: Handle, stream: Handle) -> Status {
    find(handle)?;
    stream::find(stream)?.context().map(drop)
}

fn flags(handle: Handle, flags: Out<u64>) -> Status {
    flags.set(find(handle)?.flags)
}

fn id(handle: Handle, id: Out<u32>) -> Status {
    find(handle)?;
    id.set(handle as u32)
}

/// Takes the work of another graph of the same shape; or gives the node that differs, and how.
fn take_work(handle: Handle, graph: Handle) -> Result<(), (Handle, u32)> {
    let failed = |_| (0, 1);
    let executable = find(handle).map_err(failed)?;
    let fresh = steps(graph).map_err(failed)?;
    let mut steps = lock(&executable.steps);
    if steps.len() != fresh.len() {
        return Err((0, OTHER_TOPOLOGY));
    }
    for (old, new) in steps.iter().zip(&fresh) {
        if old.after != new.after {
            return Err((new.node, OTHER_TOPOLOGY));
        }
        if old.work.kind() != new.work.kind() {
            return Err((new.node, OTHER_KIND));
        }
    }
    for (old, new) in steps.iter_mut().zip(fresh) {
        old.work = new.work;
    }
    Ok(())
}

fn update(handle: Handle, graph: Handle, node: Out<Handle>, result: Out<u32>) -> Status {
    find(handle)?;
    match take_work(handle, graph) {
        Ok(()) => {
            node.set_if_wanted(0);
            result.set(UPDATED)
        }
        Err((at, why)) => {
            node.set_if_wanted(at);
            result.set(why)?;
            Err(Code::GRAPH_EXEC_UPDATE_FAILURE)
        }
    }
}

/// `CUgraphExecUpdateResultInfo`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct UpdateInfo {
    result: u32,
    node: Handle,
    /// Where an edge is the cause, its other end.
    from: Handle,
}

fn update_with_info(handle: Handle, graph: Handle, info: Out<UpdateInfo>) -> Status {
    find(handle)?;
    let info = info.wanted()?;
    match take_work(handle, graph) {
        Ok(()) => info.set(UpdateInfo { result: UPDATED, node: 0, from: 0 }),
        Err((node, result)) => {
            info.set(UpdateInfo { result, node, from: 0 })?;
            Err(Code::GRAPH_EXEC_UPDATE_FAILURE)
        }
    }
}

fn with_step<T>(handle: Handle, node: Handle, action: impl FnOnce(&mut Step) -> T) -> Result<T, Code> {
    let executable = find(handle)?;
    let mut steps = lock(&executable.steps);
    Ok(action(steps.iter_mut().find(|step| step.node == node).ok_or(Code::INVALID_VALUE)?))
}

/// Puts other work of the same kind into a step.
pub fn replace(handle: Handle, node: Handle, work: Work) -> Status {
    with_step(handle, node, |step| {
        if step.work.kind() != work.kind() {
            return Err(Code::INVALID_VALUE);
        }
        step.work = work;
        Ok(())
    })?
}

fn set_kernel(handle: Handle, node: Handle, params: In<KernelParams>) -> Status {
    replace(handle, node, params.get()?.work()?)
}

fn set_kernel_2(handle: Handle, node: Handle, params: In<KernelParams2>) -> Status {
    replace(handle, node, params.get()?.work()?)
}

fn set_copy(handle: Handle, node: Handle, params: In<Params3d>, _context: Handle) -> Status {
    replace(handle, node, Work::Copy(params.get()?.copy()?))
}

fn set_fill(handle: Handle, node: Handle, params: In<FillParams>, _context: Handle) -> Status {
    replace(handle, node, params.get()?.work()?)
}

fn set_host(handle: Handle, node: Handle, params: In<HostParams>) -> Status {
    replace(handle, node, params.get()?.work()?)
}

fn set_child(handle: Handle, node: Handle, child: Handle) -> Status {
    replace(handle, node, child_work(child)?)
}

fn set_enabled(handle: Handle, node: Handle, enabled: u32) -> Status {
    with_step(handle, node, |step| match step.work {
        // Only these can be left out.
        Work::Kernel(_) | Work::Copy(_) | Work::Fill(_) => {
            step.enabled = enabled != 0;
            Ok(())
        }
        _ => Err(Code::INVALID_VALUE),
    })?
}

fn enabled(handle: Handle, node: Handle, enabled: Out<u32>) -> Status {
    enabled.set(u32::from(with_step(handle, node, |step| step.enabled)?))
}

export! {
    cuGraphInstantiateWithFlags(place: Out<Handle>, graph: Handle, flags: u64) => instantiate;
    cuGraphInstantiate_v2(
        place: Out<Handle>, graph: Handle, error_node: Out<Handle>, log: Out<c_char>, room: usize
    ) => instantiate_with_log;
    cuGraphInstantiateWithParams [cuGraphInstantiateWithParams_ptsz]
        (place: Out<Handle>, graph: Handle, params: Out<InstantiateParams>) => instantiate_with_params;
    cuGraphLaunch [cuGraphLaunch_ptsz] (executable: Handle, stream: Handle) => launch;
    cuGraphUpload [cuGraphUpload_ptsz] (executable: Handle, stream: Handle) => upload;
    cuGraphExecDestroy(executable: Handle) => destroy;
    cuGraphExecGetFlags(executable: Handle, place: Out<u64>) => flags;
    cuGraphExecGetId(executable: Handle, place: Out<u32>) => id;
    cuGraphExecUpdate(executable: Handle, graph: Handle, node: Out<Handle>, result: Out<u32>) => update;
    cuGraphExecUpdate_v2(executable: Handle, graph: Handle, info: Out<UpdateInfo>) => update_with_info;
    cuGraphExecKernelNodeSetParams(executable: Handle, node: Handle, params: In<KernelParams>) => set_kernel;
    cuGraphExecKernelNodeSetParams_v2(executable: Handle, node: Handle, params: In<KernelParams2>)
        => set_kernel_2;
    cuGraphExecMemcpyNodeSetParams(executable: Handle, node: Handle, params: In<Params3d>, context: Handle)
        => set_copy;
    cuGraphExecMemsetNodeSetParams(executable: Handle, node: Handle, params: In<FillParams>, context: Handle)
        => set_fill;
    cuGraphExecHostNodeSetParams(executable: Handle, node: Handle, params: In<HostParams>) => set_host;
    cuGraphExecChildGraphNodeSetParams(executable: Handle, node: Handle, child: Handle) => set_child;
    cuGraphNodeSetEnabled(executable: Handle, node: Handle, enabled: u32) => set_enabled;
    cuGraphNodeGetEnabled(executable: Handle, node: Handle, place: Out<u32>) => enabled;
}
