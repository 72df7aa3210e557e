//! Kinds of instructions, and the work that each one does.

use crate::ptx::typed::{
    AddressSpace, Compared, Float, FloatBinary, FloatUnary, Instruction, Mma, Op, Scalar,
};

/// What an instruction keeps busy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Integer arithmetic, logic, shifts, bit fields.
    Integer,
    /// Fused multiply-add in f32.
    Fma,
    /// Addition and subtraction in f32.
    Add,
    /// Multiplication in f32.
    Mul,
    /// f64 arithmetic.
    Double,
    /// f16 and bf16 arithmetic, packed or not.
    Half,
    /// `cvt`
    Convert,
    /// Reciprocals, roots, sines, logarithms, powers, divisions.
    Special,
    /// Moves, parameters, selections, comparisons, predicates, minima, signs.
    Move,
    /// Branches, exits, fences, hints.
    Control,
    /// Shuffles, votes, matches, reductions in a warp.
    Warp,
    /// Loads and stores of shared memory, `ldmatrix` among them.
    Shared,
    /// Loads and stores of global memory, and of generic addresses.
    Global,
    /// Loads and stores of a thread's own memory.
    Local,
    /// `atom` and `red`
    Atomic,
    /// Barriers of the block or the warp.
    Barrier,
    /// `mma`
    Tensor,
    /// `cp.async`
    Copy,
}

impl Class {
    pub const ALL: [Class; 18] = [
        Class::Integer,
        Class::Fma,
        Class::Add,
        Class::Mul,
        Class::Double,
        Class::Half,
        Class::Convert,
        Class::Special,
        Class::Move,
        Class::Control,
        Class::Warp,
        Class::Shared,
        Class::Global,
        Class::Local,
        Class::Atomic,
        Class::Barrier,
        Class::Tensor,
        Class::Copy,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Class::Integer => "integer",
            Class::Fma => "fma",
            Class::Add => "add",
            Class::Mul => "mul",
            Class::Double => "double",
            Class::Half => "half",
            Class::Convert => "convert",
            Class::Special => "special",
            Class::Move => "move",
            Class::Control => "control",
            Class::Warp => "warp",
            Class::Shared => "shared",
            Class::Global => "global",
            Class::Local => "local",
            Class::Atomic => "atomic",
            Class::Barrier => "barrier",
            Class::Tensor => "tensor",
            Class::Copy => "copy",
        }
    }
}

/// Operand types of the tensor cores that differ in rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TensorType {
    /// f16 and bf16.
    Half,
    Tf32,
}

impl TensorType {
    pub const ALL: [TensorType; 2] = [TensorType::Half, TensorType::Tf32];
}

/// What one execution of an instruction does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    pub class: Class,
    /// Floating-point operations of a lane; a fused multiply-add is two.
    pub flop: u64,
    /// Floating-point operations of the whole warp on the tensor cores.
    pub tensor: Option<(TensorType, u64)>,
}

impl Work {
    pub fn of(instruction: &Instruction) -> Work {
        let class = class(&instruction.op);
        let tensor = match instruction.op {
            Op::Mma(mma) | Op::MmaF16(mma) => Some(tensor(mma)),
            _ => None,
        };
        Work { class, flop: flop(&instruction.op), tensor }
    }
}

fn tensor(Mma { k, operand }: Mma) -> (TensorType, u64) {
    let ty = if operand == Scalar::Tf32 { TensorType::Tf32 } else { TensorType::Half };
    (ty, 2 * 16 * 8 * u64::from(k))
}

fn class(op: &Op) -> Class {
    match op {
        Op::IntUnary(..)
        | Op::IntBinary(..)
        | Op::IntTernary(..)
        | Op::IntRare(..)
        | Op::Carry { .. }
        | Op::MadCarry { .. }
        | Op::BitInsert { .. }
        | Op::FunnelShift { .. }
        | Op::Lop3 { .. }
        | Op::Lop3Pred { .. }
        | Op::IsInSpace(_)
        | Op::PendingCount
        | Op::Permute(_)
        | Op::ConvertAddress { .. }
        | Op::MapAddress { .. }
        | Op::AddressRank { .. } => Class::Integer,
        Op::FloatUnary(op, ty, _) => unary(*op, *ty),
        Op::FloatBinary(op, ty, _) => binary(*op, *ty),
        Op::Fma(ty, _) => arithmetic(*ty, Class::Fma),
        Op::Convert { .. } => Class::Convert,
        Op::SetPred { ty, .. } | Op::Set { ty, .. } => compared(*ty),
        Op::TestFloat(_, ty) => arithmetic(*ty, Class::Move),
        Op::Mov
        | Op::MovPred
        | Op::MovPair
        | Op::Pack
        | Op::Unpack
        | Op::PredLogic(_)
        | Op::PredNot
        | Op::Select
        | Op::SelectSign { .. }
        | Op::ActiveMask => Class::Move,
        Op::Load(access) | Op::Store(access) => space(access.space),
        Op::Atomic { .. } => Class::Atomic,
        Op::CopyAsync { .. } => Class::Copy,
        Op::LoadMatrix { .. } | Op::StoreMatrix { .. } => Class::Shared,
        Op::Mma(_) | Op::MmaF16(_) | Op::MmaInt(_) | Op::MmaF64 => Class::Tensor,
        Op::MoveMatrix | Op::Shuffle(_) | Op::Vote(_) | Op::Match { .. } | Op::Reduce(..) | Op::Elect => {
            Class::Warp
        }
        Op::WarpBarrier
        | Op::Barrier
        | Op::BarrierArrive
        | Op::BarrierReduce(_)
        | Op::LooseBarrier(_)
        | Op::ClusterBarrier { .. }
        | Op::Mbarrier { .. } => Class::Barrier,
        Op::Nop
        | Op::Fence(_)
        | Op::CopyCommit
        | Op::CopyWait(_)
        | Op::Branch { .. }
        | Op::BranchIndexed { .. }
        | Op::Exit
        | Op::Trap
        | Op::Sleep => Class::Control,
    }
}

/// Parameters and constants count as moves: the machine reads them as operands.
fn space(space: AddressSpace) -> Class {
    match space {
        AddressSpace::Generic | AddressSpace::Global => Class::Global,
        AddressSpace::Shared | AddressSpace::Cluster => Class::Shared,
        AddressSpace::Local => Class::Local,
        AddressSpace::Const | AddressSpace::Param => Class::Move,
    }
}

/// The class of arithmetic in a type, `single` in f32.
fn arithmetic(ty: Float, single: Class) -> Class {
    match ty {
        Float::F32 => single,
        Float::F64 => Class::Double,
        Float::F16 | Float::F16x2 | Float::Bf16 | Float::Bf16x2 => Class::Half,
    }
}

fn unary(op: FloatUnary, ty: Float) -> Class {
    match op {
        FloatUnary::Neg | FloatUnary::Abs => arithmetic(ty, Class::Move),
        FloatUnary::Rcp
        | FloatUnary::RcpApprox
        | FloatUnary::Sqrt
        | FloatUnary::SqrtApprox
        | FloatUnary::RsqrtApprox
        | FloatUnary::Sin
        | FloatUnary::Cos
        | FloatUnary::Lg2
        | FloatUnary::Ex2
        | FloatUnary::Tanh => Class::Special,
    }
}

fn binary(op: FloatBinary, ty: Float) -> Class {
    match op {
        FloatBinary::Add | FloatBinary::Sub => arithmetic(ty, Class::Add),
        FloatBinary::Mul => arithmetic(ty, Class::Mul),
        FloatBinary::Div | FloatBinary::DivApprox => Class::Special,
        FloatBinary::Min
        | FloatBinary::Max
        | FloatBinary::MinNan
        | FloatBinary::MaxNan
        | FloatBinary::Copysign => arithmetic(ty, Class::Move),
    }
}

fn compared(ty: Compared) -> Class {
    match ty {
        Compared::Int(_) => Class::Move,
        Compared::Float { ty, .. } => arithmetic(ty, Class::Move),
    }
}

/// Sums and products, counted as in textbooks: comparisons, signs and special functions are none.
fn flop(op: &Op) -> u64 {
    let values = |ty: Float| if matches!(ty, Float::F16x2 | Float::Bf16x2) { 2 } else { 1 };
    match op {
        Op::Fma(ty, _) => 2 * values(*ty),
        Op::FloatBinary(FloatBinary::Add | FloatBinary::Sub | FloatBinary::Mul, ty, _) => values(*ty),
        _ => 0,
    }
}
