//! The generated Rust: a typed function for each entry, a module for each family.

use super::Module;
use super::ptxas::Assembled;
use super::signature::{Access, Element, Entry, Param, ParamKind};
use super::signatures::signatures;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// The text of `launchers.rs`.
pub fn generate(modules: &[Module]) -> String {
    let mut families: BTreeMap<&str, Vec<&Module>> = BTreeMap::new();
    for module in modules {
        families.entry(&module.rendered.family).or_default().push(module);
    }
    let mut out = String::new();
    for (family, modules) in &families {
        family_module(&mut out, family, modules);
    }
    let kernels = families.iter().flat_map(|(family, modules)| {
        let entries = modules.iter().flat_map(|module| &module.entries);
        entries.map(move |entry| format!("&{family}::{}", kernel_static(entry)))
    });
    list(&mut out, "Every kernel, by family, file and variant.", "ALL", "Kernel", kernels);
    let sources = families.iter().flat_map(|(family, modules)| {
        modules.iter().map(move |module| format!("&{family}::{}", module_static(module)))
    });
    list(&mut out, "Every module.", "MODULES", "ModuleSource", sources);
    out
}

fn list(out: &mut String, doc: &str, name: &str, ty: &str, items: impl Iterator<Item = String>) {
    let items: Vec<String> = items.map(|item| format!("    {item},\n")).collect();
    let items = items.concat();
    let _ = write!(out, "/// {doc}\npub static {name}: &[&crate::device::{ty}] = &[\n{items}];\n");
}

fn family_module(out: &mut String, family: &str, modules: &[&Module]) {
    let _ = write!(
        out,
        "/// The kernels under `kernels/{family}/`.\npub mod {} {{\n\
         #![allow(clippy::too_many_arguments, non_snake_case, unused_imports)]\n\
         use crate::device::{{Arg, Call, Cubin, In, InOut, Kernel, ModuleSource, Out, Resources}};\n\
         use half::bf16;\n\n",
        identifier(family)
    );
    for module in modules {
        module_source(out, module);
        for entry in &module.entries {
            kernel(out, module, entry);
            launcher(out, entry);
        }
    }
    signatures(out, modules);
    out.push_str("}\n\n");
}

fn module_source(out: &mut String, module: &Module) {
    let rendered = &module.rendered;
    let origins: Vec<String> =
        rendered.origins.iter().map(|(file, line)| format!("({file},{line})")).collect();
    let cubins: Vec<String> = module.assembled.iter().map(cubin).collect();
    let _ = write!(
        out,
        "/// `{name}`, rendered.\npub static {ident}: ModuleSource = ModuleSource {{\n    name: {name:?},\n    \
         ptx: include_str!({path}),\n    cubins: &[{cubins}],\n    origins: &[{origins}],\n    files: &{files:?},\n}};\n\n",
        name = rendered.name,
        ident = module_static(module),
        path = literal(&module.path),
        cubins = cubins.concat(),
        origins = origins.join(","),
        files = rendered.files,
    );
}

fn cubin(assembled: &Assembled) -> String {
    let entries: Vec<String> = assembled
        .resources
        .iter()
        .map(|(entry, used)| {
            format!(
                "Resources {{ entry: {entry:?}, registers: {}, shared_bytes: {}, stack_bytes: {}, spill_bytes: {} }}, ",
                used.registers, used.shared_bytes, used.stack_bytes, used.spill_bytes
            )
        })
        .collect();
    format!(
        "Cubin {{ capability: {}, code: include_bytes!({}), resources: &[{}] }}, ",
        assembled.capability,
        literal(&assembled.path),
        entries.concat()
    )
}

fn kernel(out: &mut String, module: &Module, entry: &Entry) {
    let params: Vec<&str> = entry.params.iter().map(|param| param.name.as_str()).collect();
    let doc = if entry.header == entry.doc {
        entry.doc.clone()
    } else {
        format!("{}\n\n{}", entry.header, entry.doc)
    };
    let _ = write!(
        out,
        "/// What [`{launcher}`] launches.\npub static {ident}: Kernel = Kernel {{\n    module: &{module},\n    \
         entry: {name:?},\n    block: {block:?},\n    params: &{params:?},\n    doc: {doc:?},\n}};\n\n",
        launcher = identifier(&entry.name),
        ident = kernel_static(entry),
        module = module_static(module),
        name = entry.name,
        block = entry.block,
    );
}

fn launcher(out: &mut String, entry: &Entry) {
    out.push_str("/// ```text\n");
    for line in entry.doc.lines() {
        let _ = writeln!(out, "/// {line}");
    }
    for param in entry.params.iter().filter(|param| !param.doc.is_empty()) {
        let _ = writeln!(out, "/// {}: {}", param.name, param.doc);
    }
    out.push_str("/// ```\n");
    let params: Vec<String> = entry
        .params
        .iter()
        .map(|param| format!("{}: {}", identifier(&param.name), rust_type(param.kind)))
        .collect();
    let args: Vec<String> = entry.params.iter().map(arg).collect();
    let _ = write!(
        out,
        "pub fn {}({}) -> Call {{\n    Call::new(&{}, vec![{}])\n}}\n\n",
        identifier(&entry.name),
        params.join(", "),
        kernel_static(entry),
        args.join(", ")
    );
}

pub fn rust_type(kind: ParamKind) -> String {
    match kind {
        ParamKind::Pointer { access, optional, element } => {
            pointer_type(access, optional, element_type(element))
        }
        ParamKind::U32 => "u32".to_string(),
        ParamKind::I32 => "i32".to_string(),
        ParamKind::U64 => "u64".to_string(),
        ParamKind::F32 => "f32".to_string(),
        ParamKind::F64 => "f64".to_string(),
    }
}

pub fn pointer_type(access: Access, optional: bool, element: &str) -> String {
    let pointer = match access {
        Access::In => "In",
        Access::Out => "Out",
        Access::InOut => "InOut",
    };
    if optional { format!("Option<{pointer}<{element}>>") } else { format!("{pointer}<{element}>") }
}

fn element_type(element: Element) -> &'static str {
    match element {
        Element::U8 => "u8",
        Element::U32 => "u32",
        Element::I32 => "i32",
        Element::U64 => "u64",
        Element::BF16 => "bf16",
        Element::F32 => "f32",
        Element::F64 => "f64",
    }
}

fn arg(param: &Param) -> String {
    let name = identifier(&param.name);
    match param.kind {
        ParamKind::Pointer { .. } => format!("Arg::from({name})"),
        ParamKind::U32 => format!("Arg::U32({name})"),
        ParamKind::I32 => format!("Arg::I32({name})"),
        ParamKind::U64 => format!("Arg::U64({name})"),
        ParamKind::F32 => format!("Arg::F32({name})"),
        ParamKind::F64 => format!("Arg::F64({name})"),
    }
}

fn kernel_static(entry: &Entry) -> String {
    entry.name.to_uppercase()
}

/// `conv/fprop.64x64` is `MODULE_FPROP_64X64` in the family `conv`.
fn module_static(module: &Module) -> String {
    let (_, file) = module.rendered.name.split_once('/').unwrap_or(("", &module.rendered.name));
    let word = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    format!("MODULE_{}", file.chars().map(word).collect::<String>())
}

/// A Rust string literal of a path.
fn literal(path: &Path) -> String {
    format!("{:?}", path.to_string_lossy())
}

/// `name`, escaped where it is a word of Rust.
pub fn identifier(name: &str) -> String {
    const KEYWORDS: &[&str] = &[
        "as", "async", "await", "box", "break", "const", "continue", "do", "dyn", "else", "enum", "extern",
        "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro", "match", "mod",
        "move", "mut", "override", "priv", "pub", "ref", "return", "static", "struct", "trait", "true",
        "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
        "abstract", "become",
    ];
    if KEYWORDS.contains(&name) { format!("r#{name}") } else { name.to_string() }
}
