//! Loads and stores with vector code for the common case: all lanes inside one allocation, or inside the
//! shared memory.
//!
//! Every address is checked, together: one comparison with the allocation that the instruction touched
//! last (its [`Site`]) and one for alignment. Where that fails, [`general`] finds out why.

use super::access::general;
use super::lanes::{HALF, Lane, write_half};
use super::transpose::{gather4, scatter4};
use super::warp::Site;
use super::{Body, Handler, Inst, Warp, handler};
use crate::device::soft::level::Level;
use std::marker::PhantomData;

/// Which memory, and how wide its addresses are.
trait Space: 'static {
    type Address: Lane + Into<u64>;
    /// The memory that an access may touch without a look-up.
    ///
    /// # Safety
    /// As for [`Body::run`].
    unsafe fn extent(warp: &Warp, i: &Inst) -> Site;
    /// Offset of an address plus an immediate from the start of the memory.
    fn offset(address: Self::Address, imm: i32, lo: u64) -> u64;
}

struct Global;
struct Shared;

impl Space for Global {
    type Address = u64;

    #[inline(always)]
    unsafe fn extent(warp: &Warp, i: &Inst) -> Site {
        // SAFETY: there is a site for every access of the code.
        unsafe { *warp.sites.add(i.site as usize) }
    }

    #[inline(always)]
    fn offset(address: u64, imm: i32, lo: u64) -> u64 {
        address.wrapping_add(imm as i64 as u64).wrapping_sub(lo)
    }
}

impl Space for Shared {
    type Address = u32;

    #[inline(always)]
    unsafe fn extent(warp: &Warp, _i: &Inst) -> Site {
        Site { lo: 0, len: u64::from(warp.shared_len), host: warp.shared }
    }

    #[inline(always)]
    fn offset(address: u32, imm: i32, _lo: u64) -> u64 {
        u64::from(address.wrapping_add(imm as u32))
    }
}

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

/// Offsets of all lanes from the start of the memory; `None` if one of `mask` is outside or misaligned.
///
/// # Safety
/// `addresses` points to 32 lanes.
#[inline(always)]
unsafe fn offsets<S: Space>(
    addresses: *const S::Address,
    imm: i32,
    extent: &Site,
    bytes: u64,
    mask: u32,
) -> Option<[u64; 32]> {
    let mut out = [0u64; 32];
    if extent.len < bytes {
        return None;
    }
    let limit = extent.len - bytes;
    let mut wrong = 0u64;
    for half in 0..2 {
        // SAFETY: the caller's contract.
        let x = unsafe { addresses.add(HALF * half).cast::<[S::Address; HALF]>().read() };
        for lane in 0..HALF {
            let offset = S::offset(x[lane], imm, extent.lo);
            let bad = u64::from(offset > limit) | (offset & (bytes - 1));
            let active = (u64::from(mask >> (HALF * half)) >> lane & 1).wrapping_neg();
            wrong |= bad & active;
            out[HALF * half + lane] = offset;
        }
    }
    (wrong == 0).then_some(out)
}

/// Whether lane `l` is `step * l` bytes behind lane 0.
#[inline(always)]
fn contiguous(offsets: &[u64; 32], step: u64) -> bool {
    if offsets[31].wrapping_sub(offsets[0]) != 31 * step {
        return false;
    }
    let mut wrong = 0;
    for lane in 0..32 {
        wrong |= offsets[lane] ^ offsets[0].wrapping_add(step * lane as u64);
    }
    wrong == 0
}

#[inline(always)]
fn uniform(offsets: &[u64; 32]) -> bool {
    offsets[31] == offsets[0] && offsets.iter().fold(0, |wrong, offset| wrong | (offset ^ offsets[0])) == 0
}

struct Load<S, E>(PhantomData<(S, E)>);

impl<S: Space, E: Element> Body for Load<S, E> {
    #[inline(always)]
    unsafe fn run<const L: u8>(ip: *const Inst, warp: &mut Warp) -> *const Inst {
        // SAFETY: operands of a decoded instruction lie in the warp's files; offsets are checked.
        unsafe {
            let i = &*ip;
            let mask = warp.mask(i);
            if mask == 0 {
                return ip.add(1);
            }
            let extent = S::extent(warp, i);
            let bytes = size_of::<E::Memory>() as u64;
            let Some(at) = offsets::<S>(warp.slot(i.a), i.imm, &extent, bytes, mask) else {
                return general(ip, warp, mask);
            };
            let d = warp.slot::<E::Reg>(i.d);
            let element = |offset: u64| extent.host.wrapping_add(offset as usize).cast::<E::Memory>();
            if mask == !0 && contiguous(&at, bytes) {
                let first = element(at[0]);
                for half in 0..2 {
                    let x = first.add(HALF * half).cast::<[E::Memory; HALF]>().read_unaligned();
                    write_half(d.add(HALF * half), !0, true, x.map(E::load));
                }
            } else if mask == !0 && uniform(&at) {
                d.cast::<[E::Reg; 32]>().write([E::load(element(at[0]).read_unaligned()); 32]);
            } else if mask == !0 {
                for (lane, &address) in at.iter().enumerate() {
                    *d.add(lane) = E::load(element(address).read_unaligned());
                }
            } else {
                for lane in (0..32).filter(|lane| mask >> lane & 1 != 0) {
                    *d.add(lane) = E::load(element(at[lane]).read_unaligned());
                }
            }
            ip.add(1)
        }
    }
}

struct Store<S, E>(PhantomData<(S, E)>);

impl<S: Space, E: Element> Body for Store<S, E> {
    #[inline(always)]
    unsafe fn run<const L: u8>(ip: *const Inst, warp: &mut Warp) -> *const Inst {
        // SAFETY: operands of a decoded instruction lie in the warp's files; offsets are checked.
        unsafe {
            let i = &*ip;
            let mask = warp.mask(i);
            if mask == 0 {
                return ip.add(1);
            }
            let extent = S::extent(warp, i);
            let bytes = size_of::<E::Memory>() as u64;
            let Some(at) = offsets::<S>(warp.slot(i.a), i.imm, &extent, bytes, mask) else {
                return general(ip, warp, mask);
            };
            let b = warp.slot::<E::Reg>(i.b);
            let element = |offset: u64| extent.host.wrapping_add(offset as usize).cast::<E::Memory>();
            if mask == !0 && contiguous(&at, bytes) {
                let first = element(at[0]);
                for half in 0..2 {
                    let x = b.add(HALF * half).cast::<[E::Reg; HALF]>().read();
                    first.add(HALF * half).cast::<[E::Memory; HALF]>().write_unaligned(x.map(E::store));
                }
            } else {
                for lane in (0..32).filter(|lane| mask >> lane & 1 != 0) {
                    element(at[lane]).write_unaligned(E::store(*b.add(lane)));
                }
            }
            ip.add(1)
        }
    }
}

struct LoadVector<S, const N: usize>(PhantomData<S>);

impl<S: Space, const N: usize> Body for LoadVector<S, N> {
    /// Words of 32 bits; the destinations are in the access's list.
    #[inline(always)]
    unsafe fn run<const L: u8>(ip: *const Inst, warp: &mut Warp) -> *const Inst {
        // SAFETY: operands of a decoded instruction lie in the warp's files; offsets are checked.
        unsafe {
            let i = &*ip;
            let mask = warp.mask(i);
            if mask == 0 {
                return ip.add(1);
            }
            let extent = S::extent(warp, i);
            let Some(at) = offsets::<S>(warp.slot(i.a), i.imm, &extent, 4 * N as u64, mask) else {
                return general(ip, warp, mask);
            };
            let places = warp.block.code.accesses.get_unchecked(i.site as usize).elements.as_ptr();
            let d: [*mut u32; N] = std::array::from_fn(|k| warp.slot((*places.add(k)).slot));
            let vector = |offset: u64| extent.host.wrapping_add(offset as usize).cast::<[u32; N]>();
            if mask == !0 && uniform(&at) {
                let x = vector(at[0]).read_unaligned();
                for k in 0..N {
                    d[k].cast::<[u32; 32]>().write([x[k]; 32]);
                }
            } else if mask == !0 && N == 4 {
                let d4: [*mut u32; 4] = std::array::from_fn(|k| d[k % N]);
                gather4::<L>(d4, |lane| vector(at[lane]).cast());
            } else {
                for lane in (0..32).filter(|lane| mask >> lane & 1 != 0) {
                    let x = vector(at[lane]).read_unaligned();
                    for k in 0..N {
                        *d[k].add(lane) = x[k];
                    }
                }
            }
            ip.add(1)
        }
    }
}

struct StoreVector<S, const N: usize>(PhantomData<S>);

impl<S: Space, const N: usize> Body for StoreVector<S, N> {
    /// Words of 32 bits; the sources are in the access's list.
    #[inline(always)]
    unsafe fn run<const L: u8>(ip: *const Inst, warp: &mut Warp) -> *const Inst {
        // SAFETY: operands of a decoded instruction lie in the warp's files; offsets are checked.
        unsafe {
            let i = &*ip;
            let mask = warp.mask(i);
            if mask == 0 {
                return ip.add(1);
            }
            let extent = S::extent(warp, i);
            let Some(at) = offsets::<S>(warp.slot(i.a), i.imm, &extent, 4 * N as u64, mask) else {
                return general(ip, warp, mask);
            };
            let places = warp.block.code.accesses.get_unchecked(i.site as usize).elements.as_ptr();
            let s: [*const u32; N] =
                std::array::from_fn(|k| warp.slot::<u32>((*places.add(k)).slot).cast_const());
            let vector = |offset: u64| extent.host.wrapping_add(offset as usize).cast::<[u32; N]>();
            if mask == !0 && N == 4 {
                let s4: [*const u32; 4] = std::array::from_fn(|k| s[k % N]);
                scatter4::<L>(s4, |lane| vector(at[lane]).cast());
            } else {
                for lane in (0..32).filter(|lane| mask >> lane & 1 != 0) {
                    vector(at[lane]).write_unaligned(std::array::from_fn(|k| *s[k].add(lane)));
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
