//! Sums of `mma` in tiles of 16 rows and 16 columns.
//!
//! In registers the sums of an `mma` are scattered: lane `4 g + q` has columns 2q and 2q + 1 of rows g and g + 8.
//! Where one `mma` after the other adds to the same sums, the device keeps two of them side by side as a tile in
//! rows, in slots of the warp's own, and runs of `mma` work on tiles ([`super::mma_run`]). While a warp has a tile,
//! the registers are stale; whatever else touches them has an instruction in front that puts the tile back.

use super::math;
use super::{Body, Handler, Inst, Warp, handler};
use crate::device::soft::level::Level;

/// The sums of one or two `mma` with the same A.
#[derive(Debug, Clone, Copy)]
pub struct Tile {
    /// The first of [`SLOTS`] slots.
    pub place: u16,
    /// Slots of the registers of both sums.
    pub left: [u16; 4],
    pub right: Option<[u16; 4]>,
}

/// Slots of a tile.
pub const SLOTS: usize = 8;

/// Tiles of an entry, at most: one bit each in [`Warp::tiled`].
pub const MAX_TILES: usize = 64;

/// Numbers in a row of a tile.
pub(super) const ROW: usize = 16;

impl Tile {
    /// The first row.
    ///
    /// # Safety
    /// The tile belongs to the warp's code.
    #[inline(always)]
    pub(super) unsafe fn rows(&self, warp: &Warp) -> *mut f32 {
        // SAFETY: the caller's contract.
        unsafe { warp.slot(self.place) }
    }

    /// From registers to the tile.
    ///
    /// # Safety
    /// As for [`Tile::rows`].
    pub(super) unsafe fn enter(&self, warp: &Warp) {
        // SAFETY: the caller's contract.
        unsafe { gather(warp, &self.left, self.right.as_ref(), self.rows(warp)) }
    }

    /// From the tile to registers.
    ///
    /// # Safety
    /// As for [`Tile::rows`], and the CPU has level `L`.
    #[inline(always)]
    unsafe fn leave<const L: u8>(&self, warp: &Warp) {
        // SAFETY: the caller's contract.
        unsafe { scatter::<L>(warp, self.rows(warp), &self.left, self.right.as_ref()) }
    }
}

/// Four numbers that are neighbours in a lane group of a register and in a row of a tile.
type Four = [u32; 4];

/// Copies the registers of one or two sums to a tile; the place of a missing one becomes 0.
///
/// # Safety
/// The slots lie in the register file, and `to` points to a tile.
pub(super) unsafe fn gather(warp: &Warp, left: &[u16; 4], right: Option<&[u16; 4]>, to: *mut f32) {
    // SAFETY: the caller's contract.
    unsafe {
        if right.is_none() {
            to.cast::<[f32; 256]>().write([0.0; 256]);
        }
        for (sums, first) in [(Some(left), 0), (right, 8)] {
            for (register, slot) in sums.into_iter().flatten().enumerate() {
                let (from, to) = (warp.slot::<Four>(*slot), to.add(place(register) + first));
                for g in 0..8 {
                    to.add(ROW * g).cast::<Four>().write(from.add(g).read());
                }
            }
        }
    }
}

/// Copies a tile to the registers of one or two sums. NaN becomes the one that the instruction makes.
///
/// # Safety
/// As for [`gather`], and the CPU has level `L`.
#[inline(always)]
pub(super) unsafe fn scatter<const L: u8>(
    warp: &Warp,
    from: *mut f32,
    left: &[u16; 4],
    right: Option<&[u16; 4]>,
) {
    // SAFETY: the caller's contract.
    unsafe {
        // The rows stand one behind the other. Row by row the compiler would make vectors of columns.
        for x in &mut *from.cast::<[f32; 16 * ROW]>() {
            *x = if x.is_nan() { math::NAN } else { *x };
        }
        for (sums, first) in [(Some(left), 0), (right, 8)] {
            for (register, slot) in sums.into_iter().flatten().enumerate() {
                let (to, from) = (warp.slot::<Four>(*slot), from.add(place(register) + first));
                for g in 0..8 {
                    to.add(g).write(from.add(ROW * g).cast::<Four>().read());
                }
            }
        }
    }
}

/// Where the first lane group of a sum's register stands in a tile. Registers 0 and 1 hold the even and the odd columns
/// of rows 0 to 7, registers 2 and 3 those of rows 8 to 15.
fn place(register: usize) -> usize {
    ROW * 8 * (register / 2) + 4 * (register % 2)
}

struct Leave;

impl Body for Leave {
    /// `imm` is the number of a set in the code's list.
    #[inline(always)]
    unsafe fn run<const L: u8>(ip: *const Inst, warp: &mut Warp) -> *const Inst {
        // SAFETY: the instruction and the tiles belong to the warp's code.
        unsafe {
            let set = warp.block.code.tile_sets[(*ip).imm as usize];
            put_back::<L>(warp, set);
            ip.add(1)
        }
    }
}

/// The handler that puts those tiles back that the warp has of a set.
pub fn leave(level: Level) -> Handler {
    handler::<Leave>(level)
}

/// Puts those tiles of a set back that the warp has.
///
/// # Safety
/// The tiles of `set` belong to the warp's code, and the CPU has level `L`.
#[inline(always)]
pub unsafe fn put_back<const L: u8>(warp: &mut Warp, set: u64) {
    let mut tiles = warp.tiled & set;
    warp.tiled &= !set;
    while tiles != 0 {
        // SAFETY: the caller's contract.
        unsafe { warp.block.code.tiles[tiles.trailing_zeros() as usize].leave::<L>(warp) };
        tiles &= tiles - 1;
    }
}
