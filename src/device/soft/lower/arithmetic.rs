//! Handlers for arithmetic, comparisons and conversions.

use super::emit::{Emitter, Operands, Result};
use crate::device::soft::exec::rounding::{on_f32, on_f64};
use crate::device::soft::exec::{
    NEGATED, SINK_PREDICATE, compare, convert, float, half, integer, moves, narrow,
};
use crate::ptx::ast::Type;
use crate::ptx::typed::{
    Compared, Comparison, Float, FloatBinary, FloatMode, FloatUnary, Instruction, Int, IntBinary, IntTernary,
    Logic, Op, Operand, Rounding, Scalar,
};

pub(super) fn int_type(int: Int) -> Type {
    bits_type(int.bits)
}

pub(super) fn bits_type(bits: u32) -> Type {
    match bits {
        8 => Type::B8,
        16 => Type::B16,
        32 => Type::B32,
        _ => Type::B64,
    }
}

pub(super) fn float_type(float: Float) -> Type {
    match float {
        Float::F64 => Type::F64,
        Float::F32 => Type::F32,
        Float::F16x2 | Float::Bf16x2 => Type::B32,
        Float::F16 | Float::Bf16 => Type::B16,
    }
}

fn scalar_type(scalar: Scalar) -> Type {
    match scalar {
        Scalar::Int(int) => int_type(int),
        Scalar::F16 | Scalar::Bf16 => Type::B16,
        Scalar::F32 | Scalar::Tf32 => Type::F32,
        Scalar::F64 => Type::F64,
    }
}

impl Emitter<'_> {
    pub(super) fn arithmetic(&mut self, instruction: &Instruction) -> Result<()> {
        let level = self.level;
        match &instruction.op {
            Op::IntUnary(op, int) => {
                self.lanewise(instruction, integer::unary(*op, *int, level), &[int_type(*int)])
            }
            Op::IntBinary(op, int) => self.int_binary(instruction, *op, *int),
            Op::IntTernary(op, int) => {
                let ty = int_type(*int);
                let types = match op {
                    IntTernary::MadWide => [ty, ty, bits_type(2 * int.bits)],
                    IntTernary::Bfe => [ty, Type::U32, Type::U32],
                    _ => [ty; 3],
                };
                self.lanewise(instruction, integer::ternary(*op, *int, level), &types)
            }
            Op::IntRare(op, int) => self.rare_int(instruction, *op, *int),
            Op::MadCarry { high, int, carry_in, carry_out } => {
                self.mad_carry(instruction, *high, *int, *carry_in, *carry_out)
            }
            Op::Lop3Pred { table, logic } => self.lop3_pred(instruction, *table, *logic),
            Op::TestFloat(test, ty) => self.test_float(instruction, *test, *ty),
            Op::Carry { subtract, bits, carry_in, carry_out } => {
                self.carry(instruction, *subtract, *bits, *carry_in, *carry_out)
            }
            Op::BitInsert { bits } => {
                let (bits, ty) = (*bits, bits_type(*bits));
                self.scalar(instruction, &[ty, ty, Type::U32, Type::U32], move |[a, b, pos, len]| {
                    integer::insert_bits(a, b, bits, pos as u32, len as u32)
                })
            }
            Op::FunnelShift { left, wrap } => {
                self.lanewise(instruction, integer::funnel_shift(*left, *wrap, level), &[Type::B32; 3])
            }
            Op::Lop3 { table } => {
                let slots = [0, 1, 2].map(|index| self.source(instruction, index, Type::B32));
                let [a, b, c] = slots;
                let (a, b, c, d) = (a?, b?, c?, self.destination(instruction, 0)?);
                let imm = i32::from(*table);
                self.emit(integer::lop3(*table, level), Operands { d, a, b, c, imm, site: 0 });
                Ok(())
            }
            Op::Permute(mode) => self.lanewise(instruction, integer::permute(*mode, level), &[Type::B32; 3]),
            Op::PredLogic(logic) => {
                let (a, b) = (self.pred_source(instruction, 0)?, self.pred_source(instruction, 1)?);
                let d = self.pred_destination(instruction, 0);
                self.emit(moves::pred_logic(*logic), Operands { d, a, b, ..Operands::default() });
                Ok(())
            }
            Op::PredNot => {
                let (a, d) = (self.pred_source(instruction, 0)?, self.pred_destination(instruction, 0));
                self.emit(moves::copy_pred, Operands { d, a: a ^ NEGATED, ..Operands::default() });
                Ok(())
            }
            Op::FloatUnary(op, ty, mode) => self.float_unary(instruction, *op, *ty, *mode),
            Op::FloatBinary(op, ty, mode) => self.float_binary(instruction, *op, *ty, *mode),
            Op::Fma(ty, mode) => self.fma(instruction, *ty, *mode),
            Op::Convert { to, from, packed, integral, mode } => {
                self.convert(instruction, *to, *from, *packed, *integral, *mode)
            }
            Op::SetPred { comparison, ty, logic } => {
                let first = self.pred_destination(instruction, 0);
                let second = (instruction.dst.len() > 1).then(|| self.pred_destination(instruction, 1));
                self.compare(instruction, *comparison, *ty, *logic, first, second)
            }
            Op::Set { comparison, ty, logic, one } => self.set(instruction, *comparison, *ty, *logic, *one),
            Op::Select => {
                let bytes = self.destination_bytes(instruction, 0);
                let ty = bits_type(8 * bytes);
                let (a, b) = (self.source(instruction, 0, ty)?, self.source(instruction, 1, ty)?);
                let (c, d) = (self.pred_source(instruction, 2)?, self.destination(instruction, 0)?);
                self.emit(moves::select(bytes, level), Operands { d, a, b, c, ..Operands::default() });
                Ok(())
            }
            Op::SelectSign { float: true, ftz: true } => self.select_flushed(instruction),
            Op::SelectSign { float, .. } => {
                let bytes = self.destination_bytes(instruction, 0);
                let ty = bits_type(8 * bytes);
                self.lanewise(instruction, moves::select_sign(bytes, *float, level), &[ty, ty, Type::B32])
            }
            _ => self.fail("the software device does not know this instruction"),
        }
    }

    fn int_binary(&mut self, instruction: &Instruction, op: IntBinary, int: Int) -> Result<()> {
        let ty = int_type(int);
        let second = if matches!(op, IntBinary::Shl | IntBinary::Shr) { Type::U32 } else { ty };
        let nonzero = matches!(instruction.src[1], Operand::Bits(bits) if bits != 0);
        if matches!(op, IntBinary::Div | IntBinary::Rem) && !nonzero {
            let b = self.source(instruction, 1, ty)?;
            self.emit(integer::check_divisor(int.bits, self.level), Operands { b, ..Operands::default() });
        }
        self.lanewise(instruction, integer::binary(op, int, self.level), &[ty, second])
    }

    fn carry(
        &mut self,
        instruction: &Instruction,
        subtract: bool,
        bits: u32,
        carry_in: bool,
        carry_out: bool,
    ) -> Result<()> {
        let ty = bits_type(bits);
        let (a, b) = (self.source(instruction, 0, ty)?, self.source(instruction, 1, ty)?);
        self.add_carry(instruction, subtract, bits, [a, b], [carry_in, carry_out])
    }

    /// `a + b` or `a - b` of two slots, with the carry bit that the instruction reads or writes last.
    pub(super) fn add_carry(
        &mut self,
        instruction: &Instruction,
        subtract: bool,
        bits: u32,
        [a, b]: [u16; 2],
        [carry_in, carry_out]: [bool; 2],
    ) -> Result<()> {
        let d = self.destination(instruction, 0)?;
        let flag = if carry_in { instruction.src.last() } else { instruction.dst.last() };
        let c = match flag {
            Some(Operand::Reg(reg)) if carry_in || carry_out => self.pred_of(*reg),
            _ => SINK_PREDICATE,
        };
        let imm = i32::from(carry_in) | i32::from(carry_out) << 1;
        let run = integer::carry(bits, subtract, self.level);
        self.emit(run, Operands { d, a, b, c, imm, site: 0 });
        Ok(())
    }

    /// `.sat` and `.relu` as instructions of their own on the result.
    fn clamp(&mut self, instruction: &Instruction, ty: Float, mode: FloatMode) -> Result<()> {
        let d = self.destination(instruction, 0)?;
        let operands = Operands { d, a: d, ..Operands::default() };
        if mode.sat {
            let run = match ty {
                Float::F32 => float::saturate_f32(self.level),
                _ => half::saturate(ty, self.level),
            };
            self.emit(run, operands);
        }
        if mode.relu {
            self.emit(half::relu(ty, self.level), operands);
        }
        Ok(())
    }

    fn float_unary(
        &mut self,
        instruction: &Instruction,
        op: FloatUnary,
        ty: Float,
        mode: FloatMode,
    ) -> Result<()> {
        let types = [float_type(ty)];
        let rounded = float::rounded_unary(op).filter(|_| mode.rounding != Rounding::Nearest);
        let wide = matches!(ty, Float::F32 | Float::F64);
        match (ty, rounded) {
            _ if mode.ftz && !wide => {
                self.scalar(instruction, &types, move |x| narrow::flushed_unary(op, ty, x))?;
            }
            (Float::F32, Some(op)) => self.scalar(instruction, &types, move |x| on_f32(op, mode, x))?,
            (Float::F64, Some(op)) => self.scalar(instruction, &types, move |x| on_f64(op, mode, x))?,
            (Float::F32, None) => {
                self.lanewise(instruction, float::unary_f32(op, mode.ftz, self.level), &types)?;
            }
            (Float::F64, None) => {
                let run = self.known(float::unary_f64(op, self.level))?;
                self.lanewise(instruction, run, &types)?;
            }
            _ => {
                let run = self.known(half::unary(op, ty, self.level))?;
                self.lanewise(instruction, run, &types)?;
            }
        }
        self.clamp(instruction, ty, mode)
    }

    fn float_binary(
        &mut self,
        instruction: &Instruction,
        op: FloatBinary,
        ty: Float,
        mode: FloatMode,
    ) -> Result<()> {
        let types = [float_type(ty); 2];
        let rounded = float::rounded_binary(op).filter(|_| mode.rounding != Rounding::Nearest);
        let wide = matches!(ty, Float::F32 | Float::F64);
        match (ty, rounded) {
            _ if mode.xorsign => {
                self.scalar(instruction, &types, move |x| narrow::xorsign(op, ty, mode, x))?;
            }
            _ if mode.ftz && !wide => {
                self.scalar(instruction, &types, move |x| narrow::flushed_binary(op, ty, x))?;
            }
            (Float::F32, Some(op)) => self.scalar(instruction, &types, move |x| on_f32(op, mode, x))?,
            (Float::F64, Some(op)) => self.scalar(instruction, &types, move |x| on_f64(op, mode, x))?,
            (Float::F32, None) => {
                self.lanewise(instruction, float::binary_f32(op, mode.ftz, self.level), &types)?;
            }
            (Float::F64, None) => {
                let run = self.known(float::binary_f64(op, self.level))?;
                self.lanewise(instruction, run, &types)?;
            }
            _ => {
                let run = self.known(half::binary(op, ty, self.level))?;
                self.lanewise(instruction, run, &types)?;
            }
        }
        self.clamp(instruction, ty, mode)
    }

    fn fma(&mut self, instruction: &Instruction, ty: Float, mode: FloatMode) -> Result<()> {
        use crate::device::soft::exec::rounding::Rounded::Fma;
        let types = [float_type(ty); 3];
        let nearest = mode.rounding == Rounding::Nearest;
        match ty {
            Float::F32 if nearest => {
                self.lanewise(instruction, float::fma_f32(mode.ftz, self.level), &types)?;
            }
            Float::F64 if nearest => self.lanewise(instruction, float::fma_f64(self.level), &types)?,
            Float::F32 => self.scalar(instruction, &types, move |x| on_f32(Fma, mode, x))?,
            Float::F64 => self.scalar(instruction, &types, move |x| on_f64(Fma, mode, x))?,
            _ if mode.ftz => self.scalar(instruction, &types, move |x| narrow::flushed_fma(ty, x))?,
            _ => self.lanewise(instruction, half::fma(ty, self.level), &types)?,
        }
        self.clamp(instruction, ty, mode)
    }

    fn convert(
        &mut self,
        instruction: &Instruction,
        to: Scalar,
        from: Scalar,
        packed: bool,
        integral: bool,
        mode: FloatMode,
    ) -> Result<()> {
        let ty = scalar_type(from);
        if packed {
            if let Some(run) = convert::pack(to, mode, self.level) {
                return self.lanewise(instruction, run, &[ty; 2]);
            }
            return self.scalar(instruction, &[ty; 2], move |[a, b, ..]| {
                let narrow = |x| convert::general(to, from, integral, mode, x);
                narrow(a) << 16 | narrow(b)
            });
        }
        let (bytes, to_bytes) = (self.destination_bytes(instruction, 0), scalar_type(to).bytes());
        let signed = matches!(to, Scalar::Int(Int { signed: true, .. }));
        // In a register that is wider than the type a signed result is extended.
        let regular = bytes == to_bytes.max(2) || (!signed && bytes <= 4 && to_bytes <= 4);
        let same_width = self.is_wide(instruction.src[0], ty) == (ty.bytes() == 8);
        let float_integral = integral && !matches!(to, Scalar::Int(_));
        if regular
            && same_width
            && !float_integral
            && let Some(run) = convert::fast(to, from, mode, self.level)
        {
            return self.lanewise(instruction, run, &[ty]);
        }
        let keep = u64::MAX >> (64 - 8 * bytes);
        self.scalar(instruction, &[ty], move |[a, ..]| convert::general(to, from, integral, mode, a) & keep)
    }

    pub(super) fn compare(
        &mut self,
        instruction: &Instruction,
        comparison: Comparison,
        ty: Compared,
        logic: Option<Logic>,
        first: u16,
        second: Option<u16>,
    ) -> Result<()> {
        let Some(plan) = compare::plan(comparison, ty, self.level) else {
            return self.compare_halves(
                instruction,
                comparison,
                ty,
                logic,
                [first, second.unwrap_or(SINK_PREDICATE)],
            );
        };
        let operand = match ty {
            Compared::Int(int) => int_type(int),
            Compared::Float { ty, .. } => float_type(ty),
        };
        let (mut a, mut b) = (self.source(instruction, 0, operand)?, self.source(instruction, 1, operand)?);
        if plan.swap {
            std::mem::swap(&mut a, &mut b);
        }
        let join = compare::join(logic);
        let invert = if plan.invert { compare::INVERT } else { 0 };
        let both = if second.is_some() { compare::SECOND } else { 0 };
        let c = if logic.is_some() { self.pred_source(instruction, 2)? } else { 0 };
        let site = second.unwrap_or(0);
        self.emit(plan.run, Operands { d: first, a, b, c, site, imm: join | invert | both });
        Ok(())
    }
}
