//! The software CUDA device: what each instruction computes, control flow, memory and its faults, launches.

mod arithmetic;
mod barriers;
mod clusters;
mod divergence;
mod faults;
mod harness;
mod hopper;
mod launches;
mod levels;
mod matrices;
mod memory;
mod products;
mod refusals;
mod warp;
