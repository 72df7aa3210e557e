//! A libcuda with no card behind it: it keeps the driver's books and notes every call that matters.
//!
//! The tests compile this file to `libcuda.so.1` with rustc. It is as strict as the driver where the host
//! code could be wrong: a call without a current context, a copy outside of every allocation, a launch
//! beyond the shared memory that was asked for are refused. It is lazier than most drivers: queued copies
//! are made at a synchronisation and no sooner, so that host memory given up too early is seen.
//!
//! `FAKE_LIBCUDA` has its settings, `key=value` with `;` between; a key that is a function's name makes the
//! function return that code. `FAKE_LIBCUDA_LOG` names the file of notes.

#![allow(non_snake_case, clippy::missing_safety_doc)]

mod device;
mod launch;
mod memory;
mod module;
mod state;
mod stream;
