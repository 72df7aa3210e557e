//! Every instruction that the kernels may use, at edge values.
//!
//! The references are plain Rust on bits and in f64, written from the PTX manual. `DDPM_DEVICE` picks the device, so
//! the same tables hold the software device and a GPU to the same rules.

// Tables are clearer with the types of their rows spelled in place.
#![allow(clippy::type_complexity)]

mod atomics;
mod call;
#[path = "../common/mod.rs"]
mod common;
mod compare;
mod control;
mod convert;
mod convert_narrow;
mod double;
mod exact;
mod faults;
mod float;
mod half;
mod integer;
mod matrix;
mod mbarrier;
mod memory;
mod module;
mod probe;
mod products;
mod rare_integer;
mod refused;
mod rounding;
mod spaces;
mod table;
mod warp;
mod wmma;
