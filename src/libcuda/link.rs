//! The linker: one PTX text in, the same text out. There is no machine code here to link.

use crate::abi::{In, Out, Status, Text, array_at, bytes_at, place_at};
use crate::context::current;
use crate::error::Code;
use crate::handle::{Handle, Table, fresh, lock};
use crate::jit::{Options, compile};
use crate::{image, module};
use std::ffi::CString;
use std::sync::Mutex;

/// `CU_JIT_INPUT_*`.
const PTX: u32 = 1;
const FATBINARY: u32 = 2;

static LINKERS: Table<Linker> = Table::new();

struct Linker {
    /// Of the whole linker's; kept by the program until it is destroyed, for the log.
    options: [usize; 3],
    text: Mutex<Option<CString>>,
}

fn create(count: u32, names: In<u32>, values: Out<usize>, place: Out<Handle>) -> Status {
    current()?;
    let place = place.wanted()?;
    let handle = fresh();
    let options = [count as usize, names.address(), values.address()];
    LINKERS.insert(handle, Linker { options, text: Mutex::new(None) });
    place.set(handle)
}

fn add(handle: Handle, kind: u32, text: Result<String, Code>) -> Status {
    let linker = LINKERS.get(handle)?;
    if ![PTX, FATBINARY].contains(&kind) {
        return Err(Code::NO_BINARY_FOR_GPU);
    }
    let text = text?;
    // Errors are told here, as NVIDIA's linker does.
    let [count, names, values] = linker.options;
    let options = Options { count: count as u32, names: array_at(names), values: place_at(values) };
    compile(&text, options)?;
    let mut place = lock(&linker.text);
    if place.is_some() {
        return Err(Code::NOT_SUPPORTED);
    }
    *place = Some(CString::new(text).map_err(|_| Code::INVALID_PTX)?);
    Ok(())
}

fn add_data(
    handle: Handle,
    kind: u32,
    data: usize,
    size: usize,
    _name: Text,
    _count: u32,
    _names: In<u32>,
    _values: In<usize>,
) -> Status {
    let text = || {
        let mut bytes = bytes_at(data, size)?;
        bytes.push(0);
        image::text(bytes.as_ptr().expose_provenance())
    };
    add(handle, kind, text())
}

fn add_file(
    handle: Handle,
    kind: u32,
    path: Text,
    _count: u32,
    _names: In<u32>,
    _values: In<usize>,
) -> Status {
    add(handle, kind, module::read(path))
}

/// What comes out is good until the linker is destroyed.
fn complete(handle: Handle, image: Out<usize>, size: Out<usize>) -> Status {
    let linker = LINKERS.get(handle)?;
    let text = lock(&linker.text);
    let text = text.as_ref().ok_or(Code::INVALID_VALUE)?;
    image.set(text.as_ptr().expose_provenance())?;
    size.set_if_wanted(text.as_bytes_with_nul().len());
    Ok(())
}

fn destroy(handle: Handle) -> Status {
    LINKERS.remove(handle).map(drop)
}

export! {
    cuLinkCreate_v2(count: u32, names: In<u32>, values: Out<usize>, place: Out<Handle>) => create;
    cuLinkAddData_v2(
        linker: Handle, kind: u32, data: usize, size: usize, name: Text, count: u32, names: In<u32>, values: In<usize>
    ) => add_data;
    cuLinkAddFile_v2(linker: Handle, kind: u32, path: Text, count: u32, names: In<u32>, values: In<usize>)
        => add_file;
    cuLinkComplete(linker: Handle, image: Out<usize>, size: Out<usize>) => complete;
    cuLinkDestroy(linker: Handle) => destroy;
}
