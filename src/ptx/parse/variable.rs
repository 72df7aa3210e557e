//! Declarations: registers, parameters, memory, and initialisers.

use super::{Parsed, Parser};
use crate::ptx::ast::{Initial, Number, Space, Type, Variable};
use crate::ptx::lex::{Kind, Token};

/// A short row of a nested initialiser is filled with zeros up to its bound; a bound above this is refused, so
/// that a few characters of text cannot ask for gigabytes.
const MAX_FILLED_ROW: u64 = 1 << 16;

pub(super) fn space(word: &str) -> Option<Space> {
    Some(match word {
        "reg" => Space::Reg,
        "param" => Space::Param,
        "shared" => Space::Shared,
        "local" => Space::Local,
        "const" => Space::Const,
        "global" => Space::Global,
        _ => return None,
    })
}

/// What stands before the names of a declaration and holds for all of them.
struct Prefix {
    space: Space,
    linkage: Option<String>,
    align: Option<u32>,
    ty: Type,
    vector: u32,
    line: u32,
}

impl<'a> Parser<'a> {
    /// `.reg .f32 %a, %b<4>`, without the semicolon.
    pub(super) fn variables(&mut self, linkage: Option<String>) -> Parsed<Vec<Variable>> {
        let prefix = self.prefix(linkage)?;
        let mut variables = vec![self.declarator(&prefix)?];
        while self.eat(',') {
            variables.push(self.declarator(&prefix)?);
        }
        Ok(variables)
    }

    /// One declaration of one name, as in a parameter list.
    pub(super) fn variable(&mut self, linkage: Option<String>) -> Parsed<Variable> {
        let prefix = self.prefix(linkage)?;
        self.declarator(&prefix)
    }

    fn prefix(&mut self, linkage: Option<String>) -> Parsed<Prefix> {
        let first = self.peek();
        let Some(space) = (first.kind == Kind::Dotted).then(|| space(first.text)).flatten() else {
            return Err(self.unexpected("a state space, `.entry` or `.func`"));
        };
        self.next();
        let (mut align, mut vector, mut ty) = (None, 1, None);
        while let Token { kind: Kind::Dotted, text, .. } = self.peek() {
            match text {
                "align" => {
                    self.next();
                    align = Some(self.alignment()?);
                }
                "ptr" => self.skip_pointer_attributes()?,
                "attribute" => self.skip_attribute()?,
                "v2" | "v4" => {
                    self.next();
                    vector = if text == "v2" { 2 } else { 4 };
                }
                _ => {
                    let Some(known) = Type::parse(text) else { return Err(self.unexpected("a type")) };
                    self.next();
                    ty = Some(known);
                }
            }
        }
        let Some(ty) = ty else { return Err(self.unexpected("a type")) };
        Ok(Prefix { space, linkage, align, ty, vector, line: first.line })
    }

    fn alignment(&mut self) -> Parsed<u32> {
        let token = self.peek();
        let align: u32 = self.unsigned("an alignment")?;
        if !align.is_power_of_two() {
            return Err(self.error_at(token, format!("the alignment {align} is no power of two")));
        }
        Ok(align)
    }

    /// `.ptr .global .align 16` says what a pointer parameter points to, which nobody here needs.
    fn skip_pointer_attributes(&mut self) -> Parsed<()> {
        self.next();
        if ["const", "global", "local", "shared"].iter().any(|space| self.is_dotted(space)) {
            self.next();
        }
        if self.eat_dotted("align") {
            self.alignment()?;
        }
        Ok(())
    }

    /// `.attribute(.managed)` or `.attribute(.unified(1, 2))`
    pub(super) fn skip_attribute(&mut self) -> Parsed<()> {
        self.next();
        self.expect('(')?;
        let mut open = 1;
        while open > 0 {
            match self.peek().kind {
                Kind::Punctuation('(') => open += 1,
                Kind::Punctuation(')') => open -= 1,
                Kind::End => return Err(self.unexpected("`)`")),
                _ => {}
            }
            self.next();
        }
        Ok(())
    }

    /// `name`, `name<8>`, `name[4][2] = { … }`
    fn declarator(&mut self, prefix: &Prefix) -> Parsed<Variable> {
        let name = self.name("a name")?.to_string();
        let mut family = None;
        if self.eat('<') {
            family = Some(self.unsigned("a count")?);
            self.expect('>')?;
        }
        let mut dims = Vec::new();
        while self.eat('[') {
            dims.push(if self.is(']') { None } else { Some(self.bound()?) });
            self.expect(']')?;
        }
        let init = if self.eat('=') { self.initialiser(&dims)? } else { Vec::new() };
        let Prefix { space, ref linkage, align, ty, vector, line } = *prefix;
        Ok(Variable { space, linkage: linkage.clone(), align, ty, vector, name, family, dims, init, line })
    }

    fn bound(&mut self) -> Parsed<u64> {
        let token = self.peek();
        match self.number()? {
            Number::Integer(bound) if u64::try_from(bound).is_ok() => Ok(bound as u64),
            _ => Err(self.error_at(token, "expected an array bound")),
        }
    }

    /// `value` or `{ {a, b}, {c} }`; the values row by row, short inner rows filled with zeros.
    fn initialiser(&mut self, dims: &[Option<u64>]) -> Parsed<Vec<Initial>> {
        let mut values = Vec::new();
        if !self.is('{') {
            values.push(self.initial()?);
            return Ok(values);
        }
        // Where each open row began.
        let mut starts = Vec::new();
        loop {
            if self.is('{') {
                if starts.len() >= dims.len().max(1) {
                    return Err(
                        self.unexpected("a value: the initialiser has more braces than the array has bounds")
                    );
                }
                self.next();
                starts.push(values.len());
                continue;
            }
            if !self.is('}') {
                values.push(self.initial()?);
            }
            while self.is('}') {
                self.fill_row(&mut values, &starts, dims)?;
                self.next();
                starts.pop();
                if starts.is_empty() {
                    return Ok(values);
                }
            }
            self.expect(',')?;
        }
    }

    /// Pads the innermost open row; the outermost is left short, the rest of the variable being zero anyway.
    fn fill_row(&self, values: &mut Vec<Initial>, starts: &[usize], dims: &[Option<u64>]) -> Parsed<()> {
        let Some(&start) = starts.get(1..).and_then(<[usize]>::last) else { return Ok(()) };
        let bounds = &dims[starts.len() - 1..];
        let length = bounds.iter().try_fold(1u64, |product, bound| product.checked_mul(bound.unwrap_or(1)));
        let Some(length) = length.filter(|&length| length <= MAX_FILLED_ROW) else {
            return Err(
                self.error_at(self.peek(), "this row of the array is too long for a nested initialiser")
            );
        };
        if values.len() - start > length as usize {
            return Err(self.error_at(self.peek(), format!("more than {length} values in this row")));
        }
        values.resize(start + length as usize, Initial::Number(Number::Integer(0)));
        Ok(())
    }

    /// A number, `symbol`, `symbol+4`, `&symbol`, `generic(symbol)+4`, or `0xFF(…)`, some bits of one of them.
    fn initial(&mut self) -> Parsed<Initial> {
        let mask = match self.peek().kind {
            Kind::Number(Number::Integer(mask)) if self.peek_second().kind == Kind::Punctuation('(') => {
                Some(u64::try_from(mask).map_err(|_| self.unexpected("a mask of 64 bits"))?)
            }
            Kind::Number(_) | Kind::Punctuation('-' | '+' | '~' | '!' | '(') => {
                return Ok(Initial::Number(self.number()?));
            }
            _ => None,
        };
        if mask.is_some() {
            self.next();
            self.next();
        }
        let (symbol, offset, generic) = self.initial_address()?;
        if mask.is_some() {
            self.expect(')')?;
        }
        Ok(Initial::Address { symbol, offset, generic, mask })
    }

    fn initial_address(&mut self) -> Parsed<(String, i64, bool)> {
        self.eat('&');
        let mut symbol = self.name("a number or a symbol")?;
        let generic = symbol == "generic" && self.eat('(');
        if generic {
            symbol = self.name("a symbol")?;
            self.expect(')')?;
        }
        Ok((symbol.to_string(), self.offset()?, generic))
    }
}
