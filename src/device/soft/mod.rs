//! The software CUDA device: runs PTX on the CPU.
//!
//! A module's text is parsed and typed ([`crate::ptx`]), decoded once into instructions with handlers
//! (`lower`), and executed warp by warp, 32 lanes at a time (`exec`), by a pool of worker threads (`pool`,
//! `block`). Memory has 64-bit device addresses with gaps between allocations (`memory`): every access is
//! checked, and a bad one becomes a [`DeviceError::Fault`] that names kernel, line, thread and address.
//!
//! The blocks of a cluster run together (`cluster`), on one worker.
//!
//! Results do not depend on the CPU's instruction set or on the number of threads, except for the order of
//! atomic operations.

mod block;
mod chance;
mod check;
mod cluster;
pub mod count;
mod exec;
mod fault;
mod fill;
mod launch;
mod level;
mod lower;
mod memory;
mod module;
mod orders;
mod pool;
mod raw;
mod turn;

pub use check::{Check, Finding, Kind, OtherAccess, Severity, SourceLine, print};
pub use level::Level;
pub use raw::{EntryParam, EntryShape};

use super::{Backend, Device, DeviceError, Kernel, Launch, ModuleSource, Replay, Result};
use block::{Job, Scratch};
use chance::Chance;
use check::{Checker, Outcome};
use count::{KernelCounts, Launched, Record};
use launch::Geometry;
use memory::{Memory, POISON};
use module::{Module, Source};
use orders::Snapshot;
use pool::Pool;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Static instructions times warps below which waking the workers costs more than they save.
const WORTH_WAKING: u64 = 20_000;

/// How a software device is made.
#[derive(Debug, Clone)]
pub struct Options {
    pub level: Level,
    /// Worker threads, the launching one included.
    pub threads: usize,
    /// Loop instructions after which a warp is taken to hang.
    pub budget: u64,
    /// Whether and how kernels are checked; a checked device has one worker.
    pub check: Option<Check>,
    /// Count what kernels do, for [`Soft::take_counts`].
    pub count: bool,
}

impl Options {
    /// The best level, checks, and a minute of patience.
    pub fn checked(check: Check) -> Options {
        Options { check: Some(check), budget: 1 << 28, ..Options::default() }
    }
}

impl Default for Options {
    /// The best level, a worker for each core, and minutes of patience.
    fn default() -> Options {
        let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
        Options { level: Level::detect(), threads, budget: 1 << 34, check: None, count: false }
    }
}

/// A software CUDA device. Clones are the same device.
#[derive(Clone)]
pub struct Soft(Arc<Shared>);

struct Shared {
    options: Options,
    pool: Pool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    memory: Memory,
    /// Embedded modules, by their address.
    modules: HashMap<usize, Arc<Module>>,
    /// Of the launching thread.
    scratch: Scratch,
    lints: Vec<Finding>,
    record: Record,
    /// What launches have in common that were run in several orders.
    ordered: HashSet<u64>,
}

impl Default for Soft {
    fn default() -> Soft {
        Soft::new()
    }
}

impl From<Soft> for Device {
    fn from(soft: Soft) -> Device {
        Device(Arc::new(soft))
    }
}

impl Soft {
    /// The best that this machine can do.
    pub fn new() -> Soft {
        Soft::with(Options::default())
    }

    /// A device that uses the instruction set of `level`, which must be available.
    pub fn with_level(level: Level) -> Soft {
        Soft::with(Options { level, ..Options::default() })
    }

    /// A device that checks what kernels do; the seed chooses the order in which threads run.
    pub fn checked(seed: u64) -> Soft {
        Soft::with(Options::checked(Check { seed, ..Check::default() }))
    }

    /// # Panics
    /// If this machine does not have the level.
    pub fn with(mut options: Options) -> Soft {
        assert!(options.level <= Level::detect(), "this CPU does not have {}", options.level.name());
        if options.check.is_some() {
            options.threads = 1;
        }
        let pool = Pool::new(options.threads.max(1));
        let memory = if options.check.is_some() { Memory::checked() } else { Memory::default() };
        let state = Mutex::new(State { memory, ..State::default() });
        Soft(Arc::new(Shared { options, pool, state }))
    }

    /// What the checks found since the last call that is bad style rather than an error.
    pub fn take_lints(&self) -> Vec<Finding> {
        std::mem::take(&mut self.0.lock().lints)
    }

    /// What kernels did since this was last asked, in the order of their first launches; nothing unless the
    /// device was made to [count](Options::count). A launch that failed is left out.
    pub fn take_counts(&self) -> Vec<KernelCounts> {
        self.0.lock().record.take()
    }

    /// Loads PTX text that was not embedded at build time, for tests and tools.
    ///
    /// # Errors
    /// [`DeviceError::Module`] with the line and reason if the text is not understood.
    pub fn load(&self, name: &str, text: &str) -> Result<Program> {
        let module = Module::load(Source::text(name, text), &mut self.0.lock().memory, &self.0.options)?;
        Ok(Program { shared: self.0.clone(), module })
    }
}

/// A module loaded by [`Soft::load`].
pub struct Program {
    shared: Arc<Shared>,
    module: Module,
}

impl Program {
    /// Runs `entry` and waits for it. `params` is the entry's parameter block: values in order, each aligned
    /// to its size.
    ///
    /// # Errors
    /// [`DeviceError::NoEntry`], [`DeviceError::BadLaunch`], or the [`DeviceError::Fault`] of the kernel.
    pub fn launch(
        &self,
        entry: &str,
        grid: [u32; 3],
        block: [u32; 3],
        shared_bytes: u32,
        params: &[u8],
    ) -> Result<()> {
        self.launch_in_clusters(entry, grid, None, block, shared_bytes, params)
    }

    /// As [`Program::launch`], with blocks in clusters of `cluster`; `None` leaves that to the kernel's
    /// `.reqnctapercluster`.
    ///
    /// # Errors
    /// As for [`Program::launch`].
    pub fn launch_in_clusters(
        &self,
        entry: &str,
        grid: [u32; 3],
        cluster: Option<[u32; 3]>,
        block: [u32; 3],
        shared_bytes: u32,
        params: &[u8],
    ) -> Result<()> {
        let geometry = Geometry { grid, block, cluster, shared_bytes };
        let code = self.module.entry(entry)?;
        launch::check(code, &geometry)?;
        launch::check_params(code, params)?;
        let mut state = self.shared.lock();
        self.shared.execute(&mut state, &self.module, entry, &geometry, params)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.module.unload(&mut self.shared.lock().memory);
    }
}

/// The order that a launch takes, and what it must lead to if that is known.
struct Order<'a> {
    seed: u64,
    expected: Option<&'a Snapshot>,
}

/// A launch that is checked and packed.
struct Prepared {
    module: Arc<Module>,
    entry: &'static str,
    geometry: Geometry,
    params: Vec<u8>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves the memory table whole.
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn module(&self, state: &mut State, source: &'static ModuleSource) -> Result<Arc<Module>> {
        let key = std::ptr::from_ref(source) as usize;
        if let Some(module) = state.modules.get(&key) {
            return Ok(module.clone());
        }
        let module = Arc::new(Module::load(Source::embedded(source), &mut state.memory, &self.options)?);
        state.modules.insert(key, module.clone());
        Ok(module)
    }

    fn prepared(&self, state: &mut State, launch: &Launch) -> Result<Prepared> {
        let Kernel { module, entry, block, .. } = *launch.kernel;
        let module = self.module(state, module)?;
        let (grid, shared_bytes) = (launch.grid, launch.shared_bytes);
        let geometry = Geometry { grid, block, cluster: None, shared_bytes };
        let code = module.entry(entry)?;
        launch::check(code, &geometry)?;
        let params = launch::pack(code, launch)?;
        Ok(Prepared { module, entry, geometry, params })
    }

    fn execute(
        &self,
        state: &mut State,
        module: &Module,
        entry: &str,
        geometry: &Geometry,
        params: &[u8],
    ) -> Result<()> {
        let check = self.options.check.unwrap_or_default();
        let run = |state: &mut State, seed, expected: Option<&Snapshot>| {
            self.execute_once(state, module, entry, geometry, params, Order { seed, expected })
        };
        let name = &module.source.name;
        let likeness = |state: &State| orders::likeness(&state.memory, name, entry, geometry, params);
        if check.orders <= 1 || !state.ordered.insert(likeness(state)) {
            return run(state, check.seed, None);
        }
        let snapshot = |state: &State| {
            let variables = module.variables.iter().map(|variable| variable.address);
            Snapshot::take(&state.memory, params, variables)
        };
        let before = snapshot(state);
        run(state, check.seed, None)?;
        let expected = snapshot(state);
        for seed in check.seed + 1..check.seed + u64::from(check.orders) {
            before.restore(&state.memory);
            run(state, seed, Some(&expected))?;
        }
        Ok(())
    }

    fn execute_once(
        &self,
        state: &mut State,
        module: &Module,
        entry: &str,
        geometry: &Geometry,
        params: &[u8],
        order: Order,
    ) -> Result<()> {
        let code = module.entry(entry)?;
        let cluster = launch::cluster(code, geometry);
        if self.options.check.is_some() && cluster != [1; 3] {
            let reason = "a checked device runs no clusters".to_string();
            return Err(DeviceError::BadLaunch { kernel: code.name.clone(), reason });
        }
        let shadow = state.memory.lend_shadow();
        let checks = self.options.check.zip(shadow);
        let mut checker = checks.map(|(check, shadow)| Checker::new(check, code, geometry, shadow));
        let regions = state.memory.regions();
        let mut job = Job::new(code, regions, params, geometry.grid, geometry.block, cluster);
        job.dynamic_bytes = geometry.shared_bytes;
        if let Some(checker) = &mut checker {
            let shared_bytes = code.shared_bytes + geometry.shared_bytes;
            checker.shadow.races.begin_launch(code, job.regions, shared_bytes, job.warps());
            job.chance = Chance::new(order.seed);
        }
        job.checker = checker.as_mut().map_or(std::ptr::null_mut(), std::ptr::from_mut);
        job.budget = self.options.budget;
        job.workers = self.pool.threads() as u32;
        let size = job.blocks() * u64::from(job.warps()) * code.insts.len() as u64;
        let wide = job.blocks() > 1 && size >= WORTH_WAKING;
        self.pool.run(wide, &mut state.scratch, &|scratch| job.work(scratch));
        let source = |line| module.source.line(line);
        if let Some((place, fault)) = job.fault() {
            return Err(fault.report(code, place.block, geometry.block, source));
        }
        if let Some((counting, totals)) = job.counted() {
            let shared_bytes = code.shared_bytes + geometry.shared_bytes;
            let module = &module.source.name;
            let launched = Launched { module, entry, geometry: *geometry, shared_bytes };
            state.record.add(&launched, counting, totals);
        }
        let Some(mut checker) = checker else { return Ok(()) };
        if let Some(place) = order.expected.and_then(|expected| expected.difference(state.memory.regions())) {
            checker.depends_on_order(code, state.memory.regions(), place, order.seed);
        }
        let Outcome { errors, lints, shadow } = checker.finish(code, geometry.block, source);
        state.memory.return_shadow(shadow);
        check::merge(&mut state.lints, lints);
        if errors.is_empty() {
            return Ok(());
        }
        Err(DeviceError::Findings { kernel: code.name.clone(), findings: errors })
    }

    /// Sets bytes, or makes them `undefined` as well.
    fn fill(&self, address: u64, byte: u8, bytes: usize, undefined: bool) -> Result<()> {
        let mut state = self.lock();
        let wanted = bytes as u64;
        let host =
            state.memory.host(address, wanted).ok_or(DeviceError::BadCopy { address, bytes: wanted })?;
        // SAFETY: `host` has that many bytes, and the lock keeps kernels away.
        unsafe { host.write_bytes(byte, bytes) };
        state.memory.host_wrote(address, wanted, undefined);
        Ok(())
    }

    fn out_of_memory(&self, wanted: u64) -> DeviceError {
        DeviceError::OutOfMemory { wanted, device: self.name() }
    }

    fn name(&self) -> String {
        let threads = self.pool.threads();
        let plural = if threads == 1 { "" } else { "s" };
        let checked =
            self.options.check.map_or(String::new(), |check| format!(", checked, seed {}", check.seed));
        format!("soft ({threads} thread{plural}, {}{checked})", self.options.level.name())
    }
}

impl Backend for Soft {
    fn name(&self) -> String {
        self.0.name()
    }

    fn alloc(&self, bytes: usize) -> Result<u64> {
        let address = self.0.lock().memory.alloc(bytes as u64);
        address.ok_or_else(|| self.0.out_of_memory(bytes as u64))
    }

    fn free(&self, address: u64) {
        self.0.lock().memory.free(address);
    }

    fn write(&self, address: u64, data: &[u8]) -> Result<()> {
        let mut state = self.0.lock();
        let bytes = data.len() as u64;
        let host = state.memory.host(address, bytes).ok_or(DeviceError::BadCopy { address, bytes })?;
        // SAFETY: `host` has that many bytes, and the lock keeps kernels away.
        unsafe { std::ptr::copy_nonoverlapping(data.as_ptr(), host, data.len()) };
        state.memory.host_wrote(address, bytes, false);
        Ok(())
    }

    fn read(&self, address: u64, data: &mut [u8]) -> Result<()> {
        let state = self.0.lock();
        let bytes = data.len() as u64;
        let host = state.memory.host(address, bytes).ok_or(DeviceError::BadCopy { address, bytes })?;
        // SAFETY: as in `write`.
        unsafe { std::ptr::copy_nonoverlapping(host, data.as_mut_ptr(), data.len()) };
        Ok(())
    }

    fn fill(&self, address: u64, byte: u8, bytes: usize) -> Result<()> {
        self.0.fill(address, byte, bytes, false)
    }

    fn poison(&self, address: u64, bytes: usize) -> Result<()> {
        self.0.fill(address, POISON, bytes, true)
    }

    fn prepare(&self, kernel: &'static Kernel) -> Result<()> {
        let mut state = self.0.lock();
        let module = self.0.module(&mut state, kernel.module)?;
        module.entry(kernel.entry).map(|_| ())
    }

    fn launch(&self, launch: &Launch) -> Result<()> {
        let mut state = self.0.lock();
        let Prepared { module, entry, geometry, params } = self.0.prepared(&mut state, launch)?;
        self.0.execute(&mut state, &module, entry, &geometry, &params)
    }

    fn record(&self, launches: Vec<Launch>) -> Result<Box<dyn Replay>> {
        let mut state = self.0.lock();
        let prepared =
            launches.iter().map(|launch| self.0.prepared(&mut state, launch)).collect::<Result<_>>()?;
        Ok(Box::new(Recording { shared: self.0.clone(), launches: prepared }))
    }

    /// Launches are done when they return.
    fn synchronize(&self) -> Result<()> {
        Ok(())
    }

    fn time(&self, work: &mut dyn FnMut() -> Result<()>) -> Result<Duration> {
        let start = Instant::now();
        work()?;
        Ok(start.elapsed())
    }

    fn take_lints(&self) -> Vec<Finding> {
        Soft::take_lints(self)
    }

    fn isolates(&self) -> bool {
        self.0.options.check.is_some()
    }

    fn multiprocessors(&self) -> u32 {
        self.0.pool.threads() as u32
    }
}

/// Launches that are checked and packed once.
struct Recording {
    shared: Arc<Shared>,
    launches: Vec<Prepared>,
}

impl Replay for Recording {
    fn run(&self) -> Result<()> {
        let mut state = self.shared.lock();
        for Prepared { module, entry, geometry, params } in &self.launches {
            self.shared.execute(&mut state, module, entry, geometry, params)?;
        }
        Ok(())
    }
}
