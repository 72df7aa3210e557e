//! `cp.async`: the copy happens when it is issued, which is one of the orders that PTX allows.

use super::super::fault::Cause;
use super::access::{read_place, resolve};
use super::{Inst, Warp};
use crate::ptx::typed::AddressSpace;

/// How [`Inst::c`] shortens a copy, in [`Inst::d`].
pub const WHOLE: u16 = 0;
/// `c` is a slot: so many bytes are read, the rest is zero.
pub const SOURCE_BYTES: u16 = 1;
/// `c` is a predicate: where it is true nothing is read.
pub const IGNORE: u16 = 2;

/// The access is the shared side; its list holds the global address, `imm` the offset of that.
pub unsafe fn copy_async(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: operands of a decoded instruction lie in the warp's files; `resolve` checks the memory.
    unsafe {
        let i = &*ip;
        let mask = warp.mask(i);
        let access = &warp.block.code.accesses[i.site as usize];
        let ignored = if i.d == IGNORE { warp.pred(i.c) } else { 0 };
        let mut cached = *warp.sites.add(i.site as usize);
        for lane in (0..32).filter(|lane| mask >> lane & 1 != 0) {
            let fail = |warp: &mut Warp, cause| warp.fail(warp.pc_of(ip), cause, Some(lane as u32));
            let mut bytes = access.bytes;
            if i.d == SOURCE_BYTES {
                bytes = *warp.slot::<u32>(i.c).add(lane);
                if bytes > access.bytes {
                    return fail(warp, Cause::CopySize { bytes, most: access.bytes });
                }
            } else if ignored >> lane & 1 != 0 {
                bytes = 0;
            }
            let to = read_place(warp, access.address, lane).wrapping_add_signed(access.offset);
            let to = if access.address.wide { to } else { to & 0xFFFF_FFFF };
            let to = match resolve(warp, AddressSpace::Shared, to, access.bytes, true, lane) {
                Ok((host, _)) => host,
                Err(cause) => return fail(warp, cause),
            };
            let from = read_place(warp, access.elements[0], lane).wrapping_add_signed(i64::from(i.imm));
            if bytes > 0 && from & u64::from(access.bytes - 1) != 0 {
                return fail(warp, Cause::Misaligned { address: from, bytes: access.bytes });
            }
            let offset = from.wrapping_sub(cached.lo);
            if bytes == 0 {
                to.write_bytes(0, access.bytes as usize);
                continue;
            }
            let source = if cached.len >= u64::from(bytes) && offset <= cached.len - u64::from(bytes) {
                cached.host.add(offset as usize)
            } else {
                // Sizes that are no power of two are not checked for alignment again.
                match resolve(warp, AddressSpace::Global, from, bytes, false, lane) {
                    Ok((host, Some(region))) => {
                        cached = super::warp::Site { lo: region.lo, len: region.len, host: region.host };
                        *warp.sites.add(i.site as usize) = cached;
                        host
                    }
                    Ok((host, None)) => host,
                    Err(cause) => return fail(warp, cause),
                }
            };
            if bytes == 16 {
                to.cast::<[u64; 2]>().write_unaligned(source.cast::<[u64; 2]>().read_unaligned());
            } else {
                std::ptr::copy_nonoverlapping(source, to, bytes as usize);
                to.add(bytes as usize).write_bytes(0, (access.bytes - bytes) as usize);
            }
        }
        ip.add(1)
    }
}
