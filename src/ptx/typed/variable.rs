//! Variables in memory: their size, place and initial values.

use super::scope::{Name, declared_twice, error};
use super::{CheckError, Initial, Symbol, Variable};
use crate::ptx::ast::{self, Space};
use std::collections::HashMap;

/// Larger than any GPU's memory, and small enough that sums of sizes do not overflow.
const MAX_BYTES: u64 = 1 << 40;

/// Checks the variables of a module and enters them into `names`.
///
/// `.extern` declares what is defined elsewhere; that must be in the same text, since nothing here links.
/// Dynamic shared memory is the exception: the launch provides it.
pub(super) fn module_variables(
    module: &ast::Module,
    names: &mut HashMap<String, Name>,
) -> Result<Vec<Variable>, CheckError> {
    let is_extern = |declared: &ast::Variable| declared.linkage.as_deref() == Some("extern");
    let mut declarations: Vec<&ast::Variable> = Vec::new();
    for declared in module.variables.iter().filter(|v| !is_extern(v) || v.space == Space::Shared) {
        let name = Name::Symbol(Symbol::Module(declarations.len() as u32));
        let known = names.insert(declared.name.clone(), name);
        match known {
            None => declarations.push(declared),
            Some(first) if is_extern(declared) => _ = names.insert(declared.name.clone(), first),
            Some(_) => return Err(declared_twice(&declared.name, declared.line)),
        }
    }
    if let Some(open) = module.variables.iter().find(|v| !names.contains_key(&v.name)) {
        return Err(undefined(&open.name, open.line));
    }
    let mut variables = Vec::with_capacity(declarations.len());
    for declared in declarations {
        let init = initial(declared, names)?;
        variables.push(Variable { init, ..variable(declared)? });
    }
    Ok(variables)
}

/// What the text declares and leaves for a linker to find.
pub(super) fn undefined(name: &str, line: u32) -> CheckError {
    error(line, format!("{name} is defined nowhere in this module, and there is no linker"))
}

pub(super) fn declared_bytes(declared: &ast::Variable) -> Result<u64, CheckError> {
    let element = u64::from(declared.ty.bytes()) * u64::from(declared.vector);
    let mut count = 1u64;
    for (axis, dim) in declared.dims.iter().enumerate() {
        count = match dim {
            Some(n) => count.saturating_mul(*n),
            // `x[] = {…}` takes its length from the initialiser; without one it is dynamic.
            None if axis == 0 => count * declared.init.len() as u64,
            None => {
                return Err(error(declared.line, format!("{} has an inner bound left open", declared.name)));
            }
        };
    }
    let bytes = element.saturating_mul(count);
    if bytes > MAX_BYTES {
        return Err(error(declared.line, format!("{} is too large", declared.name)));
    }
    Ok(bytes)
}

/// A variable without its initial values.
pub(super) fn variable(declared: &ast::Variable) -> Result<Variable, CheckError> {
    let bytes = declared_bytes(declared)?;
    let natural = declared.ty.bytes() * declared.vector;
    Ok(Variable {
        name: declared.name.clone(),
        space: declared.space,
        align: declared.align.unwrap_or(natural).max(1),
        bytes,
        dynamic: bytes == 0 && declared.linkage.as_deref() == Some("extern"),
        element: declared.ty,
        init: Vec::new(),
    })
}

fn initial(declared: &ast::Variable, names: &HashMap<String, Name>) -> Result<Vec<Initial>, CheckError> {
    if !declared.init.is_empty() && !matches!(declared.space, Space::Global | Space::Const) {
        let message = format!("{} has initial values, which only .global and .const take", declared.name);
        return Err(error(declared.line, message));
    }
    let mut elements = Vec::with_capacity(declared.init.len());
    for element in &declared.init {
        elements.push(match element {
            ast::Initial::Number(number) => Initial::Bits(
                super::reader::literal(*number, declared.ty)
                    .map_err(|message| error(declared.line, message))?,
            ),
            ast::Initial::Address { symbol, offset, mask, .. } => match names.get(symbol) {
                Some(Name::Symbol(symbol)) => {
                    Initial::Address { symbol: *symbol, offset: *offset, mask: *mask }
                }
                _ => {
                    let message = format!("the initialiser names {symbol}, which is no variable");
                    return Err(error(declared.line, message));
                }
            },
        });
    }
    if elements.len() as u64 * u64::from(declared.ty.bytes()) > declared_bytes(declared)? {
        return Err(error(declared.line, format!("the initialiser of {} is too long", declared.name)));
    }
    Ok(elements)
}
