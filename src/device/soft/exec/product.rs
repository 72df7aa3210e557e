//! Runs of shared loads and fused multiply-adds that form outer products, as one instruction.
//!
//! The inner loop of a matrix product in f32 loads two fragments and adds their outer product to a block of
//! sums, again and again. Done as one instruction, the sums stay in the CPU's registers over all steps. Each
//! sum gets the same fused additions in the same order, so the bits are those of the single instructions,
//! which stand behind this one and run whenever it cannot: in a partial warp, in a divergent one, and for an
//! address that is a fault.

use super::address::{Address, Lie};
use super::transpose::{self, Places};
use super::{Body, Handler, Inst, Warp, handler};
use crate::device::soft::level::Level;

/// A load of four words from shared memory to four slots of the scratch memory.
#[derive(Debug, Clone, Copy)]
pub struct FragmentLoad {
    /// Index into [`Product::bases`].
    pub base: usize,
    pub offset: u32,
    /// The first of the scratch slots.
    pub to: u32,
}

/// An address register and the largest offset that is added to it.
#[derive(Debug, Clone, Copy)]
pub struct Base {
    pub slot: u16,
    pub most: u32,
}

/// Address registers of one run.
pub const MAX_BASES: usize = 4;

/// A run of outer products with the same sums.
#[derive(Debug, Clone, Default)]
pub struct Product {
    /// Sums are `rows` by `columns`.
    pub rows: usize,
    pub columns: usize,
    /// Slots of the sums, row by row.
    pub sums: Vec<u16>,
    /// For every step where in the scratch memory the `rows` left factors are, in lanes, then the `columns`
    /// right ones.
    pub factors: Vec<u32>,
    pub bases: Vec<Base>,
    pub loads: Vec<FragmentLoad>,
    /// Registers that are copied to scratch slots first: factors that the run does not load.
    pub imports: Vec<(u16, u32)>,
    /// Registers that hold a loaded value when the run is over, and the scratch slots of the values.
    pub exports: Vec<(u32, u16)>,
    /// Scratch slots in use.
    pub scratch: usize,
    /// Instructions that this one stands for.
    pub covers: usize,
}

/// Registers of 32 lanes, in the scratch memory or the register file.
type Register = [f32; 32];

/// The fragments that one address register points to.
#[derive(Clone, Copy)]
struct Fragments {
    addresses: *const u32,
    /// How each half of the warp lies.
    lie: [Lie; 2],
}

/// One half of the warp's fragments, at an offset.
struct Places16 {
    addresses: *const u32,
    host: *mut u8,
}

impl Places for Places16 {
    #[inline(always)]
    unsafe fn at(&self, lane: usize) -> *mut u8 {
        // Volatile, or the compiler loads the addresses as vectors and takes them apart again.
        // SAFETY: the caller's contract.
        self.host.wrapping_add(unsafe { self.addresses.add(lane).read_volatile() } as usize)
    }
}

struct OuterProducts;

impl Body for OuterProducts {
    /// `imm` is the product's index.
    #[inline(always)]
    unsafe fn run<const L: u8>(ip: *const Inst, warp: &mut Warp) -> *const Inst {
        // SAFETY: operands of a decoded instruction lie in the warp's files; addresses are checked.
        unsafe {
            let product = warp.block.code.products.get_unchecked((*ip).imm as usize);
            if warp.active != !0 {
                return ip.add(1);
            }
            let Some(fragments) = look::<L>(product, warp) else { return ip.add(1) };
            let scratch = warp.block.scratch.cast::<Register>();
            for (slot, to) in &product.imports {
                scratch.add(*to as usize).write(warp.slot::<Register>(*slot).read());
            }
            for load in &product.loads {
                fetch::<L>(fragments.get_unchecked(load.base), load, warp, scratch);
            }
            multiply::<L>(product, warp, scratch);
            for (from, slot) in &product.exports {
                warp.slot::<Register>(*slot).write(scratch.add(*from as usize).read());
            }
            ip.add(1 + product.covers)
        }
    }
}

/// Looks at the addresses of all loads; `None` if one is outside the shared memory or misaligned.
///
/// # Safety
/// As for [`Body::run`].
#[inline(always)]
unsafe fn look<const L: u8>(product: &Product, warp: &Warp) -> Option<[Fragments; MAX_BASES]> {
    let mut fragments = [Fragments { addresses: std::ptr::null(), lie: [Lie::Same; 2] }; MAX_BASES];
    for (base, fragment) in product.bases.iter().zip(&mut fragments) {
        let limit = u64::from(warp.shared_len).checked_sub(16 + u64::from(base.most))?;
        // SAFETY: the slot lies in the register file.
        unsafe {
            fragment.addresses = warp.slot::<u32>(base.slot);
            if !u32::inside::<L>(fragment.addresses, 0, limit, 16, !0) {
                return None;
            }
            for (half, lie) in fragment.lie.iter_mut().enumerate() {
                *lie = u32::lie::<L>(fragment.addresses.add(16 * half), 16);
            }
        }
    }
    Some(fragments)
}

/// # Safety
/// As for [`Body::run`], with the addresses looked at.
#[inline(always)]
unsafe fn fetch<const L: u8>(
    fragments: &Fragments,
    load: &FragmentLoad,
    warp: &Warp,
    scratch: *mut Register,
) {
    // SAFETY: the caller's contract; the scratch memory has all slots of the product.
    unsafe {
        let to = scratch.add(load.to as usize).cast::<u32>();
        for half in 0..2 {
            let host = warp.shared.wrapping_add(load.offset as usize);
            let places = Places16 { addresses: fragments.addresses.add(16 * half), host };
            let d = [to, to.add(32), to.add(64), to.add(96)].map(|d| d.add(16 * half));
            match fragments.lie[half] {
                Lie::Rows => transpose::rows::<L>(d, places.at(0)),
                Lie::Same => {
                    let x = places.at(0).cast::<[u32; 4]>().read_unaligned();
                    for k in 0..4 {
                        d[k].cast::<[u32; 16]>().write([x[k]; 16]);
                    }
                }
                Lie::Scattered => transpose::gather::<_, L>(d, &places),
            }
        }
    }
}

/// Adds all products to the sums, block by block of what the CPU's registers hold.
///
/// # Safety
/// As for [`Body::run`], with the scratch slots filled.
#[inline(always)]
unsafe fn multiply<const L: u8>(product: &Product, warp: &Warp, scratch: *const Register) {
    let side = |n: usize| if n.is_multiple_of(4) { 4 } else { n & n.wrapping_neg() };
    // SAFETY: the caller's contract.
    unsafe {
        match (side(product.rows), side(product.columns)) {
            (4, 4) => blocks::<L, 4, 4>(product, warp, scratch),
            (4, 2) => blocks::<L, 4, 2>(product, warp, scratch),
            (4, _) => blocks::<L, 4, 1>(product, warp, scratch),
            (2, 4) => blocks::<L, 2, 4>(product, warp, scratch),
            (2, 2) => blocks::<L, 2, 2>(product, warp, scratch),
            (2, _) => blocks::<L, 2, 1>(product, warp, scratch),
            (_, 4) => blocks::<L, 1, 4>(product, warp, scratch),
            (_, 2) => blocks::<L, 1, 2>(product, warp, scratch),
            _ => blocks::<L, 1, 1>(product, warp, scratch),
        }
    }
}

/// # Safety
/// As for [`multiply`]; `R` divides the rows and `C` the columns.
#[inline(always)]
unsafe fn blocks<const L: u8, const R: usize, const C: usize>(
    product: &Product,
    warp: &Warp,
    scratch: *const Register,
) {
    for row in (0..product.rows).step_by(R) {
        for column in (0..product.columns).step_by(C) {
            let mut sums = [[std::ptr::null_mut::<f32>(); C]; R];
            for (r, sums) in sums.iter_mut().enumerate() {
                for (c, sum) in sums.iter_mut().enumerate() {
                    // SAFETY: the caller's contract.
                    unsafe {
                        let index = (row + r) * product.columns + column + c;
                        *sum = warp.slot(*product.sums.get_unchecked(index));
                    }
                }
            }
            let block = Block { product, row, column, scratch: scratch.cast() };
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the caller's contract.
            unsafe {
                if L == crate::device::soft::level::AVX512 {
                    x86::block_avx512::<R, C>(&block, sums);
                } else {
                    x86::block_avx2::<R, C>(&block, sums);
                }
            }
            #[cfg(not(target_arch = "x86_64"))]
            // SAFETY: the caller's contract.
            unsafe {
                block_portable::<R, C>(&block, sums);
            }
        }
    }
}

/// A block of sums and where its factors are.
struct Block<'a> {
    product: &'a Product,
    row: usize,
    column: usize,
    scratch: *const f32,
}

impl Block<'_> {
    /// Of the left factors of a step the first one of this block, and the same of the right ones.
    ///
    /// # Safety
    /// `step` is a step of the product.
    #[inline(always)]
    unsafe fn factors(&self, step: usize) -> (*const u32, *const u32) {
        let Product { rows, columns, factors, .. } = self.product;
        // SAFETY: the caller's contract.
        unsafe {
            let first = factors.as_ptr().add(step * (rows + columns));
            (first.add(self.row), first.add(rows + self.column))
        }
    }

    fn steps(&self) -> usize {
        self.product.factors.len() / (self.product.rows + self.product.columns)
    }
}

#[cfg(not(target_arch = "x86_64"))]
unsafe fn block_portable<const R: usize, const C: usize>(block: &Block, sums: [[*mut f32; C]; R]) {
    // SAFETY: the contract of `multiply`.
    unsafe {
        for step in 0..block.steps() {
            let (left, right) = block.factors(step);
            for (r, sums) in sums.iter().enumerate() {
                let a = block.scratch.add(*left.add(r) as usize).cast::<Register>().read();
                for (c, sum) in sums.iter().enumerate() {
                    let b = block.scratch.add(*right.add(c) as usize).cast::<Register>().read();
                    let old = sum.cast::<Register>().read();
                    sum.cast::<Register>().write(std::array::from_fn(|l| a[l].mul_add(b[l], old[l])));
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Block;
    use std::arch::x86_64::*;

    #[inline(always)]
    pub unsafe fn block_avx512<const R: usize, const C: usize>(block: &Block, sums: [[*mut f32; C]; R]) {
        for first in [0, 16] {
            // SAFETY: the contract of `multiply`.
            unsafe {
                let scratch = block.scratch.add(first);
                let mut s = [[_mm512_setzero_ps(); C]; R];
                for r in 0..R {
                    for c in 0..C {
                        s[r][c] = _mm512_loadu_ps(sums[r][c].add(first));
                    }
                }
                for step in 0..block.steps() {
                    let (left, right) = block.factors(step);
                    let mut b = [_mm512_setzero_ps(); C];
                    for (c, b) in b.iter_mut().enumerate() {
                        *b = _mm512_loadu_ps(scratch.add(*right.add(c) as usize));
                    }
                    for (r, s) in s.iter_mut().enumerate() {
                        let a = _mm512_loadu_ps(scratch.add(*left.add(r) as usize));
                        for c in 0..C {
                            s[c] = _mm512_fmadd_ps(a, b[c], s[c]);
                        }
                    }
                }
                for r in 0..R {
                    for c in 0..C {
                        _mm512_storeu_ps(sums[r][c].add(first), s[r][c]);
                    }
                }
            }
        }
    }

    /// Two rows at a time, since there are 16 registers.
    #[inline(always)]
    pub unsafe fn block_avx2<const R: usize, const C: usize>(block: &Block, sums: [[*mut f32; C]; R]) {
        for first in [0, 8, 16, 24] {
            for top in (0..R).step_by(2) {
                // SAFETY: the contract of `multiply`.
                unsafe {
                    let scratch = block.scratch.add(first);
                    let bottom = if R > 1 { top + 1 } else { top };
                    let mut upper = [_mm256_setzero_ps(); C];
                    let mut lower = [_mm256_setzero_ps(); C];
                    for c in 0..C {
                        upper[c] = _mm256_loadu_ps(sums[top][c].add(first));
                        lower[c] = _mm256_loadu_ps(sums[bottom][c].add(first));
                    }
                    for step in 0..block.steps() {
                        let (left, right) = block.factors(step);
                        let a = _mm256_loadu_ps(scratch.add(*left.add(top) as usize));
                        let e = _mm256_loadu_ps(scratch.add(*left.add(bottom) as usize));
                        for c in 0..C {
                            let b = _mm256_loadu_ps(scratch.add(*right.add(c) as usize));
                            upper[c] = _mm256_fmadd_ps(a, b, upper[c]);
                            lower[c] = _mm256_fmadd_ps(e, b, lower[c]);
                        }
                    }
                    for c in 0..C {
                        _mm256_storeu_ps(sums[top][c].add(first), upper[c]);
                        _mm256_storeu_ps(sums[bottom][c].add(first), lower[c]);
                    }
                }
            }
        }
    }
}

/// The handler; `None` where the level has no fused multiply-add worth it.
pub fn outer_products(level: Level) -> Option<Handler> {
    (level > Level::Portable || cfg!(target_arch = "aarch64")).then(|| handler::<OuterProducts>(level))
}
