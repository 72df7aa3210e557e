//! Execution of decoded instructions, one warp of 32 lanes at a time.
//!
//! An instruction is a handler and its operands; a handler does the work for all active lanes and
//! returns the next instruction. Registers are *slots* of 128 bytes: 32 lanes of 4 bytes, a 64-bit
//! register has two slots as 32 lanes of 8 bytes. A predicate is one bit for each lane.

pub(super) mod access;
pub(super) mod address;
#[cfg(target_arch = "x86_64")]
pub(super) mod amx;
pub(super) mod atomic;
pub(super) mod barrier;
pub(super) mod cluster;
pub(super) mod compare;
pub(super) mod compare_halves;
pub(super) mod control;
pub(super) mod convert;
pub(super) mod copy;
mod exact;
mod extent;
pub(super) mod float;
pub(super) mod fragment;
pub(super) mod half;
pub(super) mod integer;
pub(super) mod lanes;
pub(super) mod math;
pub(super) mod matrix;
pub(super) mod mbarrier;
pub(super) mod memory;
pub(super) mod mma;
pub(super) mod mma_rare;
pub(super) mod mma_run;
pub(super) mod moves;
pub(super) mod narrow;
pub(super) mod product;
pub(super) mod rare;
pub(super) mod rounding;
mod row;
pub(super) mod scalar;
pub(super) mod shuffle;
pub(super) mod tile;
pub(super) mod transpose;
pub(super) mod vote;
pub(super) mod warp;

#[cfg(target_arch = "x86_64")]
use super::level::{AVX2, AVX512};
use super::level::{Level, PORTABLE};
pub(super) use warp::{Stop, Warp};

/// Executes one instruction and returns the next one, or null when the warp stops.
///
/// # Safety
/// The instruction lies in the code that the warp runs, and the CPU has the level of the handler.
pub(super) type Handler = unsafe fn(*const Inst, &mut Warp) -> *const Inst;

/// A decoded instruction.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Inst {
    pub run: Handler,
    /// Operands: slots, predicates, or what the handler says.
    pub d: u16,
    pub a: u16,
    pub b: u16,
    pub c: u16,
    /// Guard predicate; the top bit negates it. Predicate 0 is always true.
    pub guard: u16,
    /// The memory access, an index into [`super::lower::Code::accesses`].
    pub site: u16,
    /// An immediate, a branch target, or an index into a side table.
    pub imm: i32,
}

/// Negates the guard of an [`Inst`].
pub(super) const NEGATED: u16 = 0x8000;
/// The predicate that is always true.
pub(super) const TRUE: u16 = 0;
/// The predicate that takes results nobody wants.
pub(super) const SINK_PREDICATE: u16 = 1;

/// The work of a handler, written once for all levels.
pub(super) trait Body {
    /// # Safety
    /// As for [`Handler`], for level `L`.
    unsafe fn run<const L: u8>(ip: *const Inst, warp: &mut Warp) -> *const Inst;
}

/// The handler of `B` that is compiled for `level`.
pub(super) fn handler<B: Body>(level: Level) -> Handler {
    match level {
        Level::Portable => portable::<B>,
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => avx2::<B>,
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 | Level::Amx => avx512::<B>,
        #[cfg(not(target_arch = "x86_64"))]
        _ => portable::<B>,
    }
}

unsafe fn portable<B: Body>(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: the caller keeps the contract of `Handler`.
    unsafe { B::run::<PORTABLE>(ip, warp) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt")]
unsafe fn avx2<B: Body>(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: the caller keeps the contract of `Handler`.
    unsafe { B::run::<AVX2>(ip, warp) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx512cd,avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt")]
unsafe fn avx512<B: Body>(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: the caller keeps the contract of `Handler`.
    unsafe { B::run::<AVX512>(ip, warp) }
}
