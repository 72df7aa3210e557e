//! Modes of what the lanes of a warp, and the warps of a block, do together.

use super::arithmetic::Scalar;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ShuffleMode {
    Up,
    Down,
    Butterfly,
    Index,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VoteMode {
    All,
    Any,
    Uni,
    Ballot,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReduceOp {
    Add,
    Min,
    Max,
    And,
    Or,
    Xor,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BarrierReduce {
    Popc,
    And,
    Or,
}

/// What a barrier does besides counting threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BarrierForm {
    Sync,
    Arrive,
    Reduce(BarrierReduce),
}

/// Shape and operand type of a matrix product with f32 accumulators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mma {
    /// m16n8kK.
    pub k: u32,
    /// `F16`, `Bf16` or `Tf32`.
    pub operand: Scalar,
}

/// A matrix product of integers with s32 accumulators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IntMma {
    /// 8 or 16.
    pub m: u32,
    pub k: u32,
    /// Bits of an element of A and B: 4 or 8.
    pub bits: u32,
    pub a_signed: bool,
    pub b_signed: bool,
    /// Sums are clamped to s32 instead of wrapping.
    pub saturate: bool,
}
