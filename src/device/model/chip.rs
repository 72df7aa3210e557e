//! Chips by name, with the figures that the model needs and where they are published.
//!
//! - *A100 whitepaper*: NVIDIA A100 Tensor Core GPU Architecture, V1.0, tables 4 and 5, and page 35.
//! - *H100 whitepaper*: NVIDIA H100 Tensor Core GPU Architecture, tables 3 and 4; *H100*, *H200 product page*:
//!   nvidia.com/en-us/data-center.
//! - *Ada whitepaper*: NVIDIA Ada GPU Architecture, V2.02, appendix A (RTX 4090).
//! - *Programming guide*: CUDA C++ Programming Guide, "Arithmetic Instructions" (operations per clock and
//!   multiprocessor) and "Compute Capabilities" (registers, shared memory, warps and blocks).
//! - *Luo et al.*: Benchmarking and Dissecting the Nvidia Hopper GPU Architecture through Microbenchmarking,
//!   arXiv 2402.13499.

/// One chip. Rates are per multiprocessor and clock unless they say otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct Chip {
    /// As it is named on the command line.
    pub name: &'static str,
    pub title: &'static str,
    /// Compute capability, 80 for `sm_80`.
    pub capability: u32,
    pub multiprocessors: u32,
    /// Hz, boosted.
    pub clock: f64,
    /// Warp instructions that the schedulers issue.
    pub issue: f64,
    /// Lanes of f32 addition, multiplication and fused multiply-add.
    pub fma_lanes: f64,
    /// Lanes of integer arithmetic, logic, comparison and conversion.
    pub integer_lanes: f64,
    /// Lanes of f64 arithmetic.
    pub double_lanes: f64,
    /// Lanes of the special-function units.
    pub special_lanes: f64,
    /// Wavefronts of shared memory, 128 bytes each.
    pub shared_wavefronts: f64,
    /// Floating-point operations of `mma.sync` on f16 or bf16 with f32 sums.
    pub tensor_half: f64,
    /// The same on tf32.
    pub tensor_tf32: f64,
    /// Bytes per clock from L2, of the whole chip.
    pub l2_bytes: f64,
    /// Bytes per second from DRAM, of the whole chip.
    pub dram_bytes: f64,
    /// Registers of 32 bits, and bytes of shared memory, of a multiprocessor.
    pub registers: u32,
    pub shared_bytes: u32,
    /// Warps and blocks that a multiprocessor holds at once.
    pub warps: u32,
    pub blocks: u32,
}

/// H100 SXM5. 132 SMs, 128 FP32 and 64 INT32 lanes (H100 whitepaper, table 4; programming guide: 64 lanes of f64, 16
/// of special functions). The clock is the one at which the product page's 989 TFLOP/s of dense bf16 are 132 × 4096
/// operations: 1.83 GHz. `mma.sync` reaches 62.9 % of that rate, which takes `wgmma` (Luo et al., section on tensor
/// cores). L2: 4472 bytes per clock measured on the same die (Luo et al., table V). DRAM: 3.35 TB/s (product page).
const H100: Chip = Chip {
    name: "h100",
    title: "H100 SXM",
    capability: 90,
    multiprocessors: 132,
    clock: 1.83e9,
    issue: 4.0,
    fma_lanes: 128.0,
    integer_lanes: 64.0,
    double_lanes: 64.0,
    special_lanes: 16.0,
    shared_wavefronts: 1.0,
    tensor_half: 0.629 * 4096.0,
    tensor_tf32: 0.629 * 2048.0,
    l2_bytes: 4472.0,
    dram_bytes: 3.35e12,
    registers: 65_536,
    shared_bytes: 228 * 1024,
    warps: 64,
    blocks: 32,
};

/// H200 SXM: an H100 with memory of 4.8 TB/s (H200 product page).
const H200: Chip = Chip { name: "h200", title: "H200 SXM", dram_bytes: 4.8e12, ..H100 };

/// A100 SXM4 with 80 GB. 108 SMs at 1.41 GHz, 64 FP32 and 64 INT32 lanes, 312 TFLOP/s of dense bf16 = 108 × 2048 × 1.41
/// GHz, half of that in tf32 (A100 whitepaper, table 4; programming guide: 32 lanes of f64, 16 of special functions).
/// L2: 5120 bytes per clock (A100 whitepaper, page 35). DRAM: 2.039 TB/s (A100 data sheet, 80 GB SXM).
const A100: Chip = Chip {
    name: "a100",
    title: "A100 SXM 80 GB",
    capability: 80,
    multiprocessors: 108,
    clock: 1.41e9,
    issue: 4.0,
    fma_lanes: 64.0,
    integer_lanes: 64.0,
    double_lanes: 32.0,
    special_lanes: 16.0,
    shared_wavefronts: 1.0,
    tensor_half: 2048.0,
    tensor_tf32: 1024.0,
    l2_bytes: 5120.0,
    dram_bytes: 2.039e12,
    registers: 65_536,
    shared_bytes: 164 * 1024,
    warps: 64,
    blocks: 32,
};

/// GeForce RTX 4090. 128 SMs at 2.52 GHz, 128 FP32 lanes, 165.2 TFLOP/s of dense f16 with f32 sums = 128 × 512 × 2.52
/// GHz, 82.6 in tf32, 1008 GB/s (Ada whitepaper, appendix A; programming guide, capability 8.9: 64 lanes of integers, 2
/// of f64, 16 of special functions, 48 warps, 24 blocks, 100 KB of shared memory). L2: about 1600 bytes per clock in
/// microbenchmarks (Luo et al., table V); NVIDIA publishes no figure.
const RTX_4090: Chip = Chip {
    name: "4090",
    title: "RTX 4090",
    capability: 89,
    multiprocessors: 128,
    clock: 2.52e9,
    issue: 4.0,
    fma_lanes: 128.0,
    integer_lanes: 64.0,
    double_lanes: 2.0,
    special_lanes: 16.0,
    shared_wavefronts: 1.0,
    tensor_half: 512.0,
    tensor_tf32: 256.0,
    l2_bytes: 1600.0,
    dram_bytes: 1.008e12,
    registers: 65_536,
    shared_bytes: 100 * 1024,
    warps: 48,
    blocks: 24,
};

impl Chip {
    pub const ALL: [Chip; 4] = [H100, H200, A100, RTX_4090];

    /// The chip of that name, in any case.
    pub fn named(name: &str) -> Option<Chip> {
        Chip::ALL.into_iter().find(|chip| chip.name.eq_ignore_ascii_case(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rates give the peaks that are published, in TFLOP/s: f32, bf16, tf32.
    #[test]
    fn peaks() {
        let peaks = |chip: &Chip| {
            let per_clock = f64::from(chip.multiprocessors) * chip.clock / 1e12;
            [2.0 * chip.fma_lanes, chip.tensor_half, chip.tensor_tf32].map(|rate| rate * per_clock)
        };
        let near = |found: [f64; 3], published: [f64; 3]| {
            for (found, published) in found.iter().zip(published) {
                assert!((found / published - 1.0).abs() < 0.01, "{found} for {published}");
            }
        };
        near(peaks(&A100), [19.5, 312.0, 156.0]);
        near(peaks(&RTX_4090), [82.6, 165.2, 82.6]);
        // f32 is published for a higher clock than bf16.
        near(peaks(&H100), [61.8, 0.629 * 989.4, 0.629 * 494.7]);
    }

    #[test]
    fn names() {
        for chip in Chip::ALL {
            assert_eq!(Chip::named(&chip.name.to_uppercase()), Some(chip));
        }
        assert_eq!(Chip::named("v100"), None);
    }
}
