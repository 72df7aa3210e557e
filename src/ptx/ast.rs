//! The syntax tree of a PTX module.
//!
//! PTX instructions are regular: `[@[!]p] opcode(.modifier)* operand{, operand};`. The tree keeps that
//! shape and resolves nothing: names stay names, numbers keep the form they were written in. Every node
//! that an error message may point at carries its line in the text that was parsed (1-based).

/// One `.ptx` text.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Module {
    /// `.version 8.0` is `(8, 0)`.
    pub version: (u32, u32),
    /// `.target sm_80, debug` is `["sm_80", "debug"]`.
    pub target: Vec<String>,
    /// `.address_size`; 64 where the text does not say.
    pub address_size: u32,
    /// Module-scope variables, in order.
    pub variables: Vec<Variable>,
    /// Entries and functions, in order, declarations without a body included.
    pub functions: Vec<Function>,
    pub aliases: Vec<Alias>,
}

/// `.alias name, target;`
#[derive(Debug, Clone, PartialEq)]
pub struct Alias {
    pub name: String,
    /// A function.
    pub target: String,
    pub line: u32,
}

/// `.entry` or `.func`.
#[derive(Debug, Clone, PartialEq)]
pub struct Function {
    pub kind: FunctionKind,
    pub name: String,
    /// Return parameters of a `.func`; empty for an `.entry`.
    pub returns: Vec<Variable>,
    pub params: Vec<Variable>,
    /// `.maxntid 256, 1, 1` and its kin, in order.
    pub directives: Vec<Directive>,
    /// `None` for a declaration.
    pub body: Option<Vec<Statement>>,
    pub line: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FunctionKind {
    Entry,
    Func,
}

/// A performance or launch directive between a function's parameters and its body.
#[derive(Debug, Clone, PartialEq)]
pub struct Directive {
    /// Without the dot: `maxntid`, `reqntid`, `minnctapersm`, `maxnreg`, `noreturn`, `pragma` …
    pub name: String,
    pub values: Vec<u64>,
}

/// A declared variable: a register (or a family of them), a parameter, or memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Variable {
    pub space: Space,
    /// `extern`, `visible`, `weak`, `common`, if any.
    pub linkage: Option<String>,
    /// `.align`, in bytes.
    pub align: Option<u32>,
    pub ty: Type,
    /// 2 or 4 for `.v2`, `.v4`; 1 otherwise.
    pub vector: u32,
    pub name: String,
    /// `Some(8)` for `%r<8>`, which declares `%r0` to `%r7`.
    pub family: Option<u32>,
    /// Array bounds, outermost first; `None` for `[]`. Empty for a scalar.
    pub dims: Vec<Option<u64>>,
    /// The flattened initialiser, row by row.
    pub init: Vec<Initial>,
    pub line: u32,
}

/// One element of an initialiser.
#[derive(Debug, Clone, PartialEq)]
pub enum Initial {
    Number(Number),
    /// The address of a symbol plus bytes: `&x + 4`, `x`, `generic(x)`.
    Address {
        symbol: String,
        offset: i64,
        generic: bool,
        /// `0xFF00(x)`: only these bits of the address, shifted down.
        mask: Option<u64>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Space {
    Reg,
    Param,
    Shared,
    Local,
    Const,
    Global,
}

/// A PTX fundamental type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Type {
    Pred,
    B8,
    B16,
    B32,
    B64,
    B128,
    U8,
    U16,
    U32,
    U64,
    S8,
    S16,
    S32,
    S64,
    F16,
    F16x2,
    Bf16,
    Bf16x2,
    Tf32,
    F32,
    F64,
}

impl Type {
    /// The type a `.name` modifier spells, without the dot; `None` if it is no type.
    pub fn parse(name: &str) -> Option<Type> {
        use Type::*;
        Some(match name {
            "pred" => Pred,
            "b8" => B8,
            "b16" => B16,
            "b32" => B32,
            "b64" => B64,
            "b128" => B128,
            "u8" => U8,
            "u16" => U16,
            "u32" => U32,
            "u64" => U64,
            "s8" => S8,
            "s16" => S16,
            "s32" => S32,
            "s64" => S64,
            "f16" => F16,
            "f16x2" => F16x2,
            "bf16" => Bf16,
            "bf16x2" => Bf16x2,
            "tf32" => Tf32,
            "f32" => F32,
            "f64" => F64,
            _ => return None,
        })
    }

    /// Size in bytes; a predicate has none and counts as 0.
    pub fn bytes(self) -> u32 {
        use Type::*;
        match self {
            Pred => 0,
            B8 | U8 | S8 => 1,
            B16 | U16 | S16 | F16 | Bf16 => 2,
            B32 | U32 | S32 | F32 | F16x2 | Bf16x2 | Tf32 => 4,
            B64 | U64 | S64 | F64 => 8,
            B128 => 16,
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum Statement {
    Label {
        name: String,
        line: u32,
    },
    Instruction(Instruction),
    Variable(Variable),
    /// `{ … }`, a scope of its own.
    Block(Vec<Statement>),
    /// `name: .branchtargets a, b;`
    BranchTargets {
        name: String,
        labels: Vec<String>,
        line: u32,
    },
    /// `name: .callprototype …;` or `name: .calltargets …;`
    CallTargets {
        name: String,
        line: u32,
    },
    /// `.pragma "…";`, kept and ignored.
    Pragma(String),
    /// `.loc file line column`: the source line of the instructions that follow.
    Location {
        file: u32,
        line: u32,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub struct Instruction {
    pub guard: Option<Guard>,
    /// The part before the first dot: `mad` of `mad.lo.s32`.
    pub opcode: String,
    /// The parts behind it, without dots; `::` chains stay one part (`shared::cluster`, `L2::128B`).
    pub modifiers: Vec<String>,
    pub operands: Vec<Operand>,
    pub line: u32,
    pub column: u32,
}

/// `@p` or `@!p`.
#[derive(Debug, Clone, PartialEq)]
pub struct Guard {
    pub negated: bool,
    pub register: String,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// A register, a special register (`%tid`), a variable, a label or a function.
    Name(String),
    /// `%tid.x`, `%v.x`: the name and the component.
    Component(String, String),
    Number(Number),
    /// `!p`
    Not(String),
    /// `_`
    Sink,
    /// `{a, b, c, d}`
    Vector(Vec<Operand>),
    /// `d|p`
    Pair(Box<Operand>, Box<Operand>),
    /// `symbol+4` outside brackets.
    Offset(String, i64),
    /// `[base+offset]`, with what may follow the address inside the brackets (`, {c0, c1}`, `, mbar`).
    Memory {
        base: Box<Operand>,
        offset: i64,
        rest: Vec<Operand>,
    },
    /// `(a, b)`, the argument or return list of a `call`.
    List(Vec<Operand>),
}

/// A literal as it was written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// Any integer literal; a leading minus is folded in.
    Integer(i128),
    /// `0f3F800000`: the bits of an f32.
    F32(u32),
    /// `0d…` or a decimal literal with a point or exponent: the bits of an f64.
    F64(u64),
}
