//! How much memory a thread has at once.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    /// Bytes that this thread got and nobody has given back in it.
    static HELD: Cell<isize> = const { Cell::new(0) };
    /// Most of them so far.
    static MOST: Cell<isize> = const { Cell::new(0) };
}

/// The system's allocator, which counts what it is asked for, whether or not it is ever touched.
struct Counting;

/// What `work` gives, and the most bytes that this thread had at once meanwhile, beyond those that it had before.
pub fn peak<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    MOST.set(before);
    let done = work();
    (done, (MOST.get() - before) as usize)
}

fn count(bytes: isize) {
    let held = HELD.get() + bytes;
    HELD.set(held);
    MOST.set(MOST.get().max(held));
}

// SAFETY: every call is the system's; counting asks for no memory and does not unwind, and its cells need no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: what the caller promises of this layout.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: what the caller promises of this layout.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize);
        // SAFETY: what the caller promises of this memory, its layout and the new size.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: what the caller promises of this memory and its layout.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[test]
fn what_is_held_at_once_is_counted() {
    let (_, one) = peak(|| drop(vec![0u8; 1000]));
    let (kept, two) = peak(|| (vec![0u8; 1000], Vec::<u8>::with_capacity(1 << 20)));
    assert_eq!((one, two), (1000, 1000 + (1 << 20)));
    drop(kept);
}
