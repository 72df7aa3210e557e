//! Kernels of loaded modules and libraries. `CUfunction` and `CUkernel` are the same thing here.

use crate::abi::{Out, Status};
use crate::device::check;
use crate::device_attributes::{BLOCK_THREADS, CAPABILITY, SHARED_LIMIT, SHARED_UNASKED};
use crate::driver::soft;
use crate::error::Code;
use crate::handle::{Handle, Table, fresh};
use ddpm_ptx::device::soft::{EntryShape, Program};
use std::ffi::{CString, c_char};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering::Relaxed};

/// `CU_FUNC_ATTRIBUTE_*` that can be set.
const MAX_DYNAMIC_SHARED: u32 = 8;
const SHARED_CARVEOUT: u32 = 9;

static FUNCTIONS: Table<Function> = Table::new();

/// A kernel.
pub struct Function {
    pub program: Arc<Program>,
    pub shape: EntryShape,
    /// The module or library that it is of.
    owner: Handle,
    name: CString,
    /// The most dynamic shared memory in bytes that a launch may have.
    dynamic_limit: AtomicU32,
    carveout: AtomicI32,
}

impl Function {
    /// The most threads that a block can have.
    pub fn max_threads(&self) -> u32 {
        match (self.shape.required_block, self.shape.max_threads) {
            (Some([x, y, z]), _) => x * y * z,
            (None, Some(most)) => BLOCK_THREADS.min(most as u32),
            (None, None) => BLOCK_THREADS,
        }
    }

    /// The most dynamic shared memory in bytes that a launch may have now.
    pub fn dynamic_limit(&self) -> u32 {
        self.dynamic_limit.load(Relaxed)
    }
}

/// Makes the kernels of a program known. They are of `owner`, and end with it.
pub fn add_all(program: &Arc<Program>, owner: Handle) -> Vec<Handle> {
    let add = |shape: EntryShape| {
        let handle = fresh();
        let unasked = SHARED_UNASKED.saturating_sub(shape.shared_bytes);
        let function = Function {
            program: program.clone(),
            name: CString::new(shape.name.as_str()).unwrap_or_default(),
            shape,
            owner,
            dynamic_limit: AtomicU32::new(unasked),
            carveout: AtomicI32::new(-1),
        };
        FUNCTIONS.insert(handle, function);
        handle
    };
    program.entries().into_iter().map(add).collect()
}

/// Ends the kernels of an owner.
pub fn end_all(owner: Handle) {
    FUNCTIONS.remove_all(|function| function.owner == owner);
}

/// A kernel by its handle.
///
/// # Errors
/// [`Code::NOT_INITIALIZED`], [`Code::INVALID_HANDLE`].
pub fn find(handle: Handle) -> Result<Arc<Function>, Code> {
    soft()?;
    FUNCTIONS.get(handle)
}

/// The one of `handles` that has a name.
///
/// # Errors
/// [`Code::NOT_FOUND`].
pub fn named(handles: &[Handle], name: &str) -> Result<Handle, Code> {
    let is_it = |handle: &&Handle| FUNCTIONS.get(**handle).is_ok_and(|function| function.shape.name == name);
    handles.iter().find(is_it).copied().ok_or(Code::NOT_FOUND)
}

fn attribute(value: Out<i32>, which: u32, handle: Handle) -> Status {
    let function = find(handle)?;
    let shape = &function.shape;
    value.set(match which {
        0 => function.max_threads() as i32,
        1 => shape.shared_bytes as i32,
        // Constants belong to the module.
        2 => 0,
        3 => shape.local_bytes as i32,
        4 => shape.registers.min(255) as i32,
        5 => function.program.version() as i32,
        6 => CAPABILITY,
        7 => 0,
        MAX_DYNAMIC_SHARED => function.dynamic_limit() as i32,
        SHARED_CARVEOUT => function.carveout.load(Relaxed),
        10 => i32::from(shape.required_cluster.is_some()),
        11..=13 => shape.required_cluster.map_or(0, |cluster| cluster[which as usize - 11] as i32),
        // Clusters of any size, in no particular place.
        14 => 1,
        15..=17 => 0,
        _ => return Err(Code::INVALID_VALUE),
    })
}

fn set_attribute(handle: Handle, which: u32, value: i32) -> Status {
    let function = find(handle)?;
    match which {
        MAX_DYNAMIC_SHARED => {
            let limit = u32::try_from(value).map_err(|_| Code::INVALID_VALUE)?;
            let in_all = limit.checked_add(function.shape.shared_bytes);
            in_all.filter(|bytes| *bytes <= SHARED_LIMIT).ok_or(Code::INVALID_VALUE)?;
            function.dynamic_limit.store(limit, Relaxed);
        }
        SHARED_CARVEOUT if (-1..=100).contains(&value) => function.carveout.store(value, Relaxed),
        // What a cluster's size is, is said by the kernel or by the launch.
        14 | 15 => {}
        _ => return Err(Code::INVALID_VALUE),
    }
    Ok(())
}

fn kernel_attribute(value: Out<i32>, which: u32, handle: Handle, device: i32) -> Status {
    check(device)?;
    attribute(value, which, handle)
}

fn set_kernel_attribute(which: u32, value: i32, handle: Handle, device: i32) -> Status {
    check(device)?;
    set_attribute(handle, which, value)
}

fn set_cache_config(handle: Handle, config: u32) -> Status {
    find(handle)?;
    if config > 3 { Err(Code::INVALID_VALUE) } else { Ok(()) }
}

fn set_kernel_cache_config(handle: Handle, config: u32, device: i32) -> Status {
    check(device)?;
    set_cache_config(handle, config)
}

fn owner(place: Out<Handle>, handle: Handle) -> Status {
    place.set(find(handle)?.owner)
}

/// The text is good for as long as the kernel.
fn name(place: Out<*const c_char>, handle: Handle) -> Status {
    place.set(find(handle)?.name.as_ptr())
}

fn function_of(place: Out<Handle>, handle: Handle) -> Status {
    find(handle)?;
    place.set(handle)
}

fn param_info(handle: Handle, index: usize, offset: Out<usize>, bytes: Out<usize>) -> Status {
    let function = find(handle)?;
    let param = function.shape.params.get(index).ok_or(Code::INVALID_VALUE)?;
    offset.set(param.offset as usize)?;
    bytes.set_if_wanted(param.bytes as usize);
    Ok(())
}

fn param_count(handle: Handle, count: Out<usize>) -> Status {
    count.set(find(handle)?.shape.params.len())
}

/// `CU_FUNCTION_LOADING_STATE_LOADED`.
fn is_loaded(state: Out<u32>, handle: Handle) -> Status {
    find(handle)?;
    state.set(1)
}

fn load(handle: Handle) -> Status {
    find(handle).map(drop)
}

export! {
    cuFuncGetAttribute(value: Out<i32>, which: u32, function: Handle) => attribute;
    cuFuncSetAttribute(function: Handle, which: u32, value: i32) => set_attribute;
    cuFuncSetCacheConfig(function: Handle, config: u32) => set_cache_config;
    cuFuncSetSharedMemConfig(function: Handle, config: u32) => set_cache_config;
    cuFuncGetModule(place: Out<Handle>, function: Handle) => owner;
    cuFuncGetName(place: Out<*const c_char>, function: Handle) => name;
    cuFuncGetParamInfo(function: Handle, index: usize, offset: Out<usize>, bytes: Out<usize>) => param_info;
    cuFuncGetParamCount(function: Handle, count: Out<usize>) => param_count;
    cuFuncIsLoaded(state: Out<u32>, function: Handle) => is_loaded;
    cuFuncLoad(function: Handle) => load;
    cuKernelGetAttribute(value: Out<i32>, which: u32, kernel: Handle, device: i32) => kernel_attribute;
    cuKernelSetAttribute(which: u32, value: i32, kernel: Handle, device: i32) => set_kernel_attribute;
    cuKernelSetCacheConfig(kernel: Handle, config: u32, device: i32) => set_kernel_cache_config;
    cuKernelGetFunction(place: Out<Handle>, kernel: Handle) => function_of;
    cuKernelGetLibrary(place: Out<Handle>, kernel: Handle) => owner;
    cuKernelGetName(place: Out<*const c_char>, kernel: Handle) => name;
    cuKernelGetParamInfo(kernel: Handle, index: usize, offset: Out<usize>, bytes: Out<usize>) => param_info;
    cuKernelGetParamCount(kernel: Handle, count: Out<usize>) => param_count;
}
