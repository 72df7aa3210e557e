//! What is wrong with a PTX text, and where.

/// A text that is not PTX, or not the part of PTX that the parser knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}, in `{text}`")]
pub struct ParseError {
    /// 1-based line of the text that was parsed.
    pub line: u32,
    /// 1-based column, in bytes.
    pub column: u32,
    /// What was expected and what stands there.
    pub message: String,
    /// The offending line, trimmed and shortened.
    pub text: String,
}

/// Lines longer than this are cut in messages.
const SHOWN_CHARACTERS: usize = 120;

impl ParseError {
    pub(super) fn new(source: &str, line: u32, column: u32, message: impl Into<String>) -> ParseError {
        let text = source.lines().nth(line as usize - 1).unwrap_or("").trim();
        let mut shown: String = text.chars().take(SHOWN_CHARACTERS).collect();
        if shown.len() < text.len() {
            shown.push('…');
        }
        ParseError { line, column, message: message.into(), text: shown }
    }
}
