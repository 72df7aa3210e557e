//! `mma.sync` with f32 accumulators.
//!
//! The order of summation is defined here: with s_e the sum over even k and s_o the sum over odd k, each a
//! chain of fused multiply-adds from 0 in ascending k, D = C + (s_e + s_o), every step rounded to nearest even.
//! Subnormals count, of factors, sums and results; what is too large is infinite; a NaN is 0x7FFFFFFF. It is the
//! order of Intel's AMX, except for subnormals ([`super::amx`] is used where there cannot be any), and gives the
//! same bits at every level; a GPU has an order of its own that nobody documents.

use super::fragment::{Element, Factor, MAX_BASES, NUMBERS, Pointers, Source};
use super::tile::{gather, scatter};
use super::{Body, Handler, Inst, Warp, handler, mma_run};
use crate::device::soft::level::Level;

/// A matrix of f32, or a tile.
#[repr(C, align(64))]
struct Matrix([f32; NUMBERS]);

/// The elements of an instruction's factors, in [`Inst::d`]; the number along k is in [`Inst::a`].
const ELEMENTS: [Element; 3] = [Element::Bf16, Element::F16, Element::Tf32];

/// The operands by which an instruction knows its factors.
pub fn operands(factor: Factor) -> (u16, u16) {
    let element = ELEMENTS.iter().position(|element| *element == factor.element);
    (element.unwrap_or(0) as u16, factor.k as u16)
}

/// Nothing comes from shared memory.
const NO_POINTERS: Pointers = [[std::ptr::null(); 32]; MAX_BASES];

struct Product;

impl Body for Product {
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
            let factor = Factor { element: ELEMENTS[i.d as usize], k: i.a as usize };
            let slots =
                |list: &[u16]| -> [Source; 4] { std::array::from_fn(|k| Source::Slot(list[k % list.len()])) };
            let (d, rest) = warp.block.code.lists[i.imm as usize..].split_at(4);
            let (a, rest) = rest.split_at(2 * factor.registers());
            let (b, c) = rest.split_at(factor.registers());
            let (mut left, mut right) = (Matrix([0.0; NUMBERS]), Matrix([0.0; NUMBERS]));
            let mut sums = Matrix([0.0; NUMBERS]);
            factor.left::<L>(warp, &NO_POINTERS, &slots(a)[..a.len()], left.0.as_mut_ptr());
            factor.right::<L>(warp, &NO_POINTERS, (&slots(b)[..b.len()], None), right.0.as_mut_ptr());
            gather(warp, &[c[0], c[1], c[2], c[3]], None, sums.0.as_mut_ptr());
            mma_run::one::<L>(&factor.order(), left.0.as_ptr(), right.0.as_ptr(), sums.0.as_mut_ptr());
            scatter::<L>(warp, sums.0.as_mut_ptr(), &[d[0], d[1], d[2], d[3]], None);
            ip.add(1)
        }
    }
}

/// The handler of a single instruction.
pub fn mma(level: Level) -> Handler {
    handler::<Product>(level)
}
