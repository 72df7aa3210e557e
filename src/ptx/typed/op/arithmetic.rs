//! Types and modes of arithmetic.

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
