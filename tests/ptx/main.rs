//! The PTX language and the kernels' build: what the parser accepts, what it yields and how it refuses; how
//! templates become modules and launchers.

#[allow(dead_code)]
#[path = "../../kernels/build/mod.rs"]
mod build;
mod grammar;
mod launchers;
mod malformed;
mod ptxas;
mod signature;
mod templates;

// The name under which the modules of build.rs know the parser.
use ddpm_ptx::ptx;
