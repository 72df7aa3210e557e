//! `wmma`: products of matrices of 16 x 16 elements, as loads, `mma.sync` and stores.
//!
//! PTX leaves open which lane holds which element of a fragment, so here they are those of `mma.sync`: A is
//! one fragment of m16n8k16 (m16n8k8 for tf32), and B, C and D are two each, for the left and the right
//! eight columns. Where PTX has more registers (f16), the second half repeats the first.

use super::reader::{Reader, Result};
use super::scope::Scope;
use super::{
    Access, AddressSpace, Instruction, Int, IntBinary, IntTernary, Mma, Op, Operand, Order, Reg, Scalar,
    Special,
};
use crate::ptx::ast::{self, Type};

/// A matrix of the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    A,
    B,
    /// C and D.
    Sum,
}

/// How a fragment's registers hold the elements of a matrix.
///
/// Register r of lane l holds elements of line `l / 4 + 8 line(r)`, from `pack (l % 4) + 4 pack along(r)` on.
/// Lines are rows of A, C and D, and columns of B.
#[derive(Debug, Clone, Copy)]
struct Fragment {
    role: Role,
    /// Type of an element in memory.
    element: Type,
    /// Elements of a register, along the line.
    pack: u32,
    /// Registers in the instruction.
    registers: usize,
}

impl Fragment {
    fn new(role: Role, ty: Type) -> Option<Fragment> {
        let (pack, registers) = match (role, ty) {
            (Role::A | Role::B, Type::F16) => (2, 8),
            (Role::A | Role::B, Type::Bf16) => (2, 4),
            (Role::A | Role::B, Type::Tf32) => (1, 4),
            (Role::Sum, Type::F16) => (2, 4),
            (Role::Sum, Type::F32) => (1, 8),
            _ => return None,
        };
        let element = if ty.bytes() == 2 { Type::B16 } else { Type::B32 };
        Some(Fragment { role, element, pack, registers })
    }

    /// Registers that are not repetitions.
    fn distinct(&self) -> usize {
        self.registers.min(if self.role == Role::Sum { 8 } else { 4 })
    }

    /// Which eighth line and which stretch of the line register `r` begins with, and the element of the stretch.
    fn place(&self, r: usize) -> (u32, u32, u32) {
        let r = r as u32;
        match (self.role, self.registers) {
            // Two neighbours for each line, as f32 sums lie.
            (Role::Sum, 8) => (r >> 1 & 1, r >> 2, r & 1),
            (Role::B, _) => (r >> 1, r & 1, 0),
            _ => (r & 1, r >> 1, 0),
        }
    }

    /// Elements of a line that a group of four lanes holds.
    fn stretch(&self) -> u32 {
        if self.role == Role::Sum { 8 } else { 4 * self.pack }
    }
}

/// Shape of the product and types of its fragments.
fn shape(reader: &mut Reader) -> Result<u32> {
    reader.require(&[("m16n16k16", 16), ("m16n16k8", 8)])
}

fn fragment(reader: &Reader, role: Role, ty: Type, k: u32) -> Result<Fragment> {
    let tf32 = role != Role::Sum && ty == Type::Tf32;
    match Fragment::new(role, ty).filter(|_| role == Role::Sum || tf32 == (k == 8)) {
        Some(fragment) => Ok(fragment),
        None => reader.fail("there is no such fragment here"),
    }
}

/// Whether neighbours in memory are neighbours in a line: rows of A, C and D by rows, columns of B by columns.
fn along(reader: &mut Reader, role: Role) -> Result<bool> {
    let by_rows = reader.require(&[("row", true), ("col", false)])?;
    Ok(by_rows == (role != Role::B))
}

/// An access to a fragment in memory.
struct Matrix {
    fragment: Fragment,
    /// See [`along`].
    along: bool,
    space: AddressSpace,
    /// The address and its width; what is added to it.
    base: Operand,
    wide: bool,
    offset: i64,
    /// Elements from one line of the memory to the next.
    stride: Operand,
}

impl<'a> Scope<'a> {
    /// Types `wmma.load`, `wmma.store` or `wmma.mma`.
    pub(super) fn wmma(&mut self, instruction: &'a ast::Instruction) -> Result<()> {
        match instruction.modifiers.first().map(String::as_str) {
            Some("load") => self.wmma_load(instruction),
            Some("store") => self.wmma_store(instruction),
            _ => self.wmma_mma(instruction),
        }
    }

    fn wmma_load(&mut self, instruction: &'a ast::Instruction) -> Result<()> {
        let mut reader = Reader::new(self, instruction);
        let matrix = matrix(&mut reader, 0)?;
        let mut to = Vec::new();
        for element in reader.elements(0)? {
            to.push(reader.dst_of(&element, 4, 4)?);
        }
        if to.len() != matrix.fragment.registers {
            return reader.fail(format!("the fragment has {} registers", matrix.fragment.registers));
        }
        let guard = reader.done(Op::Nop, Vec::new(), Vec::new())?.guard;
        let mut writer = Writer { scope: self, instruction, guard };
        let bases = writer.bases(&matrix);
        for (register, to) in to.iter().enumerate().take(matrix.fragment.distinct()) {
            writer.load_register(&matrix, &bases, register, *to);
        }
        for register in matrix.fragment.distinct()..to.len() {
            writer.put(Op::Mov, vec![to[register]], vec![to[register - matrix.fragment.distinct()]]);
        }
        Ok(())
    }

    fn wmma_store(&mut self, instruction: &'a ast::Instruction) -> Result<()> {
        let mut reader = Reader::new(self, instruction);
        let matrix = matrix(&mut reader, 1)?;
        let mut from = Vec::new();
        for element in reader.elements(1)? {
            from.push(reader.src_of(&element, Type::B32, 4)?);
        }
        if from.len() != matrix.fragment.registers {
            return reader.fail(format!("the fragment has {} registers", matrix.fragment.registers));
        }
        let guard = reader.done(Op::Nop, Vec::new(), Vec::new())?.guard;
        let mut writer = Writer { scope: self, instruction, guard };
        let bases = writer.bases(&matrix);
        for (register, from) in from.iter().enumerate() {
            writer.store_register(&matrix, &bases, register, *from);
        }
        Ok(())
    }

    fn wmma_mma(&mut self, instruction: &'a ast::Instruction) -> Result<()> {
        let mut reader = Reader::new(self, instruction);
        for part in ["mma", "sync", "aligned"] {
            reader.require(&[(part, ())])?;
        }
        // Where the elements lie in memory was the loads' concern.
        for _ in ["A", "B"] {
            reader.require(&[("row", ()), ("col", ())])?;
        }
        let k = shape(&mut reader)?;
        let d = reader.ty()?;
        let types: Vec<Type> = std::iter::from_fn(|| reader.ty().ok()).collect();
        let (a, c) = match types[..] {
            [c] => (Type::F16, c),
            [a, b, c] if a == b => (a, c),
            _ => return reader.fail("there is no such product here"),
        };
        if d != c {
            return reader.fail("C and D have one type");
        }
        let [a, b, c] =
            [(Role::A, a), (Role::B, a), (Role::Sum, c)].map(|(role, ty)| fragment(&reader, role, ty, k));
        let (a, b, c) = (a?, b?, c?);
        let operand = match types[..] {
            [Type::Bf16, ..] => Scalar::Bf16,
            [Type::Tf32, ..] => Scalar::Tf32,
            _ => Scalar::F16,
        };
        if c.pack == 2 && operand != Scalar::F16 {
            return reader.fail("the sums are .f32, or .f16 where A and B are");
        }
        reader.count(4)?;
        let mut lists = Vec::new();
        for (index, fragment) in [c, a, b, c].iter().enumerate() {
            let elements = reader.elements(index)?;
            if elements.len() != fragment.registers {
                return reader.fail(format!("operand {} has {} registers", index + 1, fragment.registers));
            }
            let read = |element: &ast::Operand| match index {
                0 => reader.dst_of(element, 4, 4),
                _ => reader.src_of(element, Type::B32, 4),
            };
            lists.push(elements.iter().map(read).collect::<Result<Vec<_>>>()?);
        }
        let guard = reader.done(Op::Nop, Vec::new(), Vec::new())?.guard;
        let mut writer = Writer { scope: self, instruction, guard };
        let product = Mma { k, operand };
        let op = if c.pack == 2 { Op::MmaF16(product) } else { Op::Mma(product) };
        writer.products(op, &lists[0], &lists[1][..4], &lists[2][..4], &lists[3]);
        Ok(())
    }
}

/// Reads `wmma.load` and `wmma.store`, whose fragment is operand `registers`.
fn matrix(reader: &mut Reader, registers: usize) -> Result<Matrix> {
    reader.require(&[("load", ()), ("store", ())])?;
    let role = reader.require(&[("a", Role::A), ("b", Role::B), ("c", Role::Sum), ("d", Role::Sum)])?;
    for part in ["sync", "aligned"] {
        reader.require(&[(part, ())])?;
    }
    let along = along(reader, role)?;
    let k = shape(reader)?;
    let space = reader.choice(&[
        ("global", AddressSpace::Global),
        ("shared", AddressSpace::Shared),
        ("shared::cta", AddressSpace::Shared),
    ]);
    let ty = reader.ty()?;
    let fragment = fragment(reader, role, ty, k)?;
    reader.count_in(2, 3)?;
    let address = reader.address(1 - registers)?;
    let stride = match reader.ast.operands.len() {
        3 => reader.src(2, Type::U32)?,
        _ => Operand::Bits(if role != Role::Sum && along { u64::from(k) } else { 16 }),
    };
    let mut space = space.unwrap_or(AddressSpace::Generic);
    if let Operand::Address { symbol, .. } = address.base {
        space = super::data::resolve_space(reader, space, symbol)?;
    }
    let wide = match address.base {
        Operand::Reg(reg) => reader.scope.register(reg).ty.bytes() == 8,
        _ => space != AddressSpace::Shared,
    };
    let (base, offset) = (address.base, address.offset);
    Ok(Matrix { fragment, along, space, base, wide, offset, stride })
}

/// Emits the instructions that one `wmma` stands for.
struct Writer<'s, 'a> {
    scope: &'s mut Scope<'a>,
    instruction: &'a ast::Instruction,
    guard: Option<(Reg, bool)>,
}

const U32: Int = Int { bits: 32, signed: false };

impl Writer<'_, '_> {
    fn put(&mut self, op: Op, dst: Vec<Operand>, src: Vec<Operand>) {
        let (line, column) = (self.instruction.line, self.instruction.column);
        self.scope.entry.code.push(Instruction { guard: self.guard, op, dst, src, line, column });
    }

    /// The result of `op` in a register of its own.
    fn value(&mut self, op: Op, ty: Type, src: Vec<Operand>) -> Operand {
        let to = Operand::Reg(self.scope.new_register("wmma".to_string(), ty));
        self.put(op, vec![to], src);
        to
    }

    fn word(&mut self, op: IntBinary, a: Operand, b: Operand) -> Operand {
        self.value(Op::IntBinary(op, U32), Type::B32, vec![a, b])
    }

    /// `base + a * b`, in the width of addresses.
    fn address(&mut self, wide: bool, base: Operand, a: Operand, b: u64) -> Operand {
        let (op, ty) = match wide {
            true => (IntTernary::MadWide, Type::B64),
            false => (IntTernary::MadLo, Type::B32),
        };
        self.value(Op::IntTernary(op, U32), ty, vec![a, Operand::Bits(b), base])
    }

    /// Where each lane's elements begin: the lane's own line and stretch, and steps of the stride from there. What is
    /// not a multiple of the stride is added as an offset.
    fn bases(&mut self, matrix: &Matrix) -> Vec<Operand> {
        let bytes = u64::from(matrix.fragment.element.bytes());
        let lane = Operand::Special(Special::LaneId);
        let line = self.word(IntBinary::Shr, lane, Operand::Bits(2));
        let quarter = self.word(IntBinary::And, lane, Operand::Bits(3));
        let per_lane = u64::from(matrix.fragment.stretch() / 4);
        let first = self.word(IntBinary::MulLo, quarter, Operand::Bits(per_lane));
        // Of the two coordinates one counts elements, the other multiples of the stride.
        let (outer, inner) = if matrix.along { (line, first) } else { (first, line) };
        let start = self.address(matrix.wide, matrix.base, inner, bytes);
        let rows = self.word(IntBinary::MulLo, outer, matrix.stride);
        let start = self.address(matrix.wide, start, rows, bytes);
        let mut bases = Vec::new();
        for step in steps(matrix) {
            let far = self.word(IntBinary::MulLo, matrix.stride, Operand::Bits(step));
            bases.push(match step {
                0 => start,
                _ => self.address(matrix.wide, start, far, bytes),
            });
        }
        bases
    }

    /// The access to element `part` of a register, and its address.
    fn access(
        &self,
        matrix: &Matrix,
        bases: &[Operand],
        register: usize,
        part: u32,
        ty: Type,
    ) -> (Access, Operand) {
        let (line, stretch, within) = matrix.fragment.place(register);
        let along = matrix.fragment.stretch() * stretch + within + part;
        let (outer, inner) = if matrix.along { (8 * line, along) } else { (along, 8 * line) };
        let base = steps(matrix).iter().position(|step| *step == u64::from(outer)).unwrap_or(0);
        let offset = matrix.offset + i64::from(inner * matrix.fragment.element.bytes());
        let access = Access { space: matrix.space, ty, count: 1, offset, order: Order::Weak };
        (access, bases[base])
    }

    fn load_register(&mut self, matrix: &Matrix, bases: &[Operand], register: usize, to: Operand) {
        if matrix.along || matrix.fragment.pack == 1 {
            let (access, base) = self.access(matrix, bases, register, 0, Type::B32);
            return self.put(Op::Load(access), vec![to], vec![base]);
        }
        let mut halves = Vec::new();
        for part in 0..2 {
            let (access, base) = self.access(matrix, bases, register, part, Type::B16);
            halves.push(self.value(Op::Load(access), Type::B16, vec![base]));
        }
        self.put(Op::Pack, vec![to], halves);
    }

    fn store_register(&mut self, matrix: &Matrix, bases: &[Operand], register: usize, from: Operand) {
        if matrix.along || matrix.fragment.pack == 1 {
            let (access, base) = self.access(matrix, bases, register, 0, Type::B32);
            return self.put(Op::Store(access), Vec::new(), vec![base, from]);
        }
        let halves: Vec<Operand> =
            (0..2).map(|_| Operand::Reg(self.scope.new_register("wmma".to_string(), Type::B16))).collect();
        self.put(Op::Unpack, halves.clone(), vec![from]);
        for (part, half) in halves.iter().enumerate() {
            let (access, base) = self.access(matrix, bases, register, part as u32, Type::B16);
            self.put(Op::Store(access), Vec::new(), vec![base, *half]);
        }
    }

    /// The left and the right eight columns.
    fn products(&mut self, op: Op, d: &[Operand], a: &[Operand], b: &[Operand], c: &[Operand]) {
        let half = d.len() / 2;
        // The second product must not read what the first has written.
        let early = &d[..half];
        let late = a.iter().chain(b).chain(&c[half..]);
        let clash = late.clone().any(|operand| early.contains(operand) && *operand != Operand::Sink);
        let left: Vec<Operand> = match clash {
            true => (0..half)
                .map(|_| Operand::Reg(self.scope.new_register("wmma".to_string(), Type::B32)))
                .collect(),
            false => early.to_vec(),
        };
        for (part, to) in [(0, left.clone()), (1, d[half..].to_vec())] {
            let mut src = a.to_vec();
            src.extend(&b[2 * part..2 * part + 2]);
            src.extend(&c[half * part..half * (part + 1)]);
            self.put(op.clone(), to, src);
        }
        if clash {
            for (to, from) in d.iter().zip(left) {
                self.put(Op::Mov, vec![*to], vec![from]);
            }
        }
    }
}

/// The multiples of the stride at which registers of the fragment begin.
fn steps(matrix: &Matrix) -> Vec<u64> {
    if matrix.along {
        return vec![0, 8];
    }
    let stretch = u64::from(matrix.fragment.stretch());
    match (matrix.fragment.role, matrix.fragment.pack) {
        (Role::Sum, _) | (_, 2) => vec![0, 1, stretch, stretch + 1],
        _ => vec![0, stretch],
    }
}
