//! The library `libcuda.so` over the software device, called as programs call it: through its C interface.
//!
//! The library must be built before: `cargo test` does that with `--features libcuda` as it does with all examples; for a
//! single test binary, `cargo build --release --features libcuda --example cuda` does.

mod capture;
mod contexts;
mod copies;
mod device;
mod graphs;
mod kernels;
mod launches;
mod library;
mod memory;
mod modules;
mod names;
mod nothing;
mod occupancy;
mod streams;
