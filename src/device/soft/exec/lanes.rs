//! Lane-wise instructions: a function of one to three values, applied to 32 lanes.
//!
//! The loops read 16 lanes by value, compute into a local array and store it, which the compiler turns
//! into full vectors; a masked write is a bit select. The function is a type without size, so it is
//! compiled into the loop.

use super::{Body, Handler, Inst, Warp, handler};
use crate::device::soft::level::Level;
use std::marker::PhantomData;

/// Lanes in one pass of a loop.
pub(super) const HALF: usize = 16;

/// A value that a lane of a slot, or of two slots, holds.
pub(in crate::device::soft) trait Lane: Copy + Default + 'static {
    /// `new` where bit `lane` of `mask` is set, else `old`.
    fn select(mask: u32, lane: usize, new: Self, old: Self) -> Self;
}

macro_rules! lane_types {
    ($($ty:ty as $bits:ty, $to:path, $from:path);* $(;)?) => { $(
        impl Lane for $ty {
            #[inline(always)]
            fn select(mask: u32, lane: usize, new: Self, old: Self) -> Self {
                let keep = <$bits>::from((mask >> lane) & 1).wrapping_neg();
                $from(($to(new) & keep) | ($to(old) & !keep))
            }
        }
    )* };
}
lane_types! {
    u32 as u32, u32::from, u32::from;
    i32 as u32, i32::cast_unsigned, u32::cast_signed;
    f32 as u32, f32::to_bits, f32::from_bits;
    u64 as u64, u64::from, u64::from;
    i64 as u64, i64::cast_unsigned, u64::cast_signed;
    f64 as u64, f64::to_bits, f64::from_bits;
}

/// The one value of a function type without size.
#[inline(always)]
pub(super) fn function<F: Copy>() -> F {
    const { assert!(size_of::<F>() == 0) };
    // SAFETY: a type without size has no bytes to read, and whoever made the handler had a value of it.
    unsafe { std::ptr::NonNull::<F>::dangling().read() }
}

/// Writes 16 lanes from `out`, all of them or those of `mask`.
///
/// # Safety
/// `d` points to 16 lanes, and the CPU has level `L`.
#[inline(always)]
pub(super) unsafe fn write_half<D: Lane, const L: u8>(d: *mut D, mask: u32, full: bool, out: [D; HALF]) {
    if full {
        // SAFETY: the caller's contract.
        unsafe { d.cast::<[D; HALF]>().write(out) };
        return;
    }
    #[cfg(target_arch = "x86_64")]
    if L == crate::device::soft::level::AVX512 {
        // SAFETY: the caller's contract.
        return unsafe { write_masked_avx512(d, mask as u16, &out) };
    }
    // SAFETY: the caller's contract.
    let old = unsafe { d.cast::<[D; HALF]>().read() };
    let mut merged = [D::default(); HALF];
    for lane in 0..HALF {
        merged[lane] = D::select(mask, lane, out[lane], old[lane]);
    }
    // SAFETY: the caller's contract.
    unsafe { d.cast::<[D; HALF]>().write(merged) };
}

/// # Safety
/// As for [`write_half`].
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn write_masked_avx512<D: Lane>(d: *mut D, mask: u16, out: &[D; HALF]) {
    use std::arch::x86_64::*;
    let from = out.as_ptr();
    // SAFETY: the caller's contract; lanes have 4 or 8 bytes.
    unsafe {
        if size_of::<D>() == 4 {
            _mm512_mask_storeu_epi32(d.cast(), mask, _mm512_loadu_si512(from.cast()));
        } else {
            let (low, high) = (_mm512_loadu_si512(from.cast()), _mm512_loadu_si512(from.add(8).cast()));
            _mm512_mask_storeu_epi64(d.cast(), mask as u8, low);
            _mm512_mask_storeu_epi64(d.add(8).cast(), (mask >> 8) as u8, high);
        }
    }
}

/// `a` where the mask has a bit, else `b`.
///
/// # Safety
/// The CPU has level `L`.
#[inline(always)]
pub(super) unsafe fn blend<D: Lane, const L: u8>(mask: u32, a: &[D; HALF], b: &[D; HALF]) -> [D; HALF] {
    let mut out = *b;
    #[cfg(target_arch = "x86_64")]
    if L == crate::device::soft::level::AVX512 {
        // SAFETY: `out` has 16 lanes, and the level is there.
        unsafe { write_masked_avx512(out.as_mut_ptr(), mask as u16, a) };
        return out;
    }
    for lane in 0..HALF {
        out[lane] = D::select(mask, lane, a[lane], b[lane]);
    }
    out
}

struct Map1<A, D, F>(PhantomData<(A, D, F)>);

impl<A: Lane, D: Lane, F: Fn(A) -> D + Copy> Map1<A, D, F> {
    /// # Safety
    /// The pointers have 32 lanes, and the CPU has level `L`.
    #[inline(always)]
    unsafe fn pass<const L: u8, const FULL: bool>(d: *mut D, a: *const A, mask: u32) {
        let f = function::<F>();
        for half in 0..2 {
            // SAFETY: the caller's contract.
            unsafe {
                let x = a.add(HALF * half).cast::<[A; HALF]>().read();
                let mut out = [D::default(); HALF];
                for lane in 0..HALF {
                    out[lane] = f(x[lane]);
                }
                write_half::<_, L>(d.add(HALF * half), mask >> (HALF * half), FULL, out);
            }
        }
    }
}

impl<A: Lane, D: Lane, F: Fn(A) -> D + Copy> Body for Map1<A, D, F> {
    #[inline(always)]
    unsafe fn run<const L: u8>(ip: *const Inst, warp: &mut Warp) -> *const Inst {
        // SAFETY: slots of a decoded instruction lie in the warp's register file.
        unsafe {
            let i = &*ip;
            let mask = warp.mask(i);
            let (d, a) = (warp.slot::<D>(i.d), warp.slot::<A>(i.a));
            if mask == !0 {
                Self::pass::<L, true>(d, a, mask);
            } else if mask != 0 {
                Self::pass::<L, false>(d, a, mask);
            }
            ip.add(1)
        }
    }
}

struct Map2<A, B, D, F>(PhantomData<(A, B, D, F)>);

impl<A: Lane, B: Lane, D: Lane, F: Fn(A, B) -> D + Copy> Map2<A, B, D, F> {
    /// # Safety
    /// The pointers have 32 lanes, and the CPU has level `L`.
    #[inline(always)]
    unsafe fn pass<const L: u8, const FULL: bool>(d: *mut D, a: *const A, b: *const B, mask: u32) {
        let f = function::<F>();
        for half in 0..2 {
            // SAFETY: the caller's contract.
            unsafe {
                let x = a.add(HALF * half).cast::<[A; HALF]>().read();
                let y = b.add(HALF * half).cast::<[B; HALF]>().read();
                let mut out = [D::default(); HALF];
                for lane in 0..HALF {
                    out[lane] = f(x[lane], y[lane]);
                }
                write_half::<_, L>(d.add(HALF * half), mask >> (HALF * half), FULL, out);
            }
        }
    }
}

impl<A: Lane, B: Lane, D: Lane, F: Fn(A, B) -> D + Copy> Body for Map2<A, B, D, F> {
    #[inline(always)]
    unsafe fn run<const L: u8>(ip: *const Inst, warp: &mut Warp) -> *const Inst {
        // SAFETY: slots of a decoded instruction lie in the warp's register file.
        unsafe {
            let i = &*ip;
            let mask = warp.mask(i);
            let (d, a, b) = (warp.slot::<D>(i.d), warp.slot::<A>(i.a), warp.slot::<B>(i.b));
            if mask == !0 {
                Self::pass::<L, true>(d, a, b, mask);
            } else if mask != 0 {
                Self::pass::<L, false>(d, a, b, mask);
            }
            ip.add(1)
        }
    }
}

struct Map3<A, B, C, D, F>(PhantomData<(A, B, C, D, F)>);

impl<A: Lane, B: Lane, C: Lane, D: Lane, F: Fn(A, B, C) -> D + Copy> Map3<A, B, C, D, F> {
    /// # Safety
    /// The pointers have 32 lanes, and the CPU has level `L`.
    #[inline(always)]
    unsafe fn pass<const L: u8, const FULL: bool>(
        d: *mut D,
        a: *const A,
        b: *const B,
        c: *const C,
        mask: u32,
    ) {
        let f = function::<F>();
        for half in 0..2 {
            // SAFETY: the caller's contract.
            unsafe {
                let x = a.add(HALF * half).cast::<[A; HALF]>().read();
                let y = b.add(HALF * half).cast::<[B; HALF]>().read();
                let z = c.add(HALF * half).cast::<[C; HALF]>().read();
                let mut out = [D::default(); HALF];
                for lane in 0..HALF {
                    out[lane] = f(x[lane], y[lane], z[lane]);
                }
                write_half::<_, L>(d.add(HALF * half), mask >> (HALF * half), FULL, out);
            }
        }
    }
}

impl<A: Lane, B: Lane, C: Lane, D: Lane, F: Fn(A, B, C) -> D + Copy> Body for Map3<A, B, C, D, F> {
    #[inline(always)]
    unsafe fn run<const L: u8>(ip: *const Inst, warp: &mut Warp) -> *const Inst {
        // SAFETY: slots of a decoded instruction lie in the warp's register file.
        unsafe {
            let i = &*ip;
            let mask = warp.mask(i);
            let (d, a) = (warp.slot::<D>(i.d), warp.slot::<A>(i.a));
            let (b, c) = (warp.slot::<B>(i.b), warp.slot::<C>(i.c));
            if mask == !0 {
                Self::pass::<L, true>(d, a, b, c, mask);
            } else if mask != 0 {
                Self::pass::<L, false>(d, a, b, c, mask);
            }
            ip.add(1)
        }
    }
}

/// `d = f(a)` in every active lane.
pub(in crate::device::soft) fn map1<A: Lane, D: Lane, F: Fn(A) -> D + Copy + 'static>(
    level: Level,
    _f: F,
) -> Handler {
    handler::<Map1<A, D, F>>(level)
}

/// `d = f(a, b)` in every active lane.
pub(in crate::device::soft) fn map2<A: Lane, B: Lane, D: Lane, F: Fn(A, B) -> D + Copy + 'static>(
    level: Level,
    _f: F,
) -> Handler {
    handler::<Map2<A, B, D, F>>(level)
}

/// `d = f(a, b, c)` in every active lane.
pub(in crate::device::soft) fn map3<
    A: Lane,
    B: Lane,
    C: Lane,
    D: Lane,
    F: Fn(A, B, C) -> D + Copy + 'static,
>(
    level: Level,
    _f: F,
) -> Handler {
    handler::<Map3<A, B, C, D, F>>(level)
}
