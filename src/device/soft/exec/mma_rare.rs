//! Matrix products other than those of 16-bit floats and tf32 with f32 sums: f16 sums, integers, f64.
//!
//! One element after the other, by the formulas of the fragments.

use super::half::{f16_to_f32, f32_to_f16};
use super::math::fused_without_fma;
use super::{Inst, Warp};
use crate::ptx::typed::{IntMma, Mma};

/// Columns of B, C and D.
const N: usize = 8;
/// The most rows of A, and the largest K.
const M: usize = 16;
const MOST_K: usize = 64;

/// Slot number `index` of the instruction's list, which holds D, A, B and C.
///
/// # Safety
/// The instruction belongs to the warp's code and has that many operands.
unsafe fn slot(warp: &Warp, i: &Inst, index: usize) -> u16 {
    // SAFETY: the caller's contract.
    unsafe { *warp.block.code.lists.as_ptr().add(i.imm as usize + index) }
}

/// The words of slot number `index`.
///
/// # Safety
/// As for [`slot`].
unsafe fn words(warp: &Warp, i: &Inst, index: usize) -> [u32; 32] {
    // SAFETY: the caller's contract.
    unsafe { warp.slot::<[u32; 32]>(slot(warp, i, index)).read() }
}

/// [`Inst::d`] of products with f16 sums: K.
pub fn f16_mode(shape: Mma) -> u16 {
    shape.k as u16
}

/// m16n8kK of f16 with sums of f16: as with f32 sums, rounded once at the end.
pub unsafe fn f16_sums(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: operands of a decoded instruction lie in the warp's files.
    unsafe {
        let i = &*ip;
        if let Some(next) = warp.gather(ip, !0) {
            return next;
        }
        if warp.mask(i) == 0 {
            return ip.add(1);
        }
        let k = usize::from(i.d);
        let steps = k / 8;
        let half = |word: u32, part: usize| f16_to_f32(word >> (16 * part) & 0xFFFF);
        let mut a = [[0f32; 16]; M];
        for register in 0..2 * steps {
            for (lane, word) in words(warp, i, 2 + register).into_iter().enumerate() {
                for part in 0..2 {
                    let (row, at) =
                        (lane / 4 + 8 * (register % 2), 2 * (lane % 4) + part + 8 * (register / 2));
                    a[row][at] = half(word, part);
                }
            }
        }
        let mut b = [[0f32; 16]; N];
        for register in 0..steps {
            for (lane, word) in words(warp, i, 2 + 2 * steps + register).into_iter().enumerate() {
                for part in 0..2 {
                    b[lane / 4][2 * (lane % 4) + part + 8 * register] = half(word, part);
                }
            }
        }
        let c = [0, 1].map(|register| words(warp, i, 2 + 3 * steps + register));
        for (register, c) in c.iter().enumerate() {
            let d = warp.slot::<u32>(slot(warp, i, register));
            for (lane, word) in c.iter().enumerate() {
                let sum = |part: usize| {
                    let (row, column) = (lane / 4 + 8 * register, 2 * (lane % 4) + part);
                    f32_to_f16(half(*word, part) + dot(&a[row][..k], &b[column][..k]))
                };
                *d.add(lane) = sum(0) | sum(1) << 16;
            }
        }
        ip.add(1)
    }
}

/// The sum over even k plus the sum over odd k, as [`super::mma`] defines it.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (mut even, mut odd) = (0f32, 0f32);
    for (x, y) in a.chunks_exact(2).zip(b.chunks_exact(2)) {
        even = fused_without_fma(x[0], y[0], even);
        odd = fused_without_fma(x[1], y[1], odd);
    }
    even + odd
}

const WIDE: u16 = 1;
const NIBBLES: u16 = 2;
const A_SIGNED: u16 = 4;
const B_SIGNED: u16 = 8;
const SATURATE: u16 = 16;
/// Where K stands in [`Inst::d`].
const K: u32 = 8;

/// [`Inst::d`] of products of integers.
pub fn int_mode(shape: IntMma) -> u16 {
    let flag = |set: bool, bit: u16| if set { bit } else { 0 };
    flag(shape.m == 16, WIDE)
        | flag(shape.bits == 4, NIBBLES)
        | flag(shape.a_signed, A_SIGNED)
        | flag(shape.b_signed, B_SIGNED)
        | flag(shape.saturate, SATURATE)
        | (shape.k as u16) << K
}

/// Products of integers of 4 or 8 bits; sums of s32 wrap, or are clamped once at the end.
pub unsafe fn integers(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: operands of a decoded instruction lie in the warp's files.
    unsafe {
        let i = &*ip;
        if let Some(next) = warp.gather(ip, !0) {
            return next;
        }
        if warp.mask(i) == 0 {
            return ip.add(1);
        }
        let has = |bit: u16| i.d & bit != 0;
        let (k, bits) = (usize::from(i.d >> K), if has(NIBBLES) { 4 } else { 8 });
        // Elements in a register, and registers of each fragment.
        let pack = 32 / bits;
        let halves = if has(WIDE) { 2 } else { 1 };
        let steps = k / (4 * pack);
        let (c_count, a_count) = (2 * halves, halves * steps);
        let element = |word: u32, part: usize, signed: bool| {
            let shift = 32 - bits;
            let at_top = word << (shift - bits * part);
            if signed { at_top as i32 >> shift } else { (at_top >> shift) as i32 }
        };
        let mut a = [[0i32; MOST_K]; M];
        for register in 0..a_count {
            for (lane, word) in words(warp, i, c_count + register).into_iter().enumerate() {
                let row = lane / 4 + 8 * (register % halves);
                let first = pack * (lane % 4) + 4 * pack * (register / halves);
                for part in 0..pack {
                    a[row][first + part] = element(word, part, has(A_SIGNED));
                }
            }
        }
        let mut b = [[0i32; MOST_K]; N];
        for register in 0..steps {
            for (lane, word) in words(warp, i, c_count + a_count + register).into_iter().enumerate() {
                let first = pack * (lane % 4) + 4 * pack * register;
                for part in 0..pack {
                    b[lane / 4][first + part] = element(word, part, has(B_SIGNED));
                }
            }
        }
        let mut d = [[0u32; 32]; 4];
        for (register, d) in d.iter_mut().enumerate().take(c_count) {
            let c = words(warp, i, c_count + a_count + steps + register);
            for lane in 0..32 {
                let (row, column) = (lane / 4 + 8 * (register / 2), 2 * (lane % 4) + register % 2);
                let products = a[row][..k].iter().zip(&b[column][..k]).map(|(x, y)| i64::from(x * y));
                let sum = i64::from(c[lane] as i32) + products.sum::<i64>();
                let clamped = sum.clamp(i32::MIN.into(), i32::MAX.into());
                d[lane] = (if has(SATURATE) { clamped } else { sum }) as u32;
            }
        }
        for (register, words) in d.iter().enumerate().take(c_count) {
            warp.slot::<[u32; 32]>(slot(warp, i, register)).write(*words);
        }
        ip.add(1)
    }
}

/// m8n8k4 of f64: C plus the products, fused, in ascending k.
pub unsafe fn doubles(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: operands of a decoded instruction lie in the warp's files.
    unsafe {
        let i = &*ip;
        if let Some(next) = warp.gather(ip, !0) {
            return next;
        }
        if warp.mask(i) == 0 {
            return ip.add(1);
        }
        let numbers = |index: usize| warp.slot::<[f64; 32]>(slot(warp, i, index)).read();
        let (a, b) = (numbers(2), numbers(3));
        let c = [numbers(4), numbers(5)];
        for (register, c) in c.iter().enumerate() {
            let d = warp.slot::<f64>(slot(warp, i, register));
            for (lane, start) in c.iter().enumerate() {
                let (row, column) = (lane / 4, 2 * (lane % 4) + register);
                let sum = (0..4).fold(*start, |sum, k| a[4 * row + k].mul_add(b[4 * column + k], sum));
                *d.add(lane) = sum;
            }
        }
        ip.add(1)
    }
}
