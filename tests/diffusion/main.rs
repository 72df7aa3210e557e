//! The diffusion process against tables and trajectories that independent code computed.

#[path = "../common/mod.rs"]
mod common;

mod config;
mod likelihood;
mod prediction;
mod samplers;
mod schedule;
mod solvers;
mod timesteps;
mod toy;
