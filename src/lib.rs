//! Denoising diffusion with hand-written PTX kernels.

pub mod atomic;
pub mod checkpoint;
pub mod cli;
pub mod data;
pub mod device;
pub mod diffusion;
pub mod graph;
pub mod history;
pub mod kernels;
pub mod nn;
pub mod ops;
pub mod optim;
pub mod picture;
pub mod ptx;
pub mod random;
pub mod run;
pub mod sample;
pub mod train;
