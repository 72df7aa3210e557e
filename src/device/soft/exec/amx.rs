//! Products of bf16 on Intel's AMX, whose tile registers hold sixteen rows of 64 bytes.
//!
//! `tdpbf16ps` adds to a tile what `mma.m16n8k16` adds to two, in the order that [`super::mma`] defines; but it
//! takes subnormal factors and sums for zeros, and makes zeros of subnormal results. So it runs only where there
//! can be none. A product of bf16 is a multiple of 2^(e + f - 14), with e and f the exponents of its factors; and
//! what is a multiple of 2^-126 is no subnormal, and stays one through every sum and rounding. The smallest
//! exponents of a step's factors tell whether all products are such multiples, and a look at a tile when it is
//! made whether its sums are. Where they are not, the [run](super::mma_run) goes on with AVX-512, with the same
//! bits where both could.
//!
//! The instructions are written as assembly, since the compiler's own are not stable.

use super::fragment::{Element, Factor, Pointers, Source, Staged, columns};
use super::mma_run::{MmaRun, Step, export, is_possible, multiply, take};
use super::tile::ROW;
use super::{Inst, Warp};
use crate::device::soft::level::AVX512;
use std::arch::asm;
use std::arch::x86_64::*;
use std::mem::MaybeUninit;
use std::sync::OnceLock;

/// Whether this CPU has AMX for bf16 and the system lets this process use it.
pub fn available() -> bool {
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    // These two became safe functions in Rust 1.94: older compilers want the block.
    #[allow(unused_unsafe)]
    *AVAILABLE.get_or_init(|| {
        // SAFETY: every x86-64 CPU has `cpuid`.
        let features = unsafe { if __cpuid(0).eax < 7 { 0 } else { __cpuid_count(7, 0).edx } };
        let (bf16, tile) = (features >> 22 & 1 != 0, features >> 24 & 1 != 0);
        bf16 && tile && permitted()
    })
}

/// Asks Linux for the tile registers, which a process has only after it has asked.
#[cfg(target_os = "linux")]
fn permitted() -> bool {
    const ARCH_PRCTL: i64 = 158;
    const REQUEST_PERMISSION: u64 = 0x1023;
    const TILE_DATA: u64 = 18;
    let mut result = ARCH_PRCTL;
    // SAFETY: the call changes nothing but the process's permission.
    unsafe {
        asm!("syscall", inout("rax") result, in("rdi") REQUEST_PERMISSION, in("rsi") TILE_DATA,
            out("rcx") _, out("r11") _);
    }
    result == 0
}

#[cfg(not(target_os = "linux"))]
fn permitted() -> bool {
    false
}

/// Bytes of a row of sums, of A and of B.
const SUM_ROW: usize = 64;
const A_ROW: usize = 32;
const B_ROW: usize = 64;
/// Bytes of a tile of A, and of B.
const FACTORS: usize = 512;

/// This thread's tile registers, in the shapes that runs use.
pub struct Tiles(());

#[repr(C, align(64))]
struct Shapes {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

impl Tiles {
    /// Register 0 for sums, 1 for A, 2 for B.
    ///
    /// # Safety
    /// AMX is [`available`].
    pub unsafe fn configure() -> Tiles {
        let mut shapes =
            Shapes { palette: 1, start_row: 0, reserved: [0; 14], row_bytes: [0; 16], rows: [0; 16] };
        for (index, (bytes, rows)) in [(SUM_ROW, 16), (A_ROW, 16), (B_ROW, 8)].into_iter().enumerate() {
            (shapes.row_bytes[index], shapes.rows[index]) = (bytes as u16, rows);
        }
        // SAFETY: the caller's contract.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &shapes, options(nostack)) };
        Tiles(())
    }
}

impl Drop for Tiles {
    fn drop(&mut self) {
        // SAFETY: who has configured the registers has them.
        unsafe { asm!("tilerelease", options(nostack)) };
    }
}

/// Whether a run can be done here.
pub fn suits(run: &MmaRun) -> bool {
    let first = &run.steps[0];
    let bf16 = Factor { element: Element::Bf16, k: 16 };
    run.steps
        .iter()
        .all(|step| step.factor == bf16 && step.tiles == first.tiles && step.rows.len() == first.rows.len())
}

/// Scratch slots of a run.
pub fn scratch(run: &MmaRun) -> usize {
    let matrices: usize = run.steps.iter().map(|step| step.rows.len() + step.columns.len()).sum();
    matrices * FACTORS / 128
}

/// The handler of runs that [suit](suits); `imm` is the run's index.
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx512cd,avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt")]
pub unsafe fn run(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: the run and its slots belong to the warp's code, and the registers are configured.
    unsafe {
        let run = warp.block.code.mma_runs.get_unchecked((*ip).imm as usize);
        let mut pointers = MaybeUninit::uninit();
        if !is_possible::<AVX512>(run, warp, &mut pointers) {
            return ip.add(1);
        }
        let pointers = &*pointers.as_ptr();
        products(run, warp, pointers);
        export(run, warp, pointers);
        ip.add(1 + run.covers)
    }
}

/// All steps of a run, whose tiles the warp has.
///
/// # Safety
/// As for [`run`], with the addresses checked.
#[inline(always)]
unsafe fn products(run: &MmaRun, warp: &mut Warp, pointers: &Pointers) {
    // SAFETY: the caller's contract.
    unsafe {
        let made = take(warp, run.set);
        note_subnormals(warp, made);
        let scratch = warp.block.scratch.cast::<u8>();
        if stage(run, warp, pointers, scratch) && warp.subnormal & run.set == 0 {
            return multiply_tiles(run, warp, scratch);
        }
        for step in &run.steps {
            multiply::<AVX512>(step, warp, pointers);
        }
        note_subnormals(warp, run.set);
    }
}

/// Finds out which tiles of a set have sums that are no multiples of 2^-126.
///
/// # Safety
/// The warp has the tiles.
#[inline(always)]
unsafe fn note_subnormals(warp: &mut Warp, set: u64) {
    warp.subnormal &= !set;
    let mut left = set;
    while left != 0 {
        let index = left.trailing_zeros();
        left &= left - 1;
        // SAFETY: the caller's contract.
        unsafe {
            let rows = warp.block.code.tiles[index as usize].rows(warp);
            // Biased, an exponent from 24 on; or 0. Doubled, the bits lose their sign.
            let smallest = _mm512_set1_epi32((24 << 24) - 1);
            let mut fine = !0;
            for row in 0..16 {
                let bits = _mm512_castps_si512(_mm512_loadu_ps(rows.add(ROW * row)));
                let doubled = _mm512_add_epi32(bits, bits);
                let is_zero = _mm512_cmpeq_epi32_mask(doubled, _mm512_setzero_si512());
                fine &= _mm512_cmpgt_epu32_mask(doubled, smallest) | is_zero;
            }
            warp.subnormal |= u64::from(fine != !0) << index;
        }
    }
}

/// Writes the factors of all steps to the scratch memory as tiles; whether no product can be subnormal.
///
/// # Safety
/// As for [`products`].
#[inline(always)]
unsafe fn stage(run: &MmaRun, warp: &Warp, pointers: &Pointers, scratch: *mut u8) -> bool {
    let (mut a, mut b) = (Smallest::new(), Smallest::new());
    let mut to = scratch;
    for step in &run.steps {
        for registers in &step.rows {
            // SAFETY: the caller's contract.
            unsafe { stage_left(warp, pointers, registers, to, &mut a) };
            to = to.wrapping_add(FACTORS);
        }
        for (left, right) in &step.columns {
            for register in 0..2 {
                // SAFETY: the caller's contract.
                unsafe {
                    let words = &mut *to.add(4 * B_ROW * register).cast::<[[u32; 16]; 4]>();
                    let pair = (left[register], right.as_ref().map(|right| right[register]));
                    columns::<AVX512>(warp, pointers, pair, words);
                    for row in words {
                        b.add(_mm512_loadu_si512(row.as_ptr().cast()));
                    }
                }
            }
            to = to.wrapping_add(FACTORS);
        }
    }
    // SAFETY: the level has what it takes.
    let (a, b) = unsafe { (a.exponent(), b.exponent()) };
    // In a biased exponent e is e + 127, and 0 is a subnormal's.
    a > 0 && b > 0 && a + b >= 2 * 127 + 14 - 126
}

/// Sixteen rows of 32 bytes from four registers of A.
///
/// # Safety
/// As for [`products`].
#[inline(always)]
unsafe fn stage_left(
    warp: &Warp,
    pointers: &Pointers,
    registers: &[Source],
    to: *mut u8,
    smallest: &mut Smallest,
) {
    for below in 0..2 {
        // SAFETY: the caller's contract.
        unsafe {
            let (mut staged, mut staged_behind) = (Staged::NOTHING, Staged::NOTHING);
            let front = registers[below].rows(warp, pointers, &mut staged);
            let behind = registers[below + 2].rows(warp, pointers, &mut staged_behind);
            for pair in 0..4 {
                let x = _mm512_castsi128_si512(_mm_loadu_si128(front.at(2 * pair).cast()));
                let x = _mm512_inserti32x4::<1>(x, _mm_loadu_si128(behind.at(2 * pair).cast()));
                let x = _mm512_inserti32x4::<2>(x, _mm_loadu_si128(front.at(2 * pair + 1).cast()));
                let x = _mm512_inserti32x4::<3>(x, _mm_loadu_si128(behind.at(2 * pair + 1).cast()));
                smallest.add(x);
                _mm512_storeu_si512(to.add(A_ROW * (8 * below + 2 * pair)).cast(), x);
            }
        }
    }
}

/// The smallest of many bf16 that are not 0, by magnitude.
struct Smallest(__m512i);

impl Smallest {
    #[inline(always)]
    fn new() -> Smallest {
        // SAFETY: who makes one has AVX-512.
        Smallest(unsafe { _mm512_set1_epi16(-1) })
    }

    /// # Safety
    /// The CPU has AVX-512.
    #[inline(always)]
    unsafe fn add(&mut self, x: __m512i) {
        // SAFETY: the caller's contract. Less one, 0 becomes the largest of all.
        unsafe {
            let magnitude = _mm512_and_si512(x, _mm512_set1_epi16(0x7FFF));
            self.0 = _mm512_min_epu16(self.0, _mm512_sub_epi16(magnitude, _mm512_set1_epi16(1)));
        }
    }

    /// The biased exponent; more than any if all are 0.
    ///
    /// # Safety
    /// The CPU has AVX-512.
    #[inline(always)]
    unsafe fn exponent(&self) -> u32 {
        // SAFETY: the caller's contract.
        unsafe {
            let x = _mm256_min_epu16(_mm512_castsi512_si256(self.0), _mm512_extracti64x4_epi64::<1>(self.0));
            let x = _mm_min_epu16(_mm256_castsi256_si128(x), _mm256_extracti128_si256::<1>(x));
            ((_mm_cvtsi128_si32(_mm_minpos_epu16(x)) as u32 & 0xFFFF) + 1) >> 7
        }
    }
}

/// Multiplies the staged factors.
///
/// # Safety
/// As for [`products`], with the factors staged.
#[inline(always)]
unsafe fn multiply_tiles(run: &MmaRun, warp: &Warp, scratch: *const u8) {
    let Step { rows, columns, tiles, .. } = &run.steps[0];
    let (rows, columns) = (rows.len(), columns.len());
    let step_bytes = (rows + columns) * FACTORS;
    for (index, tile) in tiles.iter().enumerate() {
        let (row, column) = (index / columns, index % columns);
        let (a, b) = (row * FACTORS, (rows + column) * FACTORS);
        // SAFETY: the caller's contract; the tiles belong to the warp's code.
        unsafe {
            let sums = warp.block.code.tiles[*tile as usize].rows(warp);
            add_products(sums, scratch.add(a), scratch.add(b), step_bytes, run.steps.len());
        }
    }
}

/// Adds the products of an A and a B of each step to a tile.
///
/// One tile after the other is as fast as four at a time, since the CPU works on several at once.
///
/// # Safety
/// `sums` points to a tile, `a` and `b` to the first of as many factors as there are steps, `step_bytes` apart.
#[inline(always)]
unsafe fn add_products(sums: *mut f32, a: *const u8, b: *const u8, step_bytes: usize, steps: usize) {
    // SAFETY: the caller's contract; the registers are configured, and the compiler uses none of them.
    unsafe {
        asm!(
            "tileloadd tmm0, [{sums} + {wide}]",
            "2:",
            "tileloadd tmm1, [{a} + {narrow}]",
            "tileloadd tmm2, [{b} + {wide}]",
            "tdpbf16ps tmm0, tmm1, tmm2",
            "add {a}, {step_bytes}",
            "add {b}, {step_bytes}",
            "dec {steps}",
            "jnz 2b",
            "tilestored [{sums} + {wide}], tmm0",
            sums = in(reg) sums,
            a = inout(reg) a => _,
            b = inout(reg) b => _,
            step_bytes = in(reg) step_bytes,
            steps = inout(reg) steps => _,
            wide = in(reg) SUM_ROW,
            narrow = in(reg) A_ROW,
            out("tmm0") _, out("tmm1") _, out("tmm2") _,
            options(nostack),
        );
    }
}
