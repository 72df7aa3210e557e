//! The extents of one convolution, checked.

use super::geometry::Geometry;
use crate::graph::Tensor;

/// Extents in the letters of the kernels: x [N,H,W,C0] and [N,H,W,C1], w [K,R,R,C0+C1], y [N,P,Q,K].
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub images: usize,
    pub height: usize,
    pub width: usize,
    /// C0 and C1; C1 is 0 without a second input.
    pub channels: [usize; 2],
    pub out_height: usize,
    pub out_width: usize,
    pub out_channels: usize,
    pub geometry: Geometry,
}

impl Shape {
    /// # Panics
    /// If the tensors do not fit each other or the geometry.
    pub fn new(inputs: &[&Tensor], weight: &Tensor, geometry: &Geometry) -> Shape {
        assert!(matches!(inputs.len(), 1 | 2), "a convolution has one input or two, not {}", inputs.len());
        let [images, height, width, c0] = inputs[0].dims();
        let c1 = inputs.get(1).map_or(0, |second| {
            let [.., c1] = second.dims::<4>();
            assert_eq!(second.shape(), [images, height, width, c1], "two inputs of a convolution");
            c1
        });
        let [out_channels, rows, columns, channels] = weight.dims();
        let r = geometry.kernel;
        assert_eq!([rows, columns, channels], [r, r, c0 + c1], "weights [K,R,R,C] of a convolution");
        let (out_height, out_width) = geometry.output(height, width);
        let channels = [c0, c1];
        Shape { images, height, width, channels, out_height, out_width, out_channels, geometry: *geometry }
    }

    /// N P Q.
    pub fn out_pixels(&self) -> usize {
        self.images * self.out_height * self.out_width
    }

    /// `[N,P,Q,K]`.
    pub fn output(&self) -> [usize; 4] {
        [self.images, self.out_height, self.out_width, self.out_channels]
    }

    /// Weights of one output channel, R R (C0 + C1).
    pub fn weights(&self) -> usize {
        self.geometry.kernel * self.geometry.kernel * (self.channels[0] + self.channels[1])
    }

    /// Whether the inputs' channels can be loaded by fours.
    pub fn in_fours(&self) -> bool {
        self.channels.iter().all(|channels| channels % 4 == 0)
    }
}

/// A kernel's argument.
///
/// # Panics
/// If the number is beyond what the kernels count with.
pub(super) fn count(number: usize) -> u32 {
    u32::try_from(number).expect("a tensor's elements are counted in 32 bits")
}
