//! Between 32 vectors of four words and four registers of 32 lanes.

/// Lane `l` of `d[k]` becomes word `k` at `at(l)`.
///
/// # Safety
/// Each pointer of `d` has 32 lanes, 16 bytes are readable at each `at(l)`, and the CPU has level `L`.
#[inline(always)]
pub unsafe fn gather4<const L: u8>(d: [*mut u32; 4], at: impl Fn(usize) -> *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use super::super::level::{AVX2, AVX512};
        if L == AVX512 {
            // SAFETY: the caller's contract.
            return unsafe { x86::gather4_avx512(d, at) };
        }
        if L == AVX2 {
            // SAFETY: the caller's contract.
            return unsafe { x86::gather4_avx2(d, at) };
        }
    }
    for lane in 0..32 {
        // SAFETY: the caller's contract.
        unsafe {
            let x = at(lane).cast::<[u32; 4]>().read_unaligned();
            for k in 0..4 {
                *d[k].add(lane) = x[k];
            }
        }
    }
}

/// Word `k` at `at(l)` becomes lane `l` of `s[k]`.
///
/// # Safety
/// As for [`gather4`], with the places writable.
#[inline(always)]
pub unsafe fn scatter4<const L: u8>(s: [*const u32; 4], at: impl Fn(usize) -> *mut u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use super::super::level::{AVX2, AVX512};
        if L == AVX512 {
            // SAFETY: the caller's contract.
            return unsafe { x86::scatter4_avx512(s, at) };
        }
        if L == AVX2 {
            // SAFETY: the caller's contract.
            return unsafe { x86::scatter4_avx2(s, at) };
        }
    }
    for lane in 0..32 {
        // SAFETY: the caller's contract.
        unsafe { at(lane).cast::<[u32; 4]>().write_unaligned([0, 1, 2, 3].map(|k: usize| *s[k].add(lane))) };
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    //! No closures around intrinsics here: a closure is compiled without the level's target features, and then
    //! each of its intrinsics is a call.

    use std::arch::x86_64::*;

    /// The 16 bytes of lanes `lane`, `lane + 4`, `lane + 8` and `lane + 12`, one above the other.
    #[inline(always)]
    unsafe fn row_avx512(at: &impl Fn(usize) -> *const u8, lane: usize) -> __m512i {
        // SAFETY: the contract of `gather4`.
        unsafe {
            let v = _mm512_castsi128_si512(_mm_loadu_si128(at(lane).cast()));
            let v = _mm512_inserti32x4::<1>(v, _mm_loadu_si128(at(lane + 4).cast()));
            let v = _mm512_inserti32x4::<2>(v, _mm_loadu_si128(at(lane + 8).cast()));
            _mm512_inserti32x4::<3>(v, _mm_loadu_si128(at(lane + 12).cast()))
        }
    }

    #[inline(always)]
    unsafe fn row_avx2(at: &impl Fn(usize) -> *const u8, lane: usize) -> __m256i {
        // SAFETY: the contract of `gather4`.
        unsafe {
            let v = _mm256_castsi128_si256(_mm_loadu_si128(at(lane).cast()));
            _mm256_inserti128_si256::<1>(v, _mm_loadu_si128(at(lane + 4).cast()))
        }
    }

    /// Transposes the 4×4 words of each 128-bit part.
    #[inline(always)]
    unsafe fn transpose_avx512(r: [__m512i; 4]) -> [__m512i; 4] {
        // SAFETY: the CPU has AVX-512.
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

    /// Transposes the 4×4 words of each 128-bit part.
    #[inline(always)]
    unsafe fn transpose_avx2(r: [__m256i; 4]) -> [__m256i; 4] {
        // SAFETY: the CPU has AVX2.
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

    /// 16 lanes as rows of four lanes: row `k` has lanes `k`, `4 + k`, `8 + k` and `12 + k`, so that a 4×4
    /// transpose inside each 128-bit part puts lane after lane.
    #[inline(always)]
    pub unsafe fn gather4_avx512(d: [*mut u32; 4], at: impl Fn(usize) -> *const u8) {
        for first in [0, 16] {
            // SAFETY: the contract of `gather4`.
            unsafe {
                let rows = [
                    row_avx512(&at, first),
                    row_avx512(&at, first + 1),
                    row_avx512(&at, first + 2),
                    row_avx512(&at, first + 3),
                ];
                let words = transpose_avx512(rows);
                for (d, words) in d.into_iter().zip(words) {
                    _mm512_storeu_si512(d.add(first).cast(), words);
                }
            }
        }
    }

    #[inline(always)]
    pub unsafe fn gather4_avx2(d: [*mut u32; 4], at: impl Fn(usize) -> *const u8) {
        for first in [0, 8, 16, 24] {
            // SAFETY: the contract of `gather4`.
            unsafe {
                let rows = [
                    row_avx2(&at, first),
                    row_avx2(&at, first + 1),
                    row_avx2(&at, first + 2),
                    row_avx2(&at, first + 3),
                ];
                let words = transpose_avx2(rows);
                for (d, words) in d.into_iter().zip(words) {
                    _mm256_storeu_si256(d.add(first).cast(), words);
                }
            }
        }
    }

    /// In order of lanes, so that the last one wins where two write one place.
    #[inline(always)]
    pub unsafe fn scatter4_avx512(s: [*const u32; 4], at: impl Fn(usize) -> *mut u8) {
        for first in [0, 16] {
            // SAFETY: the contract of `scatter4`.
            unsafe {
                let words = [
                    _mm512_loadu_si512(s[0].add(first).cast()),
                    _mm512_loadu_si512(s[1].add(first).cast()),
                    _mm512_loadu_si512(s[2].add(first).cast()),
                    _mm512_loadu_si512(s[3].add(first).cast()),
                ];
                let rows = transpose_avx512(words);
                for (k, row) in rows.into_iter().enumerate() {
                    _mm_storeu_si128(at(first + k).cast(), _mm512_castsi512_si128(row));
                }
                for (k, row) in rows.into_iter().enumerate() {
                    _mm_storeu_si128(at(first + 4 + k).cast(), _mm512_extracti32x4_epi32::<1>(row));
                }
                for (k, row) in rows.into_iter().enumerate() {
                    _mm_storeu_si128(at(first + 8 + k).cast(), _mm512_extracti32x4_epi32::<2>(row));
                }
                for (k, row) in rows.into_iter().enumerate() {
                    _mm_storeu_si128(at(first + 12 + k).cast(), _mm512_extracti32x4_epi32::<3>(row));
                }
            }
        }
    }

    #[inline(always)]
    pub unsafe fn scatter4_avx2(s: [*const u32; 4], at: impl Fn(usize) -> *mut u8) {
        for first in [0, 8, 16, 24] {
            // SAFETY: the contract of `scatter4`.
            unsafe {
                let words = [
                    _mm256_loadu_si256(s[0].add(first).cast()),
                    _mm256_loadu_si256(s[1].add(first).cast()),
                    _mm256_loadu_si256(s[2].add(first).cast()),
                    _mm256_loadu_si256(s[3].add(first).cast()),
                ];
                let rows = transpose_avx2(words);
                for (k, row) in rows.into_iter().enumerate() {
                    _mm_storeu_si128(at(first + k).cast(), _mm256_castsi256_si128(row));
                }
                for (k, row) in rows.into_iter().enumerate() {
                    _mm_storeu_si128(at(first + 4 + k).cast(), _mm256_extracti128_si256::<1>(row));
                }
            }
        }
    }
}
