//! Calls: the body of the function takes the place of the call.
//!
//! Every call gets registers, labels and local variables of its own, so a function costs what its
//! instructions cost, and a fault names the line inside the function. What is passed in `.param` variables
//! lies in local memory, where PTX puts a parameter whose address is taken; the caller's variable and the
//! function's parameter are the same memory. There is no stack: recursion, and calls through pointers, are
//! refused.

use super::reader::Reader;
use super::scope::{Body, Name, Scope, error};
use super::variable::{declared_bytes, undefined};
use super::{Access, AddressSpace, CheckError, Instruction, Op, Operand, Order, Reg, Symbol};
use crate::ptx::ast::{self, Space, Type};
use std::collections::HashMap;

type Result<T> = std::result::Result<T, CheckError>;

/// Calls inside of calls.
const MAX_DEPTH: usize = 64;
/// Instructions and labels of an entry with the functions that it calls.
const MAX_UNFOLDED: usize = 1 << 20;

/// CUDA's `assert` calls this when it fails; it does not return.
const ASSERT: &str = "__assertfail";

/// `call (returns), f, (arguments);`
struct Parts<'a> {
    function: &'a str,
    returns: &'a [ast::Operand],
    arguments: &'a [ast::Operand],
}

fn parts(call: &ast::Instruction) -> Option<Parts<'_>> {
    use ast::Operand::{List, Name};
    Some(match &call.operands[..] {
        [Name(function)] => Parts { function, returns: &[], arguments: &[] },
        [Name(function), List(arguments)] => Parts { function, returns: &[], arguments },
        [List(returns), Name(function)] => Parts { function, returns, arguments: &[] },
        [List(returns), Name(function), List(arguments)] => Parts { function, returns, arguments },
        _ => return None,
    })
}

/// What the caller has for a parameter.
#[derive(Clone, Copy)]
enum Actual {
    /// A `.param` variable, which the function uses as its own.
    Memory(Symbol),
    /// A register, or the value of an argument.
    Value(Operand),
}

/// Where the function has a parameter.
#[derive(Clone, Copy)]
enum Home {
    Memory(Symbol),
    Register(Reg),
}

impl<'a> Scope<'a> {
    /// Types a call.
    pub(super) fn call(&mut self, call: &'a ast::Instruction) -> Result<()> {
        if let Some(modifier) = call.modifiers.iter().find(|modifier| *modifier != "uni") {
            return Err(error(call.line, format!("call: unknown modifier .{modifier}")));
        }
        let Some(parts) = parts(call) else {
            return Err(error(call.line, "call: only direct calls are supported, `call (r), f, (a, b)`"));
        };
        let guard = match &call.guard {
            Some(guard) => Some((Reader::new(self, call).predicate(&guard.register)?, guard.negated)),
            None => None,
        };
        if parts.function == ASSERT {
            self.emit(call, guard, Op::Trap, Vec::new(), Vec::new());
            return Ok(());
        }
        let function = self.callee(call, parts.function)?;
        let Some((register, negated)) = guard else { return self.unfold(call, function, &parts) };
        let skip = self.new_label();
        let unless = Some((register, !negated));
        self.emit(call, unless, Op::Branch { target: skip }, Vec::new(), Vec::new());
        self.unfold(call, function, &parts)?;
        self.place_label(skip);
        Ok(())
    }

    /// The function that a call names, if it can be called here.
    fn callee(&self, call: &ast::Instruction, name: &str) -> Result<&'a ast::Function> {
        let fail = |message: String| Err(error(call.line, format!("call: {message}")));
        let function = match self.module.functions.get(name) {
            Some(function) if function.body.is_some() => *function,
            None if self.lookup(name).is_some() => {
                return fail(format!("{name} is no function, and calls through pointers are not supported"));
            }
            _ => return Err(undefined(name, call.line)),
        };
        let open = |body: &Body| body.called.is_some_and(|(open, _)| std::ptr::eq(open, function));
        if self.bodies.iter().any(open) {
            return fail(format!("{name} calls itself, and there is no stack for recursion"));
        }
        if self.bodies.len() > MAX_DEPTH {
            return fail(format!("calls nest more than {MAX_DEPTH} deep"));
        }
        if self.entry.code.len() + self.entry.labels.len() > MAX_UNFOLDED {
            return fail(format!("{} is too long with all that it calls", self.entry.name));
        }
        Ok(function)
    }

    fn unfold(
        &mut self,
        call: &'a ast::Instruction,
        function: &'a ast::Function,
        parts: &Parts<'a>,
    ) -> Result<()> {
        let counts = [(&function.returns, parts.returns), (&function.params, parts.arguments)];
        for (formals, actuals) in counts {
            if formals.len() != actuals.len() {
                let (name, found, expected) = (&function.name, actuals.len(), formals.len());
                return Err(error(call.line, format!("call: {name} takes {expected}, not {found}")));
            }
        }
        let mut results = Vec::new();
        for (formal, actual) in function.returns.iter().zip(parts.returns) {
            results.push(self.result(call, formal, actual)?);
        }
        let mut arguments = Vec::new();
        for (formal, actual) in function.params.iter().zip(parts.arguments) {
            arguments.push(self.argument(call, formal, actual)?);
        }
        let end = self.new_label();
        let (frames, targets) = (vec![HashMap::new()], vec![HashMap::new()]);
        self.bodies.push(Body { frames, targets, called: Some((function, end)) });
        let mut homes = Vec::new();
        for (formal, result) in function.returns.iter().zip(&results) {
            homes.push(self.home(formal, *result)?);
        }
        for (formal, argument) in function.params.iter().zip(arguments) {
            let home = self.home(formal, argument)?;
            if let Actual::Value(value) = argument {
                self.pass(call, formal.ty, value, home);
            }
        }
        self.statements(function.body.as_deref().unwrap_or_default())?;
        self.bodies.pop();
        self.place_label(end);
        for ((formal, result), home) in function.returns.iter().zip(results).zip(homes) {
            if let Actual::Value(register) = result {
                self.take(call, formal.ty, home, register);
            }
        }
        Ok(())
    }

    /// What the caller passes for `formal`.
    fn argument(
        &mut self,
        call: &ast::Instruction,
        formal: &ast::Variable,
        actual: &ast::Operand,
    ) -> Result<Actual> {
        if let Some(symbol) = self.lent(call, formal, actual)? {
            return Ok(Actual::Memory(symbol));
        }
        let ty = register_type(formal.ty);
        let value = Reader::new(self, call).src_of(actual, ty, ty.bytes())?;
        match value {
            Operand::Address { .. } => {
                Err(error(call.line, "call: an argument is no register and no .param"))
            }
            value => Ok(Actual::Value(value)),
        }
    }

    /// Where the caller wants the result `formal`.
    fn result(
        &mut self,
        call: &ast::Instruction,
        formal: &ast::Variable,
        actual: &ast::Operand,
    ) -> Result<Actual> {
        if let Some(symbol) = self.lent(call, formal, actual)? {
            return Ok(Actual::Memory(symbol));
        }
        let bytes = register_type(formal.ty).bytes();
        Reader::new(self, call).dst_of(actual, bytes, bytes).map(Actual::Value)
    }

    /// The caller's `.param` variable, if that is what it names.
    fn lent(
        &self,
        call: &ast::Instruction,
        formal: &ast::Variable,
        actual: &ast::Operand,
    ) -> Result<Option<Symbol>> {
        let ast::Operand::Name(name) = actual else { return Ok(None) };
        let Some(Name::Symbol(symbol @ Symbol::Entry(index))) = self.lookup(name) else { return Ok(None) };
        if !self.passed.contains(&symbol) {
            return Ok(None);
        }
        let (found, expected) = (self.entry.variables[index as usize].bytes, declared_bytes(formal)?);
        if formal.space == Space::Reg || found != expected {
            let message = format!("call: .param {name} of {found} bytes does not suit {}", formal.name);
            return Err(error(call.line, message));
        }
        Ok(Some(symbol))
    }

    /// Enters a parameter of the function into its body.
    fn home(&mut self, formal: &ast::Variable, actual: Actual) -> Result<Home> {
        if formal.space == Space::Reg {
            self.declare_registers(formal)?;
            return match self.lookup(&formal.name) {
                Some(Name::Reg(reg)) => Ok(Home::Register(reg)),
                _ => Err(error(formal.line, format!("{} is not a single register", formal.name))),
            };
        }
        let symbol = match actual {
            Actual::Memory(symbol) => symbol,
            Actual::Value(_) => self.new_passed(formal)?,
        };
        self.declare(&formal.name, Name::Symbol(symbol), formal.line)?;
        Ok(Home::Memory(symbol))
    }

    fn pass(&mut self, call: &ast::Instruction, ty: Type, value: Operand, home: Home) {
        match home {
            Home::Register(reg) => {
                self.emit(call, None, move_of(ty), vec![Operand::Reg(reg)], vec![value]);
            }
            Home::Memory(symbol) => {
                let src = vec![Operand::Address { symbol, offset: 0 }, value];
                self.emit(call, None, Op::Store(whole(ty)), Vec::new(), src);
            }
        }
    }

    fn take(&mut self, call: &ast::Instruction, ty: Type, home: Home, register: Operand) {
        match home {
            Home::Register(reg) => {
                self.emit(call, None, move_of(ty), vec![register], vec![Operand::Reg(reg)]);
            }
            Home::Memory(symbol) => {
                let src = vec![Operand::Address { symbol, offset: 0 }];
                self.emit(call, None, Op::Load(whole(ty)), vec![register], src);
            }
        }
    }

    fn emit(
        &mut self,
        call: &ast::Instruction,
        guard: Option<(Reg, bool)>,
        op: Op,
        dst: Vec<Operand>,
        src: Vec<Operand>,
    ) {
        let (line, column) = (call.line, call.column);
        self.entry.code.push(Instruction { guard, op, dst, src, line, column });
    }
}

/// The type of a register that holds a value of `ty`: there are none of 8 bits.
fn register_type(ty: Type) -> Type {
    match ty.bytes() {
        1 => Type::B16,
        _ => ty,
    }
}

fn move_of(ty: Type) -> Op {
    if ty == Type::Pred { Op::MovPred } else { Op::Mov }
}

/// All of a parameter that is one value.
fn whole(ty: Type) -> Access {
    Access { space: AddressSpace::Local, ty, count: 1, offset: 0, order: Order::Weak }
}
