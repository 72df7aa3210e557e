//! From typed instructions to decoded ones: slots for registers, constants and parameters, and a handler
//! for every instruction.

mod allocate;
mod arithmetic;
mod cluster;
mod constants;
mod count;
mod data;
mod emit;
mod liveness;
mod products;
mod rare;
mod tiles;
mod warps;
mod watch;

pub use constants::Constant;

use super::Options;
use super::check::watched::Table;
use super::count::Counting;
use super::exec::access::Access;
#[cfg(target_arch = "x86_64")]
use super::exec::amx;
use super::exec::mma_run::MmaRun;
use super::exec::product::Product;
use super::exec::scalar::Scalar;
use super::exec::tile::Tile;
use super::exec::{Handler, Inst, control};
use super::level::Level;
use crate::ptx::typed::{Entry, Module, Param};

/// One entry, ready to run.
pub struct Code {
    pub name: String,
    pub insts: Vec<Inst>,
    /// The line of each instruction in the module's text.
    lines: Vec<u32>,
    pub accesses: Vec<Access>,
    /// Slots of instructions with many operands.
    pub lists: Vec<u16>,
    pub scalars: Vec<Scalar>,
    pub products: Vec<Product>,
    pub mma_runs: Vec<MmaRun>,
    /// The level that it was made for.
    pub level: Level,
    /// Sums that runs of `mma` keep as tiles, and sets of them.
    pub tiles: Vec<Tile>,
    pub tile_sets: Vec<u64>,
    /// What the watches know; empty unless the code is checked.
    pub watched: Table,
    /// Targets of indexed branches.
    pub branches: Vec<u32>,
    /// Slots of a warp's register file, constants included.
    pub slots: usize,
    pub preds: usize,
    /// Slots that are filled before the code runs.
    pub constants: Vec<(u16, Constant)>,
    /// Static shared memory, up to where the dynamic part begins.
    pub shared_bytes: u32,
    /// Local memory of a thread.
    pub local_bytes: u32,
    pub params: Vec<Param>,
    pub param_bytes: u32,
    pub required_block: Option<[u32; 3]>,
    pub required_cluster: Option<[u32; 3]>,
    pub max_threads: Option<u64>,
    /// How it is counted, if it is.
    pub counting: Option<Counting>,
}

// SAFETY: the code is read-only once it is made.
unsafe impl Sync for Code {}
// SAFETY: as above.
unsafe impl Send for Code {}

impl Code {
    /// Scratch slots that the products need.
    pub fn scratch(&self) -> usize {
        let products = self.products.iter().map(|product| product.scratch);
        products.chain(self.mma_runs.iter().map(MmaRun::scratch)).max().unwrap_or(0)
    }

    /// Prepares this thread for the code, for as long as the result lives.
    #[cfg(target_arch = "x86_64")]
    pub fn configure(&self) -> Option<amx::Tiles> {
        let amx = self.level == Level::Amx && !self.mma_runs.is_empty();
        // SAFETY: the level says that AMX is there.
        amx.then(|| unsafe { amx::Tiles::configure() })
    }

    /// Nothing to prepare.
    #[cfg(not(target_arch = "x86_64"))]
    pub fn configure(&self) {}

    /// The branch that closes the innermost loop around an instruction; the instruction if there is none.
    pub fn loop_end(&self, pc: u32) -> u32 {
        let backward: Handler = control::branch_backward;
        let closes = |(at, inst): &(u32, &Inst)| {
            std::ptr::fn_addr_eq(inst.run, backward) && inst.imm as u32 <= pc && pc <= *at
        };
        let loops = (0..).zip(&self.insts).filter(closes);
        loops.min_by_key(|(at, inst)| at - inst.imm as u32).map_or(pc, |(at, _)| at)
    }

    /// The source line of an instruction.
    pub fn line(&self, pc: u32) -> u32 {
        self.lines[pc as usize]
    }
}

/// An instruction that the device cannot run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LowerError {
    pub line: u32,
    pub message: String,
}

/// Decodes an entry for a device. `addresses` are those of the module's global and constant variables.
pub fn lower(
    entry: &Entry,
    module: &Module,
    addresses: &[u64],
    options: &Options,
) -> Result<Code, LowerError> {
    emit::lower(entry, module, addresses, options)
}
