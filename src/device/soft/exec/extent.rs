//! The memory that an access touches, and its addresses once they are checked.

use super::address::{Address, Lie};
use super::lanes::HALF;
use super::transpose::Places;
use super::warp::Site;
use super::{Inst, Warp};

/// Which memory, and how wide its addresses are.
pub(super) trait Space: 'static {
    type Address: Address;

    /// The memory that an access may touch without a look-up.
    ///
    /// # Safety
    /// As for [`super::Body::run`].
    unsafe fn extent(warp: &Warp, i: &Inst) -> Site;

    /// What is added to an address to make it an offset: the immediate, less the start of the memory.
    fn shift(imm: i32, lo: u64) -> Self::Address;
}

pub(super) struct Global;
pub(super) struct Shared;

impl Space for Global {
    type Address = u64;

    #[inline(always)]
    unsafe fn extent(warp: &Warp, i: &Inst) -> Site {
        // SAFETY: there is a site for every access of the code.
        unsafe { *warp.sites.add(i.site as usize) }
    }

    #[inline(always)]
    fn shift(imm: i32, lo: u64) -> u64 {
        (imm as i64 as u64).wrapping_sub(lo)
    }
}

impl Space for Shared {
    type Address = u32;

    #[inline(always)]
    unsafe fn extent(warp: &Warp, _i: &Inst) -> Site {
        Site { lo: 0, len: u64::from(warp.shared_len), host: warp.shared }
    }

    #[inline(always)]
    fn shift(imm: i32, _lo: u64) -> u32 {
        imm as u32
    }
}

/// The addresses of one access, checked.
pub(super) struct Lanes<A> {
    pub addresses: *const A,
    shift: A,
    host: *mut u8,
}

impl<A: Address> Lanes<A> {
    /// Where lane `lane` points to in host memory.
    ///
    /// # Safety
    /// The lane is below 32.
    #[inline(always)]
    pub unsafe fn at(&self, lane: usize) -> *mut u8 {
        // Volatile, or the compiler loads the addresses as vectors and takes them apart again.
        // SAFETY: the caller's contract.
        self.host.wrapping_add(unsafe { self.addresses.add(lane).read_volatile() }.offset(self.shift))
    }

    /// How the 16 lanes of one half lie, for elements of `step` bytes.
    ///
    /// # Safety
    /// The CPU has level `L`.
    #[inline(always)]
    pub unsafe fn lie<const L: u8>(&self, half: usize, step: usize) -> Lie {
        // SAFETY: there are 32 addresses.
        unsafe { A::lie::<L>(self.addresses.add(HALF * half), step as u64) }
    }
}

/// The lanes of one half, for [`super::transpose`].
pub(super) struct HalfLanes<'a, A> {
    pub lanes: &'a Lanes<A>,
    pub first: usize,
}

impl<A: Address> Places for HalfLanes<'_, A> {
    #[inline(always)]
    unsafe fn at(&self, lane: usize) -> *mut u8 {
        // SAFETY: the caller's contract.
        unsafe { self.lanes.at(self.first + lane) }
    }
}

/// The lanes of one half, some of which read nothing.
pub(super) struct SomeLanes<'a, A> {
    pub lanes: &'a Lanes<A>,
    pub first: usize,
    pub mask: u32,
}

/// What lanes outside of a mask read.
static NOTHING: [u32; 4] = [0; 4];

impl<A: Address> Places for SomeLanes<'_, A> {
    #[inline(always)]
    unsafe fn at(&self, lane: usize) -> *mut u8 {
        // SAFETY: the caller's contract.
        let there = unsafe { self.lanes.at(self.first + lane) };
        if self.mask >> lane & 1 != 0 { there } else { NOTHING.as_ptr().cast_mut().cast() }
    }
}

/// The addresses of instruction `i` for accesses of `bytes` bytes; `None` if one of `mask` is outside of the
/// memory touched last, or misaligned.
///
/// # Safety
/// As for [`super::Body::run`].
#[inline(always)]
pub(super) unsafe fn checked<S: Space, const L: u8>(
    warp: &Warp,
    i: &Inst,
    bytes: usize,
    mask: u32,
) -> Option<Lanes<S::Address>> {
    // SAFETY: the caller's contract.
    unsafe { checked_at::<S, L>(warp, i, (i.a, i.imm), bytes, mask) }
}

/// As [`checked`], for an address in another slot and with another offset.
///
/// # Safety
/// As for [`super::Body::run`].
#[inline(always)]
pub(super) unsafe fn checked_at<S: Space, const L: u8>(
    warp: &Warp,
    i: &Inst,
    (slot, offset): (u16, i32),
    bytes: usize,
    mask: u32,
) -> Option<Lanes<S::Address>> {
    // SAFETY: operands of a decoded instruction lie in the warp's files.
    unsafe {
        let extent = S::extent(warp, i);
        let addresses = warp.slot::<S::Address>(slot).cast_const();
        let shift = S::shift(offset, extent.lo);
        let limit = extent.len.checked_sub(bytes as u64)?;
        let inside = S::Address::inside::<L>(addresses, shift, limit, bytes as u64, mask);
        inside.then_some(Lanes { addresses, shift, host: extent.host })
    }
}
