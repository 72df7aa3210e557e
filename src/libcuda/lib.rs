//! `libcuda.so.1` over the software device: the CUDA driver API for programs that know nothing of this crate.
//!
//! ```text
//! cargo build --release --features libcuda --example cuda
//! mkdir -p target/libcuda && cp target/release/examples/libcuda.so target/libcuda/libcuda.so.1
//! LD_LIBRARY_PATH=target/libcuda python3 program.py
//! ```
//!
//! There is one device, of compute capability 8.0. Modules are PTX text; machine code is refused with
//! `CUDA_ERROR_NO_BINARY_FOR_GPU`, upon which programs that have both take the text. Work is done when it is queued:
//! launches, copies and callbacks are over when the call returns, whatever the stream, and events note the
//! time at which they were recorded. A stream that is capturing runs nothing. A kernel that fails has its report
//! printed to the standard error output; its context is lost, as on a card.
//!
//! With a number in the environment variable `DDPM_LIBCUDA_CHECK` the device is a checked one with that seed: races,
//! reads of what nothing wrote and the like are faults too. Slower; one thread; no clusters.
//!
//! Host memory that was pinned, registered or managed stands at the same address on the device. All that is
//! not supported returns `CUDA_ERROR_NOT_SUPPORTED`; the names are in `unsupported.rs`.

// The names and signatures are the driver's own.
#![allow(non_snake_case, clippy::too_many_arguments)]

#[macro_use]
mod abi;

mod capture;
mod context;
mod copy;
mod device;
mod device_attributes;
mod driver;
mod error;
mod event;
mod fill;
mod function;
mod graph;
mod graph_nodes;
mod graph_params;
mod graph_run;
mod handle;
mod host_memory;
mod image;
mod jit;
mod launch;
mod library;
mod link;
mod memory;
mod module;
mod occupancy;
mod pointer;
mod pool;
mod procaddress;
mod stream;
mod unsupported;
mod user_object;
mod work;
