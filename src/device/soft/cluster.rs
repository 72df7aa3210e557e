//! Clusters: blocks that run together, reach each other's shared memory and meet at a barrier.
//!
//! A launch without clusters is one of clusters of one block. In a 32-bit address of the whole cluster's
//! shared memory bit 31 says that it is another block's, bits 24 to 30 whose; the rest is an address in that
//! block. An address of the block's own is the same in both spaces.

use super::block::Resident;
use super::fault::Cause;
use crate::ptx::typed::Special;
use std::cell::Cell;

/// Blocks of a cluster at most; portable programs use up to 8.
pub const MAX_BLOCKS: u32 = 16;

/// [`place_address`]: it is an address in the block whose rank stands above the offset.
const OF_BLOCK: u64 = 1 << 31;
const RANK_SHIFT: u32 = 24;
const OFFSET: u64 = (1 << RANK_SHIFT) - 1;

/// The shared memory of one block of the cluster.
pub struct Peer {
    pub shared: *mut u8,
    /// Whether threads of the block still run.
    pub alive: Cell<bool>,
}

/// What a block sees of its cluster.
#[derive(Clone, Copy)]
pub struct ClusterView<'a> {
    pub rank: u32,
    pub peers: &'a [Peer],
}

impl ClusterView<'_> {
    /// The address by which the cluster knows `address` in the block `rank`; addresses in the own block stay
    /// what they are.
    pub fn map(&self, address: u64, rank: u32) -> Result<u64, Cause> {
        if rank as usize >= self.peers.len() {
            return Err(Cause::ClusterRank { rank, blocks: self.peers.len() as u32 });
        }
        let plain = if address & OF_BLOCK != 0 { address & OFFSET } else { address };
        let there = OF_BLOCK | u64::from(rank) << RANK_SHIFT | plain & OFFSET;
        Ok(if rank == self.rank { plain } else { there })
    }

    /// The rank of the block in whose shared memory an address lies.
    pub fn rank_of(&self, address: u64) -> u32 {
        match address & OF_BLOCK {
            0 => self.rank,
            _ => (address & !OF_BLOCK) as u32 >> RANK_SHIFT,
        }
    }

    /// The memory in which an address lies, and where in it.
    pub fn find(&self, address: u64) -> Result<(*mut u8, u64), Cause> {
        let rank = self.rank_of(address);
        let Some(peer) = self.peers.get(rank as usize) else {
            return Err(Cause::ClusterRank { rank, blocks: self.peers.len() as u32 });
        };
        if !peer.alive.get() {
            return Err(Cause::BlockExited { rank });
        }
        Ok((peer.shared, if address & OF_BLOCK != 0 { address & OFFSET } else { address }))
    }
}

/// Where a block stands in the grid and in its cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub block: [u32; 3],
    pub cluster: [u32; 3],
    pub in_cluster: [u32; 3],
    pub rank: u32,
}

impl Place {
    /// The block of rank `rank` in cluster number `cluster`; clusters and ranks count x first.
    pub fn new(cluster: u64, rank: u32, clusters: [u32; 3], extents: [u32; 3]) -> Place {
        let cluster = coordinates(cluster, clusters);
        let in_cluster = coordinates(u64::from(rank), extents);
        let block = std::array::from_fn(|axis| cluster[axis] * extents[axis] + in_cluster[axis]);
        Place { block, cluster, in_cluster, rank }
    }

    /// A special register that all threads of a block have in common.
    pub fn special(&self, register: Special) -> u32 {
        match register {
            Special::Ctaid(axis) => self.block[axis as usize],
            Special::ClusterId(axis) => self.cluster[axis as usize],
            Special::ClusterBlock(axis) => self.in_cluster[axis as usize],
            _ => self.rank,
        }
    }
}

/// Whether a special register is one of [`Place::special`].
pub fn is_of_block(register: Special) -> bool {
    matches!(
        register,
        Special::Ctaid(_) | Special::ClusterId(_) | Special::ClusterBlock(_) | Special::ClusterRank
    )
}

fn coordinates(index: u64, extents: [u32; 3]) -> [u32; 3] {
    let (x, y) = (u64::from(extents[0]), u64::from(extents[1]));
    [index % x, index / x % y, index / x / y].map(|n| n as u32)
}

/// Where the warps of one block are between `barrier.cluster.arrive` and `.wait`, a bit for each.
#[derive(Debug, Clone, Copy, Default)]
pub struct Meeting {
    /// Have arrived at the barrier that is open.
    arrived: u32,
    /// Of these, the ones that wait.
    waiting: u32,
    /// Have arrived at the barrier before, and not yet waited for it.
    passed: u32,
}

impl Meeting {
    /// A warp arrives.
    pub fn arrive(&mut self, warp: usize) -> Result<(), String> {
        if (self.arrived | self.passed) >> warp & 1 != 0 {
            return Err("barrier.cluster.arrive once more before barrier.cluster.wait".to_string());
        }
        self.arrived |= 1 << warp;
        Ok(())
    }

    /// A warp waits; whether it may go on.
    pub fn wait(&mut self, warp: usize) -> Result<bool, String> {
        if self.passed >> warp & 1 != 0 {
            self.passed &= !(1 << warp);
            return Ok(true);
        }
        if self.arrived >> warp & 1 == 0 {
            return Err("barrier.cluster.wait without barrier.cluster.arrive".to_string());
        }
        self.waiting |= 1 << warp;
        Ok(false)
    }
}

/// Completes the barrier if every warp of the cluster that has not exited has arrived.
pub fn complete(residents: &mut [Resident]) {
    if residents.iter().any(|resident| resident.turn.running & !resident.meeting.arrived != 0) {
        return;
    }
    for Resident { turn, meeting, .. } in residents {
        turn.ready |= meeting.waiting & turn.running;
        meeting.passed |= meeting.arrived & !meeting.waiting;
        (meeting.arrived, meeting.waiting) = (0, 0);
    }
}
