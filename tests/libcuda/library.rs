//! The library, opened once, and a context for each test.

use std::ffi::{CStr, CString, c_char, c_void};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

pub const SUCCESS: u32 = 0;
pub const INVALID_VALUE: u32 = 1;
pub const OUT_OF_MEMORY: u32 = 2;
pub const NOT_INITIALIZED: u32 = 3;
pub const INVALID_DEVICE: u32 = 101;
pub const INVALID_IMAGE: u32 = 200;
pub const INVALID_CONTEXT: u32 = 201;
pub const NO_BINARY_FOR_GPU: u32 = 209;
pub const INVALID_PTX: u32 = 218;
pub const INVALID_HANDLE: u32 = 400;
pub const NOT_FOUND: u32 = 500;
pub const ILLEGAL_ADDRESS: u32 = 700;
pub const LAUNCH_OUT_OF_RESOURCES: u32 = 701;
pub const NOT_SUPPORTED: u32 = 801;

/// Any function: integers and pointers are words of 64 bits in the C interface, and a callee takes as many as it knows.
type Function = unsafe extern "C" fn(u64, u64, u64, u64, u64, u64, u64, u64, u64, u64, u64) -> u32;

/// The library's file, where cargo puts examples.
pub fn path() -> PathBuf {
    let test = std::env::current_exe().expect("a path");
    let profile = test.ancestors().nth(2).expect("target/PROFILE/deps/TEST");
    let path = profile.join("examples/libcuda.so");
    let how = "build it with `cargo build --features libcuda --example cuda` in the same profile";
    assert!(path.is_file(), "{} is not there; {how}", path.display());
    path
}

fn library() -> usize {
    static LIBRARY: OnceLock<usize> = OnceLock::new();
    *LIBRARY.get_or_init(|| {
        let path = CString::new(path().into_os_string().into_encoded_bytes()).expect("no NUL");
        // SAFETY: the library's initialisers are those of Rust's standard library.
        let library = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        if library.is_null() {
            // SAFETY: an error has just occurred, so that there is a text.
            panic!("{}", unsafe { CStr::from_ptr(libc::dlerror()) }.to_string_lossy());
        }
        library as usize
    })
}

/// The address of a symbol; 0 if the library lacks it.
pub fn symbol(name: &str) -> usize {
    let name = CString::new(name).expect("no NUL");
    // SAFETY: the library is open.
    unsafe { libc::dlsym(library() as *mut c_void, name.as_ptr()) as usize }
}

/// Calls the function at an address.
pub fn call_at(address: usize, args: &[u64]) -> u32 {
    let mut words = [0; 11];
    words[..args.len()].copy_from_slice(args);
    let [a, b, c, d, e, f, g, h, i, j, k] = words;
    // SAFETY: the address is that of a driver function, all of whose arguments are words.
    let function = unsafe { std::mem::transmute::<usize, Function>(address) };
    // SAFETY: the test passes what the function takes, or null where it must not be followed.
    unsafe { function(a, b, c, d, e, f, g, h, i, j, k) }
}

/// Calls a function by its name and gives its code.
pub fn call(name: &str, args: &[u64]) -> u32 {
    let address = symbol(name);
    assert_ne!(address, 0, "no {name}");
    call_at(address, args)
}

/// Calls a function that must succeed.
#[track_caller]
pub fn ok(name: &str, args: &[u64]) {
    let code = call(name, args);
    assert_eq!(code, SUCCESS, "{name}: {}", error_name(code));
}

/// Calls a function with a place for its result in front of its arguments.
#[track_caller]
pub fn get<T: Default>(name: &str, args: &[u64]) -> T {
    let mut value = T::default();
    ok(name, &[&[place(&mut value)], args].concat());
    value
}

/// As [`get`], with the place behind the arguments.
#[track_caller]
pub fn get_last<T: Default>(name: &str, args: &[u64]) -> T {
    let mut value = T::default();
    ok(name, &[args, &[place(&mut value)]].concat());
    value
}

/// Where a result is to go.
pub fn place<T>(value: &mut T) -> u64 {
    std::ptr::from_mut(value).expose_provenance() as u64
}

/// Where a value or the first of many stands.
pub fn from<T: ?Sized>(value: &T) -> u64 {
    std::ptr::from_ref(value).cast::<u8>().expose_provenance() as u64
}

pub fn error_name(code: u32) -> String {
    let mut text: *const c_char = std::ptr::null();
    if call("cuGetErrorName", &[u64::from(code), place(&mut text)]) != SUCCESS {
        return format!("unknown error {code}");
    }
    // SAFETY: the library gave a text that lives as long as it does.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// A context of this test's own, current on this thread. Tests have the library to themselves: what one thread captures
/// is of account to the others.
pub struct Cuda {
    pub context: u64,
    _alone: MutexGuard<'static, ()>,
}

/// Keeps other tests away.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Cuda {
    pub fn new() -> Cuda {
        let alone = alone();
        ok("cuInit", &[0]);
        let context = get("cuCtxCreate_v2", &[0, 0]);
        Cuda { context, _alone: alone }
    }
}

impl Drop for Cuda {
    fn drop(&mut self) {
        call("cuCtxDestroy_v2", &[self.context]);
    }
}

/// Device memory that holds `values`.
pub fn upload<T: Copy>(values: &[T]) -> u64 {
    let bytes = size_of_val(values) as u64;
    let address = get("cuMemAlloc_v2", &[bytes]);
    ok("cuMemcpyHtoD_v2", &[address, from(values), bytes]);
    address
}

/// `count` values from device memory.
pub fn download<T: Copy + Default>(address: u64, count: usize) -> Vec<T> {
    let mut values = vec![T::default(); count];
    let bytes = size_of_val(&*values) as u64;
    ok("cuMemcpyDtoH_v2", &[from(&*values), address, bytes]);
    std::hint::black_box(&mut values);
    values
}
