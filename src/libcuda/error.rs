//! Error codes, their names and what they mean.

use crate::abi::{Out, Status};
use ddpm_ptx::device::DeviceError;
use ddpm_ptx::device::soft::Kind;
use std::ffi::{CStr, c_char};

/// A `CUresult` that is not success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code(pub u32);

macro_rules! codes {
    ($($number:literal $name:ident $text:literal;)*) => {
        impl Code {
            $(#[allow(dead_code)] pub const $name: Code = Code($number);)*
        }

        /// Number, name and meaning, by number.
        const CODES: &[(u32, &CStr, &CStr)] = &[
            (0, c"CUDA_SUCCESS", c"no error"),
            $(($number, c_name(concat!("CUDA_ERROR_", stringify!($name), "\0")), c_name(concat!($text, "\0"))),)*
        ];
    };
}

const fn c_name(text: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(text.as_bytes()) {
        Ok(text) => text,
        Err(_) => panic!("one NUL, at the end"),
    }
}

codes! {
    1 INVALID_VALUE "an argument is not valid";
    2 OUT_OF_MEMORY "out of memory";
    3 NOT_INITIALIZED "cuInit was not called";
    4 DEINITIALIZED "the driver is shutting down";
    5 PROFILER_DISABLED "the profiler is disabled";
    6 PROFILER_NOT_INITIALIZED "the profiler is not initialised";
    7 PROFILER_ALREADY_STARTED "the profiler has been started already";
    8 PROFILER_ALREADY_STOPPED "the profiler has been stopped already";
    34 STUB_LIBRARY "this libcuda is a stub";
    36 CALL_REQUIRES_NEWER_DRIVER "the call needs a newer driver";
    46 DEVICE_UNAVAILABLE "the device is busy or not available";
    47 MULTICAST_RESOURCE_FULL "the multicast resources are used up";
    100 NO_DEVICE "there is no CUDA device";
    101 INVALID_DEVICE "there is no such device";
    102 DEVICE_NOT_LICENSED "the device has no licence";
    200 INVALID_IMAGE "the image of the kernels is not valid";
    201 INVALID_CONTEXT "there is no such context, or none is current";
    202 CONTEXT_ALREADY_CURRENT "the context is current already";
    205 MAP_FAILED "a resource could not be mapped";
    206 UNMAP_FAILED "a resource could not be unmapped";
    207 ARRAY_IS_MAPPED "the array is mapped";
    208 ALREADY_MAPPED "the resource is mapped already";
    209 NO_BINARY_FOR_GPU "the image has no code that this device can run";
    210 ALREADY_ACQUIRED "the resource is acquired already";
    211 NOT_MAPPED "the resource is not mapped";
    212 NOT_MAPPED_AS_ARRAY "the resource is not mapped as an array";
    213 NOT_MAPPED_AS_POINTER "the resource is not mapped as a pointer";
    214 ECC_UNCORRECTABLE "a memory error that could not be corrected";
    215 UNSUPPORTED_LIMIT "the device does not have this limit";
    216 CONTEXT_ALREADY_IN_USE "the context is used by another thread";
    217 PEER_ACCESS_UNSUPPORTED "the devices cannot read each other's memory";
    218 INVALID_PTX "the PTX does not compile";
    219 INVALID_GRAPHICS_CONTEXT "the graphics context is not valid";
    220 NVLINK_UNCORRECTABLE "a link error that could not be corrected";
    221 JIT_COMPILER_NOT_FOUND "the PTX compiler was not found";
    222 UNSUPPORTED_PTX_VERSION "the PTX is of a version that is not supported";
    223 JIT_COMPILATION_DISABLED "compiling PTX is disabled";
    224 UNSUPPORTED_EXEC_AFFINITY "the device does not have this execution affinity";
    225 UNSUPPORTED_DEVSIDE_SYNC "the code synchronises on the device, which is not supported";
    226 CONTAINED "an error in another context, which did not reach this one";
    227 INSUFFICIENT_LOADER_VERSION "the loader is too old";
    300 INVALID_SOURCE "the source is not valid";
    301 FILE_NOT_FOUND "the file was not found";
    302 SHARED_OBJECT_SYMBOL_NOT_FOUND "a shared library lacks a symbol";
    303 SHARED_OBJECT_INIT_FAILED "a shared library did not initialise";
    304 OPERATING_SYSTEM "a call of the operating system failed";
    400 INVALID_HANDLE "the handle is not valid";
    401 ILLEGAL_STATE "not in this state";
    402 LOSSY_QUERY "the query would lose information";
    500 NOT_FOUND "there is nothing of this name";
    600 NOT_READY "not done yet";
    700 ILLEGAL_ADDRESS "an illegal memory access by a kernel";
    701 LAUNCH_OUT_OF_RESOURCES "the launch asks for more than the device has";
    702 LAUNCH_TIMEOUT "a kernel ran for too long";
    703 LAUNCH_INCOMPATIBLE_TEXTURING "the launch uses textures in incompatible ways";
    704 PEER_ACCESS_ALREADY_ENABLED "access to the other device is enabled already";
    705 PEER_ACCESS_NOT_ENABLED "access to the other device is not enabled";
    708 PRIMARY_CONTEXT_ACTIVE "the primary context is in use already";
    709 CONTEXT_IS_DESTROYED "the context is destroyed";
    710 ASSERT "an assertion failed in a kernel";
    711 TOO_MANY_PEERS "too many devices share memory";
    712 HOST_MEMORY_ALREADY_REGISTERED "the host memory is registered already";
    713 HOST_MEMORY_NOT_REGISTERED "the host memory is not registered";
    714 HARDWARE_STACK_ERROR "the call stack of a kernel is spoilt";
    715 ILLEGAL_INSTRUCTION "an illegal instruction in a kernel";
    716 MISALIGNED_ADDRESS "a misaligned memory access by a kernel";
    717 INVALID_ADDRESS_SPACE "a memory access of a kernel in the wrong address space";
    718 INVALID_PC "a kernel jumped to nowhere";
    719 LAUNCH_FAILED "a kernel failed";
    720 COOPERATIVE_LAUNCH_TOO_LARGE "the blocks of the launch do not fit on the device at once";
    721 TENSOR_MEMORY_LEAK "a kernel did not free its tensor memory";
    800 NOT_PERMITTED "not permitted";
    801 NOT_SUPPORTED "not supported";
    802 SYSTEM_NOT_READY "the system is not ready";
    803 SYSTEM_DRIVER_MISMATCH "the kernel module and libcuda are of different versions";
    804 COMPAT_NOT_SUPPORTED_ON_DEVICE "the device does not have forward compatibility";
    805 MPS_CONNECTION_FAILED "no connection to the MPS server";
    806 MPS_RPC_FAILURE "a call to the MPS server failed";
    807 MPS_SERVER_NOT_READY "the MPS server is not ready";
    808 MPS_MAX_CLIENTS_REACHED "the MPS server has no room for another client";
    809 MPS_MAX_CONNECTIONS_REACHED "the MPS server has no room for another connection";
    810 MPS_CLIENT_TERMINATED "the MPS server ended the client";
    811 CDP_NOT_SUPPORTED "kernels cannot launch kernels here";
    812 CDP_VERSION_MISMATCH "kernels that launch kernels are of different versions";
    900 STREAM_CAPTURE_UNSUPPORTED "not permitted while a stream is capturing";
    901 STREAM_CAPTURE_INVALIDATED "an earlier error has spoilt the capture";
    902 STREAM_CAPTURE_MERGE "this would join two captures";
    903 STREAM_CAPTURE_UNMATCHED "the capture was begun on another stream";
    904 STREAM_CAPTURE_UNJOINED "a stream that joined the capture has work that its first stream does not wait for";
    905 STREAM_CAPTURE_ISOLATION "a capture would depend on work outside of it";
    906 STREAM_CAPTURE_IMPLICIT "the legacy stream would wait for a capture";
    907 CAPTURED_EVENT "the event was last recorded in a capture";
    908 STREAM_CAPTURE_WRONG_THREAD "the capture was begun by another thread";
    909 TIMEOUT "timed out";
    910 GRAPH_EXEC_UPDATE_FAILURE "the graph is too different for an update";
    911 EXTERNAL_DEVICE "an error of a device outside";
    912 INVALID_CLUSTER_SIZE "the cluster's size is not valid";
    913 FUNCTION_NOT_LOADED "the function is not loaded";
    914 INVALID_RESOURCE_TYPE "the resource's type is not valid";
    915 INVALID_RESOURCE_CONFIGURATION "the resource's configuration is not valid";
    916 KEY_ROTATION "a key rotation is under way";
    917 STREAM_DETACHED "the stream is detached";
    918 GRAPH_RECAPTURE_FAILURE "the graph could not be captured again";
    919 FABRIC_NOT_READY "the fabric is not ready";
    999 UNKNOWN "unknown error";
}

impl From<DeviceError> for Code {
    fn from(error: DeviceError) -> Code {
        match error {
            DeviceError::OutOfMemory { .. } => Code::OUT_OF_MEMORY,
            DeviceError::Module { .. } => Code::INVALID_PTX,
            DeviceError::NoEntry { .. } => Code::NOT_FOUND,
            DeviceError::BadLaunch { .. } | DeviceError::BadCopy { .. } => Code::INVALID_VALUE,
            DeviceError::Fault { kind, .. } => kind.map_or(Code::LAUNCH_FAILED, fault),
            DeviceError::Findings { findings, .. } => {
                findings.first().map_or(Code::LAUNCH_FAILED, |finding| fault(finding.kind))
            }
            DeviceError::Unavailable(_) | DeviceError::Driver { .. } => Code::UNKNOWN,
        }
    }
}

/// What a card would say of a kernel's mistake; where it would not notice, that the kernel failed.
fn fault(kind: Kind) -> Code {
    match kind {
        Kind::OutOfBounds
        | Kind::UseAfterFree
        | Kind::SharedBounds
        | Kind::LocalBounds
        | Kind::ParamBounds
        | Kind::ReadOnly => Code::ILLEGAL_ADDRESS,
        Kind::Misaligned => Code::MISALIGNED_ADDRESS,
        Kind::Endless | Kind::Deadlock => Code::LAUNCH_TIMEOUT,
        _ => Code::LAUNCH_FAILED,
    }
}

fn find(code: u32) -> Result<&'static (u32, &'static CStr, &'static CStr), Code> {
    CODES.iter().find(|(number, ..)| *number == code).ok_or(Code::INVALID_VALUE)
}

fn name(code: u32, text: Out<*const c_char>) -> Status {
    let found = find(code);
    text.set(found.map_or(std::ptr::null(), |(_, name, _)| name.as_ptr()))?;
    found.map(drop)
}

fn meaning(code: u32, text: Out<*const c_char>) -> Status {
    let found = find(code);
    text.set(found.map_or(std::ptr::null(), |(.., meaning)| meaning.as_ptr()))?;
    found.map(drop)
}

export! {
    cuGetErrorName(code: u32, text: Out<*const c_char>) => name;
    cuGetErrorString(code: u32, text: Out<*const c_char>) => meaning;
}
