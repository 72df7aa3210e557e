//! The U-Net and its checkpoints.

#[path = "../common/mod.rs"]
mod common;

mod bf16;
mod checkpoint;
mod config;
mod finite_differences;
mod forward;
mod gradients;
mod import;
mod layout;
mod malformed;
mod malformed_torch;
mod network;
mod process;
mod skipped_step;
mod training_checkpoint;
