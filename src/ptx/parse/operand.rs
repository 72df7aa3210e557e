//! Operands of an instruction.

use super::{Parsed, Parser};
use crate::ptx::ast::{Number, Operand};
use crate::ptx::lex::Kind;

/// `[map, {a, b}]` nests two deep; nothing in PTX nests deeper than this.
const MAX_NESTING: u32 = 4;

impl<'a> Parser<'a> {
    /// One or more operands, separated by commas.
    pub(super) fn operands(&mut self) -> Parsed<Vec<Operand>> {
        self.operands_at(0)
    }

    fn operands_at(&mut self, depth: u32) -> Parsed<Vec<Operand>> {
        let mut operands = vec![self.operand(depth)?];
        while self.eat(',') {
            operands.push(self.operand(depth)?);
        }
        Ok(operands)
    }

    /// A simple operand, or `d|p`.
    fn operand(&mut self, depth: u32) -> Parsed<Operand> {
        if depth > MAX_NESTING {
            return Err(self.unexpected("an operand that nests less deep"));
        }
        let first = self.single(depth)?;
        if !self.eat('|') {
            return Ok(first);
        }
        let second = self.single(depth)?;
        Ok(Operand::Pair(Box::new(first), Box::new(second)))
    }

    fn single(&mut self, depth: u32) -> Parsed<Operand> {
        match self.peek().kind {
            Kind::Name if self.peek().text == "WARP_SZ" => Ok(Operand::Number(self.number()?)),
            Kind::Name => self.named(),
            Kind::Punctuation('!') if self.peek_second().kind == Kind::Name => {
                self.next();
                Ok(Operand::Not(self.name("a predicate")?.to_string()))
            }
            Kind::Punctuation('(') if !self.in_call => Ok(Operand::Number(self.number()?)),
            Kind::Number(_) | Kind::Punctuation('-' | '+' | '~' | '!') => Ok(Operand::Number(self.number()?)),
            Kind::Punctuation('{') => Ok(Operand::Vector(self.enclosed('}', depth)?)),
            Kind::Punctuation('(') => Ok(Operand::List(self.enclosed(')', depth)?)),
            Kind::Punctuation('[') => self.memory(depth),
            _ => Err(self.unexpected("an operand")),
        }
    }

    /// `%r1`, `_`, `%tid.x` or `symbol+4`
    fn named(&mut self) -> Parsed<Operand> {
        let name = self.name("an operand")?;
        if name == "_" {
            return Ok(Operand::Sink);
        }
        let name = name.to_string();
        if self.peek().kind == Kind::Dotted {
            return Ok(Operand::Component(name, self.next().text.to_string()));
        }
        if self.is('+') || self.is('-') {
            return Ok(Operand::Offset(name, self.offset()?));
        }
        Ok(Operand::Name(name))
    }

    /// Operands up to `close`; the opening character is next.
    fn enclosed(&mut self, close: char, depth: u32) -> Parsed<Vec<Operand>> {
        self.next();
        if self.eat(close) {
            return Ok(Vec::new());
        }
        let operands = self.operands_at(depth + 1)?;
        self.expect(close)?;
        Ok(operands)
    }

    /// `[base]`, `[base+4]`, `[4096]`, `[map, {x, y}]`
    fn memory(&mut self, depth: u32) -> Parsed<Operand> {
        self.next();
        let base = match self.peek().kind {
            Kind::Name => Operand::Name(self.next().text.to_string()),
            Kind::Number(_) | Kind::Punctuation('(') => Operand::Number(self.product()?),
            _ => return Err(self.unexpected("an address")),
        };
        let offset = self.offset()?;
        let rest = if self.eat(',') { self.operands_at(depth + 1)? } else { Vec::new() };
        self.expect(']')?;
        Ok(Operand::Memory { base: Box::new(base), offset, rest })
    }

    /// `+4`, `-4`, `+-4`, any number of them, or nothing, which is 0.
    pub(super) fn offset(&mut self) -> Parsed<i64> {
        let mut offset = 0i64;
        while self.is('+') || self.is('-') {
            let sign = self.next();
            let minus = sign.text == "-";
            let term = self.product()?;
            let sum = match term {
                Number::Integer(value) => {
                    let value = if minus { -value } else { value };
                    i64::try_from(i128::from(offset) + value).ok()
                }
                _ => None,
            };
            offset = sum.ok_or_else(|| self.error_at(sign, "an offset is an integer of 64 bits"))?;
        }
        Ok(offset)
    }
}
