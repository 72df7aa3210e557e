//! What a typed instruction does: one variant for each kind of instruction, with its types and modes.

mod arithmetic;
mod memory;
mod warp;

pub use arithmetic::*;
pub use memory::*;
pub use warp::*;

use crate::ptx::ast::Type;

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

/// A branch target, an index into [`super::Entry::labels`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Label(pub u32);
