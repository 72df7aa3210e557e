//! Optimisation: gradient clipping, Adam, learning-rate schedules and the moving average of the weights.

mod adam;
mod config;

pub use adam::{Optimizer, State};
pub use config::{AdamConfig, Decay};
