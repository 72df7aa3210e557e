//! Between 16 vectors of four words and four registers of 16 lanes.

#[cfg(target_arch = "x86_64")]
use crate::device::soft::level::{AVX2, AVX512};

/// Where the vector of each of 16 lanes is.
///
/// A trait rather than a closure, because vector code must be inlined to be compiled for its level.
pub trait Places {
    /// # Safety
    /// The lane is below 16.
    unsafe fn at(&self, lane: usize) -> *mut u8;
}

/// Vectors that stand one behind the other.
struct Row(*mut u8);

impl Places for Row {
    #[inline(always)]
    unsafe fn at(&self, lane: usize) -> *mut u8 {
        self.0.wrapping_add(16 * lane)
    }
}

/// Lane `l` of `d[k]` becomes word `k` at place `l`, in 16 lanes.
///
/// # Safety
/// Each pointer of `d` has 16 lanes, 16 bytes are readable at each place, and the CPU has level `L`.
#[inline(always)]
pub unsafe fn gather<P: Places, const L: u8>(d: [*mut u32; 4], places: &P) {
    #[cfg(target_arch = "x86_64")]
    {
        if L == AVX512 {
            // SAFETY: the caller's contract.
            return unsafe { x86::gather_avx512(d, places) };
        }
        if L == AVX2 {
            // SAFETY: the caller's contract.
            return unsafe { x86::gather_avx2(d, places) };
        }
    }
    for lane in 0..16 {
        // SAFETY: the caller's contract.
        unsafe {
            let x = places.at(lane).cast::<[u32; 4]>().read_unaligned();
            for k in 0..4 {
                *d[k].add(lane) = x[k];
            }
        }
    }
}

/// As [`gather`] where the vectors stand one behind the other.
///
/// # Safety
/// As for [`gather`], with 256 bytes readable at `from`.
#[inline(always)]
pub unsafe fn rows<const L: u8>(d: [*mut u32; 4], from: *const u8) {
    #[cfg(target_arch = "x86_64")]
    if L == AVX512 {
        // SAFETY: the caller's contract.
        return unsafe { x86::rows_avx512(d, from) };
    }
    // SAFETY: the caller's contract.
    unsafe { gather::<_, L>(d, &Row(from.cast_mut())) }
}

/// Word `k` at place `l` becomes lane `l` of `s[k]`, in 16 lanes, in their order.
///
/// # Safety
/// As for [`gather`], with the places writable.
#[inline(always)]
pub unsafe fn scatter<P: Places, const L: u8>(s: [*const u32; 4], places: &P) {
    #[cfg(target_arch = "x86_64")]
    {
        if L == AVX512 {
            // SAFETY: the caller's contract.
            return unsafe { x86::scatter_avx512(s, places) };
        }
        if L == AVX2 {
            // SAFETY: the caller's contract.
            return unsafe { x86::scatter_avx2(s, places) };
        }
    }
    for lane in 0..16 {
        // SAFETY: the caller's contract.
        unsafe {
            places.at(lane).cast::<[u32; 4]>().write_unaligned([0, 1, 2, 3].map(|k: usize| *s[k].add(lane)))
        };
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Places;
    use std::arch::x86_64::*;

    /// The vectors of lanes `k`, `4 + k`, `8 + k` and `12 + k`, so that a 4×4 transpose inside each 128-bit
    /// part puts lane after lane.
    #[inline(always)]
    unsafe fn row_avx512<P: Places>(places: &P, k: usize) -> __m512i {
        // SAFETY: the contract of `gather`.
        unsafe {
            let v = _mm512_castsi128_si512(_mm_loadu_si128(places.at(k).cast()));
            let v = _mm512_inserti32x4::<1>(v, _mm_loadu_si128(places.at(4 + k).cast()));
            let v = _mm512_inserti32x4::<2>(v, _mm_loadu_si128(places.at(8 + k).cast()));
            _mm512_inserti32x4::<3>(v, _mm_loadu_si128(places.at(12 + k).cast()))
        }
    }

    /// Transposes the 4×4 words in each 128-bit part.
    #[inline(always)]
    unsafe fn transpose_avx512(r: [__m512i; 4]) -> [__m512i; 4] {
        // SAFETY: the contract of `gather`.
        unsafe {
            let (t0, t1) = (_mm512_unpacklo_epi32(r[0], r[1]), _mm512_unpackhi_epi32(r[0], r[1]));
            let (t2, t3) = (_mm512_unpacklo_epi32(r[2], r[3]), _mm512_unpackhi_epi32(r[2], r[3]));
            [
                _mm512_unpacklo_epi64(t0, t2),
                _mm512_unpackhi_epi64(t0, t2),
                _mm512_unpacklo_epi64(t1, t3),
                _mm512_unpackhi_epi64(t1, t3),
            ]
        }
    }

    #[inline(always)]
    unsafe fn transpose_avx2(r: [__m256i; 4]) -> [__m256i; 4] {
        // SAFETY: the contract of `gather`.
        unsafe {
            let (t0, t1) = (_mm256_unpacklo_epi32(r[0], r[1]), _mm256_unpackhi_epi32(r[0], r[1]));
            let (t2, t3) = (_mm256_unpacklo_epi32(r[2], r[3]), _mm256_unpackhi_epi32(r[2], r[3]));
            [
                _mm256_unpacklo_epi64(t0, t2),
                _mm256_unpackhi_epi64(t0, t2),
                _mm256_unpacklo_epi64(t1, t3),
                _mm256_unpackhi_epi64(t1, t3),
            ]
        }
    }

    #[inline(always)]
    pub unsafe fn gather_avx512<P: Places>(d: [*mut u32; 4], places: &P) {
        // SAFETY: the contract of `gather`.
        unsafe {
            let rows =
                [row_avx512(places, 0), row_avx512(places, 1), row_avx512(places, 2), row_avx512(places, 3)];
            let words = transpose_avx512(rows);
            for k in 0..4 {
                _mm512_storeu_si512(d[k].cast(), words[k]);
            }
        }
    }

    /// Eight permutations of two vectors: first words 0 and 1 (2 and 3) of eight lanes, then halves together.
    #[inline(always)]
    pub unsafe fn rows_avx512(d: [*mut u32; 4], from: *const u8) {
        // SAFETY: the contract of `rows`.
        unsafe {
            let (x0, x1) = (_mm512_loadu_si512(from.cast()), _mm512_loadu_si512(from.add(64).cast()));
            let (x2, x3) =
                (_mm512_loadu_si512(from.add(128).cast()), _mm512_loadu_si512(from.add(192).cast()));
            let words01 = _mm512_set_epi32(29, 25, 21, 17, 13, 9, 5, 1, 28, 24, 20, 16, 12, 8, 4, 0);
            let words23 = _mm512_set_epi32(31, 27, 23, 19, 15, 11, 7, 3, 30, 26, 22, 18, 14, 10, 6, 2);
            let low01 = _mm512_permutex2var_epi32(x0, words01, x1);
            let low23 = _mm512_permutex2var_epi32(x0, words23, x1);
            let high01 = _mm512_permutex2var_epi32(x2, words01, x3);
            let high23 = _mm512_permutex2var_epi32(x2, words23, x3);
            _mm512_storeu_si512(d[0].cast(), _mm512_shuffle_i64x2::<0x44>(low01, high01));
            _mm512_storeu_si512(d[1].cast(), _mm512_shuffle_i64x2::<0xEE>(low01, high01));
            _mm512_storeu_si512(d[2].cast(), _mm512_shuffle_i64x2::<0x44>(low23, high23));
            _mm512_storeu_si512(d[3].cast(), _mm512_shuffle_i64x2::<0xEE>(low23, high23));
        }
    }

    #[inline(always)]
    unsafe fn row_avx2<P: Places>(places: &P, first: usize) -> __m256i {
        // SAFETY: the contract of `gather`.
        unsafe {
            let low = _mm_loadu_si128(places.at(first).cast());
            let high = _mm_loadu_si128(places.at(first + 4).cast());
            _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(low), high)
        }
    }

    #[inline(always)]
    pub unsafe fn gather_avx2<P: Places>(d: [*mut u32; 4], places: &P) {
        for first in [0, 8] {
            // SAFETY: the contract of `gather`.
            unsafe {
                let rows = [
                    row_avx2(places, first),
                    row_avx2(places, first + 1),
                    row_avx2(places, first + 2),
                    row_avx2(places, first + 3),
                ];
                let words = transpose_avx2(rows);
                for k in 0..4 {
                    _mm256_storeu_si256(d[k].add(first).cast(), words[k]);
                }
            }
        }
    }

    /// Lanes are stored in their order, so that the last one wins where two write one place.
    #[inline(always)]
    pub unsafe fn scatter_avx512<P: Places>(s: [*const u32; 4], places: &P) {
        // SAFETY: the contract of `scatter`.
        unsafe {
            let rows = transpose_avx512([
                _mm512_loadu_si512(s[0].cast()),
                _mm512_loadu_si512(s[1].cast()),
                _mm512_loadu_si512(s[2].cast()),
                _mm512_loadu_si512(s[3].cast()),
            ]);
            for (k, row) in rows.iter().enumerate() {
                _mm_storeu_si128(places.at(k).cast(), _mm512_extracti32x4_epi32::<0>(*row));
            }
            for (k, row) in rows.iter().enumerate() {
                _mm_storeu_si128(places.at(4 + k).cast(), _mm512_extracti32x4_epi32::<1>(*row));
            }
            for (k, row) in rows.iter().enumerate() {
                _mm_storeu_si128(places.at(8 + k).cast(), _mm512_extracti32x4_epi32::<2>(*row));
            }
            for (k, row) in rows.iter().enumerate() {
                _mm_storeu_si128(places.at(12 + k).cast(), _mm512_extracti32x4_epi32::<3>(*row));
            }
        }
    }

    #[inline(always)]
    pub unsafe fn scatter_avx2<P: Places>(s: [*const u32; 4], places: &P) {
        for first in [0, 8] {
            // SAFETY: the contract of `scatter`.
            unsafe {
                let rows = transpose_avx2([
                    _mm256_loadu_si256(s[0].add(first).cast()),
                    _mm256_loadu_si256(s[1].add(first).cast()),
                    _mm256_loadu_si256(s[2].add(first).cast()),
                    _mm256_loadu_si256(s[3].add(first).cast()),
                ]);
                for (k, row) in rows.iter().enumerate() {
                    _mm_storeu_si128(places.at(first + k).cast(), _mm256_castsi256_si128(*row));
                }
                for (k, row) in rows.iter().enumerate() {
                    _mm_storeu_si128(places.at(first + 4 + k).cast(), _mm256_extracti128_si256::<1>(*row));
                }
            }
        }
    }
}
