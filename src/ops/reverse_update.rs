//! The reverse process on a batch of samples: the timestep to ask the network about, and the update after it.

use super::q_sample::quad_blocks;
use crate::device::{Buffer, DType, Device, Result};
use crate::graph::{Tape, Tensor};
use crate::kernels::noise;
use crate::random::Stream;
use std::sync::Arc;

/// The steps of a sampler in device memory, and which is next.
#[derive(Debug, Clone)]
pub struct ReverseTable {
    /// f32 `[steps,20]`; `kernels/noise/reverse_update.ptx` says what a row holds.
    pub rows: Tensor,
    /// The timestep of each step, u32 `[steps]`.
    pub timesteps: Tensor,
    /// The counter of sampling steps, u64 `[1]`.
    pub step: Tensor,
    /// w of classifier-free guidance; without it, outputs are there once.
    pub guidance: Option<f32>,
}

/// What the steps of a batch keep for later ones.
pub struct Memory {
    /// A sample, f32 `[B,H,W,C]`.
    anchor: Arc<Buffer>,
    /// The x_0 of three steps, f32 `[3,B,H,W,C]`.
    past: Arc<Buffer>,
    shape: [usize; 4],
}

impl Memory {
    /// Of so many steps.
    pub const STEPS: usize = 3;

    /// For samples of `shape` `[B,H,W,C]`.
    ///
    /// # Errors
    /// If the device has no room for it.
    pub fn new(device: &Device, shape: &[usize; 4]) -> Result<Memory> {
        let elements: usize = shape.iter().product();
        Ok(Memory {
            anchor: Arc::new(device.alloc::<f32>(elements)?),
            past: Arc::new(device.alloc::<f32>(Memory::STEPS * elements)?),
            shape: *shape,
        })
    }

    /// The x_0 of the last step whose number is `slot` modulo [`Memory::STEPS`].
    pub fn x_0(&self, tape: &mut Tape, slot: usize) -> Tensor {
        let elements: usize = self.shape.iter().product();
        tape.resident(&self.past, slot * elements, &self.shape, DType::F32)
    }
}

/// The timestep of the current step for each of `batch` images, u32 `[B]`: input of the network.
pub fn timestep(tape: &mut Tape, table: &ReverseTable, batch: usize) -> Tensor {
    let t = tape.scratch(&[batch], DType::U32);
    let call = noise::timestep(
        table.timesteps.input(),
        table.step.input(),
        t.output(),
        table.timesteps.len() as u32,
        batch as u32,
    );
    tape.launch(call.grid(batch.div_ceil(32), 1, 1));
    t
}

/// Takes `x`, resident f32 `[B,H,W,C]`, one step of the table further, in place, given the network's `output`, of the
/// same shape or with twice the channels, the second half of which is about the variance. With guidance it is of two batches:
/// with the classes of the images, and without.
/// The noise of image n is that of sample number `samples[n]`, u32 `[B]`. Does not move the step counter.
pub fn reverse_update(
    tape: &mut Tape,
    x: &Tensor,
    output: &Tensor,
    memory: Option<&Memory>,
    table: &ReverseTable,
    samples: &Tensor,
    seed: u64,
) {
    let [batch, height, width, channels] = x.dims();
    let [rows, .., outputs] = output.dims::<4>();
    let learned = outputs == 2 * channels;
    let passes = if table.guidance.is_some() { 2 } else { 1 };
    assert!(
        rows == passes * batch && (learned || outputs == channels),
        "a prediction of {:?} for samples of {:?}",
        output.shape(),
        x.shape()
    );
    assert_eq!(samples.shape(), [batch], "sample numbers for {:?}", x.shape());
    let elements = height * width * channels;
    let kept = memory.map(|memory| {
        assert_eq!(x.shape(), memory.shape, "memory for samples of another shape");
        let past = [&[Memory::STEPS], &memory.shape[..]].concat();
        let anchor = tape.resident(&memory.anchor, 0, &memory.shape, DType::F32);
        (anchor, tape.resident(&memory.past, 0, &past, DType::F32))
    });
    let (anchor, past) = kept.as_ref().map(|(anchor, past)| (anchor.in_out(), past.in_out())).unzip();
    let (rows, timesteps, step) = (table.rows.input(), table.timesteps.input(), table.step.input());
    let (x, output, samples, stream) = (x.in_out(), output.input(), samples.input(), Stream::REVERSE.0);
    let (steps, channels, elements) = (table.timesteps.len() as u32, channels as u32, elements as u32);
    let weight = table.guidance.unwrap_or(0.0);
    let call = if learned {
        noise::reverse_update_learned(
            x, output, anchor, past, rows, timesteps, step, samples, seed, stream, steps, channels, elements,
            weight,
        )
    } else {
        noise::reverse_update_fixed(
            x, output, anchor, past, rows, timesteps, step, samples, seed, stream, steps, elements, weight,
        )
    };
    tape.launch(call.grid(quad_blocks(elements as usize), batch, 1));
}
