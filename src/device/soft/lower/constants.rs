//! Operands that no instruction writes: literals, parameters, special registers and addresses.

use super::LowerError;
use crate::ptx::ast::Space;
use crate::ptx::typed::{Entry, Module, Operand, Special, Symbol, Variable};
use std::collections::HashMap;

/// What fills a slot before the code runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Constant {
    Bits32(u32),
    Bits64(u64),
    /// `bytes` bytes of the parameters at `offset`; sign-extended if `signed`, in two slots if `wide`.
    Param {
        offset: u32,
        bytes: u32,
        signed: bool,
        wide: bool,
    },
    Special {
        register: Special,
        wide: bool,
    },
}

impl Constant {
    pub fn wide(self) -> bool {
        match self {
            Constant::Bits32(_) => false,
            Constant::Bits64(_) => true,
            Constant::Param { wide, .. } | Constant::Special { wide, .. } => wide,
        }
    }
}

/// The slots of constants, behind those of the registers.
pub struct Constants {
    first: usize,
    used: usize,
    slots: HashMap<Constant, u16>,
    list: Vec<(u16, Constant)>,
}

impl Constants {
    pub fn new(first: usize) -> Constants {
        Constants { first, used: 0, slots: HashMap::new(), list: Vec::new() }
    }

    pub fn slot(&mut self, constant: Constant) -> Option<u16> {
        if let Some(slot) = self.slots.get(&constant) {
            return Some(*slot);
        }
        let slot = u16::try_from(self.first + self.used).ok()?;
        self.used += if constant.wide() { 2 } else { 1 };
        self.slots.insert(constant, slot);
        self.list.push((slot, constant));
        Some(slot)
    }

    /// Two slots that take results nobody wants.
    pub fn sink(&mut self) -> Option<u16> {
        // A constant like any other, except that it is overwritten; the bits keep it apart.
        self.slot(Constant::Param { offset: u32::MAX, bytes: 0, signed: false, wide: true })
    }

    /// Slots used by registers and constants, and the constants.
    pub fn finish(self) -> (usize, Vec<(u16, Constant)>) {
        (self.first + self.used, self.list)
    }
}

/// Where the variables that an entry uses lie in their state spaces.
pub struct Layout<'a> {
    entry: &'a Entry,
    module: &'a Module,
    /// Of the module's global and constant variables.
    addresses: &'a [u64],
    shared: HashMap<Symbol, u64>,
    local: HashMap<Symbol, u64>,
    pub shared_bytes: u64,
    pub local_bytes: u64,
}

impl<'a> Layout<'a> {
    pub fn new(entry: &'a Entry, module: &'a Module, addresses: &'a [u64]) -> Layout<'a> {
        let mut layout = Layout {
            entry,
            module,
            addresses,
            shared: HashMap::new(),
            local: HashMap::new(),
            shared_bytes: 0,
            local_bytes: 0,
        };
        let mut used: Vec<Symbol> = Vec::new();
        for operand in entry.code.iter().flat_map(|instruction| &instruction.src) {
            if let Operand::Address { symbol, .. } = operand
                && !used.contains(symbol)
            {
                used.push(*symbol);
            }
        }
        let dynamic = |symbol: &Symbol| layout_variable(entry, module, *symbol).is_some_and(|v| v.dynamic);
        // Dynamic shared memory begins where the static part ends.
        used.sort_by_key(dynamic);
        for symbol in used {
            layout.place(symbol);
        }
        layout.shared_bytes = layout.shared_bytes.next_multiple_of(16);
        layout
    }

    fn place(&mut self, symbol: Symbol) {
        let Some(variable) = layout_variable(self.entry, self.module, symbol) else { return };
        let (places, end) = match variable.space {
            Space::Shared => (&mut self.shared, &mut self.shared_bytes),
            Space::Local => (&mut self.local, &mut self.local_bytes),
            _ => return,
        };
        let align = if variable.dynamic { variable.align.max(16) } else { variable.align };
        let start = end.next_multiple_of(u64::from(align));
        places.insert(symbol, start);
        *end = start + variable.bytes;
    }

    /// The address of a symbol in its own space.
    pub fn address(&self, symbol: Symbol) -> u64 {
        match symbol {
            Symbol::Param(index) => u64::from(self.entry.params[index as usize].offset),
            Symbol::Module(index) if self.module.variables[index as usize].space != Space::Shared => {
                self.addresses[index as usize]
            }
            _ => self.shared.get(&symbol).or(self.local.get(&symbol)).copied().unwrap_or(0),
        }
    }

    /// Where the module's constant variables lie.
    pub fn constant_ranges(&self) -> Vec<std::ops::Range<u64>> {
        let variables = self.module.variables.iter().zip(self.addresses);
        let constants = variables.filter(|(variable, _)| variable.space == Space::Const);
        constants.map(|(variable, start)| *start..start + variable.bytes).collect()
    }

    /// Static sizes that 32 bits hold.
    pub fn sizes(&self) -> Result<(u32, u32), LowerError> {
        let fits = |bytes: u64, what: &str| {
            u32::try_from(bytes).map_err(|_| LowerError {
                line: self.entry.line,
                message: format!("{what} memory of {bytes} bytes is too large"),
            })
        };
        Ok((fits(self.shared_bytes, "shared")?, fits(self.local_bytes.next_multiple_of(16), "local")?))
    }
}

fn layout_variable<'a>(entry: &'a Entry, module: &'a Module, symbol: Symbol) -> Option<&'a Variable> {
    match symbol {
        Symbol::Module(index) => module.variables.get(index as usize),
        Symbol::Entry(index) => entry.variables.get(index as usize),
        Symbol::Param(_) => None,
    }
}
