//! The factors of `mma`: from registers to matrices.
//!
//! A lane `4 g + q` of a register of A holds row g, of one of B column g: one element, or two that are
//! neighbours along k.
//!
//! As f32 a left matrix is four numbers of each of 16 rows, then the next four: see [`Factor::order`]. A right
//! matrix is a row of 16 columns for each k. The columns are those of two B side by side, in an order that suits
//! the registers of the sums: of each B first the even ones, then the odd ones.

use super::Warp;
use super::half::{bf16_to_f32, f16_to_f32};
use super::transpose::{Places, gather};
use crate::ptx::typed::{Mma, Scalar};

/// Elements of A and B.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    Bf16,
    F16,
    Tf32,
}

/// What the factors of an `mma` are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Factor {
    pub element: Element,
    /// 4, 8 or 16.
    pub k: usize,
}

/// Numbers of a left or right matrix in f32, at most.
pub(super) const NUMBERS: usize = 256;

/// Where a left matrix has the factors of the even and the odd sum.
pub(super) struct Order {
    /// For each pair of k where the even one is, in row 0; row r is 4 r further.
    pub even: [usize; 8],
    /// From there to the odd one.
    pub odd: usize,
    pub pairs: usize,
}

impl Factor {
    /// `None` for what this module does not know.
    pub fn new(shape: Mma) -> Option<Factor> {
        let (element, most) = match shape.operand {
            Scalar::Bf16 => (Element::Bf16, 16),
            Scalar::F16 => (Element::F16, 16),
            Scalar::Tf32 => (Element::Tf32, 8),
            _ => return None,
        };
        let k = shape.k as usize;
        (k == most || 2 * k == most).then_some(Factor { element, k })
    }

    /// Elements in a register.
    fn pack(self) -> usize {
        if self.element == Element::Tf32 { 1 } else { 2 }
    }

    /// Registers of B; A has twice as many.
    pub fn registers(self) -> usize {
        self.k / (4 * self.pack())
    }

    /// A register's elements of even k make four numbers of each row, those of odd k the next four. Unpacked, even
    /// and odd k take turns.
    pub(super) fn order(self) -> Order {
        let even = std::array::from_fn(|pair| match self.pack() {
            2 => pair / 4 * 128 + pair % 4,
            _ => pair / 2 * 64 + 2 * (pair % 2),
        });
        Order { even, odd: if self.pack() == 2 { 64 } else { 1 }, pairs: self.k / 2 }
    }

    /// The left matrix of the registers of A in `slots`, as f32.
    ///
    /// # Safety
    /// The slots lie in the register file, `to` points to [`NUMBERS`] numbers, and the CPU has level `L`.
    #[inline(always)]
    pub(super) unsafe fn left<const L: u8>(self, warp: &Warp, slots: &[u16], to: *mut f32) {
        for (register, slot) in slots.iter().enumerate() {
            // Register 2 j holds rows 0 to 7, register 2 j + 1 rows 8 to 15.
            let (group, below) = (register / 2 * self.pack(), 32 * (register % 2));
            // SAFETY: the caller's contract.
            unsafe {
                let from = warp.slot::<u32>(*slot);
                for half in [0, 16] {
                    let to = to.add(64 * group + below + half);
                    self.widen(from.add(half), to, to.add(64));
                }
            }
        }
    }

    /// The right matrix of two B, of which `right` may be missing.
    ///
    /// # Safety
    /// As for [`Factor::left`].
    #[inline(always)]
    pub(super) unsafe fn right<const L: u8>(
        self,
        warp: &Warp,
        left: &[u16],
        right: Option<&[u16]>,
        to: *mut f32,
    ) {
        // SAFETY: the caller's contract.
        unsafe {
            let mut words = [[0u32; 16]; 4];
            for register in 0..self.registers() {
                let columns = Columns::new(warp, left[register], right.map(|right| right[register]));
                columns.words::<L>(words.as_mut_ptr().cast());
                let first = 16 * 4 * self.pack() * register;
                for (row, words) in words.iter().enumerate() {
                    let to = to.add(first + 16 * self.pack() * row);
                    self.widen(words.as_ptr(), to, to.add(16));
                }
            }
        }
    }

    /// Sixteen words to the numbers that they hold: the only or the first ones, and the second ones.
    ///
    /// # Safety
    /// The pointers point to 16 words and numbers.
    #[inline(always)]
    unsafe fn widen(self, words: *const u32, first: *mut f32, second: *mut f32) {
        // SAFETY: the caller's contract.
        unsafe {
            let words = words.cast::<[u32; 16]>().read();
            let (mut low, mut high) = ([0f32; 16], [0f32; 16]);
            match self.element {
                Element::Bf16 => {
                    for lane in 0..16 {
                        low[lane] = bf16_to_f32(words[lane]);
                        high[lane] = f32::from_bits(words[lane] & 0xFFFF_0000);
                    }
                }
                Element::F16 => {
                    for lane in 0..16 {
                        low[lane] = f16_to_f32(words[lane] & 0xFFFF);
                        high[lane] = f16_to_f32(words[lane] >> 16);
                    }
                }
                Element::Tf32 => {
                    for lane in 0..16 {
                        low[lane] = f32::from_bits(words[lane] & 0xFFFF_E000);
                    }
                }
            }
            first.cast::<[f32; 16]>().write(low);
            if self.element != Element::Tf32 {
                second.cast::<[f32; 16]>().write(high);
            }
        }
    }
}

/// The same register of two B, as columns of four words.
pub(super) struct Columns([*const u32; 2]);

/// What a missing B reads.
static NOTHING: [u32; 32] = [0; 32];

impl Columns {
    /// # Safety
    /// The slots lie in the register file.
    #[inline(always)]
    pub unsafe fn new(warp: &Warp, left: u16, right: Option<u16>) -> Columns {
        // SAFETY: the caller's contract.
        unsafe {
            let right = right.map_or(NOTHING.as_ptr(), |right| warp.slot::<u32>(right).cast_const());
            Columns([warp.slot(left), right])
        }
    }

    /// Four rows of 16 words: word 0 of each column, word 1, ...
    ///
    /// # Safety
    /// `to` points to 64 words, and the CPU has level `L`.
    #[inline(always)]
    pub unsafe fn words<const L: u8>(&self, to: *mut u32) {
        // SAFETY: the caller's contract.
        unsafe { gather::<_, L>([to, to.add(16), to.add(32), to.add(48)], self) }
    }
}

impl Places for Columns {
    #[inline(always)]
    unsafe fn at(&self, lane: usize) -> *mut u8 {
        let column = 2 * (lane % 4) + lane / 4 % 2;
        self.0[lane / 8].wrapping_add(4 * column).cast_mut().cast()
    }
}
