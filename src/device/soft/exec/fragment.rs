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
use super::matrix::transpose;
use super::transpose::{Places, gather};
use crate::ptx::typed::{Mma, Scalar};
use std::mem::MaybeUninit;

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

    /// The left matrix of the registers of A, as f32.
    ///
    /// # Safety
    /// The sources belong to the warp's code and are checked, `to` points to [`NUMBERS`] numbers, and the CPU has
    /// level `L`.
    #[inline(always)]
    pub(super) unsafe fn left<const L: u8>(
        self,
        warp: &Warp,
        pointers: &Pointers,
        sources: &[Source],
        to: *mut f32,
    ) {
        for (register, source) in sources.iter().enumerate() {
            // Register 2 j holds rows 0 to 7, register 2 j + 1 rows 8 to 15.
            let (group, below) = (register / 2 * self.pack(), 32 * (register % 2));
            let to = to.wrapping_add(64 * group + below);
            // SAFETY: the caller's contract.
            unsafe {
                let mut staged = Staged::NOTHING;
                let rows = source.rows(warp, pointers, &mut staged);
                self.widen(four_rows::<L>(rows, 0), to, to.add(64));
                let to = to.add(16);
                self.widen(four_rows::<L>(rows, 4), to, to.add(64));
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
        pointers: &Pointers,
        (left, right): (&[Source], Option<&[Source]>),
        to: *mut f32,
    ) {
        // SAFETY: the caller's contract.
        unsafe {
            let mut words = [[0u32; 16]; 4];
            for register in 0..self.registers() {
                let pair = (left[register], right.map(|right| right[register]));
                columns::<L>(warp, pointers, pair, &mut words);
                let first = 16 * 4 * self.pack() * register;
                for (row, words) in words.iter().enumerate() {
                    let to = to.add(first + 16 * self.pack() * row);
                    self.widen(*words, to, to.add(16));
                }
            }
        }
    }

    /// Sixteen words to the numbers that they hold: the only or the first ones, and the second ones.
    ///
    /// # Safety
    /// The pointers point to 16 numbers.
    #[inline(always)]
    unsafe fn widen(self, words: [u32; 16], first: *mut f32, second: *mut f32) {
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
        // SAFETY: the caller's contract.
        unsafe {
            first.cast::<[f32; 16]>().write(low);
            if self.element != Element::Tf32 {
                second.cast::<[f32; 16]>().write(high);
            }
        }
    }
}

/// Where a register of A or B comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Slot(u16),
    /// A matrix of an `ldmatrix`, straight from shared memory. The addresses of its eight rows are in lanes `lane` to
    /// `lane + 7` of an address register, number `base` of the run's.
    Matrix {
        base: u8,
        lane: u8,
        offset: u32,
        transposed: bool,
    },
}

/// Address registers of a run, at most.
pub const MAX_BASES: usize = 8;

/// Where the lanes of address registers point to in host memory.
pub(super) type Pointers = [[*const u8; 32]; MAX_BASES];

/// Eight pieces of 16 bytes: the lanes of a register in their order.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    places: &'a [*const u8; 8],
    offset: usize,
}

impl Rows<'_> {
    #[inline(always)]
    pub fn at(&self, row: usize) -> *const u8 {
        // Volatile, or the compiler loads the places as vectors and takes them apart again.
        // SAFETY: a reference may be read.
        unsafe { std::ptr::from_ref(&self.places[row]).read_volatile() }.wrapping_add(self.offset)
    }
}

/// Memory for [`Source::rows`].
#[derive(Clone, Copy)]
pub(super) struct Staged {
    bytes: MaybeUninit<[u128; 8]>,
    places: MaybeUninit<[*const u8; 8]>,
}

impl Staged {
    pub const NOTHING: Staged = Staged { bytes: MaybeUninit::uninit(), places: MaybeUninit::uninit() };

    /// Rows one behind the other.
    #[inline(always)]
    fn behind(&mut self, first: *const u8) -> Rows<'_> {
        let places = [0, 1, 2, 3, 4, 5, 6, 7].map(|row| first.wrapping_add(16 * row));
        Rows { places: self.places.write(places), offset: 0 }
    }
}

impl Source {
    /// # Safety
    /// The source belongs to the warp's code, and the addresses are checked.
    #[inline(always)]
    pub(super) unsafe fn rows<'a>(
        self,
        warp: &Warp,
        pointers: &'a Pointers,
        staged: &'a mut Staged,
    ) -> Rows<'a> {
        // SAFETY: the caller's contract.
        unsafe {
            match self {
                Source::Slot(slot) => staged.behind(warp.slot::<u8>(slot)),
                Source::Matrix { base, lane, offset, transposed } => {
                    let rows = memory_rows(pointers, base, lane, offset);
                    if !transposed {
                        return rows;
                    }
                    let mut matrix = [0; 8];
                    for (row, bytes) in matrix.iter_mut().enumerate() {
                        *bytes = rows.at(row).cast::<u128>().read_unaligned();
                    }
                    let first = std::ptr::from_ref(staged.bytes.write(transpose(matrix)));
                    staged.behind(first.cast())
                }
            }
        }
    }
}

/// The rows in shared memory of a matrix that an `ldmatrix` loads.
///
/// # Safety
/// The base is one of the run's, whose addresses are checked.
#[inline(always)]
unsafe fn memory_rows(pointers: &Pointers, base: u8, lane: u8, offset: u32) -> Rows<'_> {
    // SAFETY: the caller's contract; the matrix's addresses are in eight lanes from `lane` on.
    let places = unsafe { &*pointers.get_unchecked(base as usize).as_ptr().add(lane as usize).cast() };
    Rows { places, offset: offset as usize }
}

/// The words of four rows.
///
/// # Safety
/// 16 bytes are readable at each place, and the CPU has level `L`.
#[inline(always)]
unsafe fn four_rows<const L: u8>(rows: Rows, first: usize) -> [u32; 16] {
    // SAFETY: the caller's contract.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        if L == crate::device::soft::level::AVX512 {
            use std::arch::x86_64::*;
            let x = _mm512_castsi128_si512(_mm_loadu_si128(rows.at(first).cast()));
            let x = _mm512_inserti32x4::<1>(x, _mm_loadu_si128(rows.at(first + 1).cast()));
            let x = _mm512_inserti32x4::<2>(x, _mm_loadu_si128(rows.at(first + 2).cast()));
            let x = _mm512_inserti32x4::<3>(x, _mm_loadu_si128(rows.at(first + 3).cast()));
            return std::mem::transmute::<__m512i, [u32; 16]>(x);
        }
        let mut words = [0; 16];
        for row in 0..4 {
            let four = rows.at(first + row).cast::<[u32; 4]>().read_unaligned();
            words[4 * row..4 * row + 4].copy_from_slice(&four);
        }
        words
    }
}

/// What a missing B reads.
static NOTHING: [u32; 32] = [0; 32];

/// The same register of two B as four rows of 16 words: word 0 of each column, word 1, ...
///
/// # Safety
/// As for [`Factor::left`].
#[inline(always)]
pub(super) unsafe fn columns<const L: u8>(
    warp: &Warp,
    pointers: &Pointers,
    (left, right): (Source, Option<Source>),
    words: &mut [[u32; 16]; 4],
) {
    // SAFETY: the caller's contract.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        if L == crate::device::soft::level::AVX512
            && let Source::Matrix { base, lane, offset, transposed: true } = left
            && let Some(Source::Matrix {
                base: base_right,
                lane: lane_right,
                offset: offset_right,
                transposed: true,
            }) = right
        {
            let left = memory_rows(pointers, base, lane, offset);
            let right = memory_rows(pointers, base_right, lane_right, offset_right);
            return interleave(left, right, words);
        }
        let (mut staged_left, mut staged_right) = (Staged::NOTHING, Staged::NOTHING);
        let left = left.rows(warp, pointers, &mut staged_left);
        let right = match right {
            Some(right) => right.rows(warp, pointers, &mut staged_right),
            None => staged_right.behind(NOTHING.as_ptr().cast()),
        };
        let [a, b, c, d] = words;
        let to = [a.as_mut_ptr(), b.as_mut_ptr(), c.as_mut_ptr(), d.as_mut_ptr()];
        gather::<_, L>(to, &Columns([left, right]));
    }
}

/// [`columns`] of two transposed matrices: their rows in memory are those of B, so two neighbours are woven into one.
///
/// # Safety
/// 16 bytes are readable at each place, and the CPU has AVX-512.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn interleave(left: Rows, right: Rows, words: &mut [[u32; 16]; 4]) {
    use std::arch::x86_64::*;
    /// Places of both halves of each word: of each matrix first the even columns, then the odd ones.
    const WOVEN: [u16; 32] = {
        let mut places = [0; 32];
        let mut word = 0;
        while word < 16 {
            let column = 2 * (word % 4) + word / 4 % 2;
            places[2 * word] = (16 * (word / 8) + column) as u16;
            places[2 * word + 1] = places[2 * word] + 8;
            word += 1;
        }
        places
    };
    // SAFETY: the caller's contract.
    unsafe {
        let places = _mm512_loadu_si512(WOVEN.as_ptr().cast());
        for (pair, words) in words.iter_mut().enumerate() {
            let x = _mm512_castsi128_si512(_mm_loadu_si128(left.at(2 * pair).cast()));
            let x = _mm512_inserti32x4::<1>(x, _mm_loadu_si128(left.at(2 * pair + 1).cast()));
            let x = _mm512_inserti32x4::<2>(x, _mm_loadu_si128(right.at(2 * pair).cast()));
            let x = _mm512_inserti32x4::<3>(x, _mm_loadu_si128(right.at(2 * pair + 1).cast()));
            _mm512_storeu_si512(words.as_mut_ptr().cast(), _mm512_permutexvar_epi16(places, x));
        }
    }
}

/// The columns of two B, in the order of a tile's.
struct Columns<'a>([Rows<'a>; 2]);

impl Places for Columns<'_> {
    #[inline(always)]
    unsafe fn at(&self, lane: usize) -> *mut u8 {
        self.0[lane / 8].at(2 * (lane % 4) + lane / 4 % 2).cast_mut()
    }
}
