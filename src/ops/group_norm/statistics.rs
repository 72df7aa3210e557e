//! Mean and deviation of the groups, from the moments of parts of them.

use super::geometry::Geometry;
use crate::device::DType;
use crate::graph::{Tape, Tensor};
use crate::kernels::norm::group_norm_statistics;
use crate::ops::moments::{CHANNELS, PIXELS};

/// Threads of a block.
const THREADS: usize = 128;
/// Parts that a thread merges, if there are not too many, before threads are merged.
const PARTS: usize = 4;
/// Threads that share a group: so many if there are parts for them, so that they read whole sectors, and at most.
const LANES: (usize, usize) = (8, 32);

/// Moments (mean, sum of squares about it) of parts of the inputs: `[.., C1 / unit, 2]`, and of the second input if that
/// has its own.
pub struct Moments {
    pub first: Tensor,
    pub second: Option<Tensor>,
    /// Pixels of a part, fewer in the last one.
    pub span: usize,
    /// Channels of a part.
    pub unit: usize,
}

impl Moments {
    /// Those that the convolutions that wrote `inputs` have left, if all did and the groups are made of whole parts.
    pub fn left(tape: &Tape, inputs: &[&Tensor], geometry: &Geometry) -> Option<Moments> {
        let whole = (geometry.pixels as usize).is_multiple_of(PIXELS)
            && (geometry.group_channels as usize).is_multiple_of(CHANNELS);
        if !whole {
            return None;
        }
        let mut left = inputs.iter().map(|input| tape.attached(input).cloned());
        let first = left.next().flatten()?;
        let second = match left.next() {
            Some(second) => Some(second?),
            None => None,
        };
        Some(Moments { first, second, span: PIXELS, unit: CHANNELS })
    }

    /// (mean, 1 / sqrt(var + eps)) of each group of each image, f32 `[N,G,2]`.
    pub fn statistics(&self, tape: &mut Tape, geometry: &Geometry, eps: f32) -> Tensor {
        let Geometry { images, channels, group_channels, pixels, .. } = *geometry;
        let columns = |tensor: &Tensor| {
            let [.., columns, 2] = *tensor.shape() else { panic!("moments of a shape {:?}", tensor.shape()) };
            columns as u32
        };
        let groups = channels / group_channels;
        let group_columns = group_channels as usize / self.unit;
        let parts = (pixels as usize).div_ceil(self.span) * group_columns;
        let lanes = parts.div_ceil(PARTS).max(parts.min(LANES.0)).next_power_of_two().min(LANES.1);
        let statistics = tape.scratch(&[images as usize, groups as usize, 2], DType::F32);
        let call = group_norm_statistics(
            self.first.input(),
            self.second.as_ref().map(Tensor::input),
            statistics.output(),
            images * groups,
            groups,
            group_columns as u32,
            columns(&self.first),
            self.second.as_ref().map_or(0, columns),
            pixels,
            self.span as u32,
            self.unit as u32,
            lanes as u32,
            geometry.inverse_count(),
            eps,
        );
        tape.launch(call.grid(((images * groups) as usize * lanes).div_ceil(THREADS), 1, 1));
        statistics
    }
}
