//! Sixteen numbers of f32, in what the level has of vector registers.

use super::math::fused_without_fma;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// A row of sixteen numbers.
///
/// A trait rather than closures, because vector code must be inlined to be compiled for its level.
///
/// # Safety
/// Of all functions: the CPU has the level, and pointers point to sixteen numbers ([`Row::splat`]'s to one).
pub(super) trait Row: Copy {
    unsafe fn zero() -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    /// The number at `from` sixteen times.
    unsafe fn splat(from: *const f32) -> Self;
    unsafe fn add(self, other: Self) -> Self;
    /// `self * b + c` with one rounding.
    unsafe fn fma(self, b: Self, c: Self) -> Self;
}

/// [`Row`] at the portable level.
#[derive(Clone, Copy)]
pub(super) struct Plain([f32; 16]);

impl Row for Plain {
    #[inline(always)]
    unsafe fn zero() -> Plain {
        Plain([0.0; 16])
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Plain {
        // SAFETY: the contract of `Row`.
        Plain(unsafe { from.cast::<[f32; 16]>().read() })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the contract of `Row`.
        unsafe { to.cast::<[f32; 16]>().write(self.0) }
    }
    #[inline(always)]
    unsafe fn splat(from: *const f32) -> Plain {
        // SAFETY: the contract of `Row`.
        Plain([unsafe { *from }; 16])
    }
    #[inline(always)]
    unsafe fn add(self, other: Plain) -> Plain {
        let mut sum = self.0;
        sum.iter_mut().zip(other.0).for_each(|(sum, x)| *sum += x);
        Plain(sum)
    }
    #[inline(always)]
    unsafe fn fma(self, b: Plain, c: Plain) -> Plain {
        let native = cfg!(target_feature = "fma") || cfg!(target_arch = "aarch64");
        let mut sum = c.0;
        for (lane, sum) in sum.iter_mut().enumerate() {
            let (a, b) = (self.0[lane], b.0[lane]);
            *sum = if native { a.mul_add(b, *sum) } else { fused_without_fma(a, b, *sum) };
        }
        Plain(sum)
    }
}

/// [`Row`] with AVX2.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(super) struct Ymm(__m256, __m256);

#[cfg(target_arch = "x86_64")]
impl Row for Ymm {
    #[inline(always)]
    unsafe fn zero() -> Ymm {
        // SAFETY: the contract of `Row`.
        unsafe { Ymm(_mm256_setzero_ps(), _mm256_setzero_ps()) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Ymm {
        // SAFETY: the contract of `Row`.
        unsafe { Ymm(_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the contract of `Row`.
        unsafe {
            _mm256_storeu_ps(to, self.0);
            _mm256_storeu_ps(to.add(8), self.1);
        }
    }
    #[inline(always)]
    unsafe fn splat(from: *const f32) -> Ymm {
        // SAFETY: the contract of `Row`.
        unsafe { Ymm(_mm256_set1_ps(*from), _mm256_set1_ps(*from)) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Ymm) -> Ymm {
        // SAFETY: the contract of `Row`.
        unsafe { Ymm(_mm256_add_ps(self.0, other.0), _mm256_add_ps(self.1, other.1)) }
    }
    #[inline(always)]
    unsafe fn fma(self, b: Ymm, c: Ymm) -> Ymm {
        // SAFETY: the contract of `Row`.
        unsafe { Ymm(_mm256_fmadd_ps(self.0, b.0, c.0), _mm256_fmadd_ps(self.1, b.1, c.1)) }
    }
}

/// [`Row`] with AVX-512.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(super) struct Zmm(__m512);

#[cfg(target_arch = "x86_64")]
impl Row for Zmm {
    #[inline(always)]
    unsafe fn zero() -> Zmm {
        // SAFETY: the contract of `Row`.
        unsafe { Zmm(_mm512_setzero_ps()) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Zmm {
        // SAFETY: the contract of `Row`.
        unsafe { Zmm(_mm512_loadu_ps(from)) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the contract of `Row`.
        unsafe { _mm512_storeu_ps(to, self.0) }
    }
    #[inline(always)]
    unsafe fn splat(from: *const f32) -> Zmm {
        // SAFETY: the contract of `Row`.
        unsafe { Zmm(_mm512_set1_ps(*from)) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Zmm) -> Zmm {
        // SAFETY: the contract of `Row`.
        unsafe { Zmm(_mm512_add_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn fma(self, b: Zmm, c: Zmm) -> Zmm {
        // SAFETY: the contract of `Row`.
        unsafe { Zmm(_mm512_fmadd_ps(self.0, b.0, c.0)) }
    }
}
