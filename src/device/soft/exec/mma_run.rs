//! Runs of `mma` as one instruction.
//!
//! A run multiplies every A of a list with every B of another one and adds to sums that are kept as
//! [tiles](super::tile). Each A and each B becomes a matrix of f32 once. Every sum gets the additions of its `mma`
//! in the same order, so the bits are those of the single instructions, which stand behind this one and run where
//! it cannot: in a warp that is not whole or has diverged.

use super::fragment::{Factor, NUMBERS, Order};
use super::row::{Plain, Row};
#[cfg(target_arch = "x86_64")]
use super::row::{Ymm, Zmm};
use super::tile::{self, ROW};
use super::{Body, Handler, Inst, Warp, handler};
use crate::device::soft::level::Level;
#[cfg(target_arch = "x86_64")]
use crate::device::soft::level::{AVX2, AVX512};

/// A run of `mma`.
#[derive(Debug, Clone)]
pub struct MmaRun {
    pub factor: Factor,
    /// Slots of the registers of each A.
    pub rows: Vec<Vec<u16>>,
    /// Of one or two B for each column of tiles.
    pub columns: Vec<(Vec<u16>, Option<Vec<u16>>)>,
    /// Indices of the tiles, row by row.
    pub tiles: Vec<u16>,
    /// The same as a set.
    pub set: u64,
    /// Instructions that this one stands for.
    pub covers: usize,
}

/// A's and pairs of B's of a run, at most.
pub const MAX_SIDE: usize = 8;

impl MmaRun {
    /// Scratch slots.
    pub fn scratch(&self) -> usize {
        (self.rows.len() + self.columns.len()) * NUMBERS / 32
    }
}

struct Run;

impl Body for Run {
    /// `imm` is the run's index.
    #[inline(always)]
    unsafe fn run<const L: u8>(ip: *const Inst, warp: &mut Warp) -> *const Inst {
        // SAFETY: the run and its slots belong to the warp's code.
        unsafe {
            let run = warp.block.code.mma_runs.get_unchecked((*ip).imm as usize);
            if !warp.converged() || warp.active != !0 {
                tile::put_back(warp, run.set);
                return ip.add(1);
            }
            take(warp, run.set);
            let scratch = warp.block.scratch.cast::<f32>();
            let right = scratch.add(NUMBERS * run.rows.len());
            for (column, (first, second)) in run.columns.iter().enumerate() {
                run.factor.right::<L>(warp, first, second.as_deref(), right.add(NUMBERS * column));
            }
            for (row, slots) in run.rows.iter().enumerate() {
                run.factor.left::<L>(warp, slots, scratch.add(NUMBERS * row));
            }
            grid::<L>(run, warp, scratch, right);
            ip.add(1 + run.covers)
        }
    }
}

/// Makes tiles of a set of sums.
///
/// # Safety
/// The set belongs to the warp's code.
#[inline(always)]
unsafe fn take(warp: &mut Warp, set: u64) {
    let mut missing = set & !warp.tiled;
    warp.tiled |= set;
    while missing != 0 {
        // SAFETY: the caller's contract.
        unsafe { warp.block.code.tiles[missing.trailing_zeros() as usize].enter(warp) };
        missing &= missing - 1;
    }
}

/// All products of a run.
///
/// # Safety
/// As for [`Body::run`]; `left` and `right` hold the run's matrices.
#[inline(always)]
unsafe fn grid<const L: u8>(run: &MmaRun, warp: &Warp, left: *const f32, right: *const f32) {
    let columns = run.columns.len();
    let order = run.factor.order();
    // SAFETY: the caller's contract.
    unsafe {
        let sums = |row: usize, column: usize| {
            let tile = *run.tiles.get_unchecked(row * columns + column);
            warp.block.code.tiles.get_unchecked(tile as usize).rows(warp)
        };
        for row in 0..run.rows.len() {
            let a = left.add(NUMBERS * row);
            let mut column = 0;
            #[cfg(target_arch = "x86_64")]
            if L == AVX512 {
                while column + 1 < columns {
                    let b = right.add(NUMBERS * column);
                    let sums = [sums(row, column), sums(row, column + 1)];
                    product::<Zmm, 4, 2>(&order, a, [b, b.add(NUMBERS)], sums);
                    column += 2;
                }
            }
            while column < columns {
                one::<L>(&order, a, right.add(NUMBERS * column), sums(row, column));
                column += 1;
            }
        }
    }
}

/// A tile's product.
///
/// # Safety
/// As for [`product`].
#[inline(always)]
pub(super) unsafe fn one<const L: u8>(order: &Order, a: *const f32, b: *const f32, sums: *mut f32) {
    // SAFETY: the caller's contract.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        {
            if L == AVX512 {
                return product::<Zmm, 4, 1>(order, a, [b], [sums]);
            }
            if L == AVX2 {
                return product::<Ymm, 2, 1>(order, a, [b], [sums]);
            }
        }
        product::<Plain, 1, 1>(order, a, [b], [sums]);
    }
}

/// Adds the product of a left matrix with `T` right ones to as many tiles, `R` rows at a time: what the vector
/// registers hold.
///
/// # Safety
/// The matrices are those of one factor, and the CPU has the vectors of `V`.
#[inline(always)]
unsafe fn product<V: Row, const R: usize, const T: usize>(
    order: &Order,
    a: *const f32,
    b: [*const f32; T],
    sums: [*mut f32; T],
) {
    for first in (0..16).step_by(R) {
        // SAFETY: the caller's contract.
        unsafe {
            let (mut even, mut odd) = ([[V::zero(); T]; R], [[V::zero(); T]; R]);
            for pair in 0..order.pairs {
                let a = a.add(order.even.get_unchecked(pair) + 4 * first);
                let (mut b_even, mut b_odd) = ([V::zero(); T], [V::zero(); T]);
                for t in 0..T {
                    b_even[t] = V::load(b[t].add(2 * ROW * pair));
                    b_odd[t] = V::load(b[t].add(2 * ROW * pair + ROW));
                }
                for r in 0..R {
                    let (a_even, a_odd) = (V::splat(a.add(4 * r)), V::splat(a.add(4 * r + order.odd)));
                    for t in 0..T {
                        even[r][t] = a_even.fma(b_even[t], even[r][t]);
                        odd[r][t] = a_odd.fma(b_odd[t], odd[r][t]);
                    }
                }
            }
            for r in 0..R {
                for t in 0..T {
                    let sums = sums[t].add(ROW * (first + r));
                    V::load(sums).add(even[r][t].add(odd[r][t])).store(sums);
                }
            }
        }
    }
}

/// The handler of runs.
pub fn run(level: Level) -> Handler {
    handler::<Run>(level)
}
