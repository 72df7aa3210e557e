//! Nodes that a program makes by hand, and what is in them.

use crate::abi::{In, Out, Status, array_at};
use crate::copy::Params3d;
use crate::error::Code;
use crate::event;
use crate::fill::Fill;
use crate::graph::{with_graph, with_node};
use crate::handle::Handle;
use crate::launch::Launch;
use crate::work::{HostCall, Work};
use std::sync::Arc;

/// `CUDA_KERNEL_NODE_PARAMS`, whose second version only adds fields at its end.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct KernelParams {
    function: Handle,
    grid: [u32; 3],
    block: [u32; 3],
    shared_bytes: u32,
    params: usize,
    extra: usize,
}

/// The second version.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct KernelParams2 {
    first: KernelParams,
    /// A `CUkernel`, where `function` is null.
    kernel: Handle,
    context: Handle,
}

impl KernelParams {
    pub fn work(&self) -> Result<Work, Code> {
        let KernelParams { function, grid, block, shared_bytes, params, extra } = *self;
        let (params, extra) = (array_at(params), array_at(extra));
        Ok(Work::Kernel(Arc::new(Launch::new(function, grid, block, shared_bytes, params, extra)?)))
    }

    fn of(launch: &Launch) -> KernelParams {
        KernelParams {
            function: launch.function,
            grid: launch.grid,
            block: launch.block,
            shared_bytes: launch.shared_bytes,
            params: launch.pointers.as_ptr().expose_provenance(),
            extra: 0,
        }
    }
}

impl KernelParams2 {
    pub fn work(&self) -> Result<Work, Code> {
        let function = if self.first.function == 0 { self.kernel } else { self.first.function };
        KernelParams { function, ..self.first }.work()
    }
}

/// `CUDA_MEMSET_NODE_PARAMS`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct FillParams {
    address: u64,
    pitch: usize,
    value: u32,
    element: u32,
    width: usize,
    height: usize,
}

impl FillParams {
    pub fn work(&self) -> Result<Work, Code> {
        let FillParams { address, pitch, value, element, width, height } = *self;
        let fill = Fill { address, pitch, value, element, width, height };
        fill.check()?;
        Ok(Work::Fill(fill))
    }
}

/// `CUDA_HOST_NODE_PARAMS`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct HostParams {
    function: Option<extern "C" fn(usize)>,
    data: usize,
}

impl HostParams {
    pub fn work(&self) -> Result<Work, Code> {
        let function = self.function.ok_or(Code::INVALID_VALUE)?;
        Ok(Work::Host(HostCall { function, data: self.data }))
    }
}

/// Adds a node with that work to a graph.
pub fn add(place: Out<Handle>, graph: Handle, after: In<Handle>, count: usize, work: Work) -> Status {
    let place = place.wanted()?;
    let after = after.all(count)?;
    place.set(with_graph(graph, |inside| inside.add(graph, work, &after))??)
}

/// Puts other work of the same kind into a node.
pub fn replace(node: Handle, work: Work) -> Status {
    with_node(node, |node| {
        if node.work.kind() != work.kind() {
            return Err(Code::INVALID_VALUE);
        }
        node.work = work;
        Ok(())
    })?
}

fn add_kernel(
    place: Out<Handle>,
    graph: Handle,
    after: In<Handle>,
    count: usize,
    params: In<KernelParams>,
) -> Status {
    add(place, graph, after, count, params.get()?.work()?)
}

fn add_kernel_2(
    place: Out<Handle>,
    graph: Handle,
    after: In<Handle>,
    count: usize,
    params: In<KernelParams2>,
) -> Status {
    add(place, graph, after, count, params.get()?.work()?)
}

fn kernel_params(node: Handle) -> Result<KernelParams, Code> {
    with_node(node, |node| match &node.work {
        Work::Kernel(launch) => Ok(KernelParams::of(launch)),
        _ => Err(Code::INVALID_VALUE),
    })?
}

fn get_kernel(node: Handle, params: Out<KernelParams>) -> Status {
    params.set(kernel_params(node)?)
}

fn get_kernel_2(node: Handle, params: Out<KernelParams2>) -> Status {
    params.set(KernelParams2 { first: kernel_params(node)?, kernel: 0, context: 0 })
}

fn set_kernel(node: Handle, params: In<KernelParams>) -> Status {
    replace(node, params.get()?.work()?)
}

fn set_kernel_2(node: Handle, params: In<KernelParams2>) -> Status {
    replace(node, params.get()?.work()?)
}

fn add_copy(
    place: Out<Handle>,
    graph: Handle,
    after: In<Handle>,
    count: usize,
    params: In<Params3d>,
    _context: Handle,
) -> Status {
    add(place, graph, after, count, Work::Copy(params.get()?.copy()?))
}

fn set_copy(node: Handle, params: In<Params3d>) -> Status {
    replace(node, Work::Copy(params.get()?.copy()?))
}

fn add_fill(
    place: Out<Handle>,
    graph: Handle,
    after: In<Handle>,
    count: usize,
    params: In<FillParams>,
    _context: Handle,
) -> Status {
    add(place, graph, after, count, params.get()?.work()?)
}

fn get_fill(node: Handle, params: Out<FillParams>) -> Status {
    let fill = with_node(node, |node| match node.work {
        Work::Fill(fill) => Ok(fill),
        _ => Err(Code::INVALID_VALUE),
    })??;
    let Fill { address, pitch, value, element, width, height } = fill;
    params.set(FillParams { address, pitch, value, element, width, height })
}

fn set_fill(node: Handle, params: In<FillParams>) -> Status {
    replace(node, params.get()?.work()?)
}

fn add_host(
    place: Out<Handle>,
    graph: Handle,
    after: In<Handle>,
    count: usize,
    params: In<HostParams>,
) -> Status {
    add(place, graph, after, count, params.get()?.work()?)
}

fn get_host(node: Handle, params: Out<HostParams>) -> Status {
    let HostCall { function, data } = with_node(node, |node| match node.work {
        Work::Host(call) => Ok(call),
        _ => Err(Code::INVALID_VALUE),
    })??;
    params.set(HostParams { function: Some(function), data })
}

fn set_host(node: Handle, params: In<HostParams>) -> Status {
    replace(node, params.get()?.work()?)
}

fn add_empty(place: Out<Handle>, graph: Handle, after: In<Handle>, count: usize) -> Status {
    add(place, graph, after, count, Work::Empty)
}

/// A graph's work as it is now, as one.
pub fn child_work(child: Handle) -> Result<Work, Code> {
    Ok(Work::Graph(with_graph(child, |child| child.work())??.into()))
}

fn add_child(place: Out<Handle>, graph: Handle, after: In<Handle>, count: usize, child: Handle) -> Status {
    add(place, graph, after, count, child_work(child)?)
}

fn add_record(place: Out<Handle>, graph: Handle, after: In<Handle>, count: usize, event: Handle) -> Status {
    add(place, graph, after, count, Work::Record(event::find(event)?))
}

fn add_wait(place: Out<Handle>, graph: Handle, after: In<Handle>, count: usize, event: Handle) -> Status {
    event::find(event)?;
    add(place, graph, after, count, Work::Wait)
}

export! {
    cuGraphAddKernelNode(
        place: Out<Handle>, graph: Handle, after: In<Handle>, count: usize, params: In<KernelParams>
    ) => add_kernel;
    cuGraphAddKernelNode_v2(
        place: Out<Handle>, graph: Handle, after: In<Handle>, count: usize, params: In<KernelParams2>
    ) => add_kernel_2;
    cuGraphKernelNodeGetParams(node: Handle, params: Out<KernelParams>) => get_kernel;
    cuGraphKernelNodeGetParams_v2(node: Handle, params: Out<KernelParams2>) => get_kernel_2;
    cuGraphKernelNodeSetParams(node: Handle, params: In<KernelParams>) => set_kernel;
    cuGraphKernelNodeSetParams_v2(node: Handle, params: In<KernelParams2>) => set_kernel_2;
    cuGraphAddMemcpyNode(
        place: Out<Handle>, graph: Handle, after: In<Handle>, count: usize, params: In<Params3d>, context: Handle
    ) => add_copy;
    cuGraphMemcpyNodeSetParams(node: Handle, params: In<Params3d>) => set_copy;
    cuGraphAddMemsetNode(
        place: Out<Handle>, graph: Handle, after: In<Handle>, count: usize, params: In<FillParams>, context: Handle
    ) => add_fill;
    cuGraphMemsetNodeGetParams(node: Handle, params: Out<FillParams>) => get_fill;
    cuGraphMemsetNodeSetParams(node: Handle, params: In<FillParams>) => set_fill;
    cuGraphAddHostNode(
        place: Out<Handle>, graph: Handle, after: In<Handle>, count: usize, params: In<HostParams>
    ) => add_host;
    cuGraphHostNodeGetParams(node: Handle, params: Out<HostParams>) => get_host;
    cuGraphHostNodeSetParams(node: Handle, params: In<HostParams>) => set_host;
    cuGraphAddEmptyNode(place: Out<Handle>, graph: Handle, after: In<Handle>, count: usize) => add_empty;
    cuGraphAddChildGraphNode(
        place: Out<Handle>, graph: Handle, after: In<Handle>, count: usize, child: Handle
    ) => add_child;
    cuGraphAddEventRecordNode(
        place: Out<Handle>, graph: Handle, after: In<Handle>, count: usize, event: Handle
    ) => add_record;
    cuGraphAddEventWaitNode(
        place: Out<Handle>, graph: Handle, after: In<Handle>, count: usize, event: Handle
    ) => add_wait;
}
