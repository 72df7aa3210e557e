//! Modules: a text that is compiled in a context.

use crate::abi::{In, Out, Status, Text};
use crate::context::current;
use crate::error::Code;
use crate::handle::{Handle, Table, fresh};
use crate::jit::{Options, compile};
use crate::{capture, function, image};
use ddpm_ptx::device::soft::Program;
use std::fs;
use std::sync::Arc;

static MODULES: Table<Module> = Table::new();

/// A module.
pub struct Module {
    context: Handle,
    pub program: Arc<Program>,
    pub functions: Vec<Handle>,
}

/// Ends the modules of a context.
pub fn end_all(context: Handle) {
    for (handle, module) in MODULES.all() {
        if module.context == context {
            function::end_all(handle);
        }
    }
    MODULES.remove_all(|module| module.context == context);
}

/// The text of a file, which may hold any kind of image.
///
/// # Errors
/// [`Code::FILE_NOT_FOUND`], and those of [`image::text`].
pub fn read(path: Text) -> Result<String, Code> {
    let mut bytes = fs::read(path.get()?).map_err(|_| Code::FILE_NOT_FOUND)?;
    bytes.push(0);
    image::text(bytes.as_ptr().expose_provenance())
}

fn load_text(place: Out<Handle>, text: &str, options: Options) -> Status {
    let context = current()?.handle;
    capture::refuse()?;
    let place = place.wanted()?;
    let program = Arc::new(compile(text, options)?);
    let handle = fresh();
    let functions = function::add_all(&program, handle);
    MODULES.insert(handle, Module { context, program, functions });
    place.set(handle)
}

fn load_file(place: Out<Handle>, path: Text) -> Status {
    current()?;
    load_text(place, &read(path)?, Options::NONE)
}

fn load(place: Out<Handle>, image: usize) -> Status {
    load_with(place, image, 0, In::NULL, Out::NULL)
}

fn load_with(place: Out<Handle>, image: usize, count: u32, names: In<u32>, values: Out<usize>) -> Status {
    current()?;
    load_text(place, &image::text(image)?, Options { count, names, values })
}

fn unload(handle: Handle) -> Status {
    current()?;
    capture::refuse()?;
    MODULES.remove(handle)?;
    function::end_all(handle);
    Ok(())
}

fn get_function(place: Out<Handle>, handle: Handle, name: Text) -> Status {
    current()?;
    let place = place.wanted()?;
    place.set(function::named(&MODULES.get(handle)?.functions, &name.get()?)?)
}

fn function_count(count: Out<u32>, handle: Handle) -> Status {
    count.set(MODULES.get(handle)?.functions.len() as u32)
}

fn functions(place: Out<Handle>, room: u32, handle: Handle) -> Status {
    let module = MODULES.get(handle)?;
    place.set_all(&module.functions[..module.functions.len().min(room as usize)])
}

/// Writes a variable's address and size, where they are wanted.
pub fn set_variable(program: &Program, address: Out<u64>, bytes: Out<usize>, name: Text) -> Status {
    let (found, size) = program.variable(&name.get()?).ok_or(Code::NOT_FOUND)?;
    address.set_if_wanted(found);
    bytes.set_if_wanted(size as usize);
    Ok(())
}

fn variable(address: Out<u64>, bytes: Out<usize>, handle: Handle, name: Text) -> Status {
    current()?;
    set_variable(&MODULES.get(handle)?.program, address, bytes, name)
}

/// `CU_MODULE_EAGER_LOADING`.
fn loading_mode(mode: Out<u32>) -> Status {
    mode.set(1)
}

export! {
    cuModuleLoad(place: Out<Handle>, path: Text) => load_file;
    cuModuleLoadData(place: Out<Handle>, image: usize) => load;
    cuModuleLoadDataEx(place: Out<Handle>, image: usize, count: u32, names: In<u32>, values: Out<usize>)
        => load_with;
    cuModuleLoadFatBinary(place: Out<Handle>, image: usize) => load;
    cuModuleUnload(module: Handle) => unload;
    cuModuleGetFunction(place: Out<Handle>, module: Handle, name: Text) => get_function;
    cuModuleGetFunctionCount(count: Out<u32>, module: Handle) => function_count;
    cuModuleEnumerateFunctions(place: Out<Handle>, room: u32, module: Handle) => functions;
    cuModuleGetGlobal_v2(address: Out<u64>, bytes: Out<usize>, module: Handle, name: Text) => variable;
    cuModuleGetLoadingMode(mode: Out<u32>) => loading_mode;
}
