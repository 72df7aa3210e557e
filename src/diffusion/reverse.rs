//! The reverse process on a device: a trajectory in device memory, walked by replaying one program.

use super::sampler::{Step, Trajectory};
use crate::device::{Buffer, DType, Device, Result};
use crate::graph::{Tape, Tensor};
use crate::ops::advance::advance;
use crate::ops::latent::latent;
use crate::ops::reverse_update::{Memory, ReverseTable, reverse_update, timestep};
use std::sync::Arc;

/// A trajectory in device memory with a counter of its steps.
///
/// A program that begins a batch records [`Reverse::begin`]. The program of one step records
/// [`Reverse::timestep`], the network, and [`Reverse::update`], and is run [`Reverse::len`] times; nothing
/// comes from the host in between.
pub struct Reverse {
    rows: Arc<Buffer>,
    timesteps: Arc<Buffer>,
    step: Arc<Buffer>,
    len: usize,
    /// Whether steps keep anything for later ones.
    remembers: bool,
    seed: u64,
    guidance: Option<f32>,
}

impl Reverse {
    /// Puts `trajectory` in device memory. Latents and noise are functions of `seed` and of each sample's
    /// number.
    pub fn new(device: &Device, trajectory: &Trajectory, seed: u64) -> Result<Reverse> {
        let rows: Vec<f32> = trajectory.steps.iter().flat_map(|step| step.row()).collect();
        let timesteps: Vec<u32> = trajectory.steps.iter().map(|step| step.t).collect();
        Ok(Reverse {
            rows: Arc::new(device.upload(&rows)?),
            timesteps: Arc::new(device.upload(&timesteps)?),
            step: Arc::new(device.upload(&[0u64])?),
            len: trajectory.steps.len(),
            remembers: trajectory.remembers(),
            seed,
            guidance: None,
        })
    }

    /// The same with classifier-free guidance of weight w: of every image there are two outputs, with its class and without.
    pub fn guided(self, weight: f32) -> Reverse {
        Reverse { guidance: Some(weight), ..self }
    }

    /// Number of steps.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Goes back to the first step, after all queued work.
    pub fn rewind(&self) -> Result<()> {
        self.step.write(0, &[0u64])
    }

    /// Fills `x`, resident f32 `[B,H,W,C]`, with the latents of the samples numbered `samples`, u32 `[B]`.
    pub fn begin(&self, tape: &mut Tape, x: &Tensor, samples: &Tensor) {
        latent(tape, x, samples, self.seed);
    }

    /// The timestep of the current step for each image, u32 `[B]`.
    pub fn timestep(&self, tape: &mut Tape, batch: usize) -> Tensor {
        let table = self.table(tape);
        timestep(tape, &table, batch)
    }

    /// Memory for the samples of `[B,H,W,C]` that steps keep, if they do.
    ///
    /// # Errors
    /// If the device has no room for it.
    pub fn memory(&self, device: &Device, shape: &[usize; 4]) -> Result<Option<Memory>> {
        if self.remembers { Memory::new(device, shape).map(Some) } else { Ok(None) }
    }

    /// Takes `x` one step further in place, given the network's `output`, see [`reverse_update`], and moves the counter on.
    ///
    /// # Panics
    /// If steps keep something and there is no memory for it.
    pub fn update(
        &self,
        tape: &mut Tape,
        x: &Tensor,
        output: &Tensor,
        samples: &Tensor,
        memory: Option<&Memory>,
    ) {
        assert!(memory.is_some() || !self.remembers, "steps with nowhere to keep what they need");
        let table = self.table(tape);
        reverse_update(tape, x, output, memory, &table, samples, self.seed);
        advance(tape, &table.step);
    }

    fn table(&self, tape: &mut Tape) -> ReverseTable {
        ReverseTable {
            rows: tape.resident(&self.rows, 0, &[self.len, Step::ROW], DType::F32),
            timesteps: tape.resident(&self.timesteps, 0, &[self.len], DType::U32),
            step: tape.resident(&self.step, 0, &[1], DType::U64),
            guidance: self.guidance,
        }
    }
}
