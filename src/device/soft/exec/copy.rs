//! `cp.async`: the copy happens when it is issued, which is one of the orders that PTX allows.

use super::super::fault::Cause;
use super::access::{read_place, resolve};
use super::extent::{Global, Shared, checked_at};
use super::warp::LANES;
use super::{Body, Handler, Inst, Warp, handler};
use crate::device::soft::level::Level;
use crate::ptx::typed::AddressSpace;

/// How [`Inst::c`] shortens a copy, in [`Inst::d`].
pub const WHOLE: u16 = 0;
/// `c` is a slot: so many bytes are read, the rest is zero.
pub const SOURCE_BYTES: u16 = 1;
/// `c` is a predicate: where it is true nothing is read.
pub const IGNORE: u16 = 2;

struct CopyAsync<const WORDS: usize>;

impl<const WORDS: usize> Body for CopyAsync<WORDS> {
    /// `a` is the shared address, `b` the global one and `imm` its offset; that of `a` is the access's.
    #[inline(always)]
    unsafe fn run<const L: u8>(ip: *const Inst, warp: &mut Warp) -> *const Inst {
        // SAFETY: operands of a decoded instruction lie in the warp's files; addresses are checked.
        unsafe {
            let i = &*ip;
            let mask = warp.mask(i);
            if mask == 0 {
                return ip.add(1);
            }
            let bytes = 4 * WORDS;
            let Some(reading) = reading(warp, i, mask, bytes as u32) else { return copy_any(ip, warp) };
            let offset = warp.block.code.accesses.get_unchecked(i.site as usize).offset as i32;
            let to = checked_at::<Shared, L>(warp, i, (i.a, offset), bytes, mask);
            let from = checked_at::<Global, L>(warp, i, (i.b, i.imm), bytes, reading);
            let (Some(to), Some(from)) = (to, from) else { return copy_any(ip, warp) };
            let copy = |lane: usize| {
                let words = from.at(lane).cast::<[u32; WORDS]>().read_unaligned();
                to.at(lane).cast::<[u32; WORDS]>().write_unaligned(words);
            };
            if reading == !0 {
                (0..LANES).for_each(copy);
                return ip.add(1);
            }
            for lane in (0..LANES).filter(|lane| mask >> lane & 1 != 0) {
                match reading >> lane & 1 {
                    0 => to.at(lane).cast::<[u32; WORDS]>().write_unaligned([0; WORDS]),
                    _ => copy(lane),
                }
            }
            ip.add(1)
        }
    }
}

/// Lanes of `mask` that read all bytes; the others read nothing. `None` if some read a part.
///
/// # Safety
/// As for [`Body::run`].
#[inline(always)]
unsafe fn reading(warp: &Warp, i: &Inst, mask: u32, bytes: u32) -> Option<u32> {
    // SAFETY: operands of a decoded instruction lie in the warp's files.
    unsafe {
        match i.d {
            WHOLE => Some(mask),
            IGNORE => Some(mask & !warp.pred(i.c)),
            _ => {
                let sizes = warp.slot::<u32>(i.c).cast::<[u32; LANES]>().read();
                let lanes = |wanted: u32| {
                    let bit = |lane: usize| u32::from(sizes[lane] == wanted) << lane;
                    (0..LANES).fold(0, |lanes, lane| lanes | bit(lane))
                };
                let (all, none) = (lanes(bytes), lanes(0));
                (mask & !(all | none) == 0).then_some(mask & all)
            }
        }
    }
}

/// The handler of a copy; `wide` if the shared address is a 64-bit register, and the global one always is.
pub fn copy_async(bytes: u32, wide: bool, level: Level) -> Handler {
    match (wide, bytes) {
        (false, 4) => handler::<CopyAsync<1>>(level),
        (false, 8) => handler::<CopyAsync<2>>(level),
        (false, 16) => handler::<CopyAsync<4>>(level),
        _ => copy_any,
    }
}

/// What one lane copies, to where; both places are checked.
#[derive(Debug, Clone, Copy)]
pub struct Copy {
    pub to: *mut u8,
    /// Bytes that are written.
    pub size: u32,
    from: *const u8,
    /// Bytes that are read; the rest becomes zero.
    pub bytes: u32,
    /// The device address of the source.
    pub source: u64,
}

impl Copy {
    /// Of a lane that does not copy.
    pub const NONE: Copy =
        Copy { to: std::ptr::null_mut(), size: 0, from: std::ptr::null(), bytes: 0, source: 0 };

    /// # Safety
    /// Both places are still there.
    #[inline(always)]
    pub unsafe fn perform(&self) {
        // SAFETY: the caller's contract.
        unsafe {
            if self.bytes == 16 {
                self.to.cast::<[u64; 2]>().write_unaligned(self.from.cast::<[u64; 2]>().read_unaligned());
            } else {
                std::ptr::copy_nonoverlapping(self.from, self.to, self.bytes as usize);
                self.to.add(self.bytes as usize).write_bytes(0, (self.size - self.bytes) as usize);
            }
        }
    }
}

/// The copy of one lane. The access is the shared side; its list holds the global address, [`Inst::imm`] the
/// offset of that.
///
/// # Safety
/// As for [`super::Handler`].
#[inline(always)]
pub unsafe fn plan(ip: *const Inst, warp: &mut Warp, lane: usize) -> Result<Copy, Cause> {
    // SAFETY: operands of a decoded instruction lie in the warp's files; `resolve` checks the memory.
    unsafe {
        let i = &*ip;
        let access = &warp.block.code.accesses[i.site as usize];
        let size = access.bytes;
        let bytes = match i.d {
            SOURCE_BYTES => *warp.slot::<u32>(i.c).add(lane),
            IGNORE if warp.pred(i.c) >> lane & 1 != 0 => 0,
            _ => size,
        };
        if bytes > size {
            return Err(Cause::CopySize { bytes, most: size });
        }
        let to = read_place(warp, access.address, lane).wrapping_add_signed(access.offset);
        let to = if access.address.wide { to } else { to & 0xFFFF_FFFF };
        let (to, _) = resolve(warp, AddressSpace::Shared, to, size, true, lane)?;
        let source = read_place(warp, access.elements[0], lane).wrapping_add_signed(i64::from(i.imm));
        if bytes == 0 {
            return Ok(Copy { to, size, from: to, bytes, source });
        }
        if source & u64::from(size - 1) != 0 {
            return Err(Cause::Misaligned { address: source, bytes: size });
        }
        let cached = *warp.sites.add(i.site as usize);
        let offset = source.wrapping_sub(cached.lo);
        if cached.len >= u64::from(bytes) && offset <= cached.len - u64::from(bytes) {
            return Ok(Copy { to, size, from: cached.host.add(offset as usize), bytes, source });
        }
        // Sizes that are no power of two are not checked for alignment again.
        let (from, region) = resolve(warp, AddressSpace::Global, source, bytes, false, lane)?;
        if let Some(region) = region {
            let site = super::warp::Site { lo: region.lo, len: region.len, host: region.host };
            *warp.sites.add(i.site as usize) = site;
        }
        Ok(Copy { to, size, from, bytes, source })
    }
}

/// As [`CopyAsync`], lane after lane.
unsafe fn copy_any(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: the caller keeps the contract of `Handler`; a plan's places are checked.
    unsafe {
        let mask = warp.mask(&*ip);
        for lane in (0..32).filter(|lane| mask >> lane & 1 != 0) {
            match plan(ip, warp, lane) {
                Ok(copy) => copy.perform(),
                Err(cause) => return warp.fail(warp.pc_of(ip), cause, Some(lane as u32)),
            }
        }
        ip.add(1)
    }
}
