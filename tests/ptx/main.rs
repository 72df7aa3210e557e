//! The PTX language: what the parser accepts, what it yields, and how it refuses.

mod grammar;
mod malformed;
