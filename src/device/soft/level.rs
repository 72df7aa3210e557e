//! Instruction set levels of the host CPU.
//!
//! Every handler is written once and compiled for each level; the level is picked when the device is
//! made. All levels give the same bits.

/// What the host CPU can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What every CPU of the target architecture has.
    Portable,
    /// x86-64 with AVX2, FMA and F16C.
    Avx2,
    /// x86-64 with AVX-512 F, VL, BW, DQ and CD.
    Avx512,
    /// As `Avx512`, with products of bf16 on AMX.
    Amx,
}

/// [`Level`] as a const generic argument.
pub(super) const PORTABLE: u8 = 0;
#[cfg(target_arch = "x86_64")]
pub(super) const AVX2: u8 = 1;
#[cfg(target_arch = "x86_64")]
pub(super) const AVX512: u8 = 2;

impl Level {
    /// The highest level of this machine.
    #[cfg(target_arch = "x86_64")]
    pub fn detect() -> Level {
        let avx2 = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("lzcnt")
            && is_x86_feature_detected!("popcnt");
        let avx512 = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512cd");
        match (avx2, avx512) {
            (true, true) if super::exec::amx::available() => Level::Amx,
            (true, true) => Level::Avx512,
            (true, false) => Level::Avx2,
            _ => Level::Portable,
        }
    }

    /// The highest level of this machine.
    #[cfg(not(target_arch = "x86_64"))]
    pub fn detect() -> Level {
        Level::Portable
    }

    /// The levels of this machine, lowest first.
    pub fn available() -> Vec<Level> {
        let all = [Level::Portable, Level::Avx2, Level::Avx512, Level::Amx];
        all.into_iter().filter(|level| *level <= Level::detect()).collect()
    }

    pub fn name(self) -> &'static str {
        match self {
            Level::Portable => "portable",
            Level::Avx2 => "AVX2",
            Level::Avx512 => "AVX-512",
            Level::Amx => "AMX",
        }
    }
}
