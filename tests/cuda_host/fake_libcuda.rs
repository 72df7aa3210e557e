//! A libcuda with no card behind it: it keeps the driver's books and notes every call that matters.
//!
//! The tests compile this file to `libcuda.so.1` with rustc. It is as strict as the driver where the host
//! code could be wrong: a call without a current context, a copy outside of every allocation, a launch
//! beyond the shared memory that was asked for are refused. It is lazier than most drivers: queued copies
//! are made at a synchronisation and no sooner, so that host memory given up too early is seen.
//!
//! `FAKE_LIBCUDA` has its settings, `key=value` with `;` between; a key that is a function's name makes the
//! function return that code. `FAKE_LIBCUDA_LOG` names the file of notes.

#![allow(non_snake_case, clippy::missing_safety_doc)]

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::ffi::{CStr, c_char, c_int, c_uint, c_ulonglong, c_void};
use std::fs::OpenOptions;
use std::io::Write;
use std::sync::{Mutex, MutexGuard};

const INVALID_VALUE: c_uint = 1;
const OUT_OF_MEMORY: c_uint = 2;
const INVALID_CONTEXT: c_uint = 201;
const INVALID_PTX: c_uint = 218;
const NOT_FOUND: c_uint = 500;

const MEMORY_BYTES: usize = 1 << 30;
const SHARED_UNASKED: c_uint = 48 << 10;
const SHARED_LIMIT: c_uint = 227 << 10;

/// What a stream has yet to do.
enum Work {
    ToDevice { address: u64, host: usize, bytes: usize },
    ToHost { host: usize, address: u64, bytes: usize },
    Fill { address: u64, byte: u8, bytes: usize },
    Event(usize),
}

struct Function {
    entry: String,
    /// Type and size of each parameter.
    params: Vec<String>,
    shared_limit: c_uint,
}

#[derive(Default)]
struct State {
    /// Allocations by address.
    memory: BTreeMap<u64, Vec<u8>>,
    next_address: u64,
    pinned: HashMap<usize, Vec<u8>>,
    next_handle: usize,
    /// What lives, by handle: `stream`, `event` …
    live: BTreeMap<usize, &'static str>,
    queued: Vec<Work>,
    modules: HashMap<usize, String>,
    functions: HashMap<usize, Function>,
    /// The stream that is capturing, and what it caught.
    capturing: Option<(usize, Vec<String>)>,
    graphs: HashMap<usize, Vec<String>>,
}

static STATE: Mutex<Option<State>> = Mutex::new(None);

thread_local! {
    static CURRENT: Cell<usize> = const { Cell::new(0) };
}

/// The state, once the call is allowed: initialised, in a context, not set to fail.
struct Entered(MutexGuard<'static, Option<State>>);

impl Entered {
    fn state(&mut self) -> &mut State {
        self.0.get_or_insert_default()
    }
}

impl State {
    fn make(&mut self, kind: &'static str) -> usize {
        self.next_handle += 1;
        self.live.insert(self.next_handle, kind);
        self.next_handle
    }

    fn drop_handle(&mut self, handle: usize, kind: &str) -> c_uint {
        match self.live.remove(&handle) {
            Some(found) if found == kind => 0,
            _ => INVALID_VALUE,
        }
    }

    fn bytes(&mut self, address: u64, bytes: usize) -> Option<&mut [u8]> {
        let (start, memory) = self.memory.range_mut(..=address).next_back()?;
        let first = (address - start) as usize;
        memory.get_mut(first..first.checked_add(bytes)?)
    }

    /// Does what is queued, to the end or to an event.
    fn work_until(&mut self, event: Option<usize>) {
        let stop = |work: &Work| matches!((work, event), (Work::Event(at), Some(wanted)) if *at == wanted);
        let end = match event {
            Some(_) => self.queued.iter().rposition(stop).map_or(0, |last| last + 1),
            None => self.queued.len(),
        };
        for work in self.queued.drain(..end).collect::<Vec<_>>() {
            self.do_now(work);
        }
    }

    fn do_now(&mut self, work: Work) {
        match work {
            Work::ToDevice { address, host, bytes } => {
                // SAFETY: the caller's promise, which the driver relies on in the same way.
                let source = unsafe { std::slice::from_raw_parts(host as *const u8, bytes) };
                if let Some(target) = self.bytes(address, bytes) {
                    target.copy_from_slice(source);
                }
            }
            Work::ToHost { host, address, bytes } => {
                if let Some(source) = self.bytes(address, bytes) {
                    // SAFETY: as above.
                    unsafe { std::ptr::copy_nonoverlapping(source.as_ptr(), host as *mut u8, bytes) };
                }
            }
            Work::Fill { address, byte, bytes } => {
                if let Some(target) = self.bytes(address, bytes) {
                    target.fill(byte);
                }
            }
            Work::Event(_) => {}
        }
    }

    fn alloc(&mut self, bytes: usize) -> Result<u64, c_uint> {
        let used: usize = self.memory.values().map(Vec::len).sum();
        match bytes {
            0 => Err(INVALID_VALUE),
            _ if used + bytes > MEMORY_BYTES => Err(OUT_OF_MEMORY),
            _ => {
                let address = 0x7000_0000 + self.next_address;
                // A gap after each, as wide as the alignment at least.
                self.next_address += (bytes as u64).next_multiple_of(256) + 256;
                self.memory.insert(address, vec![0xCD; bytes]);
                Ok(address)
            }
        }
    }

    fn free(&mut self, address: u64) -> c_uint {
        if self.memory.remove(&address).is_some() { 0 } else { INVALID_VALUE }
    }
}

fn setting(key: &str) -> Option<String> {
    let settings = std::env::var("FAKE_LIBCUDA").unwrap_or_default();
    let found = settings.split(';').find_map(|pair| pair.split_once('=').filter(|(name, _)| *name == key));
    found.map(|(_, value)| value.to_string())
}

fn number(key: &str, default: i64) -> i64 {
    setting(key).and_then(|value| value.parse().ok()).unwrap_or(default)
}

fn note(line: &str) {
    let Ok(path) = std::env::var("FAKE_LIBCUDA_LOG") else { return };
    if let Ok(mut file) = OpenOptions::new().append(true).create(true).open(path) {
        let _ = writeln!(file, "{line}");
    }
}

/// Fails as the settings say, or without a current context.
fn enter(function: &str) -> Result<Entered, c_uint> {
    if CURRENT.get() == 0 {
        return Err(INVALID_CONTEXT);
    }
    enter_anywhere(function)
}

fn enter_anywhere(function: &str) -> Result<Entered, c_uint> {
    match number(function, 0) {
        0 => Ok(Entered(STATE.lock().unwrap())),
        code => Err(code as c_uint),
    }
}

fn status(result: Result<c_uint, c_uint>) -> c_uint {
    result.unwrap_or_else(|code| code)
}

/// # Safety
/// `place` is valid, as for the driver.
unsafe fn give<T>(place: *mut T, value: T) -> c_uint {
    // SAFETY: the caller's promise.
    unsafe { place.write(value) };
    0
}

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

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemGetInfo_v2(free: *mut usize, total: *mut usize) -> c_uint {
    status(enter("cuMemGetInfo_v2").map(|mut entered| {
        let used: usize = entered.state().memory.values().map(Vec::len).sum();
        unsafe { give(free, MEMORY_BYTES - used) };
        unsafe { give(total, MEMORY_BYTES) }
    }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemAlloc_v2(address: *mut u64, bytes: usize) -> c_uint {
    status(enter("cuMemAlloc_v2").and_then(|mut entered| {
        note(&format!("alloc {bytes}"));
        entered.state().alloc(bytes).map(|found| unsafe { give(address, found) })
    }))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemFree_v2(address: u64) -> c_uint {
    status(enter("cuMemFree_v2").map(|mut entered| {
        let state = entered.state();
        // The driver would wait here; the host code must not rely on it, because others' may not.
        note(&format!("free with {} works queued", state.queued.len()));
        state.free(address)
    }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemAllocAsync(address: *mut u64, bytes: usize, stream: usize) -> c_uint {
    status(enter("cuMemAllocAsync").and_then(|mut entered| {
        note(&format!("alloc {bytes} on stream {stream}"));
        entered.state().alloc(bytes).map(|found| unsafe { give(address, found) })
    }))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemFreeAsync(address: u64, stream: usize) -> c_uint {
    status(enter("cuMemFreeAsync").map(|mut entered| {
        note(&format!("free on stream {stream}"));
        let state = entered.state();
        state.work_until(None);
        state.free(address)
    }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGetDefaultMemPool(pool: *mut usize, _device: c_int) -> c_uint {
    unsafe { give(pool, 77) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemPoolSetAttribute(pool: usize, which: c_int, value: *const u64) -> c_uint {
    note(&format!("pool {pool} attribute {which} = {}", unsafe { value.read() }));
    0
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemHostAlloc(host: *mut *mut u8, bytes: usize, flags: c_uint) -> c_uint {
    status(enter("cuMemHostAlloc").map(|mut entered| {
        note(&format!("pin {bytes} flags {flags}"));
        let mut memory = vec![0; bytes];
        let place = memory.as_mut_ptr();
        entered.state().pinned.insert(place as usize, memory);
        unsafe { give(host, place) }
    }))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemFreeHost(host: usize) -> c_uint {
    status(enter("cuMemFreeHost").map(|mut entered| {
        if entered.state().pinned.remove(&host).is_some() { 0 } else { INVALID_VALUE }
    }))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemcpyHtoDAsync_v2(address: u64, host: usize, bytes: usize, stream: usize) -> c_uint {
    status(enter("cuMemcpyHtoDAsync_v2").map(|mut entered| {
        let state = entered.state();
        if state.bytes(address, bytes).is_none() {
            return INVALID_VALUE;
        }
        note(&format!("copy {bytes} to {address:#x} on stream {stream}"));
        state.queued.push(Work::ToDevice { address, host, bytes });
        0
    }))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemcpyDtoHAsync_v2(host: usize, address: u64, bytes: usize, stream: usize) -> c_uint {
    status(enter("cuMemcpyDtoHAsync_v2").map(|mut entered| {
        let state = entered.state();
        if state.bytes(address, bytes).is_none() {
            return INVALID_VALUE;
        }
        note(&format!("copy {bytes} from {address:#x} on stream {stream}"));
        state.queued.push(Work::ToHost { host, address, bytes });
        0
    }))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemsetD8Async(address: u64, byte: u8, bytes: usize, stream: usize) -> c_uint {
    status(enter("cuMemsetD8Async").map(|mut entered| {
        let state = entered.state();
        if state.bytes(address, bytes).is_none() {
            return INVALID_VALUE;
        }
        note(&format!("fill {bytes} at {address:#x} with {byte} on stream {stream}"));
        state.queued.push(Work::Fill { address, byte, bytes });
        0
    }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuStreamCreate(stream: *mut usize, flags: c_uint) -> c_uint {
    status(enter("cuStreamCreate").map(|mut entered| {
        let handle = entered.state().make("stream");
        note(&format!("stream {handle} flags {flags}"));
        unsafe { give(stream, handle) }
    }))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamSynchronize(_stream: usize) -> c_uint {
    status(enter("cuStreamSynchronize").map(|mut entered| {
        entered.state().work_until(None);
        0
    }))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamDestroy_v2(stream: usize) -> c_uint {
    status(enter("cuStreamDestroy_v2").map(|mut entered| entered.state().drop_handle(stream, "stream")))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuEventCreate(event: *mut usize, flags: c_uint) -> c_uint {
    status(enter("cuEventCreate").map(|mut entered| {
        let kind = if flags & 2 == 0 { "timed event" } else { "event" };
        unsafe { give(event, entered.state().make(kind)) }
    }))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuEventRecord(event: usize, _stream: usize) -> c_uint {
    status(enter("cuEventRecord").map(|mut entered| {
        let state = entered.state();
        state.queued.push(Work::Event(event));
        if state.live.get(&event) == Some(&"timed event") {
            note("time");
        }
        0
    }))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuEventSynchronize(event: usize) -> c_uint {
    status(enter("cuEventSynchronize").map(|mut entered| {
        entered.state().work_until(Some(event));
        0
    }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuEventElapsedTime(ms: *mut f32, start: usize, end: usize) -> c_uint {
    status(enter("cuEventElapsedTime").map(|mut entered| {
        let state = entered.state();
        let timed = |event| state.live.get(event) == Some(&"timed event");
        let over = !state.queued.iter().any(|work| matches!(work, Work::Event(at) if *at == end));
        if timed(&start) && timed(&end) && over { unsafe { give(ms, 1.5) } } else { INVALID_VALUE }
    }))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuEventDestroy_v2(event: usize) -> c_uint {
    status(enter("cuEventDestroy_v2").map(|mut entered| {
        let kind = entered.state().live.get(&event).copied().unwrap_or("none");
        entered.state().drop_handle(event, kind)
    }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuLaunchKernel(
    function: usize,
    grid_x: c_uint,
    grid_y: c_uint,
    grid_z: c_uint,
    block_x: c_uint,
    block_y: c_uint,
    block_z: c_uint,
    shared: c_uint,
    stream: usize,
    params: *const *const u8,
    _extra: *mut c_void,
) -> c_uint {
    status(enter("cuLaunchKernel").and_then(|mut entered| {
        let state = entered.state();
        let function = state.functions.get(&function).ok_or(INVALID_VALUE)?;
        if grid_x * grid_y * grid_z == 0 || block_x * block_y * block_z > 1024 {
            return Err(INVALID_VALUE);
        }
        if shared > function.shared_limit {
            return Err(INVALID_VALUE);
        }
        let places = unsafe { std::slice::from_raw_parts(params, function.params.len()) };
        let pairs = function.params.iter().zip(places);
        let args: Vec<_> = pairs.map(|(ty, &place)| unsafe { show(ty, place) }).collect();
        let line = format!(
            "{}<<<{grid_x},{grid_y},{grid_z}; {block_x},{block_y},{block_z}; {shared}>>>({})",
            function.entry,
            args.join(", ")
        );
        match &mut state.capturing {
            Some((capturing, lines)) if *capturing == stream => lines.push(line),
            _ => note(&format!("launch {line} on stream {stream}")),
        }
        Ok(0)
    }))
}

/// A parameter as its PTX type has it.
unsafe fn show(ty: &str, place: *const u8) -> String {
    unsafe {
        match ty {
            ".u64" => format!("{:#x}", place.cast::<u64>().read_unaligned()),
            ".u32" => place.cast::<u32>().read_unaligned().to_string(),
            ".s32" => place.cast::<i32>().read_unaligned().to_string(),
            ".f32" => place.cast::<f32>().read_unaligned().to_string(),
            ".f64" => place.cast::<f64>().read_unaligned().to_string(),
            _ => format!("unknown type {ty}"),
        }
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamBeginCapture_v2(stream: usize, _mode: c_uint) -> c_uint {
    status(enter("cuStreamBeginCapture_v2").map(|mut entered| {
        note(&format!("capture on stream {stream}"));
        entered.state().capturing = Some((stream, Vec::new()));
        0
    }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuStreamEndCapture(stream: usize, graph: *mut usize) -> c_uint {
    status(enter("cuStreamEndCapture").and_then(|mut entered| {
        let state = entered.state();
        let (_, lines) = state.capturing.take().filter(|(at, _)| *at == stream).ok_or(INVALID_VALUE)?;
        let handle = state.make("graph");
        state.graphs.insert(handle, lines);
        Ok(unsafe { give(graph, handle) })
    }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuGraphInstantiateWithFlags(
    executable: *mut usize,
    graph: usize,
    _flags: c_ulonglong,
) -> c_uint {
    status(enter("cuGraphInstantiateWithFlags").and_then(|mut entered| {
        let state = entered.state();
        let lines = state.graphs.get(&graph).ok_or(INVALID_VALUE)?.clone();
        note(&format!("instantiate {} nodes", lines.len()));
        let handle = state.make("executable");
        state.graphs.insert(handle, lines);
        Ok(unsafe { give(executable, handle) })
    }))
}

// Left out of the library that stands for an incomplete one.
#[cfg(not(incomplete))]
#[unsafe(no_mangle)]
pub extern "C" fn cuGraphLaunch(executable: usize, stream: usize) -> c_uint {
    status(enter("cuGraphLaunch").and_then(|mut entered| {
        let state = entered.state();
        if state.live.get(&executable) != Some(&"executable") {
            return Err(INVALID_VALUE);
        }
        note(&format!("graph on stream {stream}"));
        for line in &state.graphs[&executable] {
            note(&format!("node {line}"));
        }
        Ok(0)
    }))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphExecDestroy(executable: usize) -> c_uint {
    status(enter("cuGraphExecDestroy").map(|mut entered| entered.state().drop_handle(executable, "executable")))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphDestroy(graph: usize) -> c_uint {
    status(enter("cuGraphDestroy").map(|mut entered| entered.state().drop_handle(graph, "graph")))
}
