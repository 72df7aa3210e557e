//! What the software device counts: by hand on small kernels, and for every kernel of the project against the
//! floors that it must not fall through.

mod floors;
mod harness;
mod instructions;
mod model;
mod sameness;
mod traffic;
