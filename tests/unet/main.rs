//! The U-Net and its checkpoints.

#[path = "../common/mod.rs"]
mod common;

mod bf16;
mod checkpoint;
mod config;
mod finite_differences;
mod forward;
mod gradients;
mod layout;
mod malformed;
mod network;
mod skipped_step;
mod training_checkpoint;
