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

/// What CUDA passes to a kernel at most.
const MAX_PARAM_BYTES: u64 = 32_764;

/// Registers are virtual, so this only keeps a misprint from taking all memory.
const MAX_REGISTERS: usize = 1 << 20;

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
        if names.insert(declared.name.clone(), Name::Symbol(id)).is_some() {
            return Err(declared_twice(&declared.name, declared.line));
        }
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
    let own = parameters(function, &mut entry)?;
    for directive in &function.directives {
        match directive.name.as_str() {
            "reqntid" => entry.required_block = Some(required_block(directive, function.line)?),
            "maxntid" => {
                entry.max_threads = Some(directive.values.iter().copied().fold(1, u64::saturating_mul))
            }
            _ => {}
        }
    }
    let mut scope =
        Scope { module, frames: vec![names, own], targets: vec![HashMap::new()], entry, carry: None };
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

fn required_block(directive: &ast::Directive, line: u32) -> Result<[u32; 3], CheckError> {
    let mut block = [1; 3];
    for (extent, &value) in block.iter_mut().zip(&directive.values) {
        *extent = u32::try_from(value).map_err(|_| error(line, format!("a block of {value} threads")))?;
    }
    Ok(block)
}

fn declared_twice(name: &str, line: u32) -> CheckError {
    error(line, format!("{name} is declared twice"))
}

impl Scope<'_> {
    /// Checks the statements of an inner block, with a frame of their own.
    fn block(&mut self, body: &[Statement]) -> Result<(), CheckError> {
        self.frames.push(HashMap::new());
        self.targets.push(HashMap::new());
        self.statements(body)?;
        self.targets.pop();
        self.frames.pop();
        Ok(())
    }

    /// Checks statements in the innermost frame.
    fn statements(&mut self, body: &[Statement]) -> Result<(), CheckError> {
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
                Statement::Block(inner) => self.block(inner)?,
                Statement::BranchTargets { .. } | Statement::Pragma(_) | Statement::Location { .. } => {}
            }
        }
        Ok(())
    }

    fn declare(&mut self, name: &str, what: Name, line: u32) -> Result<(), CheckError> {
        let frame = self.frames.last_mut().expect("a frame");
        match frame.insert(name.to_string(), what) {
            None => Ok(()),
            Some(_) => Err(declared_twice(name, line)),
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
        if ty == Type::B128 {
            return Err(error(declared.line, format!("{} is a register of 128 bits", declared.name)));
        }
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
            Some(count) => {
                (0..count).take(MAX_REGISTERS + 1).map(|i| format!("{}{i}", declared.name)).collect()
            }
            None => vec![declared.name.clone()],
        };
        if self.entry.registers.len() + names.len() > MAX_REGISTERS {
            return Err(error(declared.line, format!("more than {MAX_REGISTERS} registers in an entry")));
        }
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
