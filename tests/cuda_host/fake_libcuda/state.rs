//! The driver's books: what lives, what is queued, and what the settings say.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::ffi::c_uint;
use std::fs::OpenOptions;
use std::io::Write;
use std::sync::{Mutex, MutexGuard};

pub const INVALID_VALUE: c_uint = 1;
pub const OUT_OF_MEMORY: c_uint = 2;
pub const INVALID_CONTEXT: c_uint = 201;
pub const INVALID_PTX: c_uint = 218;
pub const NOT_FOUND: c_uint = 500;

pub const MEMORY_BYTES: usize = 1 << 30;
pub const SHARED_UNASKED: c_uint = 48 << 10;
pub const SHARED_LIMIT: c_uint = 227 << 10;

/// What a stream has yet to do.
pub enum Work {
    ToDevice { address: u64, host: usize, bytes: usize },
    ToHost { host: usize, address: u64, bytes: usize },
    Fill { address: u64, byte: u8, bytes: usize },
    Event(usize),
}

pub struct Function {
    pub entry: String,
    /// Type and size of each parameter.
    pub params: Vec<String>,
    pub shared_limit: c_uint,
}

#[derive(Default)]
pub struct State {
    /// Allocations by address.
    pub memory: BTreeMap<u64, Vec<u8>>,
    pub next_address: u64,
    pub pinned: HashMap<usize, Vec<u8>>,
    pub next_handle: usize,
    /// What lives, by handle: `stream`, `event` …
    pub live: BTreeMap<usize, &'static str>,
    pub queued: Vec<Work>,
    pub modules: HashMap<usize, String>,
    pub functions: HashMap<usize, Function>,
    /// The stream that is capturing, and what it caught.
    pub capturing: Option<(usize, Vec<String>)>,
    pub graphs: HashMap<usize, Vec<String>>,
}

static STATE: Mutex<Option<State>> = Mutex::new(None);

thread_local! {
    pub static CURRENT: Cell<usize> = const { Cell::new(0) };
}

/// The state, once the call is allowed: initialised, in a context, not set to fail.
pub struct Entered(MutexGuard<'static, Option<State>>);

impl Entered {
    pub fn state(&mut self) -> &mut State {
        self.0.get_or_insert_default()
    }
}

impl State {
    pub fn make(&mut self, kind: &'static str) -> usize {
        self.next_handle += 1;
        self.live.insert(self.next_handle, kind);
        self.next_handle
    }

    pub fn drop_handle(&mut self, handle: usize, kind: &str) -> c_uint {
        match self.live.remove(&handle) {
            Some(found) if found == kind => 0,
            _ => INVALID_VALUE,
        }
    }

    pub fn bytes(&mut self, address: u64, bytes: usize) -> Option<&mut [u8]> {
        let (start, memory) = self.memory.range_mut(..=address).next_back()?;
        let first = (address - start) as usize;
        memory.get_mut(first..first.checked_add(bytes)?)
    }

    /// Does what is queued, to the end or to an event.
    pub fn work_until(&mut self, event: Option<usize>) {
        let stop = |work: &Work| matches!((work, event), (Work::Event(at), Some(wanted)) if *at == wanted);
        let end = match event {
            Some(_) => self.queued.iter().rposition(stop).map_or(0, |last| last + 1),
            None => self.queued.len(),
        };
        for work in self.queued.drain(..end).collect::<Vec<_>>() {
            self.do_now(work);
        }
    }

    pub fn do_now(&mut self, work: Work) {
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

    pub fn alloc(&mut self, bytes: usize) -> Result<u64, c_uint> {
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

    pub fn free(&mut self, address: u64) -> c_uint {
        if self.memory.remove(&address).is_some() { 0 } else { INVALID_VALUE }
    }
}

pub fn setting(key: &str) -> Option<String> {
    let settings = std::env::var("FAKE_LIBCUDA").unwrap_or_default();
    let found = settings.split(';').find_map(|pair| pair.split_once('=').filter(|(name, _)| *name == key));
    found.map(|(_, value)| value.to_string())
}

pub fn number(key: &str, default: i64) -> i64 {
    setting(key).and_then(|value| value.parse().ok()).unwrap_or(default)
}

pub fn note(line: &str) {
    let Ok(path) = std::env::var("FAKE_LIBCUDA_LOG") else { return };
    if let Ok(mut file) = OpenOptions::new().append(true).create(true).open(path) {
        let _ = writeln!(file, "{line}");
    }
}

/// Fails as the settings say, or without a current context.
pub fn enter(function: &str) -> Result<Entered, c_uint> {
    if CURRENT.get() == 0 {
        return Err(INVALID_CONTEXT);
    }
    enter_anywhere(function)
}

pub fn enter_anywhere(function: &str) -> Result<Entered, c_uint> {
    match number(function, 0) {
        0 => Ok(Entered(STATE.lock().unwrap())),
        code => Err(code as c_uint),
    }
}

pub fn status(result: Result<c_uint, c_uint>) -> c_uint {
    result.unwrap_or_else(|code| code)
}

/// # Safety
/// `place` is valid, as for the driver.
pub unsafe fn give<T>(place: *mut T, value: T) -> c_uint {
    // SAFETY: the caller's promise.
    unsafe { place.write(value) };
    0
}
