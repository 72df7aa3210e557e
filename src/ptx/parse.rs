//! Tokens to syntax tree: the module, its functions, and the cursor that all parts of the parser share.
//!
//! One pass, no look back: the time is linear in the length of the text. Nesting of scopes and operands is
//! bounded, so no text can exhaust the stack.

mod expression;
mod operand;
mod statement;
mod variable;

use super::ast::{Alias, Directive, Function, FunctionKind, Module, Number};
use super::error::ParseError;
use super::lex::{Kind, Token, tokens};

/// Parses a whole `.ptx` text.
///
/// Fails on text outside the grammar, with its line and column; never panics.
pub fn parse(text: &str) -> Result<Module, ParseError> {
    let mut parser = Parser { source: text, tokens: tokens(text)?, at: 0, in_call: false };
    parser.module()
}

type Parsed<T> = Result<T, ParseError>;

struct Parser<'a> {
    source: &'a str,
    /// Ends with [`Kind::End`], which the cursor never passes.
    tokens: Vec<Token<'a>>,
    at: usize,
    /// Whether `(` opens a list of operands rather than an expression.
    in_call: bool,
}

/// The cursor.
impl<'a> Parser<'a> {
    fn peek(&self) -> Token<'a> {
        self.tokens[self.at]
    }

    fn peek_second(&self) -> Token<'a> {
        self.tokens[(self.at + 1).min(self.tokens.len() - 1)]
    }

    fn next(&mut self) -> Token<'a> {
        let token = self.peek();
        if token.kind != Kind::End {
            self.at += 1;
        }
        token
    }

    fn error_at(&self, token: Token<'_>, message: impl Into<String>) -> ParseError {
        ParseError::new(self.source, token.line, token.column, message)
    }

    /// "expected X, found the token under the cursor".
    fn unexpected(&self, expected: &str) -> ParseError {
        let token = self.peek();
        let found = match token.kind {
            Kind::End => "the end of the text".to_string(),
            Kind::Dotted => format!("`.{}`", token.text),
            Kind::String => format!("the string \"{}\"", token.text),
            _ => format!("`{}`", token.text),
        };
        self.error_at(token, format!("expected {expected}, found {found}"))
    }

    fn is(&self, punctuation: char) -> bool {
        self.peek().kind == Kind::Punctuation(punctuation)
    }

    /// Moves past `punctuation` if it is next.
    fn eat(&mut self, punctuation: char) -> bool {
        let found = self.is(punctuation);
        if found {
            self.at += 1;
        }
        found
    }

    fn expect(&mut self, punctuation: char) -> Parsed<()> {
        if self.eat(punctuation) {
            return Ok(());
        }
        Err(self.unexpected(&format!("`{punctuation}`")))
    }

    fn is_dotted(&self, word: &str) -> bool {
        let token = self.peek();
        token.kind == Kind::Dotted && token.text == word
    }

    fn eat_dotted(&mut self, word: &str) -> bool {
        let found = self.is_dotted(word);
        if found {
            self.at += 1;
        }
        found
    }

    fn name(&mut self, what: &str) -> Parsed<&'a str> {
        if self.peek().kind == Kind::Name {
            return Ok(self.next().text);
        }
        Err(self.unexpected(what))
    }

    fn string(&mut self) -> Parsed<&'a str> {
        if self.peek().kind == Kind::String {
            return Ok(self.next().text);
        }
        Err(self.unexpected("a string"))
    }

    /// An unsigned integer that fits `T`.
    fn unsigned<T: TryFrom<i128>>(&mut self, what: &str) -> Parsed<T> {
        if let Kind::Number(Number::Integer(value)) = self.peek().kind
            && let Ok(value) = T::try_from(value)
        {
            self.next();
            return Ok(value);
        }
        Err(self.unexpected(what))
    }
}

/// Module scope.
impl<'a> Parser<'a> {
    fn module(&mut self) -> Parsed<Module> {
        let mut module = Module { address_size: 64, ..Module::default() };
        while self.peek().kind != Kind::End {
            if !self.eat(';') {
                self.module_item(&mut module)?;
            }
        }
        Ok(module)
    }

    fn module_item(&mut self, module: &mut Module) -> Parsed<()> {
        if self.is('@') {
            self.skip_line();
            return Ok(());
        }
        if self.peek().kind != Kind::Dotted {
            return Err(self.unexpected("a directive"));
        }
        match self.peek().text {
            "version" => module.version = self.version()?,
            "target" => module.target = self.target()?,
            "address_size" => {
                self.next();
                module.address_size = self.unsigned("32 or 64")?;
            }
            "file" => self.skip_file()?,
            "section" => self.skip_section()?,
            "alias" => module.aliases.push(self.alias()?),
            "pragma" => {
                self.pragma()?;
            }
            _ => self.declaration(module)?,
        }
        Ok(())
    }

    /// A variable or function with its linkage.
    fn declaration(&mut self, module: &mut Module) -> Parsed<()> {
        let line = self.peek().line;
        let linkage = self.linkage();
        let kind = match self.peek() {
            Token { kind: Kind::Dotted, text: "entry", .. } => FunctionKind::Entry,
            Token { kind: Kind::Dotted, text: "func", .. } => FunctionKind::Func,
            _ => {
                module.variables.extend(self.variables(linkage)?);
                return self.expect(';');
            }
        };
        self.next();
        module.functions.push(self.function(kind, line)?);
        Ok(())
    }

    fn linkage(&mut self) -> Option<String> {
        let token = self.peek();
        let is_linkage =
            token.kind == Kind::Dotted && matches!(token.text, "extern" | "visible" | "weak" | "common");
        is_linkage.then(|| self.next().text.to_string())
    }

    fn version(&mut self) -> Parsed<(u32, u32)> {
        self.next();
        let version = self.peek().text.split_once('.').and_then(|(major, minor)| {
            let (major, minor) = (major.parse().ok()?, minor.parse().ok()?);
            Some((major, minor))
        });
        let Some(version) = version else { return Err(self.unexpected("a version like 8.0")) };
        self.next();
        Ok(version)
    }

    fn target(&mut self) -> Parsed<Vec<String>> {
        self.next();
        let mut targets = vec![self.name("a target like sm_80")?.to_string()];
        while self.eat(',') {
            targets.push(self.name("a target")?.to_string());
        }
        Ok(targets)
    }

    /// `.file 1 "name"` or `.file 1 "name", timestamp, size`
    fn skip_file(&mut self) -> Parsed<()> {
        self.next();
        self.unsigned::<u32>("a file number")?;
        self.string()?;
        while self.eat(',') {
            self.unsigned::<u64>("a timestamp or size")?;
        }
        Ok(())
    }

    /// `.section .debug_info { … }`; the contents hold no braces.
    fn skip_section(&mut self) -> Parsed<()> {
        self.next();
        while !self.is('{') {
            self.not_at_end("`{`")?;
            self.next();
        }
        while !self.eat('}') {
            self.not_at_end("`}`")?;
            self.next();
        }
        Ok(())
    }

    /// `@@DWARF …`, the debug sections of old compilers.
    fn skip_line(&mut self) {
        let line = self.peek().line;
        while self.peek().kind != Kind::End && self.peek().line == line {
            self.next();
        }
    }

    /// `.alias name, target;`
    fn alias(&mut self) -> Parsed<Alias> {
        let line = self.next().line;
        let name = self.name("the alias")?.to_string();
        self.expect(',')?;
        let target = self.name("the function")?.to_string();
        self.expect(';')?;
        Ok(Alias { name, target, line })
    }

    fn not_at_end(&self, expected: &str) -> Parsed<()> {
        if self.peek().kind == Kind::End { Err(self.unexpected(expected)) } else { Ok(()) }
    }

    /// `.pragma "text", "text";`
    fn pragma(&mut self) -> Parsed<String> {
        self.next();
        let mut text = self.string()?.to_string();
        while self.eat(',') {
            text.push_str(", ");
            text.push_str(self.string()?);
        }
        self.expect(';')?;
        Ok(text)
    }
}

/// Functions.
impl<'a> Parser<'a> {
    fn function(&mut self, kind: FunctionKind, line: u32) -> Parsed<Function> {
        if self.is_dotted("attribute") {
            self.skip_attribute()?;
        }
        let returns = if kind == FunctionKind::Func { self.parameters()? } else { Vec::new() };
        let name = self.name("the function's name")?.to_string();
        let params = self.parameters()?;
        let directives = self.directives()?;
        let body = if self.eat('{') {
            Some(self.statements(1)?)
        } else {
            self.expect(';')?;
            None
        };
        Ok(Function { kind, name, returns, params, directives, body, line })
    }

    /// `(declaration, declaration)`; nothing at all means none.
    fn parameters(&mut self) -> Parsed<Vec<super::ast::Variable>> {
        let mut params = Vec::new();
        if !self.eat('(') || self.eat(')') {
            return Ok(params);
        }
        loop {
            params.push(self.variable(None)?);
            if !self.eat(',') {
                break;
            }
        }
        self.expect(')')?;
        Ok(params)
    }

    fn directives(&mut self) -> Parsed<Vec<Directive>> {
        let mut directives = Vec::new();
        while self.peek().kind == Kind::Dotted {
            if self.is_dotted("pragma") {
                self.pragma()?;
                directives.push(Directive { name: "pragma".to_string(), values: Vec::new() });
                continue;
            }
            let name = self.next().text.to_string();
            let values = self.directive_values()?;
            directives.push(Directive { name, values });
        }
        Ok(directives)
    }

    fn directive_values(&mut self) -> Parsed<Vec<u64>> {
        let mut values = Vec::new();
        if !matches!(self.peek().kind, Kind::Number(_)) {
            return Ok(values);
        }
        loop {
            values.push(self.unsigned("an integer")?);
            if !self.eat(',') {
                return Ok(values);
            }
        }
    }
}
