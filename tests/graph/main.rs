//! What the graph promises whatever the operations are.

mod checked;
mod plan;
