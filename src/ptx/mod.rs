//! The PTX language: text to syntax tree.
//!
//! Shared by `build.rs`, which checks every kernel with it, and by the software device, which runs
//! what it yields. The parser knows the grammar of PTX, not the meaning of a single instruction; that is
//! the subject of [`typed`].

pub mod ast;
mod error;
mod lex;
mod parse;
pub mod typed;

pub use error::ParseError;
pub use parse::parse;
