//! `CU_DEVICE_ATTRIBUTE_*`.

use crate::driver::soft;
use crate::error::Code;

/// Compute capability, 80 for 8.0: what the software device runs in full.
pub const CAPABILITY: i32 = 80;
/// Threads of a block at most.
pub const BLOCK_THREADS: u32 = 1024;
/// Shared memory in bytes that a block can have without asking.
pub const SHARED_UNASKED: u32 = 48 << 10;
/// Shared memory in bytes that a block can have when its function asks.
pub const SHARED_LIMIT: u32 = 227 << 10;
/// Shared memory of a multiprocessor in bytes.
pub const SHARED_PER_MULTIPROCESSOR: u32 = 228 << 10;
/// Shared memory of each block that the device takes for itself.
pub const SHARED_RESERVED: u32 = 1 << 10;
/// Threads that a multiprocessor holds.
pub const MULTIPROCESSOR_THREADS: u32 = 2048;
/// Blocks that a multiprocessor holds.
pub const MULTIPROCESSOR_BLOCKS: u32 = 32;
/// Blocks of a cluster at most.
pub const CLUSTER_BLOCKS: u32 = 16;
/// 32-bit registers of a multiprocessor, and of a block.
const REGISTERS: i32 = 65_536;

/// The last attribute that has a number; those without a value here are 0, which is no.
const LAST: u32 = 162;

/// The device's worker threads are its multiprocessors.
pub fn multiprocessors() -> Result<u32, Code> {
    Ok(soft()?.threads() as u32)
}

/// The value of attribute number `which`.
pub fn attribute(which: u32) -> Result<i32, Code> {
    Ok(match which {
        // The most threads of a block, in all and in x, y and z.
        1..=3 => BLOCK_THREADS as i32,
        4 => 64,
        // The most blocks of a grid in x, y and z.
        5 => i32::MAX,
        6 | 7 => 65_535,
        8 => SHARED_UNASKED as i32,
        // Constant memory.
        9 => 65_536,
        // Threads of a warp.
        10 => 32,
        // The largest pitch of a copy.
        11 => i32::MAX,
        12 | 82 => REGISTERS,
        // Clocks of the device and its memory in kHz.
        13 | 36 => 1_000_000,
        // Alignment of textures and surfaces and of a texture's pitch.
        14 | 30 => 512,
        51 => 32,
        // Copies beside kernels: no; a limit to a kernel's run time: no.
        15 | 17 => 0,
        16 => multiprocessors()? as i32,
        // Host memory is the device's own, and can be mapped.
        18 | 19 => 1,
        // Bus width in bits, second-level cache in bytes.
        37 => 512,
        38 => 4 << 20,
        39 => MULTIPROCESSOR_THREADS as i32,
        // Copy engines, unified addresses, stream priorities.
        40 | 41 | 78 => 1,
        75 => CAPABILITY / 10,
        76 => CAPABILITY % 10,
        // First-level caches.
        79 | 80 => 1,
        81 => SHARED_PER_MULTIPROCESSOR as i32,
        // Managed memory, also from both sides at once; atomics of the host's.
        83 | 86 | 89 => 1,
        // f32 to f64 rate.
        87 => 2,
        // Registered host memory at its own address; opted-in shared memory; registration.
        91 | 99 => 1,
        97 => SHARED_LIMIT as i32,
        101 => 1,
        106 => MULTIPROCESSOR_BLOCKS as i32,
        111 => SHARED_RESERVED as i32,
        // Memory pools, clusters.
        115 | 120 => 1,
        // No NUMA node, or the only one.
        131 | 134 => -1,
        _ if (1..=LAST).contains(&which) => 0,
        _ => return Err(Code::INVALID_VALUE),
    })
}
