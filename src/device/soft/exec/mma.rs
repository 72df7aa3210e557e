//! `mma.sync` with f32 accumulators.
//!
//! The order of summation is defined here: with s_e the sum over even k and s_o the sum over odd k, each a
//! chain of fused multiply-adds from 0 in ascending k, D = C + (s_e + s_o). It is the order of Intel's AMX
//! and gives the same bits at every level; a GPU has an order of its own that nobody documents.

use super::half::{bf16_to_f32, f16_to_f32};
use super::math::fused_without_fma;
use super::{Body, Handler, Inst, Warp, handler};
use crate::device::soft::level::{Level, PORTABLE};
use crate::ptx::typed::{Mma, Scalar};
use std::marker::PhantomData;

/// How a 32-bit register of A or B holds elements.
trait Operand: 'static {
    /// Elements in a register, along k.
    const PACK: usize;
    fn element(word: u32, index: usize) -> f32;
}

struct Bf16;
struct F16;
struct Tf32;

impl Operand for Bf16 {
    const PACK: usize = 2;
    #[inline(always)]
    fn element(word: u32, index: usize) -> f32 {
        bf16_to_f32(word >> (16 * index))
    }
}

impl Operand for F16 {
    const PACK: usize = 2;
    #[inline(always)]
    fn element(word: u32, index: usize) -> f32 {
        f16_to_f32((word >> (16 * index)) & 0xFFFF)
    }
}

impl Operand for Tf32 {
    const PACK: usize = 1;
    #[inline(always)]
    fn element(word: u32, _index: usize) -> f32 {
        f32::from_bits(word & 0xFFFF_E000)
    }
}

#[inline(always)]
fn fma<const L: u8>(a: f32, b: f32, c: f32) -> f32 {
    let native = L != PORTABLE || cfg!(target_feature = "fma") || cfg!(target_arch = "aarch64");
    if native { a.mul_add(b, c) } else { fused_without_fma(a, b, c) }
}

struct Product<E, const K: usize>(PhantomData<E>);

impl<E: Operand, const K: usize> Body for Product<E, K> {
    /// `imm` is the first of the slots of D, A, B and C in the code's list.
    #[inline(always)]
    unsafe fn run<const L: u8>(ip: *const Inst, warp: &mut Warp) -> *const Inst {
        // SAFETY: operands of a decoded instruction lie in the warp's files.
        unsafe {
            let i = &*ip;
            if let Some(next) = warp.gather(ip, !0) {
                return next;
            }
            if warp.mask(i) == 0 {
                return ip.add(1);
            }
            let list = warp.block.code.lists.as_ptr().add(i.imm as usize);
            let lanes = |index: usize| warp.slot::<u32>(*list.add(index)).cast::<[u32; 32]>().read();
            // Along k, a group of four lanes holds 4 PACK elements in one register.
            let steps = K / (4 * E::PACK);
            let mut a = [[0f32; K]; 16];
            for register in 0..2 * steps {
                let words = lanes(4 + register);
                for (lane, word) in words.iter().enumerate() {
                    let row = (lane >> 2) + 8 * (register & 1);
                    let k = E::PACK * (lane & 3) + 4 * E::PACK * (register >> 1);
                    for part in 0..E::PACK {
                        a[row][k + part] = E::element(*word, part);
                    }
                }
            }
            let mut b = [[0f32; 8]; K];
            for register in 0..steps {
                let words = lanes(4 + 2 * steps + register);
                for (lane, word) in words.iter().enumerate() {
                    let k = E::PACK * (lane & 3) + 4 * E::PACK * register;
                    for part in 0..E::PACK {
                        b[k + part][lane >> 2] = E::element(*word, part);
                    }
                }
            }
            let c: [[u32; 32]; 4] = std::array::from_fn(|register| lanes(4 + 3 * steps + register));
            let mut d = [[0u32; 32]; 4];
            for (row, a) in a.iter().enumerate() {
                let (mut even, mut odd) = ([0f32; 8], [0f32; 8]);
                for k in 0..K / 2 {
                    for n in 0..8 {
                        even[n] = fma::<L>(a[2 * k], b[2 * k][n], even[n]);
                        odd[n] = fma::<L>(a[2 * k + 1], b[2 * k + 1][n], odd[n]);
                    }
                }
                for n in 0..8 {
                    let (register, lane) = (2 * (row >> 3) + (n & 1), 4 * (row & 7) + (n >> 1));
                    let sum = f32::from_bits(c[register][lane]) + (even[n] + odd[n]);
                    d[register][lane] = sum.to_bits();
                }
            }
            for (register, words) in d.iter().enumerate() {
                warp.slot::<u32>(*list.add(register)).cast::<[u32; 32]>().write(*words);
            }
            ip.add(1)
        }
    }
}

pub fn mma(shape: Mma, level: Level) -> Option<Handler> {
    Some(match (shape.operand, shape.k) {
        (Scalar::Bf16, 16) => handler::<Product<Bf16, 16>>(level),
        (Scalar::Bf16, 8) => handler::<Product<Bf16, 8>>(level),
        (Scalar::F16, 16) => handler::<Product<F16, 16>>(level),
        (Scalar::F16, 8) => handler::<Product<F16, 8>>(level),
        (Scalar::Tf32, 8) => handler::<Product<Tf32, 8>>(level),
        (Scalar::Tf32, 4) => handler::<Product<Tf32, 4>>(level),
        _ => return None,
    })
}
