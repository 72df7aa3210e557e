//! The kernels of group normalisation, by element type and by how many channels they take at once.

use super::geometry::Width;
use crate::device::Element;
use crate::kernels::norm::*;
use half::bf16;

/// The kernels that see activations of type `T`.
pub struct Variant<T: Element> {
    pub moments: GroupNormMoments<T>,
    pub apply: GroupNormApply<T>,
    pub backward_sums: GroupNormBackwardSums<T>,
    pub backward_apply: GroupNormBackwardApply<T>,
}

/// An element type of activations.
pub trait Storage: Element {
    /// The kernels that take `width` channels at once.
    fn variant(width: Width) -> Variant<Self>
    where
        Self: Sized;
}

impl Storage for f32 {
    fn variant(width: Width) -> Variant<f32> {
        match width {
            Width::One => Variant {
                moments: group_norm_moments_f32_1,
                apply: group_norm_apply_f32_1,
                backward_sums: group_norm_backward_sums_f32_1,
                backward_apply: group_norm_backward_apply_f32_1,
            },
            Width::Vector => Variant {
                moments: group_norm_moments_f32_4,
                apply: group_norm_apply_f32_4,
                backward_sums: group_norm_backward_sums_f32_4,
                backward_apply: group_norm_backward_apply_f32_4,
            },
        }
    }
}

impl Storage for bf16 {
    /// # Panics
    /// If the numbers of channels are no multiples of 8.
    fn variant(width: Width) -> Variant<bf16> {
        assert_eq!(width, Width::Vector, "bf16 activations have channels by eights");
        Variant {
            moments: group_norm_moments_bf16_8,
            apply: group_norm_apply_bf16_8,
            backward_sums: group_norm_backward_sums_bf16_8,
            backward_apply: group_norm_backward_apply_bf16_8,
        }
    }
}
