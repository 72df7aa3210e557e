//! Where each parameter is in the flat arena of weights.
//!
//! Weights, gradients, Adam's moments and the averaged weights are arenas of one layout. A tensor has a name
//! and shape in checkpoints (PyTorch's: convolutions `[out, in, height, width]`) and a place and shape in the
//! arena (convolutions `[out, height, width, in]`, the channels together as in NHWC activations).

use std::collections::HashMap;

/// Tensors begin at multiples of 128 bytes.
const ALIGNMENT: usize = 128 / size_of::<f32>();

/// A dense tensor in an arena.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The element at which it begins.
    pub first: usize,
    pub shape: Vec<usize>,
}

impl Slot {
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What a tensor is, which says how its elements are ordered in checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `[K, R, S, C]` in the arena, `[K, C, R, S]` in a checkpoint.
    Convolution,
    /// `[out, in]` in both.
    Linear,
    /// One dimension.
    Vector,
}

/// How a tensor begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    Constant(f32),
    /// Uniform on `±sqrt(3 scale / n)`, where n is the mean of the fans in and out.
    FanAverage {
        scale: f64,
    },
    /// Uniform with a variance of 1.
    Unit,
}

/// A tensor of the checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The checkpoint's name, `down_blocks.0.resnets.1.conv1.weight`.
    pub name: String,
    pub slot: Slot,
    pub role: Role,
    pub init: Init,
}

impl Entry {
    /// The shape in checkpoints.
    pub fn checkpoint_shape(&self) -> Vec<usize> {
        match (self.role, self.slot.shape.as_slice()) {
            (Role::Convolution, &[k, r, s, c]) => vec![k, c, r, s],
            (_, shape) => shape.to_vec(),
        }
    }

    /// Whether a checkpoint's tensor of this shape can be it: old ones keep the linear weights of attention
    /// as 1 x 1 convolutions.
    pub fn accepts(&self, shape: &[usize]) -> bool {
        shape == self.checkpoint_shape()
            || (self.role == Role::Linear && shape == [&self.slot.shape[..], &[1, 1]].concat())
    }

    /// Reorders a checkpoint's elements into the arena's.
    fn to_arena(&self, checkpoint: &[f32], arena: &mut [f32]) {
        let Some((area, channels)) = self.permuted() else { return arena.copy_from_slice(checkpoint) };
        for (from, to) in
            checkpoint.chunks_exact(area * channels).zip(arena.chunks_exact_mut(area * channels))
        {
            transpose(from, to, channels, area);
        }
    }

    /// Reorders the arena's elements into a checkpoint's.
    fn to_checkpoint(&self, arena: &[f32]) -> Vec<f32> {
        let Some((area, channels)) = self.permuted() else { return arena.to_vec() };
        let mut checkpoint = vec![0.0; arena.len()];
        for (from, to) in
            arena.chunks_exact(area * channels).zip(checkpoint.chunks_exact_mut(area * channels))
        {
            transpose(from, to, area, channels);
        }
        checkpoint
    }

    /// Pixels of the kernel and input channels, if the two orders differ.
    fn permuted(&self) -> Option<(usize, usize)> {
        match *self.slot.shape.as_slice() {
            [_, r, s, c] if r * s > 1 => Some((r * s, c)),
            _ => None,
        }
    }
}

/// `to[j][i] = from[i][j]` for `rows` of `from`.
fn transpose(from: &[f32], to: &mut [f32], rows: usize, columns: usize) {
    for (i, row) in from.chunks_exact(columns).enumerate() {
        for (j, &value) in row.iter().enumerate() {
            to[j * rows + i] = value;
        }
    }
}

/// The tensors of a network in an arena of f32.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Layout {
    entries: Vec<Entry>,
    by_name: HashMap<String, usize>,
    len: usize,
}

impl Layout {
    /// The tensors in the order in which the network uses them.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The tensor of that name.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.by_name.get(name).map(|&at| &self.entries[at])
    }

    /// Elements of an arena, padding included.
    pub fn len(&self) -> usize {
        self.len.next_multiple_of(ALIGNMENT)
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Number of parameters, padding not included.
    pub fn parameters(&self) -> usize {
        self.entries.iter().map(|entry| entry.slot.len()).sum()
    }

    /// An arena of what `tensor` gives for each entry, in the checkpoint's order of elements; padding is 0.
    ///
    /// # Errors
    /// The first error of `tensor`.
    ///
    /// # Panics
    /// If `tensor` gives another number of elements than the entry has.
    pub fn pack<E>(&self, mut tensor: impl FnMut(&Entry) -> Result<Vec<f32>, E>) -> Result<Vec<f32>, E> {
        let mut arena = vec![0.0; self.len()];
        for entry in &self.entries {
            entry.to_arena(&tensor(entry)?, &mut arena[entry.slot.first..][..entry.slot.len()]);
        }
        Ok(arena)
    }

    /// The elements of one entry of an arena, in the checkpoint's order.
    pub fn unpack(&self, arena: &[f32], entry: &Entry) -> Vec<f32> {
        entry.to_checkpoint(&arena[entry.slot.first..][..entry.slot.len()])
    }

    /// Places a convolution's weight `[K, R, S, C]` at the next aligned element.
    pub(super) fn convolution(&mut self, name: String, shape: [usize; 4], init: Init) -> Slot {
        self.align();
        self.push(name, shape.to_vec(), Role::Convolution, init)
    }

    /// Places linear weights `[out, in]` of equal shape one behind the other, and gives the block
    /// `[sum of out, in]`.
    pub(super) fn linear(&mut self, names: &[String], shape: [usize; 2], init: Init) -> Slot {
        self.align();
        let first = self.len;
        for name in names {
            self.push(name.clone(), shape.to_vec(), Role::Linear, init);
        }
        Slot { first, shape: vec![names.len() * shape[0], shape[1]] }
    }

    /// Places vectors of equal length one behind the other, and gives the block.
    pub(super) fn vector(&mut self, names: &[String], len: usize, value: f32) -> Slot {
        self.align();
        let first = self.len;
        for name in names {
            self.push(name.clone(), vec![len], Role::Vector, Init::Constant(value));
        }
        Slot { first, shape: vec![names.len() * len] }
    }

    fn align(&mut self) {
        self.len = self.len.next_multiple_of(ALIGNMENT);
    }

    fn push(&mut self, name: String, shape: Vec<usize>, role: Role, init: Init) -> Slot {
        let slot = Slot { first: self.len, shape };
        self.len += slot.len();
        let clash = self.by_name.insert(name.clone(), self.entries.len());
        assert!(clash.is_none(), "two parameters are named {name}");
        self.entries.push(Entry { name, slot: slot.clone(), role, init });
        slot
    }
}
