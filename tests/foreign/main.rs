//! PTX that other compilers emitted loads and runs: `ptx/NAME.COMPILER.ptx` comes from `source/NAME`, see README.md.
//!
//! Every kernel runs on the software device; the references are plain Rust in f64, or in the integers that the
//! kernel computes with.

mod cluster;
#[path = "../common/mod.rs"]
mod common;
mod constants;
mod elementwise;
mod functions;
mod matmul;
mod norms;
mod program;
mod reduce;
mod tensor;
mod triton;
