//! Modules and entries: what stands around the instructions.

use super::scope::{ModuleScope, Name, Scope, declared_twice, error};
use super::variable::{declared_bytes, module_variables, undefined};
use super::{CheckError, Entry, Module, Param, Symbol};
use crate::ptx::ast::{self, FunctionKind, Statement};
use std::collections::HashMap;

/// What CUDA passes to a kernel at most.
const MAX_PARAM_BYTES: u64 = 32_764;

/// Directives that say how a kernel is best compiled, or repeat what the launch says.
const HINTS: [&str; 9] = [
    "maxnreg",
    "minnctapersm",
    "maxnctapersm",
    "pragma",
    "noreturn",
    "explicitcluster",
    "maxclusterrank",
    "abi_preserve",
    "abi_preserve_control",
];

pub(super) fn check_module(module: &ast::Module) -> Result<Module, CheckError> {
    if module.address_size != 64 {
        return Err(error(1, format!("address size {} is not 64", module.address_size)));
    }
    let mut names = HashMap::new();
    let variables = module_variables(module, &mut names)?;
    let functions = functions(module)?;
    let known = ModuleScope { names, variables, functions, capability: capability(module)? };
    let mut entries = Vec::new();
    for function in module.functions.iter().filter(|function| function.kind == FunctionKind::Entry) {
        if let Some(body) = &function.body {
            entries.push(check_entry(function, body, &known)?);
        }
    }
    Ok(Module { variables: known.variables, entries })
}

/// The compute capability of `.target`; what later ones added is refused.
fn capability(module: &ast::Module) -> Result<u32, CheckError> {
    let digits = |name: &str| -> Option<u32> {
        name.strip_prefix("sm_")?.trim_end_matches(|c: char| c.is_ascii_alphabetic()).parse().ok()
    };
    let found = module.target.iter().find_map(|name| digits(name));
    found.ok_or_else(|| error(1, format!("the target {} is no sm_NN", module.target.join(", "))))
}

/// The functions by name; a definition counts more than a declaration. Functions are typed where they are
/// called, so one that nobody calls is only parsed.
fn functions(module: &ast::Module) -> Result<HashMap<&str, &ast::Function>, CheckError> {
    let mut functions: HashMap<&str, &ast::Function> = HashMap::new();
    for function in module.functions.iter().filter(|function| function.kind == FunctionKind::Func) {
        let first = functions.get(function.name.as_str());
        match first {
            Some(first) if first.body.is_some() && function.body.is_some() => {
                return Err(declared_twice(&function.name, function.line));
            }
            Some(first) if first.body.is_some() => {}
            _ => _ = functions.insert(&function.name, function),
        }
    }
    for alias in &module.aliases {
        let Some(function) = functions.get(alias.target.as_str()) else {
            return Err(undefined(&alias.target, alias.line));
        };
        functions.insert(&alias.name, function);
    }
    Ok(functions)
}

fn check_entry<'a>(
    function: &'a ast::Function,
    body: &'a [Statement],
    module: &'a ModuleScope<'a>,
) -> Result<Entry, CheckError> {
    let mut entry = Entry {
        name: function.name.clone(),
        params: Vec::new(),
        param_bytes: 0,
        required_block: None,
        required_cluster: None,
        max_threads: None,
        registers: Vec::new(),
        variables: Vec::new(),
        code: Vec::new(),
        labels: Vec::new(),
        line: function.line,
    };
    let own = parameters(function, &mut entry)?;
    directives(function, &mut entry)?;
    let mut scope = Scope::new(module, own, entry);
    scope.statements(body)?;
    Ok(scope.entry)
}

/// Lays the parameters out in `entry`; their names are the start of the body's frame.
fn parameters(function: &ast::Function, entry: &mut Entry) -> Result<HashMap<String, Name>, CheckError> {
    let mut own = HashMap::new();
    let mut end = 0;
    for declared in &function.params {
        let bytes = declared_bytes(declared)?;
        let align = declared.align.unwrap_or(declared.ty.bytes() * declared.vector).max(1);
        let offset = u64::next_multiple_of(end, align.into());
        end = offset + bytes;
        if end > MAX_PARAM_BYTES {
            let message =
                format!("the parameters of {} take more than {MAX_PARAM_BYTES} bytes", function.name);
            return Err(error(declared.line, message));
        }
        let name = Name::Symbol(Symbol::Param(entry.params.len() as u32));
        if own.insert(declared.name.clone(), name).is_some() {
            return Err(declared_twice(&declared.name, declared.line));
        }
        entry.params.push(Param {
            name: declared.name.clone(),
            ty: declared.ty,
            offset: offset as u32,
            bytes: bytes as u32,
            array: !declared.dims.is_empty(),
        });
    }
    entry.param_bytes = end as u32;
    Ok(own)
}

fn directives(function: &ast::Function, entry: &mut Entry) -> Result<(), CheckError> {
    for directive in &function.directives {
        match directive.name.as_str() {
            "reqntid" => entry.required_block = Some(extents(directive, function.line)?),
            "reqnctapercluster" => entry.required_cluster = Some(extents(directive, function.line)?),
            "maxntid" => {
                entry.max_threads = Some(directive.values.iter().copied().fold(1, u64::saturating_mul))
            }
            name if HINTS.contains(&name) => {}
            name => return Err(error(function.line, format!("unknown directive .{name}"))),
        }
    }
    Ok(())
}

/// The extents that a directive names; those it leaves out are 1.
fn extents(directive: &ast::Directive, line: u32) -> Result<[u32; 3], CheckError> {
    let mut extents = [1; 3];
    for (extent, &value) in extents.iter_mut().zip(&directive.values) {
        *extent = u32::try_from(value)
            .map_err(|_| error(line, format!(".{} {value} does not fit in 32 bits", directive.name)))?;
    }
    Ok(extents)
}
