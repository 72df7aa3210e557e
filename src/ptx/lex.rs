//! Text to tokens.
//!
//! A dot and the word behind it are one token (`.reg`, `.2d`, `.shared::cluster`): this is where a word may
//! begin with a digit, and where `::` chains occur, so the parser need not know either.

use super::ast::Number;
use super::error::ParseError;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    /// A register, symbol, label or opcode; `_` too.
    Name,
    /// A directive or modifier; the token's text is without the dot.
    Dotted,
    Number(Number),
    /// The token's text is without the quotes.
    String,
    Punctuation(char),
    End,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Token<'a> {
    pub kind: Kind,
    pub text: &'a str,
    pub line: u32,
    pub column: u32,
}

/// All tokens of `source`; the last one is [`Kind::End`].
pub(super) fn tokens(source: &str) -> Result<Vec<Token<'_>>, ParseError> {
    let mut lexer = Lexer { source, at: 0, line: 1, line_start: 0 };
    let mut tokens = Vec::with_capacity(source.len() / 4);
    loop {
        lexer.skip_blanks()?;
        let token = lexer.token()?;
        tokens.push(token);
        if token.kind == Kind::End {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    source: &'a str,
    /// Byte offset of the next character.
    at: usize,
    line: u32,
    line_start: usize,
}

/// Where the first quote without a backslash stands.
fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$'
}

impl<'a> Lexer<'a> {
    fn byte(&self, ahead: usize) -> u8 {
        self.source.as_bytes().get(self.at + ahead).copied().unwrap_or(0)
    }

    fn error(&self, message: impl Into<String>) -> ParseError {
        ParseError::new(self.source, self.line, self.column(), message)
    }

    fn column(&self) -> u32 {
        (self.at - self.line_start + 1) as u32
    }

    fn newline(&mut self) {
        self.at += 1;
        self.line += 1;
        self.line_start = self.at;
    }

    fn skip_blanks(&mut self) -> Result<(), ParseError> {
        loop {
            match (self.byte(0), self.byte(1)) {
                (b'\n', _) => self.newline(),
                (b' ' | b'\t' | b'\r', _) => self.at += 1,
                (b'/', b'/') => self.skip_line(),
                (b'/', b'*') => self.skip_block_comment()?,
                _ => return Ok(()),
            }
        }
    }

    fn skip_line(&mut self) {
        let rest = &self.source[self.at..];
        self.at += rest.find('\n').unwrap_or(rest.len());
    }

    fn skip_block_comment(&mut self) -> Result<(), ParseError> {
        let Some(length) = self.source[self.at + 2..].find("*/") else {
            return Err(self.error("this comment is never closed"));
        };
        let end = self.at + 2 + length + 2;
        while self.at < end {
            if self.byte(0) == b'\n' {
                self.newline();
            } else {
                self.at += 1;
            }
        }
        Ok(())
    }

    fn token(&mut self) -> Result<Token<'a>, ParseError> {
        let start = self.at;
        let (line, column) = (self.line, self.column());
        let (kind, text) = match self.byte(0) {
            _ if self.at == self.source.len() => (Kind::End, ""),
            b'"' => (Kind::String, self.string()?),
            b'0'..=b'9' => (Kind::Number(self.number()?), &self.source[start..self.at]),
            b'.' if is_word(self.byte(1)) => (Kind::Dotted, self.dotted()),
            b'%' if is_word(self.byte(1)) => {
                self.at += 1;
                self.skip_word();
                (Kind::Name, &self.source[start..self.at])
            }
            byte if is_word(byte) => {
                self.skip_word();
                (Kind::Name, &self.source[start..self.at])
            }
            byte if byte.is_ascii_punctuation() => {
                self.at += 1;
                (Kind::Punctuation(byte as char), &self.source[start..self.at])
            }
            _ => {
                let character = self.source[self.at..].chars().next().unwrap_or_default();
                return Err(self.error(format!("unexpected character {character:?}")));
            }
        };
        Ok(Token { kind, text, line, column })
    }

    fn skip_word(&mut self) {
        while is_word(self.byte(0)) {
            self.at += 1;
        }
    }

    /// `.word` or `.word::word`, without the dot.
    fn dotted(&mut self) -> &'a str {
        self.at += 1;
        let start = self.at;
        self.skip_word();
        while self.byte(0) == b':' && self.byte(1) == b':' && is_word(self.byte(2)) {
            self.at += 2;
            self.skip_word();
        }
        &self.source[start..self.at]
    }

    fn string(&mut self) -> Result<&'a str, ParseError> {
        let start = self.at + 1;
        let rest = &self.source[start..];
        let line = rest.split('\n').next().unwrap_or("");
        let Some(length) = closing_quote(line) else {
            return Err(self.error("this string is not closed on its line"));
        };
        self.at = start + length + 1;
        Ok(&rest[..length])
    }

    fn number(&mut self) -> Result<Number, ParseError> {
        let start = self.at;
        self.skip_word();
        let word = &self.source[start..self.at];
        let radix_prefix = word.get(..2).map(str::to_ascii_lowercase).unwrap_or_default();
        let number = match radix_prefix.as_str() {
            "0f" => float_bits(&word[2..], 8).map(|bits| Number::F32(bits as u32)),
            "0d" => float_bits(&word[2..], 16).map(Number::F64),
            "0x" => integer(&word[2..], 16),
            "0b" => integer(&word[2..], 2),
            _ => {
                self.skip_fraction(start);
                decimal(&self.source[start..self.at])
            }
        };
        number.ok_or_else(|| {
            let text = &self.source[start..self.at];
            self.at = start;
            self.error(format!("`{text}` is no number that fits 64 bits"))
        })
    }

    /// Moves past the point, digits and signed exponent that make a decimal number a float.
    fn skip_fraction(&mut self, start: usize) {
        if self.byte(0) == b'.' && !is_word_start(self.byte(1)) {
            self.at += 1;
            self.skip_word();
        }
        let ends_in_exponent = matches!(self.source.as_bytes()[self.at - 1], b'e' | b'E');
        if ends_in_exponent && self.at > start && matches!(self.byte(0), b'+' | b'-') {
            self.at += 1;
            self.skip_word();
        }
    }
}

fn is_word_start(byte: u8) -> bool {
    is_word(byte) && !byte.is_ascii_digit() && !matches!(byte, b'e' | b'E')
}

fn float_bits(digits: &str, count: usize) -> Option<u64> {
    if digits.len() != count {
        return None;
    }
    u64::from_str_radix(digits, 16).ok()
}

fn integer(digits: &str, radix: u32) -> Option<Number> {
    let digits = digits.strip_suffix(['U', 'u']).unwrap_or(digits);
    u64::from_str_radix(digits, radix).ok().map(|value| Number::Integer(value.into()))
}

fn decimal(text: &str) -> Option<Number> {
    if text.contains(['.', 'e', 'E']) {
        return text.parse::<f64>().ok().map(|value| Number::F64(value.to_bits()));
    }
    match text.strip_prefix('0') {
        Some(octal) if octal.starts_with(|c: char| c.is_ascii_digit()) => integer(octal, 8),
        _ => integer(text, 10),
    }
}
