//! The driver itself, the cards and their contexts.

use crate::state::{
    CURRENT, INVALID_VALUE, MEMORY_BYTES, SHARED_LIMIT, enter_anywhere, give, note, number, status,
};
use std::ffi::{c_char, c_int, c_uint};

#[unsafe(no_mangle)]
pub extern "C" fn cuInit(_flags: c_uint) -> c_uint {
    number("cuInit", 0) as c_uint
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDriverGetVersion(version: *mut c_int) -> c_uint {
    unsafe { give(version, number("version", 12040) as c_int) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGetCount(count: *mut c_int) -> c_uint {
    unsafe { give(count, number("cards", 1) as c_int) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGet(device: *mut c_int, ordinal: c_int) -> c_uint {
    unsafe { give(device, ordinal) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGetName(name: *mut c_char, len: c_int, _device: c_int) -> c_uint {
    let text = c"Fake H100";
    assert!(text.to_bytes_with_nul().len() <= len as usize);
    unsafe { std::ptr::copy_nonoverlapping(text.as_ptr(), name, text.to_bytes_with_nul().len()) };
    0
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceTotalMem_v2(bytes: *mut usize, _device: c_int) -> c_uint {
    unsafe { give(bytes, MEMORY_BYTES) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGetAttribute(value: *mut c_int, which: c_int, _device: c_int) -> c_uint {
    let capability = number("capability", 90);
    let found = match which {
        16 => 132,
        75 => capability / 10,
        76 => capability % 10,
        97 => i64::from(SHARED_LIMIT),
        115 => number("pools", 1),
        _ => return INVALID_VALUE,
    };
    unsafe { give(value, found as c_int) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuGetErrorName(code: c_uint, text: *mut *const c_char) -> c_uint {
    let name = match code {
        1 => c"CUDA_ERROR_INVALID_VALUE",
        2 => c"CUDA_ERROR_OUT_OF_MEMORY",
        218 => c"CUDA_ERROR_INVALID_PTX",
        222 => c"CUDA_ERROR_UNSUPPORTED_PTX_VERSION",
        700 => c"CUDA_ERROR_ILLEGAL_ADDRESS",
        803 => c"CUDA_ERROR_SYSTEM_DRIVER_MISMATCH",
        _ => return INVALID_VALUE,
    };
    unsafe { give(text, name.as_ptr()) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuGetErrorString(code: c_uint, text: *mut *const c_char) -> c_uint {
    match code {
        700 => unsafe { give(text, c"an illegal memory access was encountered".as_ptr()) },
        _ => INVALID_VALUE,
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDevicePrimaryCtxRetain(context: *mut usize, device: c_int) -> c_uint {
    status(enter_anywhere("cuDevicePrimaryCtxRetain").map(|_| {
        note(&format!("retain {device}"));
        unsafe { give(context, 1000 + device as usize) }
    }))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuDevicePrimaryCtxRelease_v2(device: c_int) -> c_uint {
    status(enter_anywhere("cuDevicePrimaryCtxRelease_v2").map(|mut entered| {
        let state = entered.state();
        let kinds: Vec<_> = state.live.values().collect();
        note(&format!(
            "release {device}: live {kinds:?}, {} allocations, {} pinned",
            state.memory.len(),
            state.pinned.len()
        ));
        0
    }))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxSetCurrent(context: usize) -> c_uint {
    CURRENT.set(context);
    0
}
