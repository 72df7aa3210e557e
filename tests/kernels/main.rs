//! Every kernel against plain f64 code, on random and ragged shapes, through the operation that launches it.

#[path = "../common/mod.rs"]
mod common;

mod adam;
mod add;
mod attention;
mod bound_terms;
mod cast;
mod class_embedding;
mod conv;
mod eps_loss;
mod grad_norm;
mod group_norm;
mod objective;
mod philox;
mod q_sample;
mod q_sample_at;
mod reverse_update;
mod silu;
mod timestep_embedding;
mod to_u8;
mod twice;
