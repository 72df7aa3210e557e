//! Contexts: the stack of a thread, the primary one, and what ends with a context.

use crate::kernels::{PTX, free, function, launch, stream};
use crate::library::{
    Cuda, ILLEGAL_ADDRESS, INVALID_CONTEXT, INVALID_HANDLE, INVALID_VALUE, SUCCESS, alone, call, from, get,
    get_last, ok, place,
};

const CONTEXT_IS_DESTROYED: u32 = 709;

fn current() -> u64 {
    get("cuCtxGetCurrent", &[])
}

#[test]
fn threads_have_stacks_of_them() {
    let cuda = Cuda::new();
    let other: u64 = get("cuCtxCreate_v2", &[0, 0]);
    assert_eq!(current(), other);
    assert_eq!(get::<u64>("cuCtxPopCurrent_v2", &[]), other);
    assert_eq!(current(), cuda.context);
    ok("cuCtxPushCurrent_v2", &[other]);
    ok("cuCtxSetCurrent", &[cuda.context]);
    assert_eq!(current(), cuda.context);
    std::thread::spawn(|| assert_eq!(current(), 0)).join().unwrap();
    ok("cuCtxDestroy_v2", &[other]);
    assert_eq!(call("cuCtxPushCurrent_v2", &[other]), INVALID_CONTEXT);
    assert_eq!(get::<i32>("cuCtxGetDevice", &[]), 0);
    ok("cuCtxSetCurrent", &[0]);
}

#[test]
fn nothing_works_without_one() {
    let cuda = Cuda::new();
    ok("cuCtxSetCurrent", &[0]);
    let mut word = 0u64;
    assert_eq!(call("cuMemAlloc_v2", &[place(&mut word), 16]), INVALID_CONTEXT);
    assert_eq!(call("cuStreamCreate", &[place(&mut word), 0]), INVALID_CONTEXT);
    assert_eq!(call("cuCtxSynchronize", &[]), INVALID_CONTEXT);
    ok("cuCtxSetCurrent", &[cuda.context]);
}

#[test]
fn the_primary_one_is_counted() {
    let _alone = alone();
    ok("cuInit", &[0]);
    let state = || {
        let (mut flags, mut active) = (9u32, 9i32);
        ok("cuDevicePrimaryCtxGetState", &[0, place(&mut flags), place(&mut active)]);
        (flags, active)
    };
    assert_eq!(state(), (0, 0));
    ok("cuDevicePrimaryCtxSetFlags_v2", &[0, 4]);
    let context: u64 = get("cuDevicePrimaryCtxRetain", &[0]);
    assert_eq!(get::<u64>("cuDevicePrimaryCtxRetain", &[0]), context);
    ok("cuDevicePrimaryCtxRelease_v2", &[0]);
    assert_eq!(state(), (4, 1));
    ok("cuCtxSetCurrent", &[context]);
    assert_eq!(get::<u32>("cuCtxGetFlags", &[]), 4);
    assert_eq!(call("cuCtxDestroy_v2", &[context]), INVALID_CONTEXT);
    ok("cuDevicePrimaryCtxRelease_v2", &[0]);
    assert_eq!(state(), (4, 0));
    assert_eq!(call("cuCtxSynchronize", &[]), CONTEXT_IS_DESTROYED);
    assert_eq!(call("cuDevicePrimaryCtxRelease_v2", &[0]), INVALID_CONTEXT);
    ok("cuDevicePrimaryCtxSetFlags_v2", &[0, 0]);
    ok("cuCtxSetCurrent", &[0]);
}

#[test]
fn what_is_in_one_ends_with_it() {
    let _cuda = Cuda::new();
    let other: u64 = get("cuCtxCreate_v2", &[0, 0]);
    let address: u64 = get("cuMemAlloc_v2", &[64]);
    let (stream, event) = (stream(), get::<u64>("cuEventCreate", &[0]));
    let function = function("lone");
    ok("cuCtxDestroy_v2", &[other]);
    assert_eq!(call("cuMemFree_v2", &[address]), INVALID_VALUE);
    assert_eq!(call("cuStreamSynchronize", &[stream]), INVALID_HANDLE);
    assert_eq!(call("cuEventSynchronize", &[event]), INVALID_HANDLE);
    assert_eq!(launch(function, 1, 64, 0, 0, &[]), INVALID_HANDLE);
}

#[test]
fn a_fault_stays_with_its_context() {
    let cuda = Cuda::new();
    let bad: u64 = get("cuCtxCreate_v2", &[0, 0]);
    let address: u64 = get("cuMemAlloc_v2", &[64]);
    assert_eq!(launch(function("fail"), 1, 1, 0, 0, &[address + 64]), ILLEGAL_ADDRESS);
    let mut word = 0u64;
    for (name, args) in [
        ("cuCtxSynchronize", vec![]),
        ("cuMemAlloc_v2", vec![place(&mut word), 16]),
        ("cuMemcpyHtoD_v2", vec![address, from(PTX), 4]),
        ("cuStreamSynchronize", vec![0]),
        ("cuModuleLoadData", vec![place(&mut word), from(PTX)]),
    ] {
        assert_eq!(call(name, &args), ILLEGAL_ADDRESS, "{name}");
    }
    ok("cuCtxDestroy_v2", &[bad]);
    assert_eq!(current(), cuda.context);
    ok("cuCtxSynchronize", &[]);
    free(get("cuMemAlloc_v2", &[64]));
}

#[test]
fn a_reset_mends_the_primary_one() {
    let _alone = alone();
    ok("cuInit", &[0]);
    ok("cuCtxSetCurrent", &[get("cuDevicePrimaryCtxRetain", &[0])]);
    assert_eq!(launch(function("trapped"), 1, 1, 0, 0, &[]), 719);
    assert_eq!(call("cuCtxSynchronize", &[]), 719);
    ok("cuDevicePrimaryCtxReset_v2", &[0]);
    ok("cuCtxSetCurrent", &[get("cuDevicePrimaryCtxRetain", &[0])]);
    ok("cuCtxSynchronize", &[]);
    ok("cuDevicePrimaryCtxRelease_v2", &[0]);
    ok("cuCtxSetCurrent", &[0]);
}

#[test]
fn settings_are_kept() {
    let cuda = Cuda::new();
    ok("cuCtxSetLimit", &[0, 4096]);
    assert_eq!(get::<usize>("cuCtxGetLimit", &[0]), 4096);
    let mut limit = 0usize;
    assert_eq!(call("cuCtxGetLimit", &[place(&mut limit), 99]), 215);
    ok("cuCtxSetCacheConfig", &[2]);
    assert_eq!(get::<u32>("cuCtxGetCacheConfig", &[]), 2);
    assert_eq!(call("cuCtxSetCacheConfig", &[9]), INVALID_VALUE);
    let (mut least, mut greatest) = (1i32, 1i32);
    ok("cuCtxGetStreamPriorityRange", &[place(&mut least), place(&mut greatest)]);
    assert!(least >= greatest);
    assert_eq!(get_last::<u32>("cuCtxGetApiVersion", &[cuda.context]), 13000);
    assert_eq!(call("cuCtxCreate_v3", &[place(&mut limit), 0, 1, 0, 0]), 224);
    let context = get::<u64>("cuCtxCreate_v4", &[0, 0, 0]);
    assert_eq!(call("cuCtxDestroy_v2", &[context]), SUCCESS);
}
