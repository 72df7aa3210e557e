//! The time of a launch on a chip.

use super::chip::Chip;
use super::occupancy::{Occupancy, occupancy};
use crate::device::Resources;
use crate::device::soft::count::{Class, Counters, InstructionCounts, LaunchCounts, TensorType};

/// What a launch may be bound by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pipe {
    /// The schedulers: one slot for every warp instruction.
    Issue,
    /// f32 and half arithmetic.
    Fma,
    /// Integers, comparisons, moves and conversions.
    Integer,
    Double,
    Special,
    Tensor,
    /// Shared memory, and shuffles, which go the same way.
    Shared,
    L2,
    Dram,
}

impl Pipe {
    pub const ALL: [Pipe; 9] = [
        Pipe::Issue,
        Pipe::Fma,
        Pipe::Integer,
        Pipe::Double,
        Pipe::Special,
        Pipe::Tensor,
        Pipe::Shared,
        Pipe::L2,
        Pipe::Dram,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Pipe::Issue => "issue",
            Pipe::Fma => "fma",
            Pipe::Integer => "integer",
            Pipe::Double => "double",
            Pipe::Special => "special",
            Pipe::Tensor => "tensor",
            Pipe::Shared => "shared",
            Pipe::L2 => "L2",
            Pipe::Dram => "DRAM",
        }
    }
}

/// What launches of one geometry would take.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// Seconds on each pipe, in the order of [`Pipe::ALL`].
    seconds: [f64; Pipe::ALL.len()],
    /// How much longer the busiest multiprocessor takes than the average one: ceil(B / S) S / B for B blocks on S
    /// multiprocessors.
    pub imbalance: f64,
    /// Where registers are known.
    pub occupancy: Option<Occupancy>,
    /// Blocks over those that are resident on the whole chip, where registers are known.
    pub waves: Option<f64>,
}

impl Estimate {
    pub fn seconds(&self, pipe: Pipe) -> f64 {
        self.seconds[pipe as usize]
    }

    /// The pipe that takes longest.
    pub fn bound(&self) -> Pipe {
        let longer = |a: &Pipe, b: &Pipe| self.seconds(*a).total_cmp(&self.seconds(*b));
        Pipe::ALL.into_iter().max_by(longer).unwrap_or(Pipe::Issue)
    }

    /// Seconds of the launches: those of the longest pipe.
    pub fn time(&self) -> f64 {
        self.seconds(self.bound())
    }

    /// The bound's seconds over those of all pipes together: near 1, nothing else matters.
    pub fn share(&self) -> f64 {
        match self.seconds.iter().sum::<f64>() {
            0.0 => 0.0,
            all => self.time() / all,
        }
    }

    /// The same for launches of several geometries, one after the other.
    pub fn sum<'a>(estimates: impl IntoIterator<Item = &'a Estimate>) -> [f64; Pipe::ALL.len()] {
        let mut sums = [0.0; Pipe::ALL.len()];
        for estimate in estimates {
            sums.iter_mut().zip(estimate.seconds).for_each(|(sum, seconds)| *sum += seconds);
        }
        sums
    }
}

/// What `launches`, which have one geometry, would take on `chip`. With S multiprocessors of clock f and B blocks a
/// launch, a pipe of the multiprocessors takes
///
/// ```text
/// cycles / (S f) * ceil(B / S) S / B
///
/// issue     warp instructions / issue slots
/// fma       32 (fma + add + mul + half) / FMA lanes
/// integer   32 (integer + move + convert) / integer lanes
/// double    32 double / f64 lanes
/// special   32 special / special-function lanes
/// tensor    FLOP / rate, f16 and bf16 and tf32 added up
/// shared    (wavefronts + shuffles and votes) / wavefronts per clock
/// ```
///
/// since a warp instruction occupies its pipe for all 32 lanes, active or not; and those of the chip
///
/// ```text
/// L2        32 bytes * sectors / bandwidth
/// DRAM      bytes of the distinct sectors read and written / bandwidth
/// ```
pub fn estimate(chip: &Chip, launches: &LaunchCounts, resources: Option<&Resources>) -> Estimate {
    let counters = &launches.counters;
    let blocks = launches.grid.iter().map(|n| f64::from(*n)).product::<f64>();
    let multiprocessors = f64::from(chip.multiprocessors);
    let imbalance = (blocks / multiprocessors).ceil() * multiprocessors / blocks;
    let threads: u32 = launches.block.iter().product();
    let occupancy =
        resources.map(|resources| occupancy(chip, threads, resources.registers, launches.shared_bytes));
    let waves = occupancy
        .filter(|occupancy| occupancy.blocks > 0)
        .map(|occupancy| blocks / (multiprocessors * f64::from(occupancy.blocks)));
    let seconds = Pipe::ALL.map(|pipe| match pipe {
        Pipe::L2 => 32.0 * counters.global.sectors as f64 / (chip.l2_bytes * chip.clock),
        Pipe::Dram => counters.touched_bytes() as f64 / chip.dram_bytes,
        _ => cycles(chip, counters, pipe) / (multiprocessors * chip.clock) * imbalance,
    });
    Estimate { seconds, imbalance, occupancy, waves }
}

/// Cycles of all multiprocessors together on one of their pipes.
fn cycles(chip: &Chip, counters: &Counters, pipe: Pipe) -> f64 {
    match pipe {
        Pipe::Issue => counters.all_warp_instructions() as f64 / chip.issue,
        Pipe::Tensor => TensorType::ALL
            .into_iter()
            .map(|ty| counters.tensor_flop(ty) as f64 / tensor_rate(chip, ty))
            .sum(),
        Pipe::Shared => {
            let others = counters.warp_instructions(Class::Warp);
            (counters.shared.wavefronts + others) as f64 / chip.shared_wavefronts
        }
        _ => Class::ALL
            .into_iter()
            .filter_map(|class| {
                lanes(chip, class).filter(|(of, _)| *of == pipe).map(|(_, lanes)| (class, lanes))
            })
            .map(|(class, lanes)| 32.0 * counters.warp_instructions(class) as f64 / lanes)
            .sum(),
    }
}

/// The pipe of a class whose instructions take turns on its lanes, and how many there are.
fn lanes(chip: &Chip, class: Class) -> Option<(Pipe, f64)> {
    match class {
        Class::Fma | Class::Add | Class::Mul | Class::Half => Some((Pipe::Fma, chip.fma_lanes)),
        Class::Integer | Class::Move | Class::Convert => Some((Pipe::Integer, chip.integer_lanes)),
        Class::Double => Some((Pipe::Double, chip.double_lanes)),
        Class::Special => Some((Pipe::Special, chip.special_lanes)),
        _ => None,
    }
}

fn tensor_rate(chip: &Chip, ty: TensorType) -> f64 {
    match ty {
        TensorType::Half => chip.tensor_half,
        TensorType::Tf32 => chip.tensor_tf32,
    }
}

/// Cycles of one multiprocessor that an instruction takes on the pipe that it takes longest on, of issue, its own
/// pipe, shared memory, and a multiprocessor's share of L2: how hot a line is.
pub fn instruction_cycles(chip: &Chip, counts: &InstructionCounts) -> f64 {
    let executions = counts.executions as f64;
    let own = match (counts.work.tensor, lanes(chip, counts.work.class)) {
        (Some((ty, flop)), _) => executions * flop as f64 / tensor_rate(chip, ty),
        (None, Some((_, lanes))) => 32.0 * executions / lanes,
        (None, None) => 0.0,
    };
    let exchanges = if counts.work.class == Class::Warp { executions } else { 0.0 };
    let shared = (counts.shared.wavefronts as f64 + exchanges) / chip.shared_wavefronts;
    let l2 = 32.0 * counts.global.sectors as f64 / (chip.l2_bytes / f64::from(chip.multiprocessors));
    [executions / chip.issue, own, shared, l2].into_iter().fold(0.0, f64::max)
}
