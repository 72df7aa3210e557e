//! Kernels on the device: modules loaded from machine code or compiled from PTX by the driver.

use super::context::Context;
use super::failure::{Failure, code};
use super::jit_log::JitLog;
use super::probe::Found;
use crate::device::{Cubin, DeviceError, Kernel, ModuleSource, Result};
use cudarc::driver::sys::{CUfunction, CUfunction_attribute as Attribute, CUmodule};
use std::collections::HashMap;
use std::ffi::{CString, c_void};
use std::fmt;
use std::ptr::{from_ref, null_mut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// Dynamic and static shared memory that a block can have without asking, in bytes, on every card.
const SHARED_UNASKED: u32 = 48 << 10;

/// What a module was loaded from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// The driver compiled the text.
    Ptx,
    /// Machine code for this compute capability, made by `ptxas` at build time.
    Cubin(u32),
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Code::Ptx => write!(f, "ptx"),
            Code::Cubin(capability) => write!(f, "cubin sm_{capability}"),
        }
    }
}

/// What the driver says of a loaded kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attributes {
    pub code: Code,
    /// Registers of a thread.
    pub registers: u32,
    /// Local memory of a thread in bytes: spills and stack.
    pub local_bytes: u32,
    /// Static shared memory of a block in bytes.
    pub shared_bytes: u32,
    /// The most threads that a block of it can have.
    pub max_threads: u32,
}

/// A loaded module.
struct Module {
    context: Arc<Context>,
    handle: CUmodule,
    code: Code,
}

// SAFETY: modules are immutable once loaded; the driver takes calls from any thread.
unsafe impl Send for Module {}
// SAFETY: as above.
unsafe impl Sync for Module {}

impl Module {
    fn load(context: &Arc<Context>, source: &ModuleSource, capability: u32) -> Result<Module> {
        if let Some(cubin) = best_cubin(source.cubins, capability) {
            let words = aligned(cubin.code);
            match Module::load_image(context, bytemuck::cast_slice(&words), Code::Cubin(cubin.capability)) {
                Err((failure, _)) if needs_ptx(&failure) => {}
                loaded => return loaded.map_err(|(failure, log)| not_loaded(source, &failure, &log)),
            }
        }
        let text = CString::new(source.ptx).map_err(|error| DeviceError::Module {
            module: source.name.into(),
            log: format!("the PTX has a NUL byte at {}", error.nul_position()),
        })?;
        Module::load_image(context, text.as_bytes_with_nul(), Code::Ptx)
            .map_err(|(failure, log)| not_loaded(source, &failure, &log.located(source)))
    }

    /// `image`: a cubin, or PTX that ends in NUL.
    fn load_image(context: &Arc<Context>, image: &[u8], code: Code) -> Result<Module, (Failure, JitLog)> {
        let mut log = JitLog::new();
        let mut handle = null_mut();
        let driver = context.bind().map_err(|failure| (failure, JitLog::new()))?;
        let status = log.with_options(|count, options, values| {
            // SAFETY: the image is complete, `handle` is a valid place for the result, and the options'
            // buffers outlive the call.
            unsafe {
                driver.cuModuleLoadDataEx(
                    &mut handle,
                    image.as_ptr().cast::<c_void>(),
                    count,
                    options,
                    values,
                )
            }
        });
        match status {
            Ok(()) => Ok(Module { context: context.clone(), handle, code }),
            Err(failure) => Err((failure, log)),
        }
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        if let Ok(driver) = self.context.bind() {
            // SAFETY: every function of it holds an `Arc` of it, so that none is left.
            let _ = unsafe { driver.cuModuleUnload(self.handle) };
        }
    }
}

/// Machine code runs on the same major and the same or a later minor capability; the latest is the best.
fn best_cubin(cubins: &'static [Cubin], capability: u32) -> Option<&'static Cubin> {
    cubins
        .iter()
        .filter(|cubin| cubin.capability / 10 == capability / 10 && cubin.capability <= capability)
        .max_by_key(|cubin| cubin.capability)
}

/// The driver reads machine code in place as an ELF file; embedded bytes may begin anywhere.
fn aligned(code: &[u8]) -> Vec<u64> {
    let mut words = vec![0; code.len().div_ceil(8)];
    bytemuck::cast_slice_mut(&mut words)[..code.len()].copy_from_slice(code);
    words
}

/// Whether machine code was refused for what it is, so that the text may still do.
fn needs_ptx(failure: &Failure) -> bool {
    [code::INVALID_IMAGE, code::NO_BINARY_FOR_GPU].contains(&failure.code)
}

fn not_loaded(source: &ModuleSource, failure: &Failure, log: &impl fmt::Display) -> DeviceError {
    let log = log.to_string();
    let separator = if log.is_empty() { "" } else { "\n" };
    DeviceError::Module { module: source.name.into(), log: format!("{}{separator}{log}", failure.reason()) }
}

/// One `.entry` of a loaded module.
pub struct Function {
    module: Arc<Module>,
    pub handle: CUfunction,
    pub attributes: Attributes,
    /// The most dynamic shared memory in bytes that a block can have, when it asks.
    pub shared_limit: u32,
    /// Whether the driver was asked.
    asked: Mutex<bool>,
}

// SAFETY: the driver takes calls from any thread.
unsafe impl Send for Function {}
// SAFETY: as above; the one attribute that changes is behind a lock.
unsafe impl Sync for Function {}

impl Function {
    fn new(module: Arc<Module>, kernel: &Kernel, shared_per_block: u32) -> Result<Function> {
        let handle = find(&module, kernel)?;
        let attribute = |which| attribute(&module.context, handle, which);
        let attributes = Attributes {
            code: module.code,
            registers: attribute(Attribute::CU_FUNC_ATTRIBUTE_NUM_REGS)?,
            local_bytes: attribute(Attribute::CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES)?,
            shared_bytes: attribute(Attribute::CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES)?,
            max_threads: attribute(Attribute::CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK)?,
        };
        let shared_limit = shared_per_block.saturating_sub(attributes.shared_bytes);
        Ok(Function { module, handle, attributes, shared_limit, asked: Mutex::new(false) })
    }

    /// Asks the driver to allow launches with `bytes` of dynamic shared memory, at most `shared_limit`.
    pub fn ask_for_shared(&self, bytes: u32) -> Result<(), Failure> {
        let mut asked = lock(&self.asked);
        if self.attributes.shared_bytes + bytes > SHARED_UNASKED && !*asked {
            let driver = self.module.context.bind()?;
            let attribute = Attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
            // SAFETY: the function lives, and the value is within the device's limit.
            unsafe { driver.cuFuncSetAttribute(self.handle, attribute, self.shared_limit as i32) }?;
            *asked = true;
        }
        Ok(())
    }
}

fn find(module: &Module, kernel: &Kernel) -> Result<CUfunction> {
    let no_entry = || DeviceError::NoEntry { module: kernel.module.name.into(), entry: kernel.entry.into() };
    let name = CString::new(kernel.entry).map_err(|_| no_entry())?;
    let driver = module.context.bind()?;
    let mut handle = null_mut();
    // SAFETY: the module lives, and `handle` is a valid place for the result.
    match unsafe { driver.cuModuleGetFunction(&mut handle, module.handle, name.as_ptr()) } {
        Ok(()) => Ok(handle),
        Err(failure) if failure.code == code::NOT_FOUND => Err(no_entry()),
        Err(failure) => Err(failure.into()),
    }
}

fn attribute(context: &Context, function: CUfunction, which: Attribute) -> Result<u32, Failure> {
    let mut value = 0;
    // SAFETY: the function lives, and `value` is a valid place for the result.
    unsafe { context.bind()?.cuFuncGetAttribute(&mut value, which, function) }?;
    Ok(value.max(0) as u32)
}

/// The modules and functions that are loaded, each once.
pub struct Modules {
    context: Arc<Context>,
    capability: u32,
    shared_per_block: u32,
    /// By the address of the [`ModuleSource`].
    modules: Mutex<HashMap<usize, Arc<Module>>>,
    /// By the address of the [`Kernel`].
    functions: RwLock<HashMap<usize, Arc<Function>>>,
}

impl Modules {
    pub fn new(context: Arc<Context>, found: &Found) -> Modules {
        Modules {
            context,
            capability: found.capability,
            shared_per_block: found.shared_per_block,
            modules: Mutex::default(),
            functions: RwLock::default(),
        }
    }

    /// The function of `kernel`, loaded now if it was not yet.
    pub fn function(&self, kernel: &'static Kernel) -> Result<Arc<Function>> {
        let key = from_ref(kernel).addr();
        if let Some(function) = self.functions.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(function.clone());
        }
        let module = self.module(kernel.module)?;
        let function = Arc::new(Function::new(module, kernel, self.shared_per_block)?);
        let mut functions = self.functions.write().unwrap_or_else(PoisonError::into_inner);
        Ok(functions.entry(key).or_insert(function).clone())
    }

    fn module(&self, source: &'static ModuleSource) -> Result<Arc<Module>> {
        let key = from_ref(source).addr();
        // Held while loading: a second thread that wants the module waits rather than compile it too.
        let mut modules = lock(&self.modules);
        if let Some(module) = modules.get(&key) {
            return Ok(module.clone());
        }
        let module = Arc::new(Module::load(&self.context, source, self.capability)?);
        modules.insert(key, module.clone());
        Ok(module)
    }
}

/// The maps and flags here are whole at every moment, so that a panic elsewhere does not spoil them.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
