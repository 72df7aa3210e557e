//! Self-attention, forward and backward.

mod case;
mod in_bf16;
mod in_f32;
mod numbers;
