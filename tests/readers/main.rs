//! Readers of files from elsewhere, before damaged ones: each says in one sentence what is wrong, or reads what there is. None
//! panics, and none takes more memory than the size of the file warrants.
//!
//! Damages are the same in every run. `DDPM_DAMAGES=100` makes a hundred times as many.

mod archives;
mod cifar10;
mod configs;
mod damage;
mod heap;
mod npz;
mod pictures;
mod tensors;
mod torch;
mod trial;

#[path = "../common/mod.rs"]
mod common;
