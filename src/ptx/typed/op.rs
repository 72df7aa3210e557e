//! What a typed instruction does: one variant for each kind of instruction, with its types and modes.

use crate::ptx::ast::Type;

/// An integer type of arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Int {
    /// 16, 32 or 64 (8 only as the type of a conversion).
    pub bits: u32,
    pub signed: bool,
}

/// A floating-point type of arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Float {
    F16,
    F16x2,
    Bf16,
    Bf16x2,
    F32,
    F64,
}

/// A scalar type that `cvt` reads or writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scalar {
    Int(Int),
    F16,
    Bf16,
    Tf32,
    F32,
    F64,
}

/// Rounding of a floating-point result; the `i` forms of `cvt` round to an integer in the same directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rounding {
    /// To nearest, ties to even.
    Nearest,
    /// To nearest, ties away from zero.
    NearestAway,
    Zero,
    Down,
    Up,
}

/// The modifiers of a floating-point instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FloatMode {
    pub rounding: Rounding,
    /// Whether the text says how to round. Sums and products that do not say it may be fused.
    pub explicit: bool,
    /// Subnormal inputs and results become zero of the same sign.
    pub ftz: bool,
    /// The result is clamped to [0, 1]; NaN becomes 0.
    pub sat: bool,
    /// Negative results become 0 (`.relu`).
    pub relu: bool,
    /// What is too large becomes the largest finite number (`.satfinite`).
    pub finite: bool,
    /// `min`, `max`: of the magnitudes, with the product of the signs (`.xorsign.abs`).
    pub xorsign: bool,
}

impl FloatMode {
    /// To nearest, without further modifiers.
    pub const NEAREST: FloatMode = FloatMode {
        rounding: Rounding::Nearest,
        explicit: true,
        ftz: false,
        sat: false,
        relu: false,
        finite: false,
        xorsign: false,
    };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IntUnary {
    Abs,
    Neg,
    Not,
    /// 1 where the operand is 0, else 0.
    Cnot,
    Popc,
    Clz,
    Brev,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IntBinary {
    Add,
    Sub,
    AddSat,
    SubSat,
    MulLo,
    MulHi,
    /// The full product, twice as wide as the operands.
    MulWide,
    Div,
    Rem,
    Min,
    Max,
    And,
    Or,
    Xor,
    Shl,
    Shr,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IntTernary {
    MadLo,
    MadHi,
    /// The full product plus an addend that is twice as wide as the factors.
    MadWide,
    /// `c + |a - b|`
    Sad,
    /// Bits `[b, b + c)` of `a`, extended.
    Bfe,
}

/// Integer instructions that kernels rarely use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RareInt {
    /// The position of the highest bit that is no sign, or, with `shift`, its distance from the top; all
    /// ones if there is none.
    FindBit {
        shift: bool,
    },
    /// Bits 0 to 31 of the product of the low 24 bits, or bits 16 to 47.
    Mul24 {
        high: bool,
    },
    Mad24 {
        high: bool,
        sat: bool,
    },
    MadHiSat,
    /// The smaller or the larger, at least 0.
    MinRelu,
    MaxRelu,
    /// `szext`: the low bits, as many as the second operand says, extended.
    Extend {
        wrap: bool,
    },
    /// `bmsk d, a, b`: `b` ones from bit `a` on.
    Mask {
        wrap: bool,
    },
    /// `fns d, mask, base, offset`: the position of the n-th set bit.
    NthSet,
    Dot(DotProduct),
}

/// `dp4a`, `dp2a`: `c` plus products of parts of `a` and bytes of `b`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DotProduct {
    pub a_signed: bool,
    pub b_signed: bool,
    pub parts: DotParts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DotParts {
    /// Four bytes and four bytes.
    Bytes,
    /// Two halves of `a`, with the low or the high two bytes of `b`.
    HalvesLow,
    HalvesHigh,
}

/// What `testp` asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FloatTest {
    Finite,
    Infinite,
    Number,
    NotANumber,
    Normal,
    Subnormal,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FloatUnary {
    Neg,
    Abs,
    Rcp,
    RcpApprox,
    Sqrt,
    SqrtApprox,
    RsqrtApprox,
    Sin,
    Cos,
    Lg2,
    Ex2,
    Tanh,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FloatBinary {
    Add,
    Sub,
    Mul,
    Div,
    /// `div.approx` and `div.full`.
    DivApprox,
    Min,
    Max,
    /// NaN if any operand is.
    MinNan,
    MaxNan,
    /// `copysign d, a, b`: the sign of `a` on the magnitude of `b`.
    Copysign,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    /// True on NaN: `equ`, `neu`, …
    Equ,
    Neu,
    Ltu,
    Leu,
    Gtu,
    Geu,
    /// Neither operand is NaN.
    Num,
    Nan,
}

/// How a comparison is joined with a predicate, and the operations on predicates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Logic {
    And,
    Or,
    Xor,
}

/// Type of a comparison's operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compared {
    Int(Int),
    Float { ty: Float, ftz: bool },
}

/// A state space of an access; `Generic` is decided by the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AddressSpace {
    Generic,
    Global,
    Shared,
    /// Shared memory of the blocks of the cluster, the own one included.
    Cluster,
    Local,
    Const,
    Param,
}

/// How many threads an ordered access reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reach {
    Block,
    Cluster,
    Device,
    System,
}

/// How an access is ordered with those of other threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    Weak,
    /// `.nc`: of memory that nobody writes while the kernel runs.
    ReadOnly,
    Volatile,
    Relaxed(Reach),
    Acquire(Reach),
    Release(Reach),
    AcquireRelease(Reach),
}

/// One load or store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Access {
    pub space: AddressSpace,
    /// Type of one element in memory.
    pub ty: Type,
    /// Elements of a vector access; 1 otherwise.
    pub count: u32,
    /// Bytes added to the address operand.
    pub offset: i64,
    pub order: Order,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AtomicOp {
    Add,
    And,
    Or,
    Xor,
    Min,
    Max,
    Inc,
    Dec,
    Exch,
    Cas,
}

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

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PermuteMode {
    Index,
    F4e,
    B4e,
    Rc8,
    Ecl,
    Ecr,
    Rc16,
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

/// What is done with a barrier object in shared memory (`mbarrier`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MbarrierOp {
    /// Sources: address, count.
    Init,
    Invalidate,
    /// Sources: address, and the count if given. Destination: the state before.
    Arrive {
        /// Later phases expect so many fewer.
        drop: bool,
        /// The phase must not complete.
        no_complete: bool,
    },
    /// An arrival after so many bytes were announced. Sources: address, bytes. Destination: the state before.
    ArriveExpecting,
    /// Sources: address, bytes.
    ExpectBytes,
    CompleteBytes,
    /// Sources: address, state. Destination: a predicate.
    TestState,
    /// Sources: address, parity of the phase. Destination: a predicate.
    TestParity,
    /// `cp.async.mbarrier.arrive`: arrives when the thread's copies have landed. Source: address.
    ArriveOnCopies {
        /// The arrival is one of those that the barrier was made for.
        counted: bool,
    },
}

/// The operation of an instruction. The operands stand in [`super::Instruction::dst`] and `src`, in the
/// order of the PTX text unless a variant says otherwise.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// Prefetches and hints that change no value.
    Nop,
    Fence(Order),
    /// A copy of a register's bits; the width is the destination's.
    Mov,
    MovPred,
    /// A copy of two registers of 64 bits, which make one of 128.
    MovPair,
    /// Several narrow sources, low first, to one wide destination.
    Pack,
    /// One wide source to several narrow destinations (or sinks), low first.
    Unpack,
    IntUnary(IntUnary, Int),
    IntBinary(IntBinary, Int),
    IntTernary(IntTernary, Int),
    IntRare(RareInt, Int),
    /// `add`/`sub` with carry. The carry bit is the entry's carry register, last in `src` and `dst`.
    Carry {
        subtract: bool,
        bits: u32,
        carry_in: bool,
        carry_out: bool,
    },
    /// `bfi d, a, b, pos, len`
    BitInsert {
        bits: u32,
    },
    FunnelShift {
        left: bool,
        wrap: bool,
    },
    Lop3 {
        table: u8,
    },
    /// `lop3` with a second destination: whether the result is not 0, joined with the last source.
    Lop3Pred {
        table: u8,
        logic: Logic,
    },
    /// Carry from `mad.cc` and into `madc`, like [`Op::Carry`].
    MadCarry {
        high: bool,
        int: Int,
        carry_in: bool,
        carry_out: bool,
    },
    Permute(PermuteMode),
    PredLogic(Logic),
    PredNot,
    FloatUnary(FloatUnary, Float, FloatMode),
    FloatBinary(FloatBinary, Float, FloatMode),
    Fma(Float, FloatMode),
    /// `cvt`; two sources (first one for the upper half) where the destination is packed.
    Convert {
        to: Scalar,
        from: Scalar,
        packed: bool,
        /// Whether a float result is rounded to an integral value.
        integral: bool,
        mode: FloatMode,
    },
    /// `setp`: one or two predicate destinations; the third source, if any, is the predicate of `logic`.
    SetPred {
        comparison: Comparison,
        ty: Compared,
        logic: Option<Logic>,
    },
    /// `set`: like `setp` into a register, as the bits of `one` or 0; two halves for packed operands.
    Set {
        comparison: Comparison,
        ty: Compared,
        logic: Option<Logic>,
        one: u32,
    },
    /// `testp p, a`
    TestFloat(FloatTest, Float),
    /// `selp d, a, b, p`
    Select,
    /// `slct d, a, b, c`: `a` where `c >= 0`.
    SelectSign {
        float: bool,
        ftz: bool,
    },
    /// Source: the address.
    Load(Access),
    /// Sources: the address, then the elements.
    Store(Access),
    /// Sources: the address, then the operands. No destination for `red`.
    Atomic {
        space: AddressSpace,
        op: AtomicOp,
        ty: Type,
        offset: i64,
        order: Order,
    },
    /// Source: the address in `offset` bytes behind the first operand.
    Mbarrier {
        op: MbarrierOp,
        space: AddressSpace,
        offset: i64,
    },
    /// `mbarrier.pending_count`
    PendingCount,
    /// Whether a generic address lies in the space.
    IsInSpace(AddressSpace),
    /// To a generic address, or from one (`cvta.to`).
    ConvertAddress {
        space: AddressSpace,
        to_space: bool,
    },
    /// Sources: shared address, global address, then the source size if given, or the ignore predicate.
    CopyAsync {
        bytes: u32,
        shared_offset: i64,
        global_offset: i64,
        tail: CopyTail,
    },
    /// `cp.async.commit_group`
    CopyCommit,
    /// Waits until at most so many groups are pending; without a number until no copy is.
    CopyWait(Option<u32>),
    /// One to four 8×8 matrices of b16.
    LoadMatrix {
        space: AddressSpace,
        transposed: bool,
        offset: i64,
    },
    /// `stmatrix`. Sources: the address, then the registers.
    StoreMatrix {
        space: AddressSpace,
        transposed: bool,
        offset: i64,
    },
    MoveMatrix,
    /// Sources: A, B and C fragments one after the other.
    Mma(Mma),
    /// As `Mma`, with accumulators of f16, two in a register.
    MmaF16(Mma),
    MmaInt(IntMma),
    /// m8n8k4
    MmaF64,
    /// Sources: value, lane operand, clamp, member mask. A second destination takes the predicate.
    Shuffle(ShuffleMode),
    /// Sources: predicate, member mask.
    Vote(VoteMode),
    /// Sources: value, member mask. `match.all` has a second destination, the predicate.
    Match {
        all: bool,
        bits: u32,
    },
    Reduce(ReduceOp, Int),
    /// `elect.sync d|p, mask`
    Elect,
    ActiveMask,
    /// Source: member mask.
    WarpBarrier,
    /// Sources: barrier, and the number of threads if given.
    Barrier,
    BarrierArrive,
    /// Sources: barrier, predicate, and the number of threads if given (last).
    BarrierReduce(BarrierReduce),
    /// A barrier without `.aligned`, to which the lanes of a warp may come apart. Operands as in the others.
    LooseBarrier(BarrierForm),
    /// `mapa`. Sources: an address in shared memory, the rank of a block.
    MapAddress {
        /// The address is generic.
        generic: bool,
    },
    /// `getctarank`. Source: the address.
    AddressRank {
        generic: bool,
    },
    ClusterBarrier {
        wait: bool,
        /// The arrival orders no memory.
        relaxed: bool,
    },
    Branch {
        target: Label,
    },
    /// Source: the index.
    BranchIndexed {
        targets: Vec<Label>,
    },
    Exit,
    Trap,
    /// Gives other warps their turn.
    Sleep,
}

/// What a `cp.async` has behind its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CopyTail {
    None,
    SourceBytes,
    Ignore,
}

/// A branch target, an index into [`super::Entry::labels`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Label(pub u32);
