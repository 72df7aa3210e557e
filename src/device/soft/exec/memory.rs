//! Loads and stores with vector code for the common case: all lanes inside one allocation, or inside the
//! shared memory.
//!
//! Every address is checked, together: one comparison with the allocation that the instruction touched
//! last (its [`super::warp::Site`]) and one for alignment. Where that fails, [`general`] finds out why.

use super::access::general;
use super::address::Lie;
use super::extent::{Global, HalfLanes, Lanes, Shared, SomeLanes, Space, checked};
use super::lanes::{HALF, Lane, write_half};
use super::transpose::{self, Places};
use super::{Body, Handler, Inst, Warp, handler};
#[cfg(target_arch = "x86_64")]
use crate::device::soft::level::AVX512;
use crate::device::soft::level::Level;
use std::marker::PhantomData;

/// An element in memory and in a register.
trait Element: 'static {
    type Memory: Copy;
    type Reg: Lane;
    fn load(value: Self::Memory) -> Self::Reg;
    fn store(value: Self::Reg) -> Self::Memory;
}

macro_rules! elements {
    ($($name:ident: $memory:ty as $reg:ty),* $(,)?) => { $(
        struct $name;
        impl Element for $name {
            type Memory = $memory;
            type Reg = $reg;
            #[inline(always)]
            fn load(value: $memory) -> $reg {
                value as $reg
            }
            #[inline(always)]
            fn store(value: $reg) -> $memory {
                value as $memory
            }
        }
    )* };
}
elements!(Byte: u8 as u32, SignedByte: i8 as u32, Half: u16 as u32, SignedHalf: i16 as u32, Word: u32 as u32, Long: u64 as u64);

/// The lanes of a mask, lowest first.
#[inline(always)]
fn each_lane(mut mask: u32, mut run: impl FnMut(usize)) {
    while mask != 0 {
        run(mask.trailing_zeros() as usize);
        mask &= mask - 1;
    }
}

struct Load<S, E>(PhantomData<(S, E)>);

impl<S: Space, E: Element> Body for Load<S, E> {
    #[inline(always)]
    unsafe fn run<const L: u8>(ip: *const Inst, warp: &mut Warp) -> *const Inst {
        // SAFETY: operands of a decoded instruction lie in the warp's files; addresses are checked.
        unsafe {
            let i = &*ip;
            let mask = warp.mask(i);
            let bytes = size_of::<E::Memory>();
            if mask == 0 {
                return ip.add(1);
            }
            let Some(lanes) = checked::<S, L>(warp, i, bytes, mask) else {
                return general(ip, warp, mask);
            };
            let d = warp.slot::<E::Reg>(i.d);
            if mask != !0 {
                load_some::<S, E, L>(&lanes, d, mask);
                return ip.add(1);
            }
            for half in 0..2 {
                let d = d.add(HALF * half);
                let first = lanes.at(HALF * half).cast::<E::Memory>();
                match lanes.lie::<L>(half, bytes) {
                    Lie::Rows => {
                        let x = first.cast::<[E::Memory; HALF]>().read_unaligned();
                        write_half::<_, L>(d, !0, true, x.map(E::load));
                    }
                    Lie::Same => {
                        d.cast::<[E::Reg; HALF]>().write([E::load(first.read_unaligned()); HALF]);
                    }
                    Lie::Scattered => {
                        for lane in 0..HALF {
                            let element = lanes.at(HALF * half + lane).cast::<E::Memory>();
                            *d.add(lane) = E::load(element.read_unaligned());
                        }
                    }
                }
            }
            ip.add(1)
        }
    }
}

/// A load in some of the lanes.
///
/// # Safety
/// The addresses of `mask` are checked; `d` points to 32 lanes.
#[inline(always)]
unsafe fn load_some<S: Space, E: Element, const L: u8>(lanes: &Lanes<S::Address>, d: *mut E::Reg, mask: u32) {
    #[cfg(target_arch = "x86_64")]
    if L == AVX512 && size_of::<E::Memory>() == 4 {
        for half in 0..2 {
            let part = mask >> (HALF * half) & 0xFFFF;
            // SAFETY: lanes outside of the mask are not read.
            let done = unsafe { masked::load::<S>(lanes, half, d.cast::<u32>().add(HALF * half), part) };
            if !done {
                each_lane(part << (HALF * half), |lane| {
                    // SAFETY: the lane is in the mask.
                    unsafe { *d.add(lane) = E::load(lanes.at(lane).cast::<E::Memory>().read_unaligned()) }
                });
            }
        }
        return;
    }
    // SAFETY: the lane is in the mask.
    each_lane(mask, |lane| unsafe {
        *d.add(lane) = E::load(lanes.at(lane).cast::<E::Memory>().read_unaligned());
    });
}

struct Store<S, E>(PhantomData<(S, E)>);

impl<S: Space, E: Element> Body for Store<S, E> {
    #[inline(always)]
    unsafe fn run<const L: u8>(ip: *const Inst, warp: &mut Warp) -> *const Inst {
        // SAFETY: operands of a decoded instruction lie in the warp's files; addresses are checked.
        unsafe {
            let i = &*ip;
            let mask = warp.mask(i);
            let bytes = size_of::<E::Memory>();
            if mask == 0 {
                return ip.add(1);
            }
            let Some(lanes) = checked::<S, L>(warp, i, bytes, mask) else {
                return general(ip, warp, mask);
            };
            let b = warp.slot::<E::Reg>(i.b);
            for half in 0..2 {
                let part = mask >> (HALF * half) & 0xFFFF;
                let b = b.add(HALF * half);
                if part == 0xFFFF && lanes.lie::<L>(half, bytes) == Lie::Rows {
                    let x = b.cast::<[E::Reg; HALF]>().read();
                    let first = lanes.at(HALF * half).cast::<[E::Memory; HALF]>();
                    first.write_unaligned(x.map(E::store));
                    continue;
                }
                #[cfg(target_arch = "x86_64")]
                if L == AVX512 && bytes == 4 && masked::store::<S>(&lanes, half, b.cast(), part) {
                    continue;
                }
                each_lane(part, |lane| {
                    let element = lanes.at(HALF * half + lane).cast::<E::Memory>();
                    element.write_unaligned(E::store(*b.add(lane)));
                });
            }
            ip.add(1)
        }
    }
}

/// Parts of a row of words, with AVX-512's masks.
#[cfg(target_arch = "x86_64")]
mod masked {
    use super::super::address::Address;
    use super::{AVX512, HALF, Lanes, Space};
    use std::arch::x86_64::*;

    /// Loads the lanes of `mask` if they lie in a row; whether they do.
    ///
    /// # Safety
    /// The addresses of `mask` are checked, and the CPU has AVX-512.
    #[inline(always)]
    pub unsafe fn load<S: Space>(lanes: &Lanes<S::Address>, half: usize, d: *mut u32, mask: u32) -> bool {
        // SAFETY: the caller's contract; lanes outside of the mask are neither read nor written.
        unsafe {
            if mask == 0 || !S::Address::rows::<AVX512>(lanes.addresses.add(HALF * half), 4, mask) {
                return mask == 0;
            }
            let x = _mm512_maskz_loadu_epi32(mask as u16, row::<S>(lanes, half, mask).cast());
            _mm512_mask_storeu_epi32(d.cast(), mask as u16, x);
            true
        }
    }

    /// Stores the lanes of `mask` if they lie in a row; whether they do.
    ///
    /// # Safety
    /// As for [`load`].
    #[inline(always)]
    pub unsafe fn store<S: Space>(lanes: &Lanes<S::Address>, half: usize, b: *const u32, mask: u32) -> bool {
        // SAFETY: the caller's contract; lanes outside of the mask are not written.
        unsafe {
            if mask == 0 || !S::Address::rows::<AVX512>(lanes.addresses.add(HALF * half), 4, mask) {
                return mask == 0;
            }
            let to = row::<S>(lanes, half, mask);
            _mm512_mask_storeu_epi32(to.cast(), mask as u16, _mm512_loadu_si512(b.cast()));
            true
        }
    }

    /// Where lane 0 of the half is, or would be.
    ///
    /// # Safety
    /// `mask` is not empty.
    #[inline(always)]
    unsafe fn row<S: Space>(lanes: &Lanes<S::Address>, half: usize, mask: u32) -> *mut u8 {
        let first = mask.trailing_zeros() as usize;
        // SAFETY: the lane is below 32.
        unsafe { lanes.at(HALF * half + first) }.wrapping_sub(4 * first)
    }
}

/// The registers of a vector access, from its list.
///
/// # Safety
/// The instruction belongs to the warp's code and has `N` elements.
#[inline(always)]
unsafe fn registers<const N: usize>(warp: &Warp, i: &Inst) -> [*mut u32; N] {
    // SAFETY: the caller's contract.
    unsafe {
        let places = warp.block.code.accesses.get_unchecked(i.site as usize).elements.as_ptr();
        std::array::from_fn(|k| warp.slot((*places.add(k)).slot))
    }
}

struct LoadVector<S, const N: usize>(PhantomData<S>);

impl<S: Space, const N: usize> Body for LoadVector<S, N> {
    /// Words of 32 bits; the destinations are in the access's list.
    #[inline(always)]
    unsafe fn run<const L: u8>(ip: *const Inst, warp: &mut Warp) -> *const Inst {
        // SAFETY: operands of a decoded instruction lie in the warp's files; addresses are checked.
        unsafe {
            let i = &*ip;
            let mask = warp.mask(i);
            if mask == 0 {
                return ip.add(1);
            }
            let Some(lanes) = checked::<S, L>(warp, i, 4 * N, mask) else {
                return general(ip, warp, mask);
            };
            let d = registers::<N>(warp, i);
            for half in 0..2 {
                let part = mask >> (HALF * half) & 0xFFFF;
                let d: [*mut u32; N] = std::array::from_fn(|k| d[k].add(HALF * half));
                if N == 2 && part == 0xFFFF {
                    load_pairs(
                        std::array::from_fn(|k| d[k % N]),
                        &HalfLanes { lanes: &lanes, first: HALF * half },
                    );
                } else if N == 4 && part == 0xFFFF {
                    load_four::<S, L>(&lanes, half, std::array::from_fn(|k| d[k % N]));
                } else if N == 4 && part != 0 {
                    load_four_some::<S, L>(&lanes, half, std::array::from_fn(|k| d[k % N]), part);
                } else {
                    each_lane(part, |lane| {
                        let x = lanes.at(HALF * half + lane).cast::<[u32; N]>().read_unaligned();
                        for k in 0..N {
                            *d[k].add(lane) = x[k];
                        }
                    });
                }
            }
            ip.add(1)
        }
    }
}

/// Two words in each of 16 lanes.
///
/// # Safety
/// The addresses of the half are checked.
#[inline(always)]
unsafe fn load_pairs<P: Places>(d: [*mut u32; 2], places: &P) {
    // SAFETY: the caller's contract.
    unsafe {
        let mut pairs = [0u64; HALF];
        for (lane, pair) in pairs.iter_mut().enumerate() {
            *pair = places.at(lane).cast::<u64>().read_unaligned();
        }
        let (mut low, mut high) = ([0u32; HALF], [0u32; HALF]);
        for lane in 0..HALF {
            (low[lane], high[lane]) = (pairs[lane] as u32, (pairs[lane] >> 32) as u32);
        }
        d[0].cast::<[u32; HALF]>().write(low);
        d[1].cast::<[u32; HALF]>().write(high);
    }
}

/// As [`load_pairs`], the other way.
///
/// # Safety
/// As for [`load_pairs`].
#[inline(always)]
unsafe fn store_pairs<P: Places>(s: [*mut u32; 2], places: &P) {
    // SAFETY: the caller's contract.
    unsafe {
        let (low, high) = (s[0].cast::<[u32; HALF]>().read(), s[1].cast::<[u32; HALF]>().read());
        let mut pairs = [0u64; HALF];
        for lane in 0..HALF {
            pairs[lane] = u64::from(low[lane]) | u64::from(high[lane]) << 32;
        }
        // Through memory, or the compiler takes vectors apart lane by lane.
        let pairs = std::hint::black_box(&pairs);
        for (lane, pair) in pairs.iter().enumerate() {
            places.at(lane).cast::<u64>().write_unaligned(*pair);
        }
    }
}

/// Four words in each of 16 lanes.
///
/// # Safety
/// The addresses of the half are checked, and the CPU has level `L`.
#[inline(always)]
unsafe fn load_four<S: Space, const L: u8>(lanes: &Lanes<S::Address>, half: usize, d: [*mut u32; 4]) {
    // SAFETY: the caller's contract.
    unsafe {
        match lanes.lie::<L>(half, 16) {
            Lie::Rows => transpose::rows::<L>(d, lanes.at(HALF * half)),
            Lie::Same => {
                let x = lanes.at(HALF * half).cast::<[u32; 4]>().read_unaligned();
                for k in 0..4 {
                    d[k].cast::<[u32; HALF]>().write([x[k]; HALF]);
                }
            }
            Lie::Scattered => transpose::gather::<_, L>(d, &HalfLanes { lanes, first: HALF * half }),
        }
    }
}

/// Four words in some of 16 lanes.
///
/// # Safety
/// The addresses of `mask` in the half are checked, and the CPU has level `L`.
#[inline(always)]
unsafe fn load_four_some<S: Space, const L: u8>(
    lanes: &Lanes<S::Address>,
    half: usize,
    d: [*mut u32; 4],
    mask: u32,
) {
    let mut x = [[0u32; HALF]; 4];
    let [x0, x1, x2, x3] = &mut x;
    // SAFETY: the caller's contract; the other lanes read a place of their own.
    unsafe {
        let to = [x0.as_mut_ptr(), x1.as_mut_ptr(), x2.as_mut_ptr(), x3.as_mut_ptr()];
        transpose::gather::<_, L>(to, &SomeLanes { lanes, first: HALF * half, mask });
        for k in 0..4 {
            write_half::<_, L>(d[k], mask, false, x[k]);
        }
    }
}

struct StoreVector<S, const N: usize>(PhantomData<S>);

impl<S: Space, const N: usize> Body for StoreVector<S, N> {
    /// Words of 32 bits; the sources are in the access's list.
    #[inline(always)]
    unsafe fn run<const L: u8>(ip: *const Inst, warp: &mut Warp) -> *const Inst {
        // SAFETY: operands of a decoded instruction lie in the warp's files; addresses are checked.
        unsafe {
            let i = &*ip;
            let mask = warp.mask(i);
            if mask == 0 {
                return ip.add(1);
            }
            let Some(lanes) = checked::<S, L>(warp, i, 4 * N, mask) else {
                return general(ip, warp, mask);
            };
            let s = registers::<N>(warp, i);
            for half in 0..2 {
                let part = mask >> (HALF * half) & 0xFFFF;
                let places = HalfLanes { lanes: &lanes, first: HALF * half };
                if N == 2 && part == 0xFFFF {
                    store_pairs(std::array::from_fn(|k| s[k % N].add(HALF * half)), &places);
                } else if N == 4 && part == 0xFFFF {
                    let s4 = std::array::from_fn(|k| s[k % N].add(HALF * half).cast_const());
                    transpose::scatter::<_, L>(s4, &places);
                } else {
                    each_lane(part, |lane| {
                        let x: [u32; N] = std::array::from_fn(|k| *s[k].add(HALF * half + lane));
                        places.at(lane).cast::<[u32; N]>().write_unaligned(x);
                    });
                }
            }
            ip.add(1)
        }
    }
}

/// What the fast paths know: element bytes, sign, vector length.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub bytes: u32,
    pub signed: bool,
    pub count: usize,
    pub shared: bool,
}

/// The handler of a load whose elements go to registers of their own width (at least 32 bits).
pub fn load(shape: Shape, level: Level) -> Option<Handler> {
    if shape.shared { load_from::<Shared>(shape, level) } else { load_from::<Global>(shape, level) }
}

fn load_from<S: Space>(shape: Shape, level: Level) -> Option<Handler> {
    Some(match (shape.bytes, shape.signed, shape.count) {
        (1, false, 1) => handler::<Load<S, Byte>>(level),
        (1, true, 1) => handler::<Load<S, SignedByte>>(level),
        (2, false, 1) => handler::<Load<S, Half>>(level),
        (2, true, 1) => handler::<Load<S, SignedHalf>>(level),
        (4, _, 1) => handler::<Load<S, Word>>(level),
        (8, _, 1) => handler::<Load<S, Long>>(level),
        (4, _, 2) => handler::<LoadVector<S, 2>>(level),
        (4, _, 4) => handler::<LoadVector<S, 4>>(level),
        _ => return None,
    })
}

/// The handler of a store whose elements come from registers of their own width (at least 32 bits).
pub fn store(shape: Shape, level: Level) -> Option<Handler> {
    if shape.shared { store_to::<Shared>(shape, level) } else { store_to::<Global>(shape, level) }
}

fn store_to<S: Space>(shape: Shape, level: Level) -> Option<Handler> {
    Some(match (shape.bytes, shape.count) {
        (1, 1) => handler::<Store<S, Byte>>(level),
        (2, 1) => handler::<Store<S, Half>>(level),
        (4, 1) => handler::<Store<S, Word>>(level),
        (8, 1) => handler::<Store<S, Long>>(level),
        (4, 2) => handler::<StoreVector<S, 2>>(level),
        (4, 4) => handler::<StoreVector<S, 4>>(level),
        _ => return None,
    })
}
