//! Worker threads that outlive launches.
//!
//! A launch is posted by one atomic store; idle workers look for it for a moment, then sleep until they are
//! woken. The launching thread works too, and waits only for workers that have joined: a launch that is over
//! before anyone wakes up costs nothing.

use super::block::Scratch;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{JoinHandle, Thread};

/// Looks at the state before a worker sleeps, some microseconds' worth.
const SPINS: u32 = 256;

/// [`Shared::state`]: the launch that is posted can be joined.
const OPEN: u64 = 1 << 31;
/// [`Shared::state`]: number of workers that run the launch, in the low bits.
const ACTIVE: u64 = OPEN - 1;
/// [`Shared::state`]: the number of the launch stands above.
const EPOCH: u64 = 1 << 32;

type Work<'a> = dyn Fn(&mut Scratch) + Sync + 'a;

struct Shared {
    state: AtomicU64,
    /// The launch that is posted; valid while it is open or active.
    work: std::cell::UnsafeCell<Option<&'static Work<'static>>>,
    stop: AtomicBool,
    panicked: AtomicBool,
}

// SAFETY: `work` is written only while no worker can read it (closed and none active).
unsafe impl Sync for Shared {}
// SAFETY: as above.
unsafe impl Send for Shared {}

struct Worker {
    thread: Thread,
    sleeping: Arc<AtomicBool>,
    handle: Option<JoinHandle<()>>,
}

/// The workers besides the launching thread.
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<Worker>,
}

impl Pool {
    /// A pool that works with `threads` threads, the launching one included.
    pub fn new(threads: usize) -> Pool {
        let shared = Arc::new(Shared {
            state: AtomicU64::new(0),
            work: std::cell::UnsafeCell::new(None),
            stop: AtomicBool::new(false),
            panicked: AtomicBool::new(false),
        });
        let spawn = |index: usize| {
            let sleeping = Arc::new(AtomicBool::new(false));
            let (shared, asleep) = (shared.clone(), sleeping.clone());
            let name = format!("soft-{index}");
            let handle =
                std::thread::Builder::new().name(name).spawn(move || worker(&shared, &asleep)).ok()?;
            Some(Worker { thread: handle.thread().clone(), sleeping, handle: Some(handle) })
        };
        // With fewer threads than asked for everything still works.
        let workers = (1..threads).map_while(spawn).collect();
        Pool { shared, workers }
    }

    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Runs `work` on this thread and, if `wide`, on every worker that comes in time. Only one launch runs
    /// at a time: the caller holds the device's lock.
    pub fn run(&self, wide: bool, scratch: &mut Scratch, work: &Work) {
        if !wide || self.workers.is_empty() {
            return work(scratch);
        }
        // SAFETY: `finish` waits until no worker uses `work` before this function returns or unwinds.
        let forever = unsafe { std::mem::transmute::<&Work<'_>, &'static Work<'static>>(work) };
        // SAFETY: the state is closed and no worker is active, so nobody reads the cell.
        unsafe { *self.shared.work.get() = Some(forever) };
        let epoch = self.shared.state.load(Ordering::Relaxed) / EPOCH + 1;
        self.shared.state.store((epoch * EPOCH) | OPEN, Ordering::SeqCst);
        for worker in &self.workers {
            if worker.sleeping.load(Ordering::SeqCst) {
                worker.thread.unpark();
            }
        }
        let finish = Finish(&self.shared);
        work(scratch);
        drop(finish);
        assert!(!self.shared.panicked.load(Ordering::Relaxed), "a worker of the software device panicked");
    }
}

/// Closes the launch and waits for the workers that joined it.
struct Finish<'a>(&'a Shared);

impl Drop for Finish<'_> {
    fn drop(&mut self) {
        self.0.state.fetch_and(!OPEN, Ordering::AcqRel);
        let mut spins = 0u32;
        while self.0.state.load(Ordering::Acquire) & ACTIVE != 0 {
            spins += 1;
            if spins.is_multiple_of(SPINS) { std::thread::yield_now() } else { std::hint::spin_loop() }
        }
    }
}

/// Leaves the launch, also when it panics.
struct Leave<'a>(&'a Shared);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.panicked.store(true, Ordering::Relaxed);
        }
        self.0.state.fetch_sub(1, Ordering::AcqRel);
    }
}

fn worker(shared: &Shared, sleeping: &AtomicBool) {
    let mut scratch = Scratch::default();
    let mut done = 0;
    let mut spins = 0;
    while !shared.stop.load(Ordering::Relaxed) {
        let state = shared.state.load(Ordering::Acquire);
        let joinable = state & OPEN != 0 && state / EPOCH != done;
        if joinable {
            let joined =
                shared.state.compare_exchange_weak(state, state + 1, Ordering::AcqRel, Ordering::Relaxed);
            if joined.is_ok() {
                done = state / EPOCH;
                let _leave = Leave(shared);
                // SAFETY: the launch is active, so the cell is not written and its content is alive.
                if let Some(work) = unsafe { *shared.work.get() } {
                    work(&mut scratch);
                }
                spins = 0;
            }
            continue;
        }
        spins += 1;
        if spins < SPINS {
            std::hint::spin_loop();
            continue;
        }
        spins = 0;
        sleeping.store(true, Ordering::SeqCst);
        let state = shared.state.load(Ordering::SeqCst);
        let nothing = state & OPEN == 0 || state / EPOCH == done;
        if nothing && !shared.stop.load(Ordering::SeqCst) {
            std::thread::park();
        }
        sleeping.store(false, Ordering::SeqCst);
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        for worker in &mut self.workers {
            worker.thread.unpark();
            if let Some(handle) = worker.handle.take() {
                let _ = handle.join();
            }
        }
    }
}
