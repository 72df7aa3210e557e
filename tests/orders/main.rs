//! Results do not depend on the order in which threads run. Here the tests of the kernels, and a training step and a
//! sampling step of a small network, run on a device that checks every launch in eight orders: blocks, warps and
//! lanes take turns at random, lanes come together late, and every byte must come out the same.

#[path = "../common/mod.rs"]
mod common;

#[path = "../kernels/adam.rs"]
mod adam;
#[path = "../kernels/add.rs"]
mod add;
#[path = "../kernels/attention/mod.rs"]
mod attention;
#[path = "../kernels/bound_terms.rs"]
mod bound_terms;
#[path = "../kernels/class_embedding.rs"]
mod class_embedding;
#[path = "../kernels/conv/mod.rs"]
mod conv;
#[path = "../kernels/eps_loss.rs"]
mod eps_loss;
#[path = "../kernels/grad_norm.rs"]
mod grad_norm;
#[path = "../kernels/group_norm.rs"]
mod group_norm;
mod network;
#[path = "../kernels/objective.rs"]
mod objective;
#[path = "../kernels/philox.rs"]
mod philox;
#[path = "../kernels/q_sample.rs"]
mod q_sample;
#[path = "../kernels/q_sample_at.rs"]
mod q_sample_at;
#[path = "../kernels/reverse_update.rs"]
mod reverse_update;
#[path = "../kernels/silu.rs"]
mod silu;
#[path = "../kernels/timestep_embedding.rs"]
mod timestep_embedding;
#[path = "../kernels/to_u8.rs"]
mod to_u8;
#[path = "../kernels/twice.rs"]
mod twice;
