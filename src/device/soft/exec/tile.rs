//! Sums of `mma` in tiles of 16 rows and 16 columns.
//!
//! In registers the sums of an `mma` are scattered: lane `4 g + q` has columns 2q and 2q + 1 of rows g and g + 8.
//! Where one `mma` after the other adds to the same sums, the device keeps two of them side by side as a tile in
//! rows, in slots of the warp's own, and runs of `mma` work on tiles ([`super::mma_run`]). While a warp has a tile,
//! the registers are stale; whatever else touches them has an instruction in front that puts the tile back.

use super::math;
use super::{Inst, Warp};

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
    /// As for [`Tile::rows`].
    unsafe fn leave(&self, warp: &Warp) {
        // SAFETY: the caller's contract.
        unsafe { scatter(warp, self.rows(warp), &self.left, self.right.as_ref()) }
    }
}

/// Four numbers that are neighbours in a lane group of a register and in a row of a tile.
type Four = [f32; 4];

/// Where the registers have the fours of one sum: register, lane and place in the tile.
fn fours() -> impl Iterator<Item = (usize, usize, usize)> {
    (0..4).flat_map(|register| {
        (0..8).map(move |g| (register, 4 * g, ROW * (g + 8 * (register / 2)) + 4 * (register % 2)))
    })
}

/// Copies the registers of one or two sums to a tile; the place of a missing one becomes 0.
///
/// # Safety
/// The slots lie in the register file, and `to` points to a tile.
pub(super) unsafe fn gather(warp: &Warp, left: &[u16; 4], right: Option<&[u16; 4]>, to: *mut f32) {
    // SAFETY: the caller's contract.
    unsafe {
        for (register, lane, place) in fours() {
            let from = |sums: &[u16; 4]| warp.slot::<f32>(sums[register]).add(lane).cast::<Four>().read();
            to.add(place).cast::<Four>().write(from(left));
            to.add(place + 8).cast::<Four>().write(right.map_or([0.0; 4], from));
        }
    }
}

/// Copies a tile to the registers of one or two sums. NaN becomes the one that the instruction makes.
///
/// # Safety
/// As for [`gather`].
pub(super) unsafe fn scatter(warp: &Warp, from: *const f32, left: &[u16; 4], right: Option<&[u16; 4]>) {
    // SAFETY: the caller's contract.
    unsafe {
        for (register, lane, place) in fours() {
            let put = |sums: &[u16; 4], from: *const f32| {
                let four = from.cast::<Four>().read().map(|x| if x.is_nan() { math::NAN } else { x });
                warp.slot::<f32>(sums[register]).add(lane).cast::<Four>().write(four);
            };
            put(left, from.add(place));
            if let Some(right) = right {
                put(right, from.add(place + 8));
            }
        }
    }
}

/// Puts those tiles back that the warp has of a set, number `imm` of the code's.
pub unsafe fn leave(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: the instruction and the tiles belong to the warp's code.
    unsafe {
        let set = warp.block.code.tile_sets[(*ip).imm as usize];
        put_back(warp, set);
        ip.add(1)
    }
}

/// # Safety
/// The tiles of `set` belong to the warp's code.
pub(super) unsafe fn put_back(warp: &mut Warp, set: u64) {
    let mut tiles = warp.tiled & set;
    warp.tiled &= !set;
    while tiles != 0 {
        // SAFETY: the caller's contract.
        unsafe { warp.block.code.tiles[tiles.trailing_zeros() as usize].leave(warp) };
        tiles &= tiles - 1;
    }
}
