//! The host side of the CUDA device, against a libcuda with no card behind it.
//!
//! Which library a process finds is settled when it starts, and found once. So each test runs its body in a
//! process of its own, with the library that the test asks for and no other.

#![cfg(target_os = "linux")]

mod absence;
mod failures;
mod kernels;
mod library;
mod modules;
mod report;
mod work;
