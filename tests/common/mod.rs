//! What the tests share: the device they run on, random data, comparison with an f64 reference, and a
//! recording that poisons every output before it runs.

// Each test binary uses its own part of this module.
#![allow(dead_code)]

pub mod bounded;
pub mod compare;
pub mod device;
pub mod goldens;
pub mod likelihood;
pub mod philox;
pub mod random;
pub mod recording;
pub mod walk;
