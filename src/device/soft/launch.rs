//! Launches: arguments to parameter bytes, and what a launch must satisfy.

use super::cluster::MAX_BLOCKS;
use super::lower::Code;
use crate::device::{Arg, DeviceError, Launch, Place, Result};
use crate::ptx::ast::Type;

/// Threads of a block at most.
const MAX_THREADS: u64 = 1024;
/// Shared memory of a block at most, the limit of the largest GPUs.
const MAX_SHARED: u64 = 227 * 1024;

/// Grid, block and dynamic shared memory of a launch.
#[derive(Debug, Clone, Copy, Hash)]
pub struct Geometry {
    pub grid: [u32; 3],
    pub block: [u32; 3],
    /// Blocks of a cluster; `None` leaves it to the kernel.
    pub cluster: Option<[u32; 3]>,
    pub shared_bytes: u32,
}

impl Geometry {
    /// Warps of a block.
    pub fn warps(&self) -> u32 {
        self.block.iter().product::<u32>().div_ceil(32)
    }
}

fn bad(code: &Code, reason: impl Into<String>) -> DeviceError {
    DeviceError::BadLaunch { kernel: code.name.clone(), reason: reason.into() }
}

/// Checks what CUDA would check.
pub fn check(code: &Code, geometry: &Geometry) -> Result<()> {
    let Geometry { grid, block, shared_bytes, .. } = geometry;
    let threads: u64 = block.iter().map(|n| u64::from(*n)).product();
    if grid.contains(&0) || block.contains(&0) {
        return Err(bad(code, format!("grid {grid:?} or block {block:?} is empty")));
    }
    if grid[1] > 65_535 || grid[2] > 65_535 || grid[0] > i32::MAX as u32 {
        return Err(bad(code, format!("grid {grid:?} exceeds 2147483647 × 65535 × 65535 blocks")));
    }
    if threads > MAX_THREADS || block[2] > 64 {
        return Err(bad(code, format!("block {block:?} exceeds {MAX_THREADS} threads or 64 in z")));
    }
    if let Some(required) = code.required_block.filter(|required| required != block) {
        return Err(bad(code, format!("block {block:?} is not the {required:?} of .reqntid")));
    }
    if code.max_threads.is_some_and(|most| threads > most) {
        return Err(bad(code, format!("block {block:?} exceeds .maxntid")));
    }
    check_cluster(code, geometry)?;
    let shared = u64::from(code.shared_bytes) + u64::from(*shared_bytes);
    if shared > MAX_SHARED {
        return Err(bad(code, format!("{shared} bytes of shared memory exceed {MAX_SHARED}")));
    }
    Ok(())
}

/// The blocks of a cluster: what the launch says, or the kernel, or one.
pub fn cluster(code: &Code, geometry: &Geometry) -> [u32; 3] {
    geometry.cluster.or(code.required_cluster).unwrap_or([1; 3])
}

fn check_cluster(code: &Code, geometry: &Geometry) -> Result<()> {
    let (grid, cluster) = (geometry.grid, cluster(code, geometry));
    if let Some(required) = code.required_cluster.filter(|required| *required != cluster) {
        return Err(bad(code, format!("cluster {cluster:?} is not the {required:?} of .reqnctapercluster")));
    }
    let blocks = cluster.iter().fold(1u32, |blocks, n| blocks.saturating_mul(*n));
    if !(1..=MAX_BLOCKS).contains(&blocks) {
        return Err(bad(code, format!("cluster {cluster:?} does not have 1 to {MAX_BLOCKS} blocks")));
    }
    if (0..3).any(|axis| !grid[axis].is_multiple_of(cluster[axis])) {
        return Err(bad(code, format!("grid {grid:?} is not made of clusters {cluster:?}")));
    }
    Ok(())
}

/// The parameter bytes of a launch whose pointers are bound.
pub fn pack(code: &Code, launch: &Launch) -> Result<Vec<u8>> {
    if launch.args.len() != code.params.len() {
        let (found, expected) = (launch.args.len(), code.params.len());
        return Err(bad(code, format!("{found} arguments for {expected} parameters")));
    }
    let mut bytes = vec![0u8; code.param_bytes as usize];
    for (arg, param) in launch.args.iter().zip(&code.params) {
        let (value, suits) = match *arg {
            Arg::Pointer(Place::Null, _) => (0, is_int(param.ty, 8)),
            Arg::Pointer(Place::Address(address), _) => (address, is_int(param.ty, 8)),
            Arg::Pointer(Place::Symbol { .. }, _) => {
                return Err(bad(code, format!("the pointer for {} is not bound to an address", param.name)));
            }
            Arg::U32(n) => (u64::from(n), is_int(param.ty, 4)),
            Arg::I32(n) => (u64::from(n as u32), is_int(param.ty, 4)),
            Arg::U64(n) => (n, is_int(param.ty, 8)),
            Arg::F32(x) => (u64::from(x.to_bits()), matches!(param.ty, Type::F32 | Type::B32)),
            Arg::F64(x) => (x.to_bits(), matches!(param.ty, Type::F64 | Type::B64)),
        };
        if !suits || param.array {
            return Err(bad(
                code,
                format!("{arg:?} does not suit parameter {} ({:?})", param.name, param.ty),
            ));
        }
        let (start, size) = (param.offset as usize, param.bytes as usize);
        bytes[start..start + size].copy_from_slice(&value.to_le_bytes()[..size]);
    }
    Ok(bytes)
}

fn is_int(ty: Type, bytes: u32) -> bool {
    ty.bytes() == bytes && !matches!(ty, Type::F32 | Type::F64)
}

/// Parameter bytes that were made elsewhere.
pub fn check_params(code: &Code, params: &[u8]) -> Result<()> {
    if params.len() == code.param_bytes as usize {
        return Ok(());
    }
    Err(bad(code, format!("{} bytes of parameters instead of {}", params.len(), code.param_bytes)))
}
