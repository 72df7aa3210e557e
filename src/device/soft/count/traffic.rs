//! What memory accesses ask of the machine.

use std::ops::{AddAssign, Mul};

/// Accesses to global memory. A request is one instruction of one warp; it moves whole sectors of 32 bytes,
/// four to a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GlobalTraffic {
    pub requests: u64,
    /// Bytes that the lanes asked for, each on its own.
    pub bytes: u64,
    /// Distinct sectors of each request.
    pub sectors: u64,
    /// The fewest sectors that could hold the distinct bytes of each request.
    pub ideal_sectors: u64,
    /// Distinct lines of 128 bytes of each request.
    pub lines: u64,
}

impl GlobalTraffic {
    /// Ideal sectors over sectors: 1 if no byte is moved in vain. 1 without traffic.
    pub fn sector_efficiency(&self) -> f64 {
        if self.sectors == 0 { 1.0 } else { self.ideal_sectors as f64 / self.sectors as f64 }
    }
}

/// Accesses to shared memory, whose 32 banks hold a word of 4 bytes each. A request is served in phases of
/// 32, 16 or 8 lanes for accesses of up to 4, of 8 and of 16 bytes; a phase takes as many wavefronts as there
/// are distinct words in its fullest bank.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SharedTraffic {
    pub requests: u64,
    /// Bytes that the lanes asked for, each on its own.
    pub bytes: u64,
    pub wavefronts: u64,
    /// The same without bank conflicts: one for each phase.
    pub ideal_wavefronts: u64,
}

impl SharedTraffic {
    /// Wavefronts over ideal wavefronts: 1 without bank conflicts. 1 without traffic.
    pub fn conflict_ratio(&self) -> f64 {
        if self.ideal_wavefronts == 0 { 1.0 } else { self.wavefronts as f64 / self.ideal_wavefronts as f64 }
    }
}

impl AddAssign for GlobalTraffic {
    fn add_assign(&mut self, other: GlobalTraffic) {
        self.requests += other.requests;
        self.bytes += other.bytes;
        self.sectors += other.sectors;
        self.ideal_sectors += other.ideal_sectors;
        self.lines += other.lines;
    }
}

impl Mul<u64> for GlobalTraffic {
    type Output = GlobalTraffic;

    fn mul(self, times: u64) -> GlobalTraffic {
        GlobalTraffic {
            requests: self.requests * times,
            bytes: self.bytes * times,
            sectors: self.sectors * times,
            ideal_sectors: self.ideal_sectors * times,
            lines: self.lines * times,
        }
    }
}

impl AddAssign for SharedTraffic {
    fn add_assign(&mut self, other: SharedTraffic) {
        self.requests += other.requests;
        self.bytes += other.bytes;
        self.wavefronts += other.wavefronts;
        self.ideal_wavefronts += other.ideal_wavefronts;
    }
}

impl Mul<u64> for SharedTraffic {
    type Output = SharedTraffic;

    fn mul(self, times: u64) -> SharedTraffic {
        SharedTraffic {
            requests: self.requests * times,
            bytes: self.bytes * times,
            wavefronts: self.wavefronts * times,
            ideal_wavefronts: self.ideal_wavefronts * times,
        }
    }
}
