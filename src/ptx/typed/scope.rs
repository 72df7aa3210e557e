//! Names: declarations of registers, parameters, variables and labels, and who sees them.

use super::atomic::{is_vector, vector};
use super::decode::decode;
use super::reader::Reader;
use super::variable::variable;
use super::{CheckError, Entry, Label, Reg, Register, Symbol, Variable};
use crate::ptx::ast::{self, Space, Statement, Type};
use std::collections::{HashMap, HashSet};

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Name {
    Reg(Reg),
    /// A `.reg .vN` variable: its first component, and how many there are.
    VectorReg(Reg, u32),
    /// A `.reg .b128` variable: its low and its high half.
    WideReg([Reg; 2]),
    Symbol(Symbol),
    Label(Label),
}

/// What every body of a module sees.
pub(super) struct ModuleScope<'a> {
    pub names: HashMap<String, Name>,
    pub variables: Vec<Variable>,
    pub functions: HashMap<&'a str, &'a ast::Function>,
    /// 80 for `.target sm_80`.
    pub capability: u32,
}

/// The names of one body: its own, and those of its blocks.
pub(super) struct Body<'a> {
    /// Innermost last.
    pub frames: Vec<HashMap<String, Name>>,
    pub targets: Vec<HashMap<String, Vec<String>>>,
    /// Of a function that is called: itself, and where its `ret` goes.
    pub called: Option<(&'a ast::Function, Label)>,
}

/// The names and the entry that the instructions of one body see and fill.
pub(super) struct Scope<'a> {
    pub module: &'a ModuleScope<'a>,
    /// The entry's body, and those of the functions that are being called; innermost last.
    pub bodies: Vec<Body<'a>>,
    pub entry: Entry,
    /// Local variables that hold what calls pass and return.
    pub passed: HashSet<Symbol>,
    /// Shared variables of functions, by line and name: there is one however often the function is called.
    shared: HashMap<(u32, String), Symbol>,
    carry: Option<Reg>,
}

/// Registers are virtual, so this only keeps a misprint from taking all memory.
const MAX_REGISTERS: usize = 1 << 20;

pub(super) fn error(line: u32, message: impl Into<String>) -> CheckError {
    CheckError { line, column: 0, message: message.into() }
}

pub(super) fn declared_twice(name: &str, line: u32) -> CheckError {
    error(line, format!("{name} is declared twice"))
}

impl<'a> Scope<'a> {
    /// The scope of an entry whose parameters have the names `own`.
    pub fn new(module: &'a ModuleScope<'a>, own: HashMap<String, Name>, entry: Entry) -> Scope<'a> {
        let body = Body { frames: vec![own], targets: vec![HashMap::new()], called: None };
        Scope {
            module,
            bodies: vec![body],
            entry,
            passed: HashSet::new(),
            shared: HashMap::new(),
            carry: None,
        }
    }

    fn body(&mut self) -> &mut Body<'a> {
        self.bodies.last_mut().expect("the entry's body")
    }

    /// Where `ret` goes; `None` in the entry, which it leaves.
    pub fn return_label(&self) -> Option<Label> {
        self.bodies.last()?.called.map(|(_, label)| label)
    }

    pub fn new_label(&mut self) -> Label {
        self.entry.labels.push(usize::MAX);
        Label(self.entry.labels.len() as u32 - 1)
    }

    /// Lets a label stand before the next instruction.
    pub fn place_label(&mut self, label: Label) {
        self.entry.labels[label.0 as usize] = self.entry.code.len();
    }
    /// Checks the statements of an inner block, with a frame of their own.
    fn block(&mut self, body: &'a [Statement]) -> Result<(), CheckError> {
        self.body().frames.push(HashMap::new());
        self.body().targets.push(HashMap::new());
        self.statements(body)?;
        self.body().targets.pop();
        self.body().frames.pop();
        Ok(())
    }

    /// Checks statements in the innermost frame.
    pub fn statements(&mut self, body: &'a [Statement]) -> Result<(), CheckError> {
        for statement in body {
            match statement {
                Statement::Label { name, line } => {
                    let label = self.new_label();
                    self.declare(name, Name::Label(label), *line)?;
                }
                Statement::BranchTargets { name, labels, .. } => {
                    let targets = self.body().targets.last_mut().expect("a frame");
                    targets.insert(name.clone(), labels.clone());
                }
                _ => {}
            }
        }
        for statement in body {
            match statement {
                Statement::Label { name, line } => {
                    let label = self.label(name).ok_or_else(|| error(*line, "a label without a frame"))?;
                    self.place_label(label);
                }
                Statement::Instruction(instruction) => self.instruction(instruction)?,
                Statement::Variable(declared) => self.declare_variable(declared)?,
                Statement::Block(inner) => self.block(inner)?,
                Statement::BranchTargets { .. }
                | Statement::CallTargets { .. }
                | Statement::Pragma(_)
                | Statement::Location { .. } => {}
            }
        }
        Ok(())
    }

    /// Types an instruction; some stand for several.
    fn instruction(&mut self, instruction: &'a ast::Instruction) -> Result<(), CheckError> {
        match instruction.opcode.as_str() {
            "call" => self.call(instruction),
            "wmma" => self.wmma(instruction),
            opcode if is_vector(instruction) => {
                let all = vector(Reader::new(self, instruction), opcode == "atom")?;
                self.entry.code.extend(all);
                Ok(())
            }
            _ => {
                let typed = decode(self, instruction)?;
                self.entry.code.push(typed);
                Ok(())
            }
        }
    }

    pub fn declare(&mut self, name: &str, what: Name, line: u32) -> Result<(), CheckError> {
        let frame = self.body().frames.last_mut().expect("a frame");
        match frame.insert(name.to_string(), what) {
            None => Ok(()),
            Some(_) => Err(declared_twice(name, line)),
        }
    }

    fn declare_variable(&mut self, declared: &ast::Variable) -> Result<(), CheckError> {
        match declared.space {
            Space::Reg => self.declare_registers(declared),
            _ if !declared.init.is_empty() => {
                Err(error(declared.line, format!("{} cannot have initial values in a body", declared.name)))
            }
            Space::Shared => {
                let key = (declared.line, declared.name.clone());
                let symbol = match self.shared.get(&key) {
                    Some(symbol) => *symbol,
                    None => self.new_variable(variable(declared)?),
                };
                self.shared.insert(key, symbol);
                self.declare(&declared.name, Name::Symbol(symbol), declared.line)
            }
            Space::Local => {
                let symbol = self.new_variable(variable(declared)?);
                self.declare(&declared.name, Name::Symbol(symbol), declared.line)
            }
            Space::Param => {
                let symbol = self.new_passed(declared)?;
                self.declare(&declared.name, Name::Symbol(symbol), declared.line)
            }
            _ => Err(error(declared.line, format!("{} cannot be declared in a body", declared.name))),
        }
    }

    fn new_variable(&mut self, variable: Variable) -> Symbol {
        self.entry.variables.push(variable);
        Symbol::Entry(self.entry.variables.len() as u32 - 1)
    }

    /// A variable in local memory for a `.param` that a call passes or returns.
    pub fn new_passed(&mut self, declared: &ast::Variable) -> Result<Symbol, CheckError> {
        let symbol = self.new_variable(Variable { space: Space::Local, ..variable(declared)? });
        self.passed.insert(symbol);
        Ok(symbol)
    }

    fn register_names(&self, declared: &ast::Variable) -> Result<Vec<String>, CheckError> {
        let names: Vec<String> = match declared.family {
            Some(count) => {
                (0..count).take(MAX_REGISTERS + 1).map(|i| format!("{}{i}", declared.name)).collect()
            }
            None => vec![declared.name.clone()],
        };
        if self.entry.registers.len() + names.len() > MAX_REGISTERS {
            return Err(error(declared.line, format!("more than {MAX_REGISTERS} registers in an entry")));
        }
        Ok(names)
    }

    /// A register of 128 bits is a pair of 64 bits each, the low one first.
    fn declare_wide_registers(&mut self, declared: &ast::Variable) -> Result<(), CheckError> {
        if declared.vector > 1 {
            return Err(error(declared.line, format!("{} is a vector of 128 bits", declared.name)));
        }
        for name in self.register_names(declared)? {
            let low = self.new_register(format!("{name}.low"), Type::B64);
            let high = self.new_register(format!("{name}.high"), Type::B64);
            self.declare(&name, Name::WideReg([low, high]), declared.line)?;
        }
        Ok(())
    }

    pub fn declare_registers(&mut self, declared: &ast::Variable) -> Result<(), CheckError> {
        let ty = declared.ty;
        if ty == Type::B128 {
            return self.declare_wide_registers(declared);
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
        let names = self.register_names(declared)?;
        for name in names {
            let reg = self.new_register(name.clone(), ty);
            self.declare(&name, Name::Reg(reg), declared.line)?;
        }
        Ok(())
    }

    pub fn new_register(&mut self, name: String, ty: Type) -> Reg {
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
        let frames = self.bodies.last()?.frames.iter().rev();
        let own = frames.chain([&self.module.names]).find_map(|frame| frame.get(name));
        own.copied()
    }

    pub fn label(&self, name: &str) -> Option<Label> {
        match self.lookup(name) {
            Some(Name::Label(label)) => Some(label),
            _ => None,
        }
    }

    /// The labels of a `.branchtargets` list.
    pub fn branch_targets(&self, name: &str) -> Option<Vec<Label>> {
        let labels = self.bodies.last()?.targets.iter().rev().find_map(|frame| frame.get(name))?;
        labels.iter().map(|label| self.label(label)).collect()
    }

    pub fn register(&self, reg: Reg) -> &Register {
        &self.entry.registers[reg.0 as usize]
    }

    /// The state space of a symbol.
    pub fn space(&self, symbol: Symbol) -> Space {
        match symbol {
            Symbol::Module(i) => self.module.variables[i as usize].space,
            Symbol::Entry(i) => self.entry.variables[i as usize].space,
            Symbol::Param(_) => Space::Param,
        }
    }
}
