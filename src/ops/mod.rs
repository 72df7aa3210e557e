//! Operations: one file or folder each, forward and backward side by side.
//!
//! An operation is a function that takes a [`Tape`](crate::graph::Tape) and tensors, works out shapes and
//! launch geometry, appends its launches and returns its output. On a training tape it also leaves a step
//! that appends the gradient's launches:
//!
//! ```text
//! pub fn silu(tape: &mut Tape, x: &Tensor) -> Tensor {
//!     let y = tape.temporary(x.shape(), DType::F32);
//!     tape.launch(kernels::elementwise::silu(x.input(), y.output(), …).grid(…));
//!     let (x, out) = (x.clone(), y.clone());
//!     tape.on_backward(move |tape| {
//!         let Some(dy) = tape.gradient(&out) else { return };
//!         let Some(dx) = tape.contribute(&x) else { return };
//!         let so_far = dx.so_far.as_ref().map(Tensor::input);
//!         tape.launch(kernels::elementwise::silu_backward(x.input(), dy.input(), so_far, dx.total.output(), …).grid(…));
//!     });
//!     y
//! }
//! ```
//!
//! Wrong shapes are bugs of the caller, not input of a user: operations panic with both shapes.

pub mod add;
pub mod advance;
pub mod attention;
pub mod bound_terms;
pub mod cast;
pub mod class_embedding;
pub mod conv;
pub mod dropout;
pub mod eps_loss;
pub mod group_norm;
pub mod latent;
pub mod mean_loss;
pub mod moments;
pub mod objective;
pub mod q_sample;
pub mod q_sample_at;
pub mod reverse_update;
pub mod silu;
pub mod timestep_embedding;
pub mod to_u8;
pub mod twice;
