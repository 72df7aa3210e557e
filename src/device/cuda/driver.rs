//! The functions of libcuda that this program calls, found at run time.
//!
//! cudarc finds and opens the library and has its types. Its own call wrappers panic where the library lacks
//! a function, and return an enum that has no value for codes newer than the bindings; so the calls go
//! through the table here: a missing function is an [`Absent`] when the driver is opened, and an unknown
//! code is a number like any other.

// The names are the driver's own.
#![allow(non_snake_case)]

use super::failure::Failure;
use super::probe::Absent;
use cudarc::driver::sys::{
    self, CUcontext, CUdevice, CUdevice_attribute, CUdeviceptr, CUevent, CUfunction, CUfunction_attribute,
    CUgraph, CUgraphExec, CUjit_option, CUmemPool_attribute, CUmemoryPool, CUmodule, CUstream,
    CUstreamCaptureMode,
};
use std::ffi::{c_char, c_int, c_uint, c_ulonglong, c_void};
use std::sync::OnceLock;

/// CUDA 12.0 (driver 525): the first whose compiler takes PTX `.version 8.0`.
pub const OLDEST_VERSION: i32 = 12000;

macro_rules! driver_functions {
    ($($name:ident($($arg:ident: $type:ty),*);)*) => {
        /// The table of functions. Each method is the function of its name in the CUDA driver API.
        pub struct Driver {
            /// What `cuDriverGetVersion` says: 12040 is CUDA 12.4.
            pub version: i32,
            $($name: unsafe extern "C" fn($($type),*) -> c_uint,)*
        }

        impl Driver {
            /// # Safety
            /// The library must be present.
            unsafe fn resolve(version: i32) -> Result<Driver, Absent> {
                Ok(Driver {
                    version,
                    // SAFETY: the field's type is the function's C declaration.
                    $($name: unsafe { symbol(stringify!($name)) }?,)*
                })
            }

            $(
                #[allow(clippy::too_many_arguments)]
                /// # Safety
                /// As the CUDA driver API says of this function.
                pub unsafe fn $name(&self, $($arg: $type),*) -> Result<(), Failure> {
                    // SAFETY: the caller vouches for the arguments.
                    let code = unsafe { (self.$name)($($arg),*) };
                    Failure::check(stringify!($name), code)
                }
            )*
        }
    };
}

driver_functions! {
    cuDeviceGetCount(count: *mut c_int);
    cuDeviceGet(device: *mut CUdevice, ordinal: c_int);
    cuDeviceGetName(name: *mut c_char, len: c_int, device: CUdevice);
    cuDeviceTotalMem_v2(bytes: *mut usize, device: CUdevice);
    cuDeviceGetAttribute(value: *mut c_int, attribute: CUdevice_attribute, device: CUdevice);
    cuDevicePrimaryCtxRetain(context: *mut CUcontext, device: CUdevice);
    cuDevicePrimaryCtxRelease_v2(device: CUdevice);
    cuCtxSetCurrent(context: CUcontext);

    cuModuleLoadDataEx(
        module: *mut CUmodule, image: *const c_void, count: c_uint,
        options: *mut CUjit_option, values: *mut *mut c_void
    );
    cuModuleUnload(module: CUmodule);
    cuModuleGetFunction(function: *mut CUfunction, module: CUmodule, name: *const c_char);
    cuFuncGetAttribute(value: *mut c_int, attribute: CUfunction_attribute, function: CUfunction);
    cuFuncSetAttribute(function: CUfunction, attribute: CUfunction_attribute, value: c_int);

    cuMemGetInfo_v2(free: *mut usize, total: *mut usize);
    cuMemAlloc_v2(address: *mut CUdeviceptr, bytes: usize);
    cuMemFree_v2(address: CUdeviceptr);
    cuMemAllocAsync(address: *mut CUdeviceptr, bytes: usize, stream: CUstream);
    cuMemFreeAsync(address: CUdeviceptr, stream: CUstream);
    cuDeviceGetDefaultMemPool(pool: *mut CUmemoryPool, device: CUdevice);
    cuMemPoolSetAttribute(pool: CUmemoryPool, attribute: CUmemPool_attribute, value: *mut c_void);
    cuMemHostAlloc(host: *mut *mut c_void, bytes: usize, flags: c_uint);
    cuMemFreeHost(host: *mut c_void);
    cuMemcpyHtoDAsync_v2(to: CUdeviceptr, from: *const c_void, bytes: usize, stream: CUstream);
    cuMemcpyDtoHAsync_v2(to: *mut c_void, from: CUdeviceptr, bytes: usize, stream: CUstream);
    cuMemsetD8Async(address: CUdeviceptr, byte: u8, bytes: usize, stream: CUstream);

    cuStreamCreate(stream: *mut CUstream, flags: c_uint);
    cuStreamSynchronize(stream: CUstream);
    cuStreamDestroy_v2(stream: CUstream);
    cuEventCreate(event: *mut CUevent, flags: c_uint);
    cuEventRecord(event: CUevent, stream: CUstream);
    cuEventSynchronize(event: CUevent);
    cuEventElapsedTime(milliseconds: *mut f32, start: CUevent, end: CUevent);
    cuEventDestroy_v2(event: CUevent);

    cuLaunchKernel(
        function: CUfunction, grid_x: c_uint, grid_y: c_uint, grid_z: c_uint,
        block_x: c_uint, block_y: c_uint, block_z: c_uint, shared_bytes: c_uint, stream: CUstream,
        params: *mut *mut c_void, extra: *mut *mut c_void
    );
    cuStreamBeginCapture_v2(stream: CUstream, mode: CUstreamCaptureMode);
    cuStreamEndCapture(stream: CUstream, graph: *mut CUgraph);
    cuGraphInstantiateWithFlags(executable: *mut CUgraphExec, graph: CUgraph, flags: c_ulonglong);
    cuGraphLaunch(executable: CUgraphExec, stream: CUstream);
    cuGraphExecDestroy(executable: CUgraphExec);
    cuGraphDestroy(graph: CUgraph);
}

impl Driver {
    /// The driver of this machine, initialised. Only success is remembered.
    pub fn open() -> Result<&'static Driver, Absent> {
        static DRIVER: OnceLock<Driver> = OnceLock::new();
        if let Some(driver) = DRIVER.get() {
            return Ok(driver);
        }
        // SAFETY: opens and closes shared libraries by cudarc's fixed list of the driver's names.
        if !unsafe { sys::is_culib_present() } {
            return Err(Absent::Library);
        }
        // SAFETY: the library is present.
        let driver = unsafe { Driver::resolve(initialise()?) }?;
        Ok(DRIVER.get_or_init(|| driver))
    }
}

/// Starts the driver and gives its version. Asks before the table is filled, because an old driver lacks
/// some of the functions and should be told by its version.
///
/// # Safety
/// The library must be present.
unsafe fn initialise() -> Result<i32, Absent> {
    // SAFETY: the types are those of the C declarations.
    let (init, get_version) = unsafe {
        (
            symbol::<unsafe extern "C" fn(c_uint) -> c_uint>("cuInit")?,
            symbol::<unsafe extern "C" fn(*mut c_int) -> c_uint>("cuDriverGetVersion")?,
        )
    };
    // SAFETY: cuInit has no precondition; its flags must be 0.
    Failure::check("cuInit", unsafe { init(0) })?;
    let mut version = 0;
    // SAFETY: `version` is a valid place for the result.
    Failure::check("cuDriverGetVersion", unsafe { get_version(&mut version) })?;
    if version < OLDEST_VERSION {
        return Err(Absent::OldDriver { version });
    }
    Ok(version)
}

/// # Safety
/// The library must be present, and `F` must be the function pointer type of `name`'s C declaration.
pub(super) unsafe fn symbol<F: Copy>(name: &'static str) -> Result<F, Absent> {
    // SAFETY: the caller vouches for both.
    let found = unsafe { sys::culib().get::<F>(name.as_bytes()) };
    found.map(|function| *function).map_err(|_| Absent::Function(name))
}
