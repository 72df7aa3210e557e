//! How many blocks a multiprocessor holds at once.

use super::chip::Chip;

/// Threads of a warp.
const LANES: u32 = 32;
/// Registers are given to a warp in units of this many.
const REGISTER_UNIT: u32 = 256;
/// Schedulers of a multiprocessor, each with its share of the registers.
const SCHEDULERS: u32 = 4;
/// Shared memory is given to a block in units of this many bytes.
const SHARED_UNIT: u32 = 128;
/// Bytes of shared memory that the system takes for itself in every block.
const SHARED_RESERVED: u32 = 1024;

/// What keeps more blocks from being resident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    Warps,
    Blocks,
    Registers,
    SharedMemory,
}

/// Residents of one multiprocessor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Occupancy {
    pub blocks: u32,
    pub warps: u32,
    /// Resident warps over those that there is room for.
    pub fraction: f64,
    pub limit: Limit,
}

/// The occupancy of blocks of `threads` threads with so many `registers` each, and `shared_bytes` of shared memory.
/// Rules and units are those of `cuda_occupancy.h` for capabilities 8.0 to 9.0. No block fits if `blocks` is 0.
pub fn occupancy(chip: &Chip, threads: u32, registers: u32, shared_bytes: u32) -> Occupancy {
    let warps = threads.div_ceil(LANES).max(1);
    let warp_registers = (registers * LANES).next_multiple_of(REGISTER_UNIT).max(1);
    let warps_by_registers = chip.registers / SCHEDULERS / warp_registers * SCHEDULERS;
    let block_shared = (shared_bytes + SHARED_RESERVED).next_multiple_of(SHARED_UNIT);
    let limits = [
        (chip.warps / warps, Limit::Warps),
        (chip.blocks, Limit::Blocks),
        (warps_by_registers / warps, Limit::Registers),
        (chip.shared_bytes / block_shared, Limit::SharedMemory),
    ];
    let (blocks, limit) = limits.into_iter().min_by_key(|(blocks, _)| *blocks).unwrap_or((0, Limit::Warps));
    let fraction = f64::from(blocks * warps) / f64::from(chip.warps);
    Occupancy { blocks, warps: blocks * warps, fraction, limit }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on_h100(threads: u32, registers: u32, shared: u32) -> (u32, Limit) {
        let found = occupancy(&Chip::ALL[0], threads, registers, shared);
        assert_eq!(found.warps, found.blocks * threads.div_ceil(32));
        (found.blocks, found.limit)
    }

    /// By hand from the rules of the header.
    #[test]
    fn limits() {
        assert_eq!(on_h100(256, 32, 0), (8, Limit::Warps), "64 warps of 8");
        assert_eq!(on_h100(32, 32, 0), (32, Limit::Blocks));
        // 128 registers: 4096 a warp, 4 warps a scheduler, 16 in all.
        assert_eq!(on_h100(256, 128, 0), (2, Limit::Registers));
        // 130 registers: 4160 round up to 4352, 3 warps a scheduler, 12 in all.
        assert_eq!(on_h100(256, 130, 0), (1, Limit::Registers));
        // 48 KiB and 1 KiB more: four in 228 KiB.
        assert_eq!(on_h100(128, 40, 48 * 1024), (4, Limit::SharedMemory));
        assert_eq!(on_h100(256, 255, 227 * 1024), (1, Limit::Registers));
        assert_eq!(on_h100(1024, 255, 0), (0, Limit::Registers), "does not fit");
    }

    #[test]
    fn fractions() {
        let ada = Chip::named("4090").unwrap();
        assert_eq!(occupancy(&ada, 256, 32, 0).fraction, 1.0);
        assert_eq!(occupancy(&ada, 512, 64, 0).fraction, 32.0 / 48.0);
    }
}
