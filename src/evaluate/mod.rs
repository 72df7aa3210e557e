//! The job of evaluation: a model and images in, bits a dimension out.

pub mod csv;
mod likelihood;
mod progressive;
mod report;
mod terms;

pub use likelihood::{Likelihood, Request, likelihood};
pub use progressive::{Coded, Estimate, Sent, progressive};
pub use report::{BoundAt, BoundOf, RatePoint, Report, Spread, rmse};
pub use terms::{Example, Pair, Term, TermPass};
