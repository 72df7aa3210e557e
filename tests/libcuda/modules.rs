//! Modules, libraries and the linker.

use crate::kernels::{PTX, function, module, named, scale};
use crate::library::{
    Cuda, INVALID_HANDLE, INVALID_IMAGE, INVALID_PTX, INVALID_VALUE, NO_BINARY_FOR_GPU, NOT_FOUND, call,
    download, from, get, ok, place, upload,
};
use std::ffi::CString;
use std::io::Write;

const ERROR_LOG: u32 = 5;
const ERROR_LOG_BYTES: u32 = 6;

fn load(image: &[u8]) -> u32 {
    let mut module = 0u64;
    call("cuModuleLoadData", &[place(&mut module), from(image)])
}

/// The code and the error log of loading a text.
fn log_of(text: &str, room: u64) -> (u32, String, u64) {
    let text = CString::new(text).unwrap();
    let mut module = 0u64;
    let mut log = vec![0xFFu8; 4096];
    let options = [ERROR_LOG_BYTES, ERROR_LOG];
    let mut values = [room, place(&mut log[0])];
    let args = [place(&mut module), from(text.to_bytes_with_nul()), 2, from(&options), place(&mut values)];
    let code = call("cuModuleLoadDataEx", &args);
    let end = log.iter().position(|byte| *byte == 0).unwrap();
    let log = String::from_utf8(log[..end].to_vec()).unwrap();
    (code, log, std::hint::black_box(values)[0])
}

#[test]
fn errors_name_their_line() {
    let _cuda = Cuda::new();
    let text = PTX.replace("mul.rn.f32 %f2, %f1, %f0;", "mul.rx.f32 %f2, %f1, %f0;");
    let line = 1 + text.lines().position(|line| line.contains("mul.rx")).unwrap();
    let (code, log, length) = log_of(&text, 4096);
    assert_eq!(code, INVALID_PTX);
    assert!(log.starts_with(&format!("ptxas application ptx input, line {line}; error   : ")), "{log}");
    assert!(log.contains("mul.rx"), "{log}");
    assert_eq!(length, log.len() as u64);
    let (_, short, length) = log_of(&text, 10);
    assert_eq!((short.as_str(), length), (&log[..9], 9));
    assert_eq!(log_of(PTX, 4096), (0, String::new(), 0));
}

#[test]
fn an_option_that_is_none() {
    let _cuda = Cuda::new();
    let mut module = 0u64;
    let text = CString::new(PTX).unwrap();
    let text = from(text.to_bytes_with_nul());
    let args = [place(&mut module), text, 1, from(&[4000u32]), from(&[0u64])];
    assert_eq!(call("cuModuleLoadDataEx", &args), INVALID_VALUE);
    assert_eq!(call("cuModuleLoadDataEx", &[place(&mut module), text, 1, 0, 0]), INVALID_VALUE);
}

#[test]
fn machine_code_is_refused() {
    let _cuda = Cuda::new();
    assert_eq!(load(b"\x7fELF\x02\x01\x01"), NO_BINARY_FOR_GPU);
    assert_eq!(load(b"\x01\x02\x03\x00"), INVALID_IMAGE);
    assert_eq!(load(b"\x00"), INVALID_IMAGE);
    assert_eq!(call("cuModuleLoadData", &[0, from(b"\x7fELF")]), NO_BINARY_FOR_GPU);
    assert_eq!(load(b".version 8.0\nnonsense\0"), INVALID_PTX);
}

/// A bundle of entries: kind, flags and content of each.
fn bundle(entries: &[(u16, u64, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (kind, flags, content) in entries {
        let mut header = [0u8; 64];
        header[..2].copy_from_slice(&kind.to_le_bytes());
        header[4..8].copy_from_slice(&64u32.to_le_bytes());
        header[8..16].copy_from_slice(&(content.len() as u64).to_le_bytes());
        header[40..48].copy_from_slice(&flags.to_le_bytes());
        body.extend_from_slice(&header);
        body.extend_from_slice(content);
    }
    let mut bundle = Vec::new();
    bundle.extend_from_slice(&0xBA55_ED50_u32.to_le_bytes());
    bundle.extend_from_slice(&[1, 0, 16, 0]);
    bundle.extend_from_slice(&(body.len() as u64).to_le_bytes());
    bundle.extend(body);
    bundle
}

#[test]
fn bundles_may_have_text_in_them() {
    let _cuda = Cuda::new();
    let text = format!("{PTX}\0\0\0");
    let image = bundle(&[(2, 0, b"\x7fELF and so on"), (1, 0, text.as_bytes())]);
    let module: u64 = get("cuModuleLoadFatBinary", &[from(&*image)]);
    named(module, "scale");
    // As compiled programs have it: a magic number, a version, and where the bundle is.
    let wrapper = [0x1_4662_43B1_u64, from(&*image), 0];
    get::<u64>("cuModuleLoadData", &[from(&wrapper)]);
    assert_eq!(load(&bundle(&[(2, 0, b"\x7fELF")])), NO_BINARY_FOR_GPU);
    assert_eq!(load(&bundle(&[(1, 0x2000, b"squeezed")])), NO_BINARY_FOR_GPU);
    let mut cut = bundle(&[(1, 0, b".version 8.0")]);
    cut[16 + 8] = 200;
    assert_eq!(load(&cut), INVALID_IMAGE);
}

#[test]
fn files() {
    let _cuda = Cuda::new();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(PTX.as_bytes()).unwrap();
    let path = CString::new(file.path().as_os_str().as_encoded_bytes()).unwrap();
    let module: u64 = get("cuModuleLoad", &[from(path.to_bytes_with_nul())]);
    named(module, "lone");
    let mut none = 0u64;
    assert_eq!(call("cuModuleLoad", &[place(&mut none), from(b"/nowhere\0")]), 301);
}

#[test]
fn kernels_of_a_module() {
    let _cuda = Cuda::new();
    let module = module();
    let count = get::<u32>("cuModuleGetFunctionCount", &[module]);
    assert_eq!(count, 5);
    let mut all = [0u64; 5];
    ok("cuModuleEnumerateFunctions", &[place(&mut all), 5, module]);
    assert!(all.contains(&named(module, "mark")));
    assert_eq!(named(module, "mark"), named(module, "mark"));
    let mut none = 0u64;
    assert_eq!(call("cuModuleGetFunction", &[place(&mut none), module, from(b"missing\0")]), NOT_FOUND);
    assert_eq!(call("cuModuleGetFunction", &[place(&mut none), 12, from(b"mark\0")]), INVALID_HANDLE);
    let mark = named(module, "mark");
    assert_eq!(get::<u64>("cuFuncGetModule", &[mark]), module);
    ok("cuModuleUnload", &[module]);
    assert_eq!(call("cuFuncGetModule", &[place(&mut none), mark]), INVALID_HANDLE);
    assert_eq!(call("cuModuleUnload", &[module]), INVALID_HANDLE);
}

#[test]
fn variables_of_a_module() {
    let _cuda = Cuda::new();
    let module = module();
    let variable = |name: &[u8]| {
        let (mut address, mut bytes) = (0u64, 0usize);
        ok("cuModuleGetGlobal_v2", &[place(&mut address), place(&mut bytes), module, from(name)]);
        (address, bytes)
    };
    let (count, bytes) = variable(b"count\0");
    assert_eq!((download::<u32>(count, 1), bytes), (vec![7], 4));
    ok("cuMemsetD32_v2", &[count, 8, 1]);
    assert_eq!(download::<u32>(count, 1), [8]);
    let (table, bytes) = variable(b"table\0");
    assert_eq!((download::<f32>(table, 4), bytes), (vec![1.0, 2.0, 3.0, 4.0], 16));
    assert_eq!(call("cuModuleGetGlobal_v2", &[0, 0, module, from(b"missing\0")]), NOT_FOUND);
}

#[test]
fn attributes_of_a_kernel() {
    let _cuda = Cuda::new();
    let attribute = |function, which| get::<i32>("cuFuncGetAttribute", &[which, function]);
    let (lone, scale) = (function("lone"), function("scale"));
    assert_eq!([attribute(lone, 0), attribute(scale, 0)], [64, 1024]);
    assert_eq!([attribute(lone, 1), attribute(scale, 1)], [4096, 0]);
    assert_eq!([attribute(scale, 5), attribute(scale, 6)], [80, 80]);
    assert!((1..=255).contains(&attribute(scale, 4)));
    assert_eq!([attribute(lone, 8), attribute(scale, 8)], [45056, 49152]);
    ok("cuFuncSetAttribute", &[lone, 8, 100_000]);
    assert_eq!(attribute(lone, 8), 100_000);
    assert_eq!(call("cuFuncSetAttribute", &[lone, 8, 232_448]), INVALID_VALUE);
    assert_eq!(call("cuFuncSetAttribute", &[lone, 0, 1]), INVALID_VALUE);
    let (mut offset, mut bytes) = (0usize, 0usize);
    ok("cuFuncGetParamInfo", &[scale, 1, place(&mut offset), place(&mut bytes)]);
    assert_eq!((offset, bytes), (8, 4));
    assert_eq!(call("cuFuncGetParamInfo", &[scale, 3, place(&mut offset), 0]), INVALID_VALUE);
}

#[test]
fn libraries_are_for_all_contexts() {
    let _cuda = Cuda::new();
    let text = CString::new(PTX).unwrap();
    let library: u64 = get("cuLibraryLoadData", &[from(text.to_bytes_with_nul()), 0, 0, 0, 0, 0, 0]);
    assert_eq!(get::<u32>("cuLibraryGetKernelCount", &[library]), 5);
    let kernel: u64 = get("cuLibraryGetKernel", &[library, from(b"scale\0")]);
    let function: u64 = get("cuKernelGetFunction", &[kernel]);
    let y = upload(&[1f32, 2.0]);
    scale(function, y, 3.0, 2, 0);
    scale(kernel, y, 3.0, 2, 0);
    assert_eq!(download::<f32>(y, 2), [9.0, 18.0]);
    assert_eq!(get::<i32>("cuKernelGetAttribute", &[0, kernel, 0]), 1024);
    assert_eq!(get::<u64>("cuKernelGetLibrary", &[kernel]), library);
    let mut bytes = 0usize;
    let table: u64 = get("cuLibraryGetGlobal", &[place(&mut bytes), library, from(b"table\0")]);
    assert_eq!((download::<f32>(table, 1), bytes), (vec![1.0], 16));
    ok("cuLibraryUnload", &[library]);
    assert_eq!(call("cuLibraryUnload", &[library]), INVALID_HANDLE);
}

#[test]
fn the_linker_passes_one_text_on() {
    let _cuda = Cuda::new();
    let linker = {
        let mut linker = 0u64;
        ok("cuLinkCreate_v2", &[0, 0, 0, place(&mut linker)]);
        linker
    };
    let add = |kind, text: &str| {
        call("cuLinkAddData_v2", &[linker, kind, from(text), text.len() as u64, from(b"k\0"), 0, 0, 0])
    };
    assert_eq!(add(1, "nonsense"), INVALID_PTX);
    assert_eq!(add(0, PTX), NO_BINARY_FOR_GPU);
    assert_eq!(add(1, PTX), 0);
    assert_eq!(add(1, PTX), 801);
    let (mut image, mut bytes) = (0u64, 0usize);
    ok("cuLinkComplete", &[linker, place(&mut image), place(&mut bytes)]);
    assert_eq!(bytes, PTX.len() + 1);
    named(get("cuModuleLoadData", &[image]), "scale");
    ok("cuLinkDestroy", &[linker]);
}
