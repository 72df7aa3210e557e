//! The software CUDA device: what each instruction computes, control flow, memory and its faults, launches.

mod arithmetic;
mod harness;
