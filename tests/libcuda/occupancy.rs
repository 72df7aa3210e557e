//! Occupancy.

use crate::kernels::function;
use crate::library::{Cuda, INVALID_VALUE, call, get, ok, place};

#[test]
fn blocks_of_a_multiprocessor() {
    let _cuda = Cuda::new();
    let (scale, lone) = (function("scale"), function("lone"));
    let blocks = |function, threads, dynamic| {
        get::<i32>("cuOccupancyMaxActiveBlocksPerMultiprocessor", &[function, threads, dynamic])
    };
    // By threads: 2048; by blocks: 32; by shared memory: 228 KiB, of which each block takes one more.
    assert_eq!([blocks(scale, 1024, 0), blocks(scale, 33, 0), blocks(scale, 32, 0)], [2, 32, 32]);
    assert_eq!(blocks(scale, 32, 75 << 10), 3);
    assert_eq!(blocks(lone, 64, 0), 32);
    assert_eq!(blocks(lone, 128, 0), 0);
    assert_eq!(blocks(scale, 32, 228 << 10), 0);
    let mut count = 0i32;
    let args = [place(&mut count), scale, 0, 0];
    assert_eq!(call("cuOccupancyMaxActiveBlocksPerMultiprocessor", &args), INVALID_VALUE);
}

extern "C" fn shared_of(threads: i32) -> usize {
    threads as usize * 1024
}

#[test]
fn the_best_block() {
    let _cuda = Cuda::new();
    let scale = function("scale");
    let best = |dynamic_of: u64, dynamic: u64, limit: u64| {
        let (mut grid, mut block) = (0i32, 0i32);
        let args = [place(&mut grid), place(&mut block), scale, dynamic_of, dynamic, limit];
        ok("cuOccupancyMaxPotentialBlockSize", &args);
        (grid / get::<i32>("cuDeviceGetAttribute", &[16, 0]), block)
    };
    assert_eq!(best(0, 0, 0), (2, 1024));
    assert_eq!(best(0, 0, 100), (32, 64));
    // 1 KiB a thread: one block of 224 fills more of it than six of 32, three of 64 or two of 96.
    assert_eq!(best(shared_of as extern "C" fn(i32) -> usize as usize as u64, 0, 0), (1, 224));
    let bytes: usize = get("cuOccupancyAvailableDynamicSMemPerBlock", &[scale, 2, 1024]);
    assert_eq!(bytes, 113 << 10);
}
