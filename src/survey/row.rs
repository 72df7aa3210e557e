//! One kernel's counts and what they would take on a chip.

use crate::device::model::{Chip, Estimate, Pipe, estimate};
use crate::device::soft::count::{Class, Counters, KernelCounts};
use crate::device::{Kernel, Resources};
use crate::kernels::ALL;
use serde_json::{Map, Value, json};

/// A kernel with its counts and costs, all its launches together.
#[derive(Debug, Clone)]
pub struct Row {
    pub kernel: &'static Kernel,
    pub counters: Counters,
    /// Of the chip's architecture, or the nearest one before that the kernel was assembled for.
    pub resources: Option<&'static Resources>,
    /// Seconds of the launches, one after the other.
    pub seconds: f64,
    /// Seconds on each pipe, in the order of [`Pipe::ALL`].
    pub pipes: [f64; Pipe::ALL.len()],
    /// Resident warps over those that there is room for, in the launches that take longest together.
    pub occupancy: Option<f64>,
}

/// A row for every kernel that was counted, the one that takes longest first.
pub fn rows(counts: &[KernelCounts], chip: &Chip) -> Vec<Row> {
    let mut rows: Vec<Row> = counts.iter().filter_map(|counts| Row::new(counts, chip)).collect();
    rows.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    rows
}

impl Row {
    fn new(counts: &KernelCounts, chip: &Chip) -> Option<Row> {
        let same = |kernel: &&Kernel| kernel.entry == counts.entry && kernel.module.name == counts.module;
        let kernel = ALL.iter().copied().find(|kernel| same(kernel))?;
        let resources = resources(kernel, chip);
        let estimates: Vec<Estimate> =
            counts.launches.iter().map(|launch| estimate(chip, launch, resources)).collect();
        let longest = estimates.iter().max_by(|a, b| a.time().total_cmp(&b.time()));
        Some(Row {
            kernel,
            counters: counts.total(),
            resources,
            seconds: estimates.iter().map(Estimate::time).sum(),
            pipes: Estimate::sum(&estimates),
            occupancy: longest.and_then(|estimate| Some(estimate.occupancy?.fraction)),
        })
    }

    /// The pipe that takes longest in all launches together.
    pub fn bound(&self) -> Pipe {
        let longer = |a: &Pipe, b: &Pipe| self.pipes[*a as usize].total_cmp(&self.pipes[*b as usize]);
        Pipe::ALL.into_iter().max_by(longer).unwrap_or(Pipe::Issue)
    }

    /// The bound's seconds over those of all pipes together.
    pub fn share(&self) -> f64 {
        let all: f64 = self.pipes.iter().sum();
        if all == 0.0 { 0.0 } else { self.pipes[self.bound() as usize] / all }
    }

    /// All figures, by name.
    pub fn json(&self) -> Value {
        let Counters { launches, blocks, warps, flop, global, shared, .. } = &self.counters;
        let by_class = |count: &dyn Fn(Class) -> u64| -> Map<String, Value> {
            let counted = Class::ALL.into_iter().map(|class| (class, count(class)));
            counted.filter(|(_, n)| *n > 0).map(|(class, n)| (class.name().into(), n.into())).collect()
        };
        let pipes: Map<String, Value> = Pipe::ALL
            .into_iter()
            .map(|pipe| (pipe.name().into(), self.pipes[pipe as usize].into()))
            .collect();
        json!({
            "entry": self.kernel.entry,
            "module": self.kernel.module.name,
            "registers": self.resources.map(|resources| resources.registers),
            "shared_bytes": self.resources.map(|resources| resources.shared_bytes),
            "launches": launches,
            "blocks": blocks,
            "warps": warps,
            "warp_instructions": by_class(&|class| self.counters.warp_instructions(class)),
            "thread_instructions": by_class(&|class| self.counters.thread_instructions(class)),
            "lane_utilisation": self.counters.lane_utilisation(),
            "flop": flop,
            "tensor_flop": self.counters.all_flop() - flop,
            "global": {
                "requests": global.requests,
                "bytes": global.bytes,
                "sectors": global.sectors,
                "ideal_sectors": global.ideal_sectors,
                "lines": global.lines,
                "sector_efficiency": global.sector_efficiency(),
            },
            "shared": {
                "requests": shared.requests,
                "bytes": shared.bytes,
                "wavefronts": shared.wavefronts,
                "ideal_wavefronts": shared.ideal_wavefronts,
                "conflict_ratio": shared.conflict_ratio(),
            },
            "copied_bytes": self.counters.copied_bytes,
            "read_bytes": self.counters.read_bytes,
            "written_bytes": self.counters.written_bytes,
            "seconds": self.seconds,
            "pipe_seconds": pipes,
            "bound": self.bound().name(),
            "bound_share": self.share(),
            "occupancy": self.occupancy,
        })
    }
}

/// What the kernel takes of the newest architecture up to the chip's that it was assembled for.
fn resources(kernel: &'static Kernel, chip: &Chip) -> Option<&'static Resources> {
    let known = kernel.module.cubins.iter().filter(|cubin| cubin.capability <= chip.capability);
    let newest = known.max_by_key(|cubin| cubin.capability)?;
    kernel.resources(newest.capability)
}
