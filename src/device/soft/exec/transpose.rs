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
    use std::arch::x86_64::*;

    /// 16 lanes as rows of four lanes: row `k` has lanes `k`, `4 + k`, `8 + k` and `12 + k`, so that a 4×4
    /// transpose inside each 128-bit part puts lane after lane.
    #[inline(always)]
    pub unsafe fn gather4_avx512(d: [*mut u32; 4], at: impl Fn(usize) -> *const u8) {
        for half in 0..2 {
            // SAFETY: the contract of `gather4`.
            unsafe {
                let part = |lane: usize| _mm_loadu_si128(at(16 * half + lane).cast());
                let row = |k: usize| {
                    let v = _mm512_castsi128_si512(part(k));
                    let v = _mm512_inserti32x4::<1>(v, part(4 + k));
                    let v = _mm512_inserti32x4::<2>(v, part(8 + k));
                    _mm512_inserti32x4::<3>(v, part(12 + k))
                };
                let (r0, r1, r2, r3) = (row(0), row(1), row(2), row(3));
                let (t0, t1) = (_mm512_unpacklo_epi32(r0, r1), _mm512_unpackhi_epi32(r0, r1));
                let (t2, t3) = (_mm512_unpacklo_epi32(r2, r3), _mm512_unpackhi_epi32(r2, r3));
                let put = |k: usize, v: __m512i| _mm512_storeu_si512(d[k].add(16 * half).cast(), v);
                put(0, _mm512_unpacklo_epi64(t0, t2));
                put(1, _mm512_unpackhi_epi64(t0, t2));
                put(2, _mm512_unpacklo_epi64(t1, t3));
                put(3, _mm512_unpackhi_epi64(t1, t3));
            }
        }
    }

    #[inline(always)]
    pub unsafe fn gather4_avx2(d: [*mut u32; 4], at: impl Fn(usize) -> *const u8) {
        for eighth in 0..4 {
            // SAFETY: the contract of `gather4`.
            unsafe {
                let part = |lane: usize| _mm_loadu_si128(at(8 * eighth + lane).cast());
                let row =
                    |k: usize| _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(part(k)), part(4 + k));
                let (r0, r1, r2, r3) = (row(0), row(1), row(2), row(3));
                let (t0, t1) = (_mm256_unpacklo_epi32(r0, r1), _mm256_unpackhi_epi32(r0, r1));
                let (t2, t3) = (_mm256_unpacklo_epi32(r2, r3), _mm256_unpackhi_epi32(r2, r3));
                let put = |k: usize, v: __m256i| _mm256_storeu_si256(d[k].add(8 * eighth).cast(), v);
                put(0, _mm256_unpacklo_epi64(t0, t2));
                put(1, _mm256_unpackhi_epi64(t0, t2));
                put(2, _mm256_unpacklo_epi64(t1, t3));
                put(3, _mm256_unpackhi_epi64(t1, t3));
            }
        }
    }

    #[inline(always)]
    pub unsafe fn scatter4_avx512(s: [*const u32; 4], at: impl Fn(usize) -> *mut u8) {
        for half in 0..2 {
            // SAFETY: the contract of `scatter4`.
            unsafe {
                let get = |k: usize| _mm512_loadu_si512(s[k].add(16 * half).cast());
                let (a, b, c, e) = (get(0), get(1), get(2), get(3));
                let (t0, t1) = (_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
                let (t2, t3) = (_mm512_unpacklo_epi32(c, e), _mm512_unpackhi_epi32(c, e));
                let rows = [
                    _mm512_unpacklo_epi64(t0, t2),
                    _mm512_unpackhi_epi64(t0, t2),
                    _mm512_unpacklo_epi64(t1, t3),
                    _mm512_unpackhi_epi64(t1, t3),
                ];
                let put = |lane: usize, v: __m128i| _mm_storeu_si128(at(16 * half + lane).cast(), v);
                // In order of lanes, so that the last one wins where two write one place.
                for k in 0..4 {
                    put(k, _mm512_extracti32x4_epi32::<0>(rows[k]));
                }
                for k in 0..4 {
                    put(4 + k, _mm512_extracti32x4_epi32::<1>(rows[k]));
                }
                for k in 0..4 {
                    put(8 + k, _mm512_extracti32x4_epi32::<2>(rows[k]));
                }
                for k in 0..4 {
                    put(12 + k, _mm512_extracti32x4_epi32::<3>(rows[k]));
                }
            }
        }
    }

    #[inline(always)]
    pub unsafe fn scatter4_avx2(s: [*const u32; 4], at: impl Fn(usize) -> *mut u8) {
        for eighth in 0..4 {
            // SAFETY: the contract of `scatter4`.
            unsafe {
                let get = |k: usize| _mm256_loadu_si256(s[k].add(8 * eighth).cast());
                let (a, b, c, e) = (get(0), get(1), get(2), get(3));
                let (t0, t1) = (_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
                let (t2, t3) = (_mm256_unpacklo_epi32(c, e), _mm256_unpackhi_epi32(c, e));
                let rows = [
                    _mm256_unpacklo_epi64(t0, t2),
                    _mm256_unpackhi_epi64(t0, t2),
                    _mm256_unpacklo_epi64(t1, t3),
                    _mm256_unpackhi_epi64(t1, t3),
                ];
                let put = |lane: usize, v: __m128i| _mm_storeu_si128(at(8 * eighth + lane).cast(), v);
                for k in 0..4 {
                    put(k, _mm256_castsi256_si128(rows[k]));
                }
                for k in 0..4 {
                    put(4 + k, _mm256_extracti128_si256::<1>(rows[k]));
                }
            }
        }
    }
}
