//! Modules: from text to code, and the variables that live as long as the module.

use super::Options;
use super::check::SourceLine;
use super::lower::{Code, lower};
use super::memory::Memory;
use crate::device::{DeviceError, ModuleSource, Result};
use crate::ptx;
use crate::ptx::ast::Space;
use crate::ptx::typed::{self, Initial};
use std::collections::HashMap;

/// The text of a module and where its lines come from.
pub struct Source {
    pub name: String,
    text: String,
    origins: &'static [(u16, u32)],
    files: &'static [&'static str],
}

impl Source {
    pub fn embedded(module: &'static ModuleSource) -> Source {
        let (origins, files) = (module.origins, module.files);
        Source { name: module.name.to_string(), text: module.ptx.to_string(), origins, files }
    }

    pub fn text(name: &str, text: &str) -> Source {
        Source { name: name.to_string(), text: text.to_string(), origins: &[], files: &[] }
    }

    /// The template's file and line if they are known, else the module's; and the text of the line.
    pub fn line(&self, line: u32) -> SourceLine {
        let index = (line as usize).saturating_sub(1);
        let text = self.text.lines().nth(index).unwrap_or("").trim().to_string();
        let origin =
            self.origins.get(index).and_then(|(file, line)| Some((self.files.get(*file as usize)?, line)));
        let place = match origin {
            Some((file, line)) => format!("{file}:{line}"),
            None => format!("{}:{line}", self.name),
        };
        SourceLine { place, text }
    }

    fn error(&self, line: u32, message: &str) -> DeviceError {
        let SourceLine { place, text } = self.line(line);
        DeviceError::Module { module: self.name.clone(), log: format!("{place}: {message}: {text}") }
    }
}

/// A loaded module.
pub struct Module {
    pub source: Source,
    /// 80 for `.version 8.0`.
    pub version: u32,
    entries: HashMap<String, Code>,
    /// Its global and constant variables.
    pub variables: Vec<Placed>,
}

/// A variable in device memory.
pub struct Placed {
    pub name: String,
    pub address: u64,
    pub bytes: u64,
}

impl Module {
    /// Parses, checks and decodes a module, and places its variables in `memory`.
    pub fn load(source: Source, memory: &mut Memory, options: &Options) -> Result<Module> {
        let tree = ptx::parse(&source.text).map_err(|error| source.error(error.line, &error.message))?;
        let module = typed::check(&tree).map_err(|error| source.error(error.line, &error.message))?;
        let addresses = place_variables(&source, &module, memory)?;
        let placed = module.variables.iter().zip(&addresses).filter(|(_, address)| **address != 0);
        let variables = placed
            .map(|(v, address)| Placed { name: v.name.clone(), address: *address, bytes: v.bytes })
            .collect();
        let version = tree.version.0 * 10 + tree.version.1;
        let mut entries = HashMap::new();
        for entry in &module.entries {
            let code = lower(entry, &module, &addresses, options)
                .map_err(|error| source.error(error.line, &error.message))?;
            entries.insert(entry.name.clone(), code);
        }
        Ok(Module { source, version, entries, variables })
    }

    pub fn entry(&self, name: &str) -> Result<&Code> {
        self.entries
            .get(name)
            .ok_or_else(|| DeviceError::NoEntry { module: self.source.name.clone(), entry: name.to_string() })
    }

    /// Every entry, in no order.
    pub fn entries(&self) -> impl Iterator<Item = &Code> {
        self.entries.values()
    }

    /// Gives the variables' memory back.
    pub fn unload(&self, memory: &mut Memory) {
        self.variables.iter().for_each(|variable| memory.free(variable.address));
    }
}

/// Allocates and initialises the `.global` and `.const` variables; others get address 0.
fn place_variables(source: &Source, module: &typed::Module, memory: &mut Memory) -> Result<Vec<u64>> {
    let mut addresses = Vec::with_capacity(module.variables.len());
    for variable in &module.variables {
        let placed = matches!(variable.space, Space::Global | Space::Const);
        let address = match placed {
            true => memory.alloc(variable.bytes).ok_or_else(|| DeviceError::OutOfMemory {
                wanted: variable.bytes,
                device: format!("the software device, for variable {}", variable.name),
            })?,
            false => 0,
        };
        addresses.push(address);
    }
    for (variable, address) in module.variables.iter().zip(&addresses) {
        let Some(host) = memory.host(*address, variable.bytes).filter(|_| *address != 0) else { continue };
        let mut bytes = vec![0u8; variable.bytes as usize];
        let element = variable.element.bytes() as usize;
        for (index, initial) in variable.init.iter().enumerate() {
            let value = match initial {
                Initial::Bits(bits) => *bits,
                Initial::Address { symbol: typed::Symbol::Module(other), offset, mask } => {
                    let address = addresses[*other as usize].wrapping_add_signed(*offset);
                    mask.map_or(address, |mask| (address & mask) >> mask.trailing_zeros().min(63))
                }
                Initial::Address { .. } => return Err(source.error(1, "an initialiser names a local symbol")),
            };
            bytes[index * element..][..element].copy_from_slice(&value.to_le_bytes()[..element]);
        }
        // SAFETY: `host` has as many bytes as the variable.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), host, bytes.len()) };
        memory.host_wrote(*address, variable.bytes, false);
        if variable.space == Space::Const {
            memory.protect(*address);
        }
    }
    Ok(addresses)
}
