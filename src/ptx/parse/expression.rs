//! Constant expressions: `4*(N+1)` with C's operators and precedence, worked out where they stand.

use super::{Parsed, Parser};
use crate::ptx::ast::Number;
use crate::ptx::lex::Kind;

/// Parentheses and signs in each other. Parsing recurses this far.
const MAX_NESTING: u32 = 32;

/// The operators of two operands, loosest first.
const LEVELS: [&[&str]; 10] = [
    &["||"],
    &["&&"],
    &["|"],
    &["^"],
    &["&"],
    &["==", "!="],
    &["<=", ">=", "<", ">"],
    &["<<", ">>"],
    &["+", "-"],
    &["*", "/", "%"],
];
/// Products and tighter.
const PRODUCTS: usize = LEVELS.len() - 1;
/// All that need no parentheses: in an operand `d|p` the bar is no operator.
const WITHOUT_BAR: usize = 3;

impl<'a> Parser<'a> {
    /// A literal, or an expression of literals.
    pub(super) fn number(&mut self) -> Parsed<Number> {
        self.expression(WITHOUT_BAR, 0)
    }

    /// One term of an offset, up to the next `+` or `-`.
    pub(super) fn product(&mut self) -> Parsed<Number> {
        self.expression(PRODUCTS, 0)
    }

    fn expression(&mut self, level: usize, depth: u32) -> Parsed<Number> {
        let Some(operators) = LEVELS.get(level) else { return self.unary(depth) };
        let mut left = self.expression(level + 1, depth)?;
        while let Some(operator) = operators.iter().find(|operator| self.at_operator(operator)) {
            let at = self.peek();
            self.at += operator.len();
            let right = self.expression(level + 1, depth)?;
            left = match apply(operator, left, right) {
                Some(value) => value,
                None => {
                    return Err(self.error_at(at, format!("`{operator}` has no value for these operands")));
                }
            };
        }
        Ok(left)
    }

    /// Whether the tokens of `operator` are next, and no longer operator.
    fn at_operator(&self, operator: &str) -> bool {
        let is = |at: usize, c: char| {
            self.tokens.get(self.at + at).is_some_and(|token| token.kind == Kind::Punctuation(c))
        };
        let spelled = operator.chars().enumerate().all(|(at, c)| is(at, c));
        let doubled = operator.len() == 1 && "|&<>".contains(operator) && {
            let c = operator.chars().next().unwrap_or_default();
            is(1, c) || is(1, '=')
        };
        spelled && !doubled
    }

    fn unary(&mut self, depth: u32) -> Parsed<Number> {
        let token = self.peek();
        if depth > MAX_NESTING {
            return Err(self.unexpected("an expression that nests less deep"));
        }
        match token.kind {
            Kind::Number(number) => {
                self.next();
                Ok(number)
            }
            Kind::Punctuation('(') => {
                self.next();
                let value = self.expression(0, depth + 1)?;
                self.expect(')')?;
                Ok(value)
            }
            Kind::Punctuation(sign @ ('-' | '+' | '~' | '!')) => {
                self.next();
                let value = self.unary(depth + 1)?;
                signed(sign, value)
                    .ok_or_else(|| self.error_at(token, format!("`{sign}` is for integers, or out of range")))
            }
            Kind::Name if token.text == "WARP_SZ" => {
                self.next();
                Ok(Number::Integer(32))
            }
            _ => Err(self.unexpected("a number")),
        }
    }
}

fn signed(sign: char, value: Number) -> Option<Number> {
    Some(match (sign, value) {
        ('+', value) => value,
        ('-', Number::Integer(value)) => Number::Integer(value.checked_neg()?),
        ('-', Number::F32(bits)) => Number::F32(bits ^ 1 << 31),
        ('-', Number::F64(bits)) => Number::F64(bits ^ 1 << 63),
        ('~', Number::Integer(value)) => Number::Integer(!value),
        ('!', Number::Integer(value)) => Number::Integer(i128::from(value == 0)),
        _ => return None,
    })
}

fn apply(operator: &str, left: Number, right: Number) -> Option<Number> {
    match (left, right) {
        (Number::Integer(a), Number::Integer(b)) => integers(operator, a, b).map(Number::Integer),
        _ => floats(operator, as_f64(left), as_f64(right)),
    }
}

fn integers(operator: &str, a: i128, b: i128) -> Option<i128> {
    let shift = u32::try_from(b).ok().filter(|by| *by < 64);
    let value = match operator {
        "+" => a.checked_add(b)?,
        "-" => a.checked_sub(b)?,
        "*" => a.checked_mul(b)?,
        "/" => a.checked_div(b)?,
        "%" => a.checked_rem(b)?,
        "<<" => a.checked_mul(1 << shift?)?,
        ">>" => a >> shift?,
        "&" => a & b,
        "|" => a | b,
        "^" => a ^ b,
        _ => i128::from(holds(operator, a.cmp(&b), a != 0, b != 0)),
    };
    // 64 bits, of either sign.
    (-(1i128 << 63)..1i128 << 64).contains(&value).then_some(value)
}

fn holds(operator: &str, order: std::cmp::Ordering, a: bool, b: bool) -> bool {
    match operator {
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        ">=" => order.is_ge(),
        "==" => order.is_eq(),
        "!=" => order.is_ne(),
        "&&" => a && b,
        _ => a || b,
    }
}

fn floats(operator: &str, a: f64, b: f64) -> Option<Number> {
    let value = match operator {
        "+" => a + b,
        "-" => a - b,
        "*" => a * b,
        "/" => a / b,
        _ => return None,
    };
    Some(Number::F64(value.to_bits()))
}

fn as_f64(number: Number) -> f64 {
    match number {
        Number::Integer(value) => value as f64,
        Number::F32(bits) => f64::from(f32::from_bits(bits)),
        Number::F64(bits) => f64::from_bits(bits),
    }
}
