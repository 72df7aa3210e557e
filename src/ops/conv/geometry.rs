//! Which input pixels an output pixel of a convolution sees.

/// Kernel size, stride, padding and upsampling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// Rows and columns of the filter: 1 or 3.
    pub kernel: usize,
    /// 1 or 2.
    pub stride: usize,
    pub pad: Padding,
    /// The input counts as upsampled to twice its height and width, each pixel repeated 2 x 2.
    pub upsample: bool,
}

/// Zeros around an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    None,
    /// One on all sides.
    Same,
    /// One below and one to the right, none above and to the left: the downsampling of Ho et al.
    BottomRight,
}

impl Padding {
    /// Zeros above, and to the left.
    pub(super) fn before(self) -> usize {
        usize::from(self == Padding::Same)
    }

    /// Zeros below, and to the right.
    fn after(self) -> usize {
        usize::from(self != Padding::None)
    }
}

impl Geometry {
    /// 1x1: a matrix product at every pixel.
    pub const POINTWISE: Geometry = Geometry { kernel: 1, stride: 1, pad: Padding::None, upsample: false };

    /// 3x3 that keeps height and width.
    pub const SAME_3X3: Geometry = Geometry { kernel: 3, stride: 1, pad: Padding::Same, upsample: false };

    /// 3x3 that keeps height and width, of the image upsampled by 2.
    pub const UP_3X3: Geometry = Geometry { kernel: 3, stride: 1, pad: Padding::Same, upsample: true };

    /// 3x3 with stride 2.
    pub const fn down(pad: Padding) -> Geometry {
        Geometry { kernel: 3, stride: 2, pad, upsample: false }
    }

    /// Height and width of the output for an input of `height` x `width`.
    ///
    /// # Panics
    /// If the padded input is smaller than the filter.
    pub fn output(&self, height: usize, width: usize) -> (usize, usize) {
        (self.extent(height), self.extent(width))
    }

    /// Whether every output pixel lies on an input pixel, in the middle of its taps.
    pub(super) fn keeps_extent(&self) -> bool {
        let pad = if self.kernel == 1 { Padding::None } else { Padding::Same };
        self.stride == 1 && !self.upsample && self.pad == pad
    }

    fn extent(&self, input: usize) -> usize {
        let padded = self.pad.before() + (input << self.up()) + self.pad.after();
        assert!(padded >= self.kernel, "a padded extent of {padded} under a filter of {}", self.kernel);
        (padded - self.kernel) / self.stride + 1
    }

    /// log2 of the upsampling.
    pub(super) fn up(&self) -> u32 {
        u32::from(self.upsample)
    }
}
