//! The body of a function: labels, scopes, declarations and instructions.

use super::variable::space;
use super::{Parsed, Parser};
use crate::ptx::ast::{Guard, Instruction, Statement};
use crate::ptx::lex::Kind;

/// How deep `{ … }` scopes may nest. Parsing, and dropping the tree, recurse this far.
const MAX_SCOPES: u32 = 64;

impl<'a> Parser<'a> {
    /// Statements up to and including the closing brace of a scope that was opened; `depth` counts open scopes.
    pub(super) fn statements(&mut self, depth: u32) -> Parsed<Vec<Statement>> {
        let mut statements = Vec::new();
        while !self.eat('}') {
            self.statement(depth, &mut statements)?;
        }
        Ok(statements)
    }

    fn statement(&mut self, depth: u32, statements: &mut Vec<Statement>) -> Parsed<()> {
        let token = self.peek();
        match token.kind {
            Kind::Punctuation(';') => {
                self.next();
            }
            Kind::Punctuation('{') => {
                if depth == MAX_SCOPES {
                    return Err(self.error_at(token, format!("scopes nest more than {MAX_SCOPES} deep")));
                }
                self.next();
                statements.push(Statement::Block(self.statements(depth + 1)?));
            }
            Kind::Dotted => self.body_directive(statements)?,
            Kind::Name if self.peek_second().kind == Kind::Punctuation(':') => statements.push(self.label()?),
            Kind::Name | Kind::Punctuation('@') => {
                statements.push(Statement::Instruction(self.instruction()?));
            }
            _ => return Err(self.unexpected("a statement or `}`")),
        }
        Ok(())
    }

    fn body_directive(&mut self, statements: &mut Vec<Statement>) -> Parsed<()> {
        match self.peek().text {
            "pragma" => statements.push(Statement::Pragma(self.pragma()?)),
            "loc" => statements.push(self.location()?),
            word if space(word).is_some() => {
                statements.extend(self.variables(None)?.into_iter().map(Statement::Variable));
                self.expect(';')?;
            }
            _ => return Err(self.unexpected("a declaration, `.pragma` or `.loc`")),
        }
        Ok(())
    }

    /// `name:`, or `name: .branchtargets a, b;`
    fn label(&mut self) -> Parsed<Statement> {
        let token = self.next();
        let (name, line) = (token.text.to_string(), token.line);
        self.expect(':')?;
        if self.eat_dotted("callprototype") || self.eat_dotted("calltargets") {
            return self.call_targets(name, line);
        }
        if !self.eat_dotted("branchtargets") {
            return Ok(Statement::Label { name, line });
        }
        let mut labels = vec![self.name("a label")?.to_string()];
        while self.eat(',') {
            labels.push(self.name("a label")?.to_string());
        }
        self.expect(';')?;
        Ok(Statement::BranchTargets { name, labels, line })
    }

    /// What an indirect call may reach, up to the semicolon; such calls are refused where they stand.
    fn call_targets(&mut self, name: String, line: u32) -> Parsed<Statement> {
        while !self.eat(';') {
            self.not_at_end("`;`")?;
            self.next();
        }
        Ok(Statement::CallTargets { name, line })
    }

    /// `.loc file line column`, then perhaps `, function_name label+4, inlined_at file line column`.
    fn location(&mut self) -> Parsed<Statement> {
        self.next();
        let file = self.unsigned("a file number")?;
        let line = self.unsigned("a line")?;
        self.unsigned::<u32>("a column")?;
        while self.eat(',') {
            match self.name("`function_name` or `inlined_at`")? {
                "function_name" => {
                    self.name("a label")?;
                    self.offset()?;
                }
                _ => {
                    self.unsigned::<u32>("a file number")?;
                    self.unsigned::<u32>("a line")?;
                    self.unsigned::<u32>("a column")?;
                }
            }
        }
        Ok(Statement::Location { file, line })
    }

    fn instruction(&mut self) -> Parsed<Instruction> {
        let guard = self.guard()?;
        let head = self.peek();
        let opcode = self.name("an instruction")?.to_string();
        let mut modifiers = Vec::new();
        while self.peek().kind == Kind::Dotted {
            modifiers.push(self.next().text.to_string());
        }
        let mut operands = Vec::new();
        if !self.is(';') {
            self.in_call = opcode == "call";
            operands = self.operands()?;
        }
        self.expect(';')?;
        Ok(Instruction { guard, opcode, modifiers, operands, line: head.line, column: head.column })
    }

    fn guard(&mut self) -> Parsed<Option<Guard>> {
        if !self.eat('@') {
            return Ok(None);
        }
        let negated = self.eat('!');
        let register = self.name("a predicate")?.to_string();
        Ok(Some(Guard { negated, register }))
    }
}
