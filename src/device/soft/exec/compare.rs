//! Comparisons that write predicates.

use super::lanes::Lane;
use super::{Body, Handler, Inst, Warp, handler};
use crate::device::soft::exec::half::{bf16_to_f32, f16_to_f32};
use crate::device::soft::exec::math::flush;
use crate::device::soft::level::Level;
use crate::ptx::typed::{Compared, Comparison, Float, Int, Logic};
use std::marker::PhantomData;

/// How the result is joined with a predicate, in the low bits of [`Inst::imm`].
pub const JOIN_AND: i32 = 1;
pub const JOIN_OR: i32 = 2;
pub const JOIN_XOR: i32 = 3;
/// The comparison is inverted.
pub const INVERT: i32 = 4;
/// There is a second destination, in [`Inst::site`].
pub const SECOND: i32 = 8;

/// [`Inst::imm`] of a comparison that is joined.
pub fn join(logic: Option<Logic>) -> i32 {
    match logic {
        None => 0,
        Some(Logic::And) => JOIN_AND,
        Some(Logic::Or) => JOIN_OR,
        Some(Logic::Xor) => JOIN_XOR,
    }
}

/// One bit for each lane whose word is all ones.
///
/// # Safety
/// The CPU has level `L`.
#[inline(always)]
unsafe fn bits_of<const L: u8>(lanes: &[u32; 16]) -> u32 {
    #[cfg(target_arch = "x86_64")]
    {
        use super::super::level::{AVX2, AVX512};
        use std::arch::x86_64::*;
        let words = lanes.as_ptr();
        if L == AVX512 {
            // SAFETY: the level has AVX-512 DQ; 16 words are read.
            return unsafe { u32::from(_mm512_movepi32_mask(_mm512_loadu_si512(words.cast()))) };
        }
        if L == AVX2 {
            // SAFETY: the level has AVX2; two times 8 words are read.
            return unsafe {
                let low = _mm256_movemask_ps(_mm256_loadu_ps(words.cast()));
                let high = _mm256_movemask_ps(_mm256_loadu_ps(words.add(8).cast()));
                low as u32 | (high as u32) << 8
            };
        }
    }
    lanes.iter().enumerate().fold(0, |bits, (lane, word)| bits | (word & 1) << lane)
}

struct Compare<T, F>(PhantomData<(T, F)>);

impl<T: Lane, F: Fn(T, T) -> bool + Copy> Body for Compare<T, F> {
    /// `d` is the predicate, `c` the predicate to join with.
    #[inline(always)]
    unsafe fn run<const L: u8>(ip: *const Inst, warp: &mut Warp) -> *const Inst {
        let f = super::lanes::function::<F>();
        // SAFETY: operands of a decoded instruction lie in the warp's files.
        unsafe {
            let i = &*ip;
            let mask = warp.mask(i);
            let (a, b) = (warp.slot::<T>(i.a), warp.slot::<T>(i.b));
            let mut bits = 0;
            for half in 0..2 {
                let x = a.add(16 * half).cast::<[T; 16]>().read();
                let y = b.add(16 * half).cast::<[T; 16]>().read();
                let mut words = [0u32; 16];
                for lane in 0..16 {
                    words[lane] = u32::from(f(x[lane], y[lane])).wrapping_neg();
                }
                bits |= bits_of::<L>(&words) << (16 * half);
            }
            if i.imm & INVERT != 0 {
                bits = !bits;
            }
            if i.imm & !INVERT == 0 {
                warp.set_pred(i.d, mask, bits);
            } else {
                joined(i, warp, mask, bits);
            }
            ip.add(1)
        }
    }
}

/// # Safety
/// As for [`Body::run`].
unsafe fn joined(i: &Inst, warp: &mut Warp, mask: u32, bits: u32) {
    // SAFETY: operands of a decoded instruction lie in the warp's files.
    unsafe {
        let other = warp.pred(i.c);
        let join = |bits: u32| match i.imm & 3 {
            JOIN_AND => bits & other,
            JOIN_OR => bits | other,
            JOIN_XOR => bits ^ other,
            _ => bits,
        };
        warp.set_pred(i.d, mask, join(bits));
        if i.imm & SECOND != 0 {
            warp.set_pred(i.site, mask, join(!bits));
        }
    }
}

fn compare<T: Lane, F: Fn(T, T) -> bool + Copy + 'static>(level: Level, _f: F) -> Handler {
    handler::<Compare<T, F>>(level)
}

/// A comparison as one of five handlers: with operands swapped, and with its result inverted.
pub struct Plan {
    pub run: Handler,
    pub swap: bool,
    pub invert: bool,
}

#[derive(Clone, Copy)]
enum Basic {
    Eq,
    /// Less or greater, but not unordered.
    Differ,
    Lt,
    Le,
    Ordered,
}

/// The handler of a comparison; `None` for packed types, which have two results, and for `.ftz` of f16.
pub fn plan(comparison: Comparison, ty: Compared, level: Level) -> Option<Plan> {
    use Comparison::*;
    let (basic, swap, invert) = match comparison {
        Eq => (Basic::Eq, false, false),
        Ne => match ty {
            Compared::Int(_) => (Basic::Eq, false, true),
            Compared::Float { .. } => (Basic::Differ, false, false),
        },
        Lt => (Basic::Lt, false, false),
        Le => (Basic::Le, false, false),
        Gt => (Basic::Lt, true, false),
        Ge => (Basic::Le, true, false),
        Equ => (Basic::Differ, false, true),
        Neu => (Basic::Eq, false, true),
        Ltu => (Basic::Le, true, true),
        Leu => (Basic::Lt, true, true),
        Gtu => (Basic::Le, false, true),
        Geu => (Basic::Lt, false, true),
        Num => (Basic::Ordered, false, false),
        Nan => (Basic::Ordered, false, true),
    };
    let run = match ty {
        Compared::Int(int) => on_int(basic, int, level),
        Compared::Float { ty: Float::F32, ftz: false } => on_f32(basic, level),
        Compared::Float { ty: Float::F32, ftz: true } => on_flushed(basic, level),
        Compared::Float { ty: Float::F64, .. } => on_f64(basic, level),
        Compared::Float { ty: Float::F16, ftz: false } => on_half(basic, level, f16_to_f32),
        Compared::Float { ty: Float::Bf16, .. } => on_half(basic, level, bf16_to_f32),
        Compared::Float { .. } => return None,
    };
    Some(Plan { run, swap, invert })
}

fn on_int(basic: Basic, int: Int, level: Level) -> Handler {
    match (basic, int.bits, int.signed) {
        (Basic::Lt, 16, true) => compare(level, |a: u32, b: u32| (a as i16) < b as i16),
        (Basic::Lt, 16, false) => compare(level, |a: u32, b: u32| (a as u16) < b as u16),
        (Basic::Lt, 32, true) => compare(level, |a: i32, b: i32| a < b),
        (Basic::Lt, 32, false) => compare(level, |a: u32, b: u32| a < b),
        (Basic::Lt, _, true) => compare(level, |a: i64, b: i64| a < b),
        (Basic::Lt, _, false) => compare(level, |a: u64, b: u64| a < b),
        (Basic::Le, 16, true) => compare(level, |a: u32, b: u32| a as i16 <= b as i16),
        (Basic::Le, 16, false) => compare(level, |a: u32, b: u32| a as u16 <= b as u16),
        (Basic::Le, 32, true) => compare(level, |a: i32, b: i32| a <= b),
        (Basic::Le, 32, false) => compare(level, |a: u32, b: u32| a <= b),
        (Basic::Le, _, true) => compare(level, |a: i64, b: i64| a <= b),
        (Basic::Le, _, false) => compare(level, |a: u64, b: u64| a <= b),
        (_, 16, _) => compare(level, |a: u32, b: u32| a as u16 == b as u16),
        (_, 32, _) => compare(level, |a: u32, b: u32| a == b),
        (..) => compare(level, |a: u64, b: u64| a == b),
    }
}

fn on_f32(basic: Basic, level: Level) -> Handler {
    match basic {
        Basic::Eq => compare(level, |a: f32, b: f32| a == b),
        Basic::Differ => compare(level, |a: f32, b: f32| (a < b) | (a > b)),
        Basic::Lt => compare(level, |a: f32, b: f32| a < b),
        Basic::Le => compare(level, |a: f32, b: f32| a <= b),
        Basic::Ordered => compare(level, |a: f32, b: f32| !a.is_nan() & !b.is_nan()),
    }
}

fn on_flushed(basic: Basic, level: Level) -> Handler {
    match basic {
        Basic::Eq => compare(level, |a: f32, b: f32| flush(a) == flush(b)),
        Basic::Differ => compare(level, |a: f32, b: f32| (flush(a) < flush(b)) | (flush(a) > flush(b))),
        Basic::Lt => compare(level, |a: f32, b: f32| flush(a) < flush(b)),
        Basic::Le => compare(level, |a: f32, b: f32| flush(a) <= flush(b)),
        Basic::Ordered => compare(level, |a: f32, b: f32| !a.is_nan() & !b.is_nan()),
    }
}

fn on_f64(basic: Basic, level: Level) -> Handler {
    match basic {
        Basic::Eq => compare(level, |a: f64, b: f64| a == b),
        Basic::Differ => compare(level, |a: f64, b: f64| (a < b) | (a > b)),
        Basic::Lt => compare(level, |a: f64, b: f64| a < b),
        Basic::Le => compare(level, |a: f64, b: f64| a <= b),
        Basic::Ordered => compare(level, |a: f64, b: f64| !a.is_nan() & !b.is_nan()),
    }
}

fn on_half<W: Fn(u32) -> f32 + Copy + 'static>(basic: Basic, level: Level, widen: W) -> Handler {
    match basic {
        Basic::Eq => compare(level, move |a: u32, b: u32| widen(a) == widen(b)),
        Basic::Differ => compare(level, move |a: u32, b: u32| (widen(a) < widen(b)) | (widen(a) > widen(b))),
        Basic::Lt => compare(level, move |a: u32, b: u32| widen(a) < widen(b)),
        Basic::Le => compare(level, move |a: u32, b: u32| widen(a) <= widen(b)),
        Basic::Ordered => compare(level, move |a: u32, b: u32| !widen(a).is_nan() & !widen(b).is_nan()),
    }
}
