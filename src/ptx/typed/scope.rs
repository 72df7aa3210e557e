//! Names: declarations of registers, parameters, variables and labels, and who sees them.

use super::decode::decode;
use super::{CheckError, Entry, Initial, Label, Module, Param, Reg, Register, Symbol, Variable};
use crate::ptx::ast::{self, FunctionKind, Space, Statement, Type};
use std::collections::HashMap;

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Name {
    Reg(Reg),
    /// A `.reg .vN` variable: its first component, and how many there are.
    VectorReg(Reg, u32),
    Symbol(Symbol),
    Label(Label),
}

/// The names and the entry that the instructions of one body see and fill.
pub(super) struct Scope<'a> {
    module: &'a [Variable],
    /// Innermost last.
    frames: Vec<HashMap<String, Name>>,
    targets: Vec<HashMap<String, Vec<String>>>,
    pub entry: Entry,
    carry: Option<Reg>,
}

pub(super) fn error(line: u32, message: impl Into<String>) -> CheckError {
    CheckError { line, column: 0, message: message.into() }
}

pub(super) fn check_module(module: &ast::Module) -> Result<Module, CheckError> {
    if module.address_size != 64 {
        return Err(error(1, format!("address size {} is not 64", module.address_size)));
    }
    let mut names = HashMap::new();
    let mut variables: Vec<Variable> = Vec::new();
    for declared in &module.variables {
        let id = Symbol::Module(variables.len() as u32);
        names.insert(declared.name.clone(), Name::Symbol(id));
        variables.push(variable(declared)?);
    }
    for (declared, checked) in module.variables.iter().zip(&mut variables) {
        checked.init = initial(declared, &names)?;
    }
    let mut entries = Vec::new();
    for function in &module.functions {
        match (function.kind, &function.body) {
            (FunctionKind::Entry, Some(body)) => {
                entries.push(check_entry(function, body, names.clone(), &variables)?);
            }
            (FunctionKind::Entry, None) => {}
            (FunctionKind::Func, _) => {
                return Err(error(function.line, format!(".func {} is not supported", function.name)));
            }
        }
    }
    Ok(Module { variables, entries })
}

fn check_entry(
    function: &ast::Function,
    body: &[Statement],
    names: HashMap<String, Name>,
    module: &[Variable],
) -> Result<Entry, CheckError> {
    let mut entry = Entry {
        name: function.name.clone(),
        params: Vec::new(),
        param_bytes: 0,
        required_block: None,
        max_threads: None,
        registers: Vec::new(),
        variables: Vec::new(),
        code: Vec::new(),
        labels: Vec::new(),
        line: function.line,
    };
    let mut own = HashMap::new();
    for declared in &function.params {
        let bytes = declared_bytes(declared)?;
        let align = declared.align.unwrap_or(declared.ty.bytes() * declared.vector).max(1);
        let offset = entry.param_bytes.next_multiple_of(align);
        entry.param_bytes = offset + bytes as u32;
        own.insert(declared.name.clone(), Name::Symbol(Symbol::Param(entry.params.len() as u32)));
        entry.params.push(Param {
            name: declared.name.clone(),
            ty: declared.ty,
            offset,
            bytes: bytes as u32,
            array: !declared.dims.is_empty(),
        });
    }
    for directive in &function.directives {
        let mut block = [1u64; 3];
        for (axis, value) in block.iter_mut().zip(&directive.values) {
            *axis = *value;
        }
        match directive.name.as_str() {
            "reqntid" => entry.required_block = Some(block.map(|n| n as u32)),
            "maxntid" => entry.max_threads = Some(block.iter().product()),
            _ => {}
        }
    }
    let mut scope =
        Scope { module, frames: vec![names, own], targets: vec![HashMap::new()], entry, carry: None };
    scope.statements(body)?;
    Ok(scope.entry)
}

impl Scope<'_> {
    /// Checks the statements of one block, with a frame of their own.
    fn statements(&mut self, body: &[Statement]) -> Result<(), CheckError> {
        self.frames.push(HashMap::new());
        self.targets.push(HashMap::new());
        for statement in body {
            match statement {
                Statement::Label { name, line } => {
                    let label = Label(self.entry.labels.len() as u32);
                    self.entry.labels.push(usize::MAX);
                    self.declare(name, Name::Label(label), *line)?;
                }
                Statement::BranchTargets { name, labels, .. } => {
                    self.targets.last_mut().expect("a frame").insert(name.clone(), labels.clone());
                }
                _ => {}
            }
        }
        for statement in body {
            match statement {
                Statement::Label { name, line } => {
                    let label = self.label(name).ok_or_else(|| error(*line, "a label without a frame"))?;
                    self.entry.labels[label.0 as usize] = self.entry.code.len();
                }
                Statement::Instruction(instruction) => {
                    let typed = decode(self, instruction)?;
                    self.entry.code.push(typed);
                }
                Statement::Variable(declared) => self.declare_variable(declared)?,
                Statement::Block(inner) => self.statements(inner)?,
                Statement::BranchTargets { .. } | Statement::Pragma(_) | Statement::Location { .. } => {}
            }
        }
        self.targets.pop();
        self.frames.pop();
        Ok(())
    }

    fn declare(&mut self, name: &str, what: Name, line: u32) -> Result<(), CheckError> {
        let frame = self.frames.last_mut().expect("a frame");
        match frame.insert(name.to_string(), what) {
            None => Ok(()),
            Some(_) => Err(error(line, format!("{name} is declared twice"))),
        }
    }

    fn declare_variable(&mut self, declared: &ast::Variable) -> Result<(), CheckError> {
        match declared.space {
            Space::Reg => self.declare_registers(declared),
            Space::Shared | Space::Local => {
                let id = Symbol::Entry(self.entry.variables.len() as u32);
                let checked = variable(declared)?;
                self.entry.variables.push(checked);
                self.declare(&declared.name, Name::Symbol(id), declared.line)
            }
            _ => Err(error(declared.line, format!("{} cannot be declared in a body", declared.name))),
        }
    }

    fn declare_registers(&mut self, declared: &ast::Variable) -> Result<(), CheckError> {
        let ty = declared.ty;
        if declared.vector > 1 {
            let first = Reg(self.entry.registers.len() as u32);
            for component in ["x", "y", "z", "w"].iter().take(declared.vector as usize) {
                let name = format!("{}.{component}", declared.name);
                let reg = self.new_register(name.clone(), ty);
                self.declare(&name, Name::Reg(reg), declared.line)?;
            }
            return self.declare(&declared.name, Name::VectorReg(first, declared.vector), declared.line);
        }
        let names = match declared.family {
            Some(count) => (0..count).map(|i| format!("{}{i}", declared.name)).collect(),
            None => vec![declared.name.clone()],
        };
        for name in names {
            let reg = self.new_register(name.clone(), ty);
            self.declare(&name, Name::Reg(reg), declared.line)?;
        }
        Ok(())
    }

    fn new_register(&mut self, name: String, ty: Type) -> Reg {
        self.entry.registers.push(Register { name, ty });
        Reg(self.entry.registers.len() as u32 - 1)
    }

    /// The carry bit of `add.cc` and its kin, a predicate of its own.
    pub fn carry(&mut self) -> Reg {
        if let Some(carry) = self.carry {
            return carry;
        }
        let carry = self.new_register("CC".into(), Type::Pred);
        self.carry = Some(carry);
        carry
    }

    pub fn lookup(&self, name: &str) -> Option<Name> {
        self.frames.iter().rev().find_map(|frame| frame.get(name).copied())
    }

    pub fn label(&self, name: &str) -> Option<Label> {
        match self.lookup(name) {
            Some(Name::Label(label)) => Some(label),
            _ => None,
        }
    }

    /// The labels of a `.branchtargets` list.
    pub fn branch_targets(&self, name: &str) -> Option<Vec<Label>> {
        let labels = self.targets.iter().rev().find_map(|frame| frame.get(name))?;
        labels.iter().map(|label| self.label(label)).collect()
    }

    pub fn register(&self, reg: Reg) -> &Register {
        &self.entry.registers[reg.0 as usize]
    }

    /// The state space of a symbol.
    pub fn space(&self, symbol: Symbol) -> Space {
        match symbol {
            Symbol::Module(i) => self.module[i as usize].space,
            Symbol::Entry(i) => self.entry.variables[i as usize].space,
            Symbol::Param(_) => Space::Param,
        }
    }
}

fn declared_bytes(declared: &ast::Variable) -> Result<u64, CheckError> {
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
    if bytes > 1 << 40 {
        return Err(error(declared.line, format!("{} is too large", declared.name)));
    }
    Ok(bytes)
}

fn variable(declared: &ast::Variable) -> Result<Variable, CheckError> {
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
    let mut elements = Vec::with_capacity(declared.init.len());
    for element in &declared.init {
        elements.push(match element {
            ast::Initial::Number(number) => Initial::Bits(
                super::reader::literal(*number, declared.ty)
                    .map_err(|message| error(declared.line, message))?,
            ),
            ast::Initial::Address { symbol, offset, .. } => match names.get(symbol) {
                Some(Name::Symbol(symbol)) => Initial::Address { symbol: *symbol, offset: *offset },
                _ => return Err(error(declared.line, format!("{symbol} is not declared before its use"))),
            },
        });
    }
    if elements.len() as u64 * u64::from(declared.ty.bytes()) > declared_bytes(declared)? {
        return Err(error(declared.line, format!("the initialiser of {} is too long", declared.name)));
    }
    Ok(elements)
}
