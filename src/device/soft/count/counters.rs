//! What launches did.

use super::class::{Class, TensorType, Work};
use super::plan::{Counted, Counting, Lanes};
use super::tally::Totals;
use super::traffic::{GlobalTraffic, SharedTraffic};
use crate::device::soft::launch::Geometry;
use std::collections::HashMap;
use std::ops::AddAssign;

/// What one launch did, or several together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    pub launches: u64,
    pub blocks: u64,
    /// Warps of all blocks.
    pub warps: u64,
    warp_instructions: [u64; Class::ALL.len()],
    thread_instructions: [u64; Class::ALL.len()],
    /// Floating-point operations outside of the tensor cores; a fused multiply-add is two.
    pub flop: u64,
    tensor_flop: [u64; TensorType::ALL.len()],
    pub global: GlobalTraffic,
    pub shared: SharedTraffic,
    /// Bytes that `cp.async` read.
    pub copied_bytes: u64,
    /// Bytes of all distinct sectors of 32 bytes that a launch read, and of all that it wrote, added up over
    /// launches.
    pub read_bytes: u64,
    pub written_bytes: u64,
}

impl Counters {
    /// Instructions of a class, one for each warp that executed one, however many of its lanes.
    pub fn warp_instructions(&self, class: Class) -> u64 {
        self.warp_instructions[class as usize]
    }

    /// Instructions of a class, one for each lane whose guard was true.
    pub fn thread_instructions(&self, class: Class) -> u64 {
        self.thread_instructions[class as usize]
    }

    pub fn all_warp_instructions(&self) -> u64 {
        self.warp_instructions.iter().sum()
    }

    pub fn all_thread_instructions(&self) -> u64 {
        self.thread_instructions.iter().sum()
    }

    /// Floating-point operations on the tensor cores for operands of a type.
    pub fn tensor_flop(&self, ty: TensorType) -> u64 {
        self.tensor_flop[ty as usize]
    }

    /// Floating-point operations, tensor cores included.
    pub fn all_flop(&self) -> u64 {
        self.flop + self.tensor_flop.iter().sum::<u64>()
    }

    /// The part of the lanes of all executed warp instructions that did something; 1 without instructions.
    pub fn lane_utilisation(&self) -> f64 {
        match self.all_warp_instructions() {
            0 => 1.0,
            warps => self.all_thread_instructions() as f64 / (32 * warps) as f64,
        }
    }

    /// Bytes of sectors that were touched.
    pub fn touched_bytes(&self) -> u64 {
        self.read_bytes + self.written_bytes
    }
}

impl AddAssign<&Counters> for Counters {
    fn add_assign(&mut self, other: &Counters) {
        let add = |sums: &mut [u64], more: &[u64]| sums.iter_mut().zip(more).for_each(|(sum, n)| *sum += n);
        self.launches += other.launches;
        self.blocks += other.blocks;
        self.warps += other.warps;
        add(&mut self.warp_instructions, &other.warp_instructions);
        add(&mut self.thread_instructions, &other.thread_instructions);
        self.flop += other.flop;
        add(&mut self.tensor_flop, &other.tensor_flop);
        self.global += other.global;
        self.shared += other.shared;
        self.copied_bytes += other.copied_bytes;
        self.read_bytes += other.read_bytes;
        self.written_bytes += other.written_bytes;
    }
}

/// What one instruction of a kernel did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InstructionCounts {
    /// In the module's text, from 1.
    pub line: u32,
    /// What one execution does.
    pub work: Work,
    /// Warps that executed it.
    pub executions: u64,
    /// Lanes whose guard was true, in all executions.
    pub lanes: u64,
    pub global: GlobalTraffic,
    pub shared: SharedTraffic,
}

/// The launches of a kernel that had the same geometry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchCounts {
    pub grid: [u32; 3],
    pub block: [u32; 3],
    /// Shared memory of a block, static and dynamic.
    pub shared_bytes: u32,
    pub counters: Counters,
}

/// What one kernel did since the counts were last taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelCounts {
    pub module: String,
    pub entry: String,
    pub launches: Vec<LaunchCounts>,
    /// In the order of the text.
    pub instructions: Vec<InstructionCounts>,
}

impl KernelCounts {
    /// All launches together.
    pub fn total(&self) -> Counters {
        let mut total = Counters::default();
        self.launches.iter().for_each(|launch| total += &launch.counters);
        total
    }
}

/// Names and geometry of a launch that was counted.
pub struct Launched<'a> {
    pub module: &'a str,
    pub entry: &'a str,
    pub geometry: Geometry,
    /// Static and dynamic.
    pub shared_bytes: u32,
}

/// The counts of a device, kernel by kernel.
#[derive(Debug, Default)]
pub struct Record {
    kernels: Vec<KernelCounts>,
    /// Where a kernel stands in the list, by [`Counting::number`].
    places: HashMap<u64, usize>,
}

impl Record {
    /// Adds a launch.
    pub fn add(&mut self, launched: &Launched, counting: &Counting, totals: Totals) {
        let place = *self.places.entry(counting.number).or_insert_with(|| {
            self.kernels.push(KernelCounts {
                module: launched.module.to_string(),
                entry: launched.entry.to_string(),
                launches: vec![],
                instructions: counting.instructions.iter().map(InstructionCounts::none).collect(),
            });
            self.kernels.len() - 1
        });
        let kernel = &mut self.kernels[place];
        let counters = resolve(launched, counting, totals, &mut kernel.instructions);
        let Geometry { grid, block, .. } = launched.geometry;
        let same = |launch: &&mut LaunchCounts| {
            (launch.grid, launch.block, launch.shared_bytes) == (grid, block, launched.shared_bytes)
        };
        match kernel.launches.iter_mut().find(same) {
            Some(launch) => launch.counters += &counters,
            None => {
                let shared_bytes = launched.shared_bytes;
                kernel.launches.push(LaunchCounts { grid, block, shared_bytes, counters });
            }
        }
    }

    /// All kernels, in the order of their first launches; nothing is counted any more.
    pub fn take(&mut self) -> Vec<KernelCounts> {
        self.places.clear();
        std::mem::take(&mut self.kernels)
    }
}

impl InstructionCounts {
    fn none(counted: &Counted) -> InstructionCounts {
        InstructionCounts {
            line: counted.line,
            work: counted.work,
            executions: 0,
            lanes: 0,
            global: GlobalTraffic::default(),
            shared: SharedTraffic::default(),
        }
    }
}

/// From segments and sites to the counters of a launch, which are also added to its instructions.
fn resolve(
    launched: &Launched,
    counting: &Counting,
    mut totals: Totals,
    instructions: &mut [InstructionCounts],
) -> Counters {
    let Geometry { grid, block, .. } = launched.geometry;
    let blocks: u64 = grid.iter().map(|n| u64::from(*n)).product();
    let threads: u64 = block.iter().map(|n| u64::from(*n)).product();
    let (read_bytes, written_bytes) = totals.touched();
    let mut counters = Counters {
        launches: 1,
        blocks,
        warps: blocks * threads.div_ceil(32),
        read_bytes,
        written_bytes,
        ..Counters::default()
    };
    for (counted, instruction) in counting.instructions.iter().zip(instructions) {
        let runs = totals.segments[counted.segment];
        let site = counted.site.map(|site| totals.sites[site]).unwrap_or_default();
        let lanes = match counted.lanes {
            Lanes::Segment => runs.lanes,
            Lanes::Guard(guard) => totals.guards[guard],
            Lanes::Site(site) => totals.sites[site].lanes,
        };
        let class = counted.work.class as usize;
        counters.warp_instructions[class] += runs.executions;
        counters.thread_instructions[class] += lanes;
        counters.flop += counted.work.flop * lanes;
        if let Some((ty, flop)) = counted.work.tensor {
            counters.tensor_flop[ty as usize] += flop * runs.executions;
        }
        counters.global += site.global;
        counters.shared += site.shared;
        counters.copied_bytes += site.copied;
        instruction.executions += runs.executions;
        instruction.lanes += lanes;
        instruction.global += site.global;
        instruction.shared += site.shared;
    }
    counters
}
