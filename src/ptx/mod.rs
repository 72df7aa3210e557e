//! The PTX language: text to syntax tree.
//!
//! Shared by `build.rs`, which checks every kernel with it, and by the software device, which runs
//! what it yields. It knows the grammar of PTX, not the meaning of a single instruction; that is the
//! decoder's subject (`device::soft`).

pub mod ast;
mod error;
mod lex;
mod parse;

pub use error::ParseError;
pub use parse::parse;
