//! Functions by their names, as programs ask for them at run time.

use crate::abi::{Export, Out, Status, Text};
use crate::error::Code;
use crate::{
    capture, context, copy, device, driver, error, event, fill, function, graph, graph_nodes, graph_params,
    graph_run, host_memory, launch, library, link, memory, module, occupancy, pointer, pool, stream,
    unsupported, user_object,
};

/// `CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM`.
const PER_THREAD: u64 = 2;

/// `CUdriverProcAddressQueryResult`.
const FOUND: u32 = 0;
const NOT_FOUND: u32 = 1;
const TOO_OLD: u32 = 2;

/// Names of which a newer form took over, as a program of that CUDA version or later means it. What is not here has
/// one form, or its latest has been the one since before CUDA 11.
const SINCE: &[(&str, i32, &str)] = &[
    ("cuCtxCreate", 2000, "cuCtxCreate_v2"),
    ("cuCtxCreate", 11040, "cuCtxCreate_v3"),
    ("cuCtxCreate", 12050, "cuCtxCreate_v4"),
    ("cuCtxGetDevice", 2000, "cuCtxGetDevice"),
    ("cuCtxGetDevice", 13000, "cuCtxGetDevice_v2"),
    ("cuCtxSynchronize", 2000, "cuCtxSynchronize"),
    ("cuCtxSynchronize", 13000, "cuCtxSynchronize_v2"),
    ("cuDeviceGetUuid", 9020, "cuDeviceGetUuid"),
    ("cuDeviceGetUuid", 11040, "cuDeviceGetUuid_v2"),
    ("cuEventElapsedTime", 2000, "cuEventElapsedTime"),
    ("cuEventElapsedTime", 12080, "cuEventElapsedTime_v2"),
    ("cuGetProcAddress", 11030, "cuGetProcAddress"),
    ("cuGetProcAddress", 12000, "cuGetProcAddress_v2"),
    ("cuGraphAddDependencies", 10000, "cuGraphAddDependencies"),
    ("cuGraphAddDependencies", 12030, "cuGraphAddDependencies_v2"),
    ("cuGraphAddKernelNode", 10000, "cuGraphAddKernelNode"),
    ("cuGraphAddKernelNode", 12000, "cuGraphAddKernelNode_v2"),
    ("cuGraphAddNode", 12020, "cuGraphAddNode"),
    ("cuGraphAddNode", 12030, "cuGraphAddNode_v2"),
    ("cuGraphAddNode", 13041, "cuGraphAddNode_v3"),
    ("cuGraphExecKernelNodeSetParams", 10000, "cuGraphExecKernelNodeSetParams"),
    ("cuGraphExecKernelNodeSetParams", 12000, "cuGraphExecKernelNodeSetParams_v2"),
    ("cuGraphExecUpdate", 10020, "cuGraphExecUpdate"),
    ("cuGraphExecUpdate", 12000, "cuGraphExecUpdate_v2"),
    ("cuGraphGetEdges", 10000, "cuGraphGetEdges"),
    ("cuGraphGetEdges", 12030, "cuGraphGetEdges_v2"),
    ("cuGraphInstantiate", 10000, "cuGraphInstantiate_v2"),
    ("cuGraphInstantiate", 12000, "cuGraphInstantiateWithFlags"),
    ("cuGraphKernelNodeGetParams", 10000, "cuGraphKernelNodeGetParams"),
    ("cuGraphKernelNodeGetParams", 12000, "cuGraphKernelNodeGetParams_v2"),
    ("cuGraphKernelNodeSetParams", 10000, "cuGraphKernelNodeSetParams"),
    ("cuGraphKernelNodeSetParams", 12000, "cuGraphKernelNodeSetParams_v2"),
    ("cuGraphNodeGetDependencies", 10000, "cuGraphNodeGetDependencies"),
    ("cuGraphNodeGetDependencies", 12030, "cuGraphNodeGetDependencies_v2"),
    ("cuGraphNodeGetDependentNodes", 10000, "cuGraphNodeGetDependentNodes"),
    ("cuGraphNodeGetDependentNodes", 12030, "cuGraphNodeGetDependentNodes_v2"),
    ("cuGraphNodeSetParams", 12020, "cuGraphNodeSetParams"),
    ("cuGraphNodeSetParams", 13041, "cuGraphNodeSetParams_v2"),
    ("cuGraphRemoveDependencies", 10000, "cuGraphRemoveDependencies"),
    ("cuGraphRemoveDependencies", 12030, "cuGraphRemoveDependencies_v2"),
    ("cuLaunchHostFunc", 10000, "cuLaunchHostFunc"),
    ("cuLaunchHostFunc", 13020, "cuLaunchHostFunc_v2"),
    ("cuMemAdvise", 8000, "cuMemAdvise"),
    ("cuMemAdvise", 12020, "cuMemAdvise_v2"),
    ("cuMemPrefetchAsync", 8000, "cuMemPrefetchAsync"),
    ("cuMemPrefetchAsync", 12020, "cuMemPrefetchAsync_v2"),
    ("cuStreamGetCaptureInfo", 10010, "cuStreamGetCaptureInfo"),
    ("cuStreamGetCaptureInfo", 11030, "cuStreamGetCaptureInfo_v2"),
    ("cuStreamGetCaptureInfo", 12030, "cuStreamGetCaptureInfo_v3"),
    ("cuStreamGetCtx", 9020, "cuStreamGetCtx"),
    ("cuStreamGetCtx", 12050, "cuStreamGetCtx_v2"),
    ("cuStreamUpdateCaptureDependencies", 11030, "cuStreamUpdateCaptureDependencies"),
    ("cuStreamUpdateCaptureDependencies", 12030, "cuStreamUpdateCaptureDependencies_v2"),
];

/// Every function that this library exports.
fn exports() -> impl Iterator<Item = &'static Export> {
    let modules: [&[Export]; 26] = [
        capture::EXPORTS,
        context::EXPORTS,
        copy::EXPORTS,
        device::EXPORTS,
        driver::EXPORTS,
        error::EXPORTS,
        event::EXPORTS,
        fill::EXPORTS,
        function::EXPORTS,
        graph::EXPORTS,
        graph_nodes::EXPORTS,
        graph_params::EXPORTS,
        graph_run::EXPORTS,
        host_memory::EXPORTS,
        launch::EXPORTS,
        library::EXPORTS,
        link::EXPORTS,
        memory::EXPORTS,
        module::EXPORTS,
        occupancy::EXPORTS,
        pointer::EXPORTS,
        pool::EXPORTS,
        stream::EXPORTS,
        EXPORTS,
        unsupported::EXPORTS,
        user_object::EXPORTS,
    ];
    modules.into_iter().flatten()
}

fn exported(name: &str) -> Option<*const ()> {
    exports().find(|export| export.name == name).map(|export| export.function)
}

/// The function that a program of CUDA `version` means by `name`, or what is wrong.
fn resolve(name: &str, version: i32, per_thread: bool) -> Result<*const (), u32> {
    let forms = || SINCE.iter().filter(|(base, ..)| *base == name);
    let full = match forms().rfind(|(_, since, _)| *since <= version) {
        Some((.., full)) => full.to_string(),
        None if forms().next().is_some() => return Err(TOO_OLD),
        None => latest(name).ok_or(NOT_FOUND)?,
    };
    let own = ["_ptsz", "_ptds"].into_iter().find_map(|end| exported(&format!("{full}{end}")));
    own.filter(|_| per_thread).or_else(|| exported(&full)).ok_or(NOT_FOUND)
}

/// The last version of a name that there is.
fn latest(name: &str) -> Option<String> {
    let versions = ["_v4", "_v3", "_v2", ""].map(|version| format!("{name}{version}"));
    versions.into_iter().find(|full| exported(full).is_some())
}

fn address_with_status(
    name: Text,
    place: Out<*const ()>,
    version: i32,
    flags: u64,
    status: Out<u32>,
) -> Status {
    let (name, place) = (name.get()?, place.wanted()?);
    match resolve(&name, version, flags & PER_THREAD != 0) {
        Ok(function) => {
            status.set_if_wanted(FOUND);
            place.set(function)
        }
        Err(why) => {
            place.set(std::ptr::null())?;
            // A program that takes the status reads it there.
            if status.set(why).is_ok() { Ok(()) } else { Err(Code::NOT_FOUND) }
        }
    }
}

fn address(name: Text, place: Out<*const ()>, version: i32, flags: u64) -> Status {
    address_with_status(name, place, version, flags, Out::NULL)
}

export! {
    cuGetProcAddress(name: Text, place: Out<*const ()>, version: i32, flags: u64) => address;
    cuGetProcAddress_v2(name: Text, place: Out<*const ()>, version: i32, flags: u64, status: Out<u32>)
        => address_with_status;
}
