//! Questions about the addresses of all lanes at once: are they inside, and how do they lie?

use super::lanes::Lane;
use crate::device::soft::level;

/// How the addresses of 16 lanes lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// All the same.
    Same,
    /// One element behind the other.
    Rows,
    Scattered,
}

/// An address register: 32 bits for shared memory, 64 bits for all else.
pub trait Address: Lane {
    /// Whether `address + shift` is at most `limit` and a multiple of `bytes`, in every lane of `mask`.
    ///
    /// # Safety
    /// `a` points to 32 lanes, and the CPU has level `L`.
    unsafe fn inside<const L: u8>(a: *const Self, shift: Self, limit: u64, bytes: u64, mask: u32) -> bool;

    /// How 16 lanes lie, for elements of `step` bytes.
    ///
    /// # Safety
    /// `a` points to 16 lanes, and the CPU has level `L`.
    unsafe fn lie<const L: u8>(a: *const Self, step: u64) -> Lie;

    /// Whether the lanes of `mask` lie as in [`Lie::Rows`]: lane `l` at `step * l` behind a lane 0 that need
    /// not be in the mask.
    ///
    /// # Safety
    /// As for [`Address::lie`]; `mask` is not empty.
    unsafe fn rows<const L: u8>(a: *const Self, step: u64, mask: u32) -> bool;

    /// `self + shift` as an offset into memory.
    fn offset(self, shift: Self) -> usize;
}

impl Address for u64 {
    #[inline(always)]
    unsafe fn inside<const L: u8>(a: *const u64, shift: u64, limit: u64, bytes: u64, mask: u32) -> bool {
        #[cfg(target_arch = "x86_64")]
        if L == level::AVX512 {
            // SAFETY: the caller's contract.
            return unsafe { avx512::inside64(a, shift, limit, bytes, mask) };
        }
        let mut wrong = 0u64;
        for half in 0..2 {
            // SAFETY: the caller's contract.
            let x = unsafe { a.add(16 * half).cast::<[u64; 16]>().read() };
            for (lane, address) in x.iter().enumerate() {
                let offset = address.wrapping_add(shift);
                let bad = u64::from(offset > limit).wrapping_neg() | (offset & (bytes - 1));
                let active = u64::from(mask >> (16 * half + lane) & 1).wrapping_neg();
                wrong |= bad & active;
            }
        }
        wrong == 0
    }

    #[inline(always)]
    unsafe fn lie<const L: u8>(a: *const u64, step: u64) -> Lie {
        // SAFETY: the caller's contract.
        unsafe {
            let (first, last) = (*a, *a.add(15));
            let (found, answer) = match last.wrapping_sub(first) {
                0 => (follow64::<L>(a, first, 0, 0xFFFF), Lie::Same),
                distance if distance == 15 * step => (follow64::<L>(a, first, step, 0xFFFF), Lie::Rows),
                _ => (false, Lie::Scattered),
            };
            if found { answer } else { Lie::Scattered }
        }
    }

    #[inline(always)]
    unsafe fn rows<const L: u8>(a: *const u64, step: u64, mask: u32) -> bool {
        let lane = mask.trailing_zeros() as usize;
        // SAFETY: the caller's contract.
        unsafe { follow64::<L>(a, (*a.add(lane)).wrapping_sub(step * lane as u64), step, mask) }
    }

    #[inline(always)]
    fn offset(self, shift: u64) -> usize {
        self.wrapping_add(shift) as usize
    }
}

impl Address for u32 {
    #[inline(always)]
    unsafe fn inside<const L: u8>(a: *const u32, shift: u32, limit: u64, bytes: u64, mask: u32) -> bool {
        let limit = limit.min(u64::from(u32::MAX)) as u32;
        #[cfg(target_arch = "x86_64")]
        if L == level::AVX512 {
            // SAFETY: the caller's contract.
            return unsafe { avx512::inside32(a, shift, limit, bytes as u32, mask) };
        }
        let mut wrong = 0u32;
        for half in 0..2 {
            // SAFETY: the caller's contract.
            let x = unsafe { a.add(16 * half).cast::<[u32; 16]>().read() };
            for (lane, address) in x.iter().enumerate() {
                let offset = address.wrapping_add(shift);
                let bad = u32::from(offset > limit).wrapping_neg() | (offset & (bytes as u32 - 1));
                let active = (mask >> (16 * half + lane) & 1).wrapping_neg();
                wrong |= bad & active;
            }
        }
        wrong == 0
    }

    #[inline(always)]
    unsafe fn lie<const L: u8>(a: *const u32, step: u64) -> Lie {
        // SAFETY: the caller's contract.
        unsafe {
            let (first, last) = (*a, *a.add(15));
            let (found, answer) = match last.wrapping_sub(first) {
                0 => (follow32::<L>(a, first, 0, 0xFFFF), Lie::Same),
                distance if distance == 15 * step as u32 => {
                    (follow32::<L>(a, first, step as u32, 0xFFFF), Lie::Rows)
                }
                _ => (false, Lie::Scattered),
            };
            if found { answer } else { Lie::Scattered }
        }
    }

    #[inline(always)]
    unsafe fn rows<const L: u8>(a: *const u32, step: u64, mask: u32) -> bool {
        let (lane, step) = (mask.trailing_zeros(), step as u32);
        // SAFETY: the caller's contract.
        unsafe { follow32::<L>(a, (*a.add(lane as usize)).wrapping_sub(step * lane), step, mask) }
    }

    #[inline(always)]
    fn offset(self, shift: u32) -> usize {
        self.wrapping_add(shift) as usize
    }
}

/// Whether lane `l` is `first + stride * l` for all 16 lanes of `mask`.
///
/// # Safety
/// As for [`Address::lie`].
#[inline(always)]
unsafe fn follow64<const L: u8>(a: *const u64, first: u64, stride: u64, mask: u32) -> bool {
    #[cfg(target_arch = "x86_64")]
    if L == level::AVX512 {
        // SAFETY: the caller's contract.
        return unsafe { avx512::follow64(a, first, stride, mask) };
    }
    // SAFETY: the caller's contract.
    let x = unsafe { a.cast::<[u64; 16]>().read() };
    let mut wrong = 0;
    for (lane, address) in x.iter().enumerate() {
        let active = u64::from(mask >> lane & 1).wrapping_neg();
        wrong |= (address ^ first.wrapping_add(stride * lane as u64)) & active;
    }
    wrong == 0
}

/// As [`follow64`].
///
/// # Safety
/// As for [`Address::lie`].
#[inline(always)]
unsafe fn follow32<const L: u8>(a: *const u32, first: u32, stride: u32, mask: u32) -> bool {
    #[cfg(target_arch = "x86_64")]
    if L == level::AVX512 {
        // SAFETY: the caller's contract.
        return unsafe { avx512::follow32(a, first, stride, mask) };
    }
    // SAFETY: the caller's contract.
    let x = unsafe { a.cast::<[u32; 16]>().read() };
    let mut wrong = 0;
    for (lane, address) in x.iter().enumerate() {
        let active = (mask >> lane & 1).wrapping_neg();
        wrong |= (address ^ first.wrapping_add(stride * lane as u32)) & active;
    }
    wrong == 0
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::*;

    #[inline(always)]
    pub unsafe fn inside64(a: *const u64, shift: u64, limit: u64, bytes: u64, mask: u32) -> bool {
        // SAFETY: the contract of `Address::inside`.
        unsafe {
            let (shift, limit) = (_mm512_set1_epi64(shift as i64), _mm512_set1_epi64(limit as i64));
            let low = _mm512_set1_epi64(bytes as i64 - 1);
            let mut wrong = 0u32;
            for quarter in 0..4 {
                let x = _mm512_add_epi64(_mm512_loadu_si512(a.add(8 * quarter).cast()), shift);
                let bad = _mm512_cmpgt_epu64_mask(x, limit) | _mm512_test_epi64_mask(x, low);
                wrong |= u32::from(bad) << (8 * quarter);
            }
            wrong & mask == 0
        }
    }

    #[inline(always)]
    pub unsafe fn inside32(a: *const u32, shift: u32, limit: u32, bytes: u32, mask: u32) -> bool {
        // SAFETY: the contract of `Address::inside`.
        unsafe {
            let (shift, limit) = (_mm512_set1_epi32(shift as i32), _mm512_set1_epi32(limit as i32));
            let low = _mm512_set1_epi32(bytes as i32 - 1);
            let mut wrong = 0u32;
            for half in 0..2 {
                let x = _mm512_add_epi32(_mm512_loadu_si512(a.add(16 * half).cast()), shift);
                let bad = _mm512_cmpgt_epu32_mask(x, limit) | _mm512_test_epi32_mask(x, low);
                wrong |= u32::from(bad) << (16 * half);
            }
            wrong & mask == 0
        }
    }

    #[inline(always)]
    pub unsafe fn follow64(a: *const u64, first: u64, stride: u64, mask: u32) -> bool {
        // SAFETY: the contract of `Address::lie`.
        unsafe {
            let lanes = _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0);
            let stride8 = _mm512_set1_epi64(8 * stride as i64);
            let low = _mm512_add_epi64(
                _mm512_set1_epi64(first as i64),
                _mm512_mullo_epi64(lanes, _mm512_set1_epi64(stride as i64)),
            );
            let high = _mm512_add_epi64(low, stride8);
            let wrong_low = _mm512_cmpneq_epi64_mask(_mm512_loadu_si512(a.cast()), low);
            let wrong_high = _mm512_cmpneq_epi64_mask(_mm512_loadu_si512(a.add(8).cast()), high);
            (u32::from(wrong_low) | u32::from(wrong_high) << 8) & mask == 0
        }
    }

    #[inline(always)]
    pub unsafe fn follow32(a: *const u32, first: u32, stride: u32, mask: u32) -> bool {
        // SAFETY: the contract of `Address::lie`.
        unsafe {
            let lanes = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
            let expected = _mm512_add_epi32(
                _mm512_set1_epi32(first as i32),
                _mm512_mullo_epi32(lanes, _mm512_set1_epi32(stride as i32)),
            );
            let wrong = _mm512_cmpneq_epi32_mask(_mm512_loadu_si512(a.cast()), expected);
            u32::from(wrong) & mask == 0
        }
    }
}
