//! Libraries: a text that is compiled for all contexts.

use crate::abi::{In, Out, Status, Text};
use crate::context::current;
use crate::driver::soft;
use crate::error::Code;
use crate::handle::{Handle, Table, fresh};
use crate::jit::{Options, compile};
use crate::module::{read, set_variable};
use crate::{capture, function, image};
use ddpm_ptx::device::soft::Program;
use std::sync::Arc;

static LIBRARIES: Table<Library> = Table::new();

struct Library {
    program: Arc<Program>,
    kernels: Vec<Handle>,
}

fn find(handle: Handle) -> Result<Arc<Library>, Code> {
    soft()?;
    LIBRARIES.get(handle)
}

fn load_text(place: Out<Handle>, text: &str, options: Options) -> Status {
    capture::refuse()?;
    let place = place.wanted()?;
    let program = Arc::new(compile(text, options)?);
    let handle = fresh();
    let kernels = function::add_all(&program, handle);
    LIBRARIES.insert(handle, Library { program, kernels });
    place.set(handle)
}

/// The library's own options say how long the image stays and are of no account: it is read now.
fn load(
    place: Out<Handle>,
    image: usize,
    names: In<u32>,
    values: Out<usize>,
    count: u32,
    _library_names: In<u32>,
    _library_values: In<usize>,
    _library_count: u32,
) -> Status {
    soft()?;
    load_text(place, &image::text(image)?, Options { count, names, values })
}

fn load_file(
    place: Out<Handle>,
    path: Text,
    names: In<u32>,
    values: Out<usize>,
    count: u32,
    _library_names: In<u32>,
    _library_values: In<usize>,
    _library_count: u32,
) -> Status {
    soft()?;
    load_text(place, &read(path)?, Options { count, names, values })
}

fn unload(handle: Handle) -> Status {
    capture::refuse()?;
    LIBRARIES.remove(handle)?;
    function::end_all(handle);
    Ok(())
}

fn kernel(place: Out<Handle>, handle: Handle, name: Text) -> Status {
    let place = place.wanted()?;
    place.set(function::named(&find(handle)?.kernels, &name.get()?)?)
}

fn kernel_count(count: Out<u32>, handle: Handle) -> Status {
    count.set(find(handle)?.kernels.len() as u32)
}

fn kernels(place: Out<Handle>, room: u32, handle: Handle) -> Status {
    let library = find(handle)?;
    place.set_all(&library.kernels[..library.kernels.len().min(room as usize)])
}

fn variable(address: Out<u64>, bytes: Out<usize>, handle: Handle, name: Text) -> Status {
    current()?;
    set_variable(&find(handle)?.program, address, bytes, name)
}

export! {
    cuLibraryLoadData(
        place: Out<Handle>, image: usize, names: In<u32>, values: Out<usize>, count: u32,
        library_names: In<u32>, library_values: In<usize>, library_count: u32
    ) => load;
    cuLibraryLoadFromFile(
        place: Out<Handle>, path: Text, names: In<u32>, values: Out<usize>, count: u32,
        library_names: In<u32>, library_values: In<usize>, library_count: u32
    ) => load_file;
    cuLibraryUnload(library: Handle) => unload;
    cuLibraryGetKernel(place: Out<Handle>, library: Handle, name: Text) => kernel;
    cuLibraryGetKernelCount(count: Out<u32>, library: Handle) => kernel_count;
    cuLibraryEnumerateKernels(place: Out<Handle>, room: u32, library: Handle) => kernels;
    cuLibraryGetGlobal(address: Out<u64>, bytes: Out<usize>, library: Handle, name: Text) => variable;
}
