//! Every kernel against plain f64 code, on random and ragged shapes, through the operation that launches it.

#[path = "../common/mod.rs"]
mod common;

mod attention;
mod group_norm;
mod silu;
mod timestep_embedding;
