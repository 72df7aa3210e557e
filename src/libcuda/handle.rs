//! Handles: numbers that programs get for what lives here. A bad one is found out, never followed.

use crate::error::Code;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// `CUcontext`, `CUstream` and so on. Never used again, and of one kind only; 0, 1 and 2 mean special streams.
pub type Handle = usize;

/// A fresh handle.
pub fn fresh() -> Handle {
    static NEXT: AtomicUsize = AtomicUsize::new(0x1000);
    NEXT.fetch_add(0x10, Ordering::Relaxed)
}

/// All that live of one kind, by handle.
pub struct Table<T>(Mutex<BTreeMap<Handle, Arc<T>>>);

impl<T> Table<T> {
    pub const fn new() -> Table<T> {
        Table(Mutex::new(BTreeMap::new()))
    }

    pub fn insert(&self, handle: Handle, entry: T) -> Arc<T> {
        let entry = Arc::new(entry);
        lock(&self.0).insert(handle, entry.clone());
        entry
    }

    /// # Errors
    /// [`Code::INVALID_HANDLE`].
    pub fn get(&self, handle: Handle) -> Result<Arc<T>, Code> {
        lock(&self.0).get(&handle).cloned().ok_or(Code::INVALID_HANDLE)
    }

    /// Takes an entry out; it ends when those who use it are done.
    pub fn remove(&self, handle: Handle) -> Result<Arc<T>, Code> {
        lock(&self.0).remove(&handle).ok_or(Code::INVALID_HANDLE)
    }

    /// Takes out all for which `doomed` holds.
    pub fn remove_all(&self, doomed: impl Fn(&T) -> bool) {
        lock(&self.0).retain(|_, entry| !doomed(entry));
    }

    pub fn all(&self) -> Vec<(Handle, Arc<T>)> {
        lock(&self.0).iter().map(|(handle, entry)| (*handle, entry.clone())).collect()
    }
}

/// What is locked here is whole at every moment, so that a panic elsewhere does not spoil it.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
