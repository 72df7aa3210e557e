//! The U-Net of *Denoising Diffusion Probabilistic Models*, appendix B, with the parameter names of
//! diffusers' checkpoints.
//!
//! A [`UNetConfig`] says what network; [`UNet::new`] lays its parameters out in one arena ([`Layout`]);
//! [`Parameters`] are such an arena on a device; [`UNet::forward`] records the network on a tape.

mod attention_block;
mod config;
mod layers;
mod layout;
mod parameters;
mod pass;
mod precision;
mod resnet;
mod time_embedding;
mod unet;

pub use config::{ConfigError, DIFFUSERS_VERSION, DownsamplePadding, UNetConfig};
pub use layout::{Entry, Init, Layout, Role, Slot};
pub use parameters::{Bound, Parameters};
pub use pass::{Condition, DropoutKey, Trace};
pub use precision::Precision;
pub use unet::UNet;
