//! The diffusion process in the symbols of the paper (Ho, Jain, Abbeel 2020): the noise schedule, the
//! training objective, and samplers.
//!
//! Timesteps count from 0: index t is the paper's t + 1, and "before 0" are clean images, with alpha_bar = 1.
//! Coefficients are computed in f64 and become f32 when they go to a device.

mod ancestral;
mod bound;
mod config;
mod ddim;
mod objective;
mod prediction;
mod reverse;
mod sampler;
mod schedule;
mod solver;
mod timesteps;

pub use ancestral::Variance;
pub use bound::{ObjectiveRow, TermRow, objective_rows, term_rows};
pub use config::{ConfigError, SchedulerConfig};
pub use ddim::Ddim;
pub use objective::{LossType, Objective, ObjectiveConfig};
pub use prediction::{Linear, PredictionType};
pub use reverse::Reverse;
pub use sampler::{Correction, Sampler, Step, Trajectory};
pub use schedule::{BetaSchedule, Schedule};
pub use solver::{Bh, DpmSolver, Node, UniPc};
pub use timesteps::Spacing;
