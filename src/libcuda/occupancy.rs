//! Occupancy: how many blocks a multiprocessor would hold at once. Registers set no limit here.

use crate::abi::{In, Out, Status};
use crate::context::current;
use crate::device_attributes::{
    CLUSTER_BLOCKS, MULTIPROCESSOR_BLOCKS, MULTIPROCESSOR_THREADS, SHARED_LIMIT, SHARED_PER_MULTIPROCESSOR,
    SHARED_RESERVED, multiprocessors,
};
use crate::error::Code;
use crate::function::{self, Function};
use crate::handle::Handle;
use crate::launch::Config;

const WARP: u32 = 32;
/// Shared memory is given out in pieces of this size.
const SHARED_UNIT: u64 = 128;

/// Shared memory that a block takes of its multiprocessor.
fn shared_of_block(function: &Function, dynamic: u64) -> u64 {
    (u64::from(function.shape.shared_bytes) + dynamic + u64::from(SHARED_RESERVED))
        .next_multiple_of(SHARED_UNIT)
}

fn blocks(function: &Function, threads: u32, dynamic: u64) -> u32 {
    let too_much = u64::from(function.shape.shared_bytes) + dynamic > u64::from(SHARED_LIMIT);
    if threads == 0 || threads > function.max_threads() || too_much {
        return 0;
    }
    let by_threads = MULTIPROCESSOR_THREADS / threads.next_multiple_of(WARP);
    let by_shared = u64::from(SHARED_PER_MULTIPROCESSOR) / shared_of_block(function, dynamic);
    by_threads.min(by_shared as u32).min(MULTIPROCESSOR_BLOCKS)
}

fn active_blocks(count: Out<i32>, function: Handle, threads: i32, dynamic: usize) -> Status {
    current()?;
    let threads = u32::try_from(threads).ok().filter(|threads| *threads > 0).ok_or(Code::INVALID_VALUE)?;
    count.set(blocks(&*function::find(function)?, threads, dynamic as u64) as i32)
}

fn active_blocks_with_flags(
    count: Out<i32>,
    function: Handle,
    threads: i32,
    dynamic: usize,
    flags: u32,
) -> Status {
    if flags > 1 {
        return Err(Code::INVALID_VALUE);
    }
    active_blocks(count, function, threads, dynamic)
}

/// The largest block, in whole warps, among those that fill a multiprocessor best.
fn potential_block(
    grid: Out<i32>,
    block: Out<i32>,
    function: Handle,
    dynamic_of: Option<extern "C" fn(i32) -> usize>,
    dynamic: usize,
    limit: i32,
) -> Status {
    current()?;
    let function = function::find(function)?;
    let limit = if limit <= 0 { function.max_threads() } else { function.max_threads().min(limit as u32) };
    let shared = |threads: u32| match dynamic_of {
        Some(bytes) => bytes(threads as i32) as u64,
        None => dynamic as u64,
    };
    let sizes = (WARP..=limit).step_by(WARP as usize).chain((limit % WARP != 0).then_some(limit));
    let filled = |threads: &u32| threads * blocks(&function, *threads, shared(*threads));
    let best = sizes.max_by_key(|threads| (filled(threads), *threads)).unwrap_or(limit);
    let most = blocks(&function, best, shared(best));
    block.set(best as i32)?;
    grid.set((most * multiprocessors()?) as i32)
}

fn potential_block_with_flags(
    grid: Out<i32>,
    block: Out<i32>,
    function: Handle,
    dynamic_of: Option<extern "C" fn(i32) -> usize>,
    dynamic: usize,
    limit: i32,
    flags: u32,
) -> Status {
    if flags > 1 {
        return Err(Code::INVALID_VALUE);
    }
    potential_block(grid, block, function, dynamic_of, dynamic, limit)
}

/// Dynamic shared memory that a block can have when `count` of them share a multiprocessor.
fn available_shared(bytes: Out<usize>, function: Handle, count: i32, threads: i32) -> Status {
    current()?;
    let function = function::find(function)?;
    let (count, threads) = (u32::try_from(count).unwrap_or(0), u32::try_from(threads).unwrap_or(0));
    if count == 0 || threads == 0 || blocks(&function, threads, 0) < count {
        return Err(Code::INVALID_VALUE);
    }
    let share = (SHARED_PER_MULTIPROCESSOR / count) as u64 / SHARED_UNIT * SHARED_UNIT;
    let fixed = u64::from(SHARED_RESERVED + function.shape.shared_bytes);
    let most = u64::from(SHARED_LIMIT - function.shape.shared_bytes);
    bytes.set(share.saturating_sub(fixed).min(most) as usize)
}

/// One cluster runs at a time, whatever its size.
fn cluster_size(size: Out<i32>, function: Handle, config: In<Config>) -> Status {
    current()?;
    function::find(function)?;
    config.get()?;
    size.set(CLUSTER_BLOCKS as i32)
}

fn active_clusters(count: Out<i32>, function: Handle, config: In<Config>) -> Status {
    current()?;
    let config = config.get()?;
    let threads = config.block.iter().product();
    let cluster: u32 = config.cluster()?.unwrap_or([1; 3]).iter().product();
    let each = blocks(&*function::find(function)?, threads, u64::from(config.shared_bytes));
    let all = each * multiprocessors()?;
    count.set(if all == 0 { 0 } else { (all / cluster.max(1)).max(1) } as i32)
}

export! {
    cuOccupancyMaxActiveBlocksPerMultiprocessor(
        count: Out<i32>, function: Handle, threads: i32, dynamic: usize
    ) => active_blocks;
    cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(
        count: Out<i32>, function: Handle, threads: i32, dynamic: usize, flags: u32
    ) => active_blocks_with_flags;
    cuOccupancyMaxPotentialBlockSize(
        grid: Out<i32>, block: Out<i32>, function: Handle, dynamic_of: Option<extern "C" fn(i32) -> usize>,
        dynamic: usize, limit: i32
    ) => potential_block;
    cuOccupancyMaxPotentialBlockSizeWithFlags(
        grid: Out<i32>, block: Out<i32>, function: Handle, dynamic_of: Option<extern "C" fn(i32) -> usize>,
        dynamic: usize, limit: i32, flags: u32
    ) => potential_block_with_flags;
    cuOccupancyAvailableDynamicSMemPerBlock(bytes: Out<usize>, function: Handle, count: i32, threads: i32)
        => available_shared;
    cuOccupancyMaxPotentialClusterSize(size: Out<i32>, function: Handle, config: In<Config>) => cluster_size;
    cuOccupancyMaxActiveClusters(count: Out<i32>, function: Handle, config: In<Config>) => active_clusters;
}
