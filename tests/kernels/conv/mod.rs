//! Convolution and linear layers, forward and backward.

mod backward;
mod bits;
mod case;
mod few;
mod forward;
mod linear;
mod moments;
mod phases;
mod shortcut;
mod traffic;
