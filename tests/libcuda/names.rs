//! Symbols, functions by name, names of errors.

use crate::library::{NOT_FOUND, NOT_SUPPORTED, SUCCESS, call, call_at, error_name, from, place, symbol};
use std::collections::BTreeSet;

/// The names of the driver's functions, as the headers up to CUDA 13 have them.
const SYMBOLS: &str = include_str!("symbols.txt");

#[test]
fn every_name_is_exported() {
    let names: Vec<&str> = SYMBOLS.lines().collect();
    assert!(names.is_sorted() && names.len() > 700);
    let missing: Vec<_> = names.into_iter().filter(|name| symbol(name) == 0).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn what_is_not_supported_says_so() {
    for name in
        ["cuArrayCreate_v2", "cuTexObjectCreate", "cuMemCreate", "cuIpcGetMemHandle", "cuGetExportTable"]
    {
        assert_eq!(call(name, &[]), NOT_SUPPORTED, "{name}");
    }
}

/// The function's address and the status, 0 for success, that `cuGetProcAddress_v2` gives.
fn find(name: &str, version: u64, flags: u64) -> (usize, u32) {
    let name = format!("{name}\0");
    let (mut address, mut status) = (1usize, 9u32);
    let args = [from(name.as_bytes()), place(&mut address), version, flags, place(&mut status)];
    assert_eq!(call("cuGetProcAddress_v2", &args), SUCCESS);
    (address, status)
}

#[test]
fn functions_are_found_in_the_version_that_is_meant() {
    let cases = [
        ("cuInit", 12000, 0, "cuInit"),
        ("cuMemAlloc", 12000, 0, "cuMemAlloc_v2"),
        ("cuCtxCreate", 3020, 0, "cuCtxCreate_v2"),
        ("cuCtxCreate", 12000, 0, "cuCtxCreate_v3"),
        ("cuCtxCreate", 13000, 0, "cuCtxCreate_v4"),
        ("cuStreamGetCaptureInfo", 12000, 0, "cuStreamGetCaptureInfo_v2"),
        ("cuGraphInstantiate", 12000, 0, "cuGraphInstantiateWithFlags"),
        ("cuLaunchKernel", 12000, 1, "cuLaunchKernel"),
        ("cuLaunchKernel", 12000, 2, "cuLaunchKernel_ptsz"),
        ("cuMemcpyHtoD", 12000, 2, "cuMemcpyHtoD_v2_ptds"),
        ("cuDeviceGet", 12000, 2, "cuDeviceGet"),
    ];
    for (name, version, flags, expected) in cases {
        assert_eq!(find(name, version, flags), (symbol(expected), 0), "{name} {version} {flags}");
    }
}

#[test]
fn what_is_not_found_is_null() {
    assert_eq!(find("cuNoSuchThing", 12000, 0), (0, 1));
    assert_eq!(find("cuGraphAddNode", 11000, 0), (0, 2));
    let mut address = 1usize;
    let code = call("cuGetProcAddress", &[from(b"cuNoSuchThing\0"), place(&mut address), 12000, 0]);
    assert_eq!((code, address), (NOT_FOUND, 0));
}

#[test]
fn a_function_that_was_found_is_the_function() {
    let (address, _) = find("cuDriverGetVersion", 12000, 0);
    let mut version = 0i32;
    assert_eq!(call_at(address, &[place(&mut version)]), SUCCESS);
    assert_eq!(version, 13000);
}

#[test]
fn errors_have_names_and_meanings() {
    let expected = [
        (0, "CUDA_SUCCESS"),
        (1, "CUDA_ERROR_INVALID_VALUE"),
        (209, "CUDA_ERROR_NO_BINARY_FOR_GPU"),
        (700, "CUDA_ERROR_ILLEGAL_ADDRESS"),
        (919, "CUDA_ERROR_FABRIC_NOT_READY"),
        (999, "CUDA_ERROR_UNKNOWN"),
    ];
    for (code, name) in expected {
        assert_eq!(error_name(code), name);
    }
    assert_eq!(error_name(4711), "unknown error 4711");
    let known = (0..1000).filter(|code| !error_name(*code).starts_with("unknown"));
    let names: BTreeSet<String> = known.clone().map(error_name).collect();
    assert_eq!(names.len(), known.clone().count());
    for code in known {
        let mut text = 0usize;
        assert_eq!(call("cuGetErrorString", &[u64::from(code), place(&mut text)]), SUCCESS);
        assert_ne!(text, 0);
    }
}
