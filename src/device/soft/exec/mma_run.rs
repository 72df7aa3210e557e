//! Runs of `ldmatrix` and `mma` as one instruction.
//!
//! A step of a run multiplies every A of a list with every B of another one and adds to sums that are kept as
//! [tiles](super::tile). Each A and each B becomes a matrix of f32 once; where an `ldmatrix` of the run loads it,
//! straight from shared memory. Every sum gets the additions of its `mma` in the same order, so the bits are those
//! of the single instructions, which stand behind this one and run where it cannot: in a warp that is not whole or
//! has diverged, and for an address that is a fault.

use super::address::Address;
use super::fragment::{Factor, NUMBERS, Order, Pointers, Source, Staged};
use super::row::{Plain, Row};
#[cfg(target_arch = "x86_64")]
use super::row::{Ymm, Zmm};
use super::tile::{self, ROW};
use super::{Body, Handler, Inst, Warp, handler};
use crate::device::soft::level::Level;
#[cfg(target_arch = "x86_64")]
use crate::device::soft::level::{AVX2, AVX512};
use std::mem::MaybeUninit;

/// A run.
#[derive(Debug, Clone, Default)]
pub struct MmaRun {
    pub steps: Vec<Step>,
    /// Address registers of the loads, at most [`super::fragment::MAX_BASES`].
    pub bases: Vec<Base>,
    /// Loaded registers that are read behind the run, and their slots.
    pub exports: Vec<(Source, u16)>,
    /// The tiles of all steps.
    pub set: u64,
    /// Instructions that this one stands for.
    pub covers: usize,
}

/// A product of A's and B's.
#[derive(Debug, Clone)]
pub struct Step {
    pub factor: Factor,
    /// The registers of each A.
    pub rows: Vec<Vec<Source>>,
    /// Those of one or two B for each column of tiles.
    pub columns: Vec<(Vec<Source>, Option<Vec<Source>>)>,
    /// Indices of the tiles, row by row.
    pub tiles: Vec<u16>,
}

/// A register with addresses in shared memory.
#[derive(Debug, Clone, Copy)]
pub struct Base {
    pub slot: u16,
    /// The largest offset that is added.
    pub most: u32,
    /// Lanes that hold addresses.
    pub lanes: u32,
}

/// A's and pairs of B's of a step, at most.
pub const MAX_SIDE: usize = 8;
/// Steps of a run, at most.
pub const MAX_STEPS: usize = 8;

impl MmaRun {
    /// Scratch slots.
    pub fn scratch(&self) -> usize {
        let matrices = self.steps.iter().map(|step| step.rows.len() + step.columns.len());
        let slots = matrices.max().unwrap_or(0) * NUMBERS / 32;
        #[cfg(target_arch = "x86_64")]
        let slots = slots.max(super::amx::scratch(self));
        slots
    }

    /// Where the loads' addresses point to; `None` unless all are multiples of 16 inside the shared memory.
    ///
    /// # Safety
    /// The run belongs to the warp's code, and the CPU has level `L`.
    #[inline(always)]
    unsafe fn look<const L: u8>(&self, warp: &Warp, pointers: &mut MaybeUninit<Pointers>) -> bool {
        for (index, base) in self.bases.iter().enumerate() {
            let Some(limit) = u64::from(warp.shared_len).checked_sub(16 + u64::from(base.most)) else {
                return false;
            };
            // SAFETY: the caller's contract; there are at most as many bases as pointers have room.
            unsafe {
                let addresses = warp.slot::<u32>(base.slot);
                if !u32::inside::<L>(addresses, 0, limit, 16, base.lanes) {
                    return false;
                }
                let to = pointers.as_mut_ptr().cast::<[usize; 32]>().add(index);
                let addresses = addresses.cast::<[u32; 32]>().read();
                let mut places = [0; 32];
                for lane in 0..32 {
                    places[lane] = warp.shared as usize + addresses[lane] as usize;
                }
                to.write(places);
            }
        }
        true
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
            let mut pointers = MaybeUninit::uninit();
            if !is_possible::<L>(run, warp, &mut pointers) {
                return ip.add(1);
            }
            let pointers = &*pointers.as_ptr();
            take(warp, run.set);
            for step in &run.steps {
                multiply::<L>(step, warp, pointers);
            }
            export(run, warp, pointers);
            ip.add(1 + run.covers)
        }
    }
}

/// Whether the warp can do a run, and where its loads' addresses point to. If not, its tiles are put back for the
/// single instructions.
///
/// # Safety
/// As for [`Body::run`].
#[inline(always)]
pub(super) unsafe fn is_possible<const L: u8>(
    run: &MmaRun,
    warp: &mut Warp,
    pointers: &mut MaybeUninit<Pointers>,
) -> bool {
    // SAFETY: the caller's contract.
    unsafe {
        let possible = warp.converged() && warp.active == !0 && run.look::<L>(warp, pointers);
        if !possible {
            tile::put_back::<L>(warp, run.set);
        }
        possible
    }
}

/// Writes the loaded registers that are read behind a run.
///
/// # Safety
/// As for [`Body::run`], with the addresses checked.
#[inline(always)]
pub(super) unsafe fn export(run: &MmaRun, warp: &Warp, pointers: &Pointers) {
    for (source, slot) in &run.exports {
        let mut staged = Staged::NOTHING;
        // SAFETY: the caller's contract.
        unsafe {
            let rows = source.rows(warp, pointers, &mut staged);
            for row in 0..8 {
                let bytes = rows.at(row).cast::<u128>().read_unaligned();
                warp.slot::<u128>(*slot).add(row).write(bytes);
            }
        }
    }
}

/// Does a step.
///
/// # Safety
/// As for [`Body::run`]; the warp has the tiles, and the addresses are checked.
#[inline(always)]
pub(super) unsafe fn multiply<const L: u8>(step: &Step, warp: &Warp, pointers: &Pointers) {
    let scratch = warp.block.scratch.cast::<f32>();
    // SAFETY: the caller's contract.
    unsafe {
        let right = scratch.add(NUMBERS * step.rows.len());
        for (column, (first, second)) in step.columns.iter().enumerate() {
            let to = right.add(NUMBERS * column);
            step.factor.right::<L>(warp, pointers, (first, second.as_deref()), to);
        }
        for (row, sources) in step.rows.iter().enumerate() {
            step.factor.left::<L>(warp, pointers, sources, scratch.add(NUMBERS * row));
        }
        grid::<L>(step, warp, scratch, right);
    }
}

/// Makes tiles of a set of sums; those that the warp did not have.
///
/// # Safety
/// The set belongs to the warp's code.
#[inline(always)]
pub(super) unsafe fn take(warp: &mut Warp, set: u64) -> u64 {
    let made = set & !warp.tiled;
    let mut missing = made;
    warp.tiled |= set;
    while missing != 0 {
        // SAFETY: the caller's contract.
        unsafe { warp.block.code.tiles[missing.trailing_zeros() as usize].enter(warp) };
        missing &= missing - 1;
    }
    made
}

/// All products of a step.
///
/// # Safety
/// As for [`multiply`]; `left` and `right` hold the step's matrices.
#[inline(always)]
unsafe fn grid<const L: u8>(step: &Step, warp: &Warp, left: *const f32, right: *const f32) {
    let columns = step.columns.len();
    let order = step.factor.order();
    // SAFETY: the caller's contract.
    unsafe {
        let sums = |row: usize, column: usize| {
            let tile = *step.tiles.get_unchecked(row * columns + column);
            warp.block.code.tiles.get_unchecked(tile as usize).rows(warp)
        };
        for row in 0..step.rows.len() {
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

/// The handler of a run.
pub fn handler_of(run: &MmaRun, level: Level) -> Handler {
    #[cfg(target_arch = "x86_64")]
    if level == Level::Amx && super::amx::suits(run) {
        return super::amx::run;
    }
    handler::<Run>(level)
}
