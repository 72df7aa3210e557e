//! Modules and their functions.

use crate::state::{
    Function, INVALID_PTX, INVALID_VALUE, NOT_FOUND, SHARED_LIMIT, SHARED_UNASKED, enter, give, note, number,
    status,
};
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuModuleLoadDataEx(
    module: *mut usize,
    image: *const c_char,
    count: c_uint,
    options: *const c_uint,
    values: *const *mut c_void,
) -> c_uint {
    status(enter("cuModuleLoadDataEx").and_then(|mut entered| {
        let text = unsafe { CStr::from_ptr(image) }.to_string_lossy().into_owned();
        let options = unsafe { std::slice::from_raw_parts(options, count as usize) };
        let values = unsafe { std::slice::from_raw_parts(values, count as usize) };
        if text.starts_with("\u{7f}ELF") {
            note(&format!("load cubin {}", &text[1..]));
            if let code @ 1.. = number("cubin", 0) {
                return Err(code as c_uint);
            }
        } else {
            note("load ptx");
            if let Some(line) = text.lines().position(|line| line.contains("not.an.instruction")) {
                let log = format!("ptxas application ptx input, line {}; error : Not a name", line + 1);
                unsafe { write_log(options, values, &log) };
                return Err(INVALID_PTX);
            }
        }
        let state = entered.state();
        let handle = state.make("module");
        state.modules.insert(handle, text);
        Ok(unsafe { give(module, handle) })
    }))
}

/// Option 5 is the buffer for errors, 6 its size.
unsafe fn write_log(options: &[c_uint], values: &[*mut c_void], log: &str) {
    let value = |wanted| options.iter().position(|&option| option == wanted).map(|at| values[at]);
    let (Some(buffer), Some(size)) = (value(5), value(6)) else { return };
    let len = log.len().min((size as usize).saturating_sub(1));
    unsafe {
        std::ptr::copy_nonoverlapping(log.as_ptr(), buffer.cast(), len);
        buffer.cast::<u8>().add(len).write(0);
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuModuleUnload(module: usize) -> c_uint {
    status(enter("cuModuleUnload").map(|mut entered| entered.state().drop_handle(module, "module")))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuModuleGetFunction(
    function: *mut usize,
    module: usize,
    name: *const c_char,
) -> c_uint {
    status(enter("cuModuleGetFunction").and_then(|mut entered| {
        let state = entered.state();
        let entry = unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned();
        let text = state.modules.get(&module).ok_or(INVALID_VALUE)?;
        let start = text.find(&format!(".entry {entry}(")).ok_or(NOT_FOUND)?;
        let list = text[start..].split_once('(').and_then(|(_, rest)| rest.split_once(')')).unwrap().0;
        let mut words = list.split_whitespace();
        let mut params = Vec::new();
        while let Some(word) = words.next() {
            if word == ".param" {
                params.push(words.next().unwrap().to_string());
            }
        }
        let handle = state.next_handle + 1;
        state.next_handle = handle;
        note(&format!("function {entry}"));
        state.functions.insert(handle, Function { entry, params, shared_limit: SHARED_UNASKED });
        Ok(unsafe { give(function, handle) })
    }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuFuncGetAttribute(value: *mut c_int, which: c_int, _function: usize) -> c_uint {
    let found = match which {
        0 => 1024,
        1 => number("static_shared", 0) as c_int,
        3 => 16,
        4 => 42,
        _ => return INVALID_VALUE,
    };
    unsafe { give(value, found) }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuFuncSetAttribute(function: usize, which: c_int, value: c_int) -> c_uint {
    status(enter("cuFuncSetAttribute").map(|mut entered| {
        let Some(function) = entered.state().functions.get_mut(&function) else { return INVALID_VALUE };
        if which != 8 || value as c_uint > SHARED_LIMIT {
            return INVALID_VALUE;
        }
        function.shared_limit = value as c_uint;
        note(&format!("allow {} {value} shared", function.entry));
        0
    }))
}
