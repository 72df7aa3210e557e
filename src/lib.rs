//! Denoising diffusion with hand-written PTX kernels: the library behind the `ddpm` command.
//!
//! It trains and samples the U-Nets of *Denoising Diffusion Probabilistic Models* (Ho, Jain, Abbeel 2020). A
//! [`Device`](device::Device) is an NVIDIA GPU behind its driver, or a software CUDA device that executes the same
//! PTX on the CPU. [Operations](ops) are recorded on a [`Tape`](graph::Tape), extended by their gradients, given
//! memory, and replayed as a [`Program`](graph::Program):
//!
//! ```
//! use ddpm_ptx::device::{DType, Device};
//! use ddpm_ptx::graph::Tape;
//! use ddpm_ptx::ops::silu::silu;
//! use std::sync::Arc;
//!
//! let device = Device::soft();
//! let x = Arc::new(device.upload(&[-1.0_f32, 0.0, 1.0])?);
//!
//! let mut tape = Tape::inference();
//! let x = tape.resident(&x, 0, &[3], DType::F32);
//! let y = silu(&mut tape, &x);
//! tape.keep(&y);
//!
//! let program = tape.compile(&device)?;
//! program.run()?;
//! let y = program.read::<f32>(&y)?;
//! assert!((y[2] - 0.731_058_6).abs() < 1e-6);
//! # Ok::<(), ddpm_ptx::device::DeviceError>(())
//! ```
//!
//! From the bottom up:
//! - [`ptx`], [`device`]: the language, and the two devices; [`kernels`]: a typed launcher for each kernel;
//! - [`graph`], [`ops`]: recorded programs, and what is recorded in them;
//! - [`diffusion`], [`nn`], [`optim`], [`data`], [`checkpoint`]: the paper, the network, Adam, images, files;
//! - [`train`], [`sample`], [`evaluate`], [`interchange`], [`neighbours`]: the jobs, with [`run`] for what a run's folder
//!   holds and [`picture`] for what one looks at;
//! - [`cli`]: the command line.

pub mod atomic;
pub mod checkpoint;
pub mod cli;
pub mod data;
pub mod device;
pub mod diffusion;
pub mod evaluate;
pub mod graph;
pub mod history;
pub mod interchange;
pub mod kernels;
pub mod message;
pub mod neighbours;
pub mod nn;
pub mod npy;
pub mod ops;
pub mod optim;
pub mod pickle;
pub mod picture;
pub mod ptx;
pub mod random;
pub mod run;
pub mod sample;
pub mod survey;
pub mod train;
