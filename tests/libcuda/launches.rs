//! Launches.

use crate::kernels::{free, function, launch, stream};
use crate::library::{
    Cuda, ILLEGAL_ADDRESS, INVALID_HANDLE, INVALID_VALUE, LAUNCH_OUT_OF_RESOURCES, NOT_SUPPORTED, call,
    download, from, get, ok, upload,
};

const INVALID_CLUSTER_SIZE: u32 = 912;

#[test]
fn parameters_one_by_one_or_as_a_block() {
    let _cuda = Cuda::new();
    let scale = function("scale");
    let y = upload(&[1f32, 2.0, 3.0]);
    let factor = u64::from(2f32.to_bits());
    assert_eq!(launch(scale, 1, 32, 0, 0, &[y, factor, 3]), 0);
    let block: Vec<u32> = vec![y as u32, (y >> 32) as u32, 5f32.to_bits(), 2];
    let run = |bytes: u64| {
        let extra = [1, from(&*block), 2, from(&bytes), 0];
        call("cuLaunchKernel", &[scale, 1, 1, 1, 32, 1, 1, 0, 0, 0, from(&extra)])
    };
    assert_eq!(run(16), 0);
    assert_eq!(download::<f32>(y, 3), [10.0, 20.0, 6.0]);
    assert_eq!(run(12), INVALID_VALUE);
    assert_eq!(run(64), INVALID_VALUE);
    assert_eq!(launch(scale, 1, 32, 0, 0, &[]), INVALID_VALUE);
}

#[test]
fn shapes_that_cannot_be() {
    let _cuda = Cuda::new();
    let (lone, mark) = (function("lone"), function("mark"));
    let run = |grid: [u64; 3], block: [u64; 3], shared| {
        let ([a, b, c], [x, y, z]) = (grid, block);
        call("cuLaunchKernel", &[lone, a, b, c, x, y, z, shared, 0, 0, 0])
    };
    assert_eq!(run([1, 1, 1], [64, 1, 1], 0), 0);
    assert_eq!(run([0, 1, 1], [64, 1, 1], 0), INVALID_VALUE);
    assert_eq!(run([1, 65_536, 1], [64, 1, 1], 0), INVALID_VALUE);
    assert_eq!(run([1, 1, 1], [2048, 1, 1], 0), INVALID_VALUE);
    assert_eq!(run([1, 1, 1], [u64::from(u32::MAX); 3], 0), INVALID_VALUE);
    assert_eq!(run([1, 1, 1], [1, 1, 65], 0), INVALID_VALUE);
    assert_eq!(run([1, 1, 1], [32, 2, 1], 0), LAUNCH_OUT_OF_RESOURCES);
    assert_eq!(run([1, 1, 1], [64, 1, 1], 45_057), INVALID_VALUE);
    assert_eq!(launch(12, 1, 32, 0, 0, &[]), INVALID_HANDLE);
    assert_eq!(launch(mark, 1, 32, 0, 12, &[0]), INVALID_HANDLE);
    ok("cuCtxSynchronize", &[]);
}

#[test]
fn shared_memory_beyond_what_is_had_unasked() {
    let _cuda = Cuda::new();
    let mark = function("mark");
    let p = upload(&[0u32; 32]);
    assert_eq!(launch(mark, 1, 32, 100_000, 0, &[p]), INVALID_VALUE);
    ok("cuFuncSetAttribute", &[mark, 8, 100_000]);
    assert_eq!(launch(mark, 1, 32, 100_000, 0, &[p]), 0);
    assert_eq!(download::<u32>(p, 32), (0..32).collect::<Vec<_>>());
}

/// `CUlaunchConfig` with one attribute, 72 bytes: its number and three words of value.
fn launch_with(function: u64, blocks: u32, attribute: [u32; 4], params: u64) -> u32 {
    let [id, x, y, z] = attribute;
    let mut attribute = [0u32; 18];
    attribute[0] = id;
    attribute[2..5].copy_from_slice(&[x, y, z]);
    let words = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
    let config = [words(blocks, 1), words(1, 32), words(1, 1), words(128, 0), stream(), from(&attribute), 1];
    call("cuLaunchKernelEx", &[from(&config), function, params, 0])
}

#[test]
fn attributes_of_a_launch() {
    let _cuda = Cuda::new();
    let mark = function("mark");
    let p = upload(&[0u32; 32]);
    let (values, pointers);
    values = p;
    pointers = [from(&values)];
    let run = |blocks, attribute| launch_with(mark, blocks, attribute, from(&pointers));
    // Programmatic serialisation and priority are advice.
    assert_eq!(run(2, [6, 1, 0, 0]), 0);
    assert_eq!(run(2, [8, 3, 0, 0]), 0);
    assert_eq!(run(2, [2, 0, 0, 0]), 0);
    assert_eq!(run(2, [2, 1, 0, 0]), NOT_SUPPORTED);
    assert_eq!(run(2, [77, 1, 0, 0]), INVALID_VALUE);
    assert_eq!(run(4, [4, 2, 1, 1]), 0);
    assert_eq!(run(3, [4, 2, 1, 1]), INVALID_CLUSTER_SIZE);
    assert_eq!(run(64, [4, 64, 1, 1]), INVALID_CLUSTER_SIZE);
    assert_eq!(download::<u32>(p, 32), (0..32).collect::<Vec<_>>());
}

#[test]
fn a_fault_of_a_kernel_is_its_launch_s() {
    let _cuda = Cuda::new();
    let address: u64 = get("cuMemAlloc_v2", &[64]);
    free(address);
    assert_eq!(launch(function("fail"), 1, 1, 0, 0, &[address]), ILLEGAL_ADDRESS);
}

#[test]
fn a_misaligned_access() {
    let _cuda = Cuda::new();
    let address: u64 = get("cuMemAlloc_v2", &[64]);
    assert_eq!(launch(function("fail"), 1, 1, 0, 0, &[address + 2]), 716);
    assert_eq!(call("cuCtxSynchronize", &[]), 716);
}
