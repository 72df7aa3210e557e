//! `CUgraphNodeParams`: nodes of every kind through one structure.

use crate::abi::{In, Out, Status, array_at};
use crate::copy::Params3d;
use crate::error::Code;
use crate::event;
use crate::graph_nodes::{FillParams, HostParams, KernelParams2, add, child_work, replace};
use crate::graph_run;
use crate::handle::Handle;
use crate::work::Work;

/// Where the parameters of the kind stand, behind the kind.
const UNION: usize = 16;
/// Where the copy's own parameters stand in a copy's: behind flags and a context.
const COPY: usize = UNION + 16;

/// The work that the structure at an address describes.
fn work(params: usize) -> Result<Work, Code> {
    match array_at::<u32>(params).get()? {
        0 => array_at::<KernelParams2>(params + UNION).get()?.work(),
        1 => Ok(Work::Copy(array_at::<Params3d>(params + COPY).get()?.copy()?)),
        2 => array_at::<FillParams>(params + UNION).get()?.work(),
        3 => array_at::<HostParams>(params + UNION).get()?.work(),
        4 => child_work(array_at::<Handle>(params + UNION).get()?),
        5 => Ok(Work::Empty),
        6 => event::find(array_at(params + UNION).get()?).map(|_| Work::Wait),
        7 => event::find(array_at(params + UNION).get()?).map(Work::Record),
        // Semaphores, allocations, memory operations, conditions.
        8..=13 => Err(Code::NOT_SUPPORTED),
        _ => Err(Code::INVALID_VALUE),
    }
}

fn add_node(place: Out<Handle>, graph: Handle, after: In<Handle>, count: usize, params: usize) -> Status {
    add(place, graph, after, count, work(params)?)
}

/// Edges carry no data here.
fn add_node_with_edges(
    place: Out<Handle>,
    graph: Handle,
    after: In<Handle>,
    _edges: usize,
    count: usize,
    params: usize,
) -> Status {
    add_node(place, graph, after, count, params)
}

fn set(node: Handle, params: usize) -> Status {
    replace(node, work(params)?)
}

fn set_in_executable(executable: Handle, node: Handle, params: usize) -> Status {
    graph_run::replace(executable, node, work(params)?)
}

export! {
    cuGraphAddNode(place: Out<Handle>, graph: Handle, after: In<Handle>, count: usize, params: usize) => add_node;
    cuGraphAddNode_v2(
        place: Out<Handle>, graph: Handle, after: In<Handle>, edges: usize, count: usize, params: usize
    ) => add_node_with_edges;
    cuGraphAddNode_v3(
        place: Out<Handle>, graph: Handle, after: In<Handle>, edges: usize, count: usize, params: usize
    ) => add_node_with_edges;
    cuGraphNodeSetParams(node: Handle, params: usize) => set;
    cuGraphNodeSetParams_v2(node: Handle, params: usize) => set;
    cuGraphExecNodeSetParams(executable: Handle, node: Handle, params: usize) => set_in_executable;
}
