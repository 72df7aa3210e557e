//! Graphs made by hand, their execution and their changes.

use crate::kernels::{function, stream};
use crate::library::{Cuda, INVALID_VALUE, call, download, from, get, get_last, ok, place, upload};

const UPDATE_FAILURE: u32 = 910;

fn graph() -> u64 {
    get("cuGraphCreate", &[0])
}

fn executable(graph: u64) -> u64 {
    get("cuGraphInstantiateWithFlags", &[graph, 0])
}

fn run(executable: u64) {
    ok("cuGraphLaunch", &[executable, stream()]);
}

/// `CUDA_KERNEL_NODE_PARAMS_v2` of `scale` on four values.
struct Scale {
    values: [u64; 3],
    pointers: [u64; 3],
    params: [u64; 8],
}

impl Scale {
    fn new(function: u64, y: u64, factor: f32) -> Box<Scale> {
        let values = [y, u64::from(factor.to_bits()), 4];
        let mut scale = Box::new(Scale { values, pointers: [0; 3], params: [0; 8] });
        scale.pointers = [0, 1, 2].map(|index| from(&scale.values[index]));
        // Grid 1 × 1 × 1, block 32 × 1 × 1, no shared memory.
        scale.params = [function, 1 | 1 << 32, 1 | 32 << 32, 1 | 1 << 32, 0, from(&scale.pointers), 0, 0];
        scale
    }

    fn add(&self, graph: u64, after: &[u64]) -> u64 {
        get("cuGraphAddKernelNode_v2", &[graph, from(after), after.len() as u64, from(&self.params)])
    }
}

/// `CUDA_MEMSET_NODE_PARAMS` of one word.
fn fill(graph: u64, after: &[u64], address: u64, value: f32) -> u64 {
    let params = [address, 0, u64::from(value.to_bits()) | 4 << 32, 1, 1];
    get("cuGraphAddMemsetNode", &[graph, from(after), after.len() as u64, from(&params), 0])
}

fn list(name: &str, of: u64) -> Vec<u64> {
    let mut count = 0usize;
    ok(name, &[of, 0, place(&mut count)]);
    let mut list = vec![0u64; count];
    ok(name, &[of, from(&*list), place(&mut count)]);
    std::hint::black_box(&mut list);
    list
}

#[test]
fn nodes_run_after_those_that_they_name() {
    let _cuda = Cuda::new();
    let (function, y) = (function("scale"), upload(&[1f32; 4]));
    let graph = graph();
    let scaling = Scale::new(function, y, 3.0).add(graph, &[]);
    let filling = fill(graph, &[], y, 5.0);
    // Added first, runs last.
    ok("cuGraphAddDependencies", &[graph, from(&filling), from(&scaling), 1]);
    assert_eq!(list("cuGraphGetNodes", graph), [scaling, filling]);
    assert_eq!(list("cuGraphGetRootNodes", graph), [filling]);
    assert_eq!(list("cuGraphNodeGetDependencies", scaling), [filling]);
    assert_eq!(list("cuGraphNodeGetDependentNodes", filling), [scaling]);
    assert_eq!(get_last::<u32>("cuGraphNodeGetType", &[scaling]), 0);
    assert_eq!(get_last::<u32>("cuGraphNodeGetType", &[filling]), 2);
    run(executable(graph));
    assert_eq!(download::<f32>(y, 4), [15.0, 3.0, 3.0, 3.0]);
    // In a circle they cannot run.
    ok("cuGraphAddDependencies", &[graph, from(&scaling), from(&filling), 1]);
    let mut none = 0u64;
    assert_eq!(call("cuGraphInstantiateWithFlags", &[place(&mut none), graph, 0]), INVALID_VALUE);
    ok("cuGraphRemoveDependencies", &[graph, from(&scaling), from(&filling), 1]);
    ok("cuGraphDestroyNode", &[filling]);
    assert_eq!(list("cuGraphNodeGetDependencies", scaling), [0u64; 0]);
    ok("cuGraphDestroy", &[graph]);
    assert_eq!(call("cuGraphNodeGetType", &[scaling, place(&mut none)]), INVALID_VALUE);
}

#[test]
fn nodes_of_other_graphs_are_refused() {
    let _cuda = Cuda::new();
    let y = upload(&[0f32; 4]);
    let (one, other) = (graph(), graph());
    let node = fill(one, &[], y, 1.0);
    let mut none = 0u64;
    let params = [y, 0, 4 << 32, 1, 1];
    let add = |after: &[u64], none: &mut u64| {
        call("cuGraphAddMemsetNode", &[place(none), other, from(after), after.len() as u64, from(&params), 0])
    };
    assert_eq!(add(&[node], &mut none), INVALID_VALUE);
    assert_eq!(add(&[12], &mut none), INVALID_VALUE);
    assert_eq!(add(&[], &mut none), 0);
    assert_eq!(add(&[none, none], &mut none), INVALID_VALUE);
}

#[test]
fn an_executable_takes_new_work() {
    let _cuda = Cuda::new();
    let (function, y, z) = (function("scale"), upload(&[1f32; 4]), upload(&[1f32; 4]));
    let first = graph();
    let node = Scale::new(function, y, 3.0).add(first, &[]);
    let executable = executable(first);
    let other = Scale::new(function, y, 5.0);
    ok("cuGraphExecKernelNodeSetParams_v2", &[executable, node, from(&other.params)]);
    run(executable);
    assert_eq!(download::<f32>(y, 4), [5.0; 4]);

    let second = graph();
    Scale::new(function, z, 7.0).add(second, &[]);
    let mut info = [9u64; 3];
    ok("cuGraphExecUpdate_v2", &[executable, second, place(&mut info)]);
    assert_eq!(info[0] as u32, 0);
    run(executable);
    assert_eq!((download::<f32>(y, 4), download::<f32>(z, 4)), (vec![5.0; 4], vec![7.0; 4]));

    fill(second, &[], y, 0.0);
    assert_eq!(call("cuGraphExecUpdate_v2", &[executable, second, place(&mut info)]), UPDATE_FAILURE);
    assert_eq!(info[0] as u32, 2);
    let third = graph();
    let filling = fill(third, &[], y, 0.0);
    let (mut node, mut result) = (0u64, 0u32);
    let args = [executable, third, place(&mut node), place(&mut result)];
    assert_eq!(call("cuGraphExecUpdate", &args), UPDATE_FAILURE);
    assert_eq!((node, result), (filling, 3));
}

#[test]
fn a_node_can_be_left_out() {
    let _cuda = Cuda::new();
    let y = upload(&[1f32; 4]);
    let graph = graph();
    let node = fill(graph, &[], y, 2.0);
    let executable = executable(graph);
    ok("cuGraphNodeSetEnabled", &[executable, node, 0]);
    assert_eq!(get_last::<u32>("cuGraphNodeGetEnabled", &[executable, node]), 0);
    run(executable);
    assert_eq!(download::<f32>(y, 1), [1.0]);
    ok("cuGraphNodeSetEnabled", &[executable, node, 1]);
    run(executable);
    assert_eq!(download::<f32>(y, 1), [2.0]);
}

#[test]
fn a_kernel_node_s_parameters_can_be_read_and_set() {
    let _cuda = Cuda::new();
    let (function, y) = (function("scale"), upload(&[1f32; 4]));
    let graph = graph();
    let node = Scale::new(function, y, 3.0).add(graph, &[]);
    let mut params: [u64; 8] = get_last("cuGraphKernelNodeGetParams_v2", &[node]);
    assert_eq!((params[0], params[2]), (function, 1 | 32 << 32));
    // SAFETY: the node's list of three addresses, the second of which is of an f32.
    let factor = unsafe { *(*(params[5] as *const [*const f32; 3]))[1] };
    assert_eq!(factor, 3.0);
    params[2] = 1 | 2 << 32;
    ok("cuGraphKernelNodeSetParams_v2", &[node, from(&params)]);
    run(executable(graph));
    assert_eq!(download::<f32>(y, 4), [3.0, 3.0, 1.0, 1.0]);
}

#[test]
fn copies_host_functions_events_and_children() {
    extern "C" fn note(place: u64) {
        // SAFETY: the test passes a word that outlives the graph.
        unsafe { *(place as *mut u32) += 1 };
    }
    let _cuda = Cuda::new();
    let mut called = 0u32;
    let counter = place(&mut called);
    let mut back = [0f32; 4];
    let (y, event) = (upload(&[1f32; 4]), get::<u64>("cuEventCreate", &[0]));
    let child = graph();
    fill(child, &[], y, 9.0);
    let parent = graph();
    let node: u64 = get("cuGraphAddChildGraphNode", &[parent, 0, 0, child]);
    let source = [0, 0, 0, 0, 2, 0, y, 0, 0, 16, 1];
    let target = [0, 0, 0, 0, 1, place(&mut back), 0, 0, 0, 16, 1];
    let copy = [&source[..], &target, &[16, 1, 1]].concat();
    let node: u64 = get("cuGraphAddMemcpyNode", &[parent, from(&node), 1, from(&*copy), 0]);
    let host = [note as extern "C" fn(u64) as usize as u64, counter];
    let node: u64 = get("cuGraphAddHostNode", &[parent, from(&node), 1, from(&host)]);
    let node: u64 = get("cuGraphAddEventRecordNode", &[parent, from(&node), 1, event]);
    let _: u64 = get("cuGraphAddEventWaitNode", &[parent, from(&node), 1, event]);
    let executable = executable(parent);
    run(executable);
    run(executable);
    assert_eq!(std::hint::black_box(called), 2);
    assert_eq!(std::hint::black_box(back), [9.0, 1.0, 1.0, 1.0]);
    let mut milliseconds = 1f32;
    ok("cuEventElapsedTime", &[place(&mut milliseconds), event, event]);
    assert_eq!(milliseconds, 0.0);
}

/// `CUgraphNodeParams` as words: the kind, one that is reserved, and what the kind has, in room for all of them.
#[test]
fn nodes_of_all_kinds_in_one_way() {
    let _cuda = Cuda::new();
    let (function, y) = (function("scale"), upload(&[1f32; 4]));
    let graph = graph();
    let params = |kind: u64, own: &[u64]| [&[kind, 0][..], own, &[0; 30]].concat();
    let add = |after: &[u64], params: &[u64]| -> u64 {
        get("cuGraphAddNode_v2", &[graph, from(after), 0, after.len() as u64, from(params)])
    };
    let filling = add(&[], &params(2, &[y, 0, u64::from(5f32.to_bits()) | 4 << 32, 1, 1]));
    let scaling = add(&[filling], &params(0, &Scale::new(function, y, 2.0).params));
    add(&[scaling], &params(5, &[]));
    let executable = executable(graph);
    run(executable);
    assert_eq!(download::<f32>(y, 4), [10.0, 2.0, 2.0, 2.0]);
    let other = params(2, &[y, 0, u64::from(7f32.to_bits()) | 4 << 32, 2, 1]);
    ok("cuGraphExecNodeSetParams", &[executable, filling, from(&*other)]);
    run(executable);
    assert_eq!(download::<f32>(y, 4), [14.0, 14.0, 4.0, 4.0]);
    let mut none = 0u64;
    let refused = |kind, none: &mut u64| {
        call("cuGraphAddNode_v2", &[place(none), graph, 0, 0, 0, from(&*params(kind, &[]))])
    };
    assert_eq!([refused(10, &mut none), refused(99, &mut none)], [801, INVALID_VALUE]);
}

#[test]
fn clones_know_their_originals() {
    let _cuda = Cuda::new();
    let y = upload(&[1f32; 4]);
    let original = graph();
    let node = fill(original, &[], y, 4.0);
    let clone: u64 = get("cuGraphClone", &[original]);
    let copied: u64 = get("cuGraphNodeFindInClone", &[node, clone]);
    assert_ne!(copied, node);
    ok("cuGraphDestroy", &[original]);
    run(executable(clone));
    assert_eq!(download::<f32>(y, 1), [4.0]);
}

#[test]
fn objects_live_as_long_as_the_graphs() {
    extern "C" fn end(place: u64) {
        // SAFETY: the test passes a word that outlives the object.
        unsafe { *(place as *mut u32) += 1 };
    }
    let _cuda = Cuda::new();
    let mut ended = 0u32;
    let place_of_it = place(&mut ended);
    let count = || std::hint::black_box(word_at(place_of_it));
    let object: u64 =
        get("cuUserObjectCreate", &[place_of_it, end as extern "C" fn(u64) as usize as u64, 2, 1]);
    ok("cuUserObjectRelease", &[object, 1]);
    let graph = graph();
    ok("cuGraphRetainUserObject", &[graph, object, 1, 1]);
    assert_eq!(call("cuUserObjectRelease", &[object, 1]), INVALID_VALUE);
    let executable = executable(graph);
    // The graph's reference can be given up by itself.
    ok("cuGraphReleaseUserObject", &[graph, object, 1]);
    assert_eq!(call("cuGraphReleaseUserObject", &[graph, object, 1]), INVALID_VALUE);
    ok("cuGraphDestroy", &[graph]);
    assert_eq!(count(), 0);
    ok("cuGraphExecDestroy", &[executable]);
    assert_eq!(count(), 1);
}

/// The word at an address.
fn word_at(place: u64) -> u32 {
    // SAFETY: the tests pass places of their own.
    unsafe { std::ptr::read_volatile(place as *const u32) }
}
