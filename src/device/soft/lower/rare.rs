//! Handlers for arithmetic that kernels rarely use: lane by lane, or as several instructions.

use super::arithmetic::{bits_type, float_type, int_type};
use super::emit::{Emitter, Operands, Result};
use crate::device::soft::exec::scalar::{self, Scalar};
use crate::device::soft::exec::{SINK_PREDICATE, compare, compare_halves, integer, moves, rare};
use crate::ptx::ast::Type;
use crate::ptx::typed::{
    Compared, Comparison, Float, FloatTest, Instruction, Int, IntBinary, Logic, RareInt,
};

impl Emitter<'_> {
    /// A function that is called lane by lane, for what has no vector code.
    pub(super) fn scalar(
        &mut self,
        instruction: &Instruction,
        types: &[Type],
        run: impl Fn([u64; 4]) -> u64 + Send + Sync + 'static,
    ) -> Result<()> {
        let wide = self.destination_bytes(instruction, 0) == 8;
        let dst = (self.destination(instruction, 0)?, wide);
        self.scalar_to(dst, instruction, types, run)
    }

    /// As [`Emitter::scalar`], with the result in the slot, or in two if wide.
    pub(super) fn scalar_to(
        &mut self,
        dst: (u16, bool),
        instruction: &Instruction,
        types: &[Type],
        run: impl Fn([u64; 4]) -> u64 + Send + Sync + 'static,
    ) -> Result<()> {
        let mut src = Vec::new();
        for (index, ty) in types.iter().enumerate() {
            src.push((self.source(instruction, index, *ty)?, self.is_wide(instruction.src[index], *ty)));
        }
        let imm = self.add_scalar(Scalar { run: Box::new(run), src, dst });
        self.emit(scalar::call, Operands { imm, ..Operands::default() });
        Ok(())
    }

    /// A function of the lane's operands that decides a predicate.
    pub(super) fn scalar_pred(
        &mut self,
        instruction: &Instruction,
        types: &[Type],
        run: impl Fn([u64; 4]) -> bool + Send + Sync + 'static,
    ) -> Result<()> {
        let value = self.sink()?;
        self.scalar_to((value, false), instruction, types, move |x| u64::from(run(x)))?;
        let d = self.pred_destination(instruction, 0);
        self.not_zero(value, d, None)
    }

    /// `d = value != 0`, joined with a predicate by `logic`.
    fn not_zero(&mut self, value: u16, d: u16, logic: Option<(Logic, u16)>) -> Result<()> {
        let word = Compared::Int(Int { bits: 32, signed: false });
        let plan = compare::plan(Comparison::Ne, word, self.level);
        let Some(plan) = plan else { return self.fail("words cannot be compared") };
        let (logic, c) = (logic.map(|(logic, _)| logic), logic.map_or(0, |(_, c)| c));
        let b = self.literal(0, false)?;
        let invert = if plan.invert { compare::INVERT } else { 0 };
        let imm = compare::join(logic) | invert;
        self.emit(plan.run, Operands { d, a: value, b, c, imm, site: 0 });
        Ok(())
    }

    pub(super) fn rare_int(&mut self, instruction: &Instruction, op: RareInt, int: Int) -> Result<()> {
        let types = vec![int_type(int); instruction.src.len()];
        self.scalar(instruction, &types, move |operands| rare::evaluate(op, int, operands))
    }

    /// The product, then a sum with carry.
    pub(super) fn mad_carry(
        &mut self,
        instruction: &Instruction,
        high: bool,
        int: Int,
        carry_in: bool,
        carry_out: bool,
    ) -> Result<()> {
        let ty = int_type(int);
        let (a, b) = (self.source(instruction, 0, ty)?, self.source(instruction, 1, ty)?);
        let addend = self.source(instruction, 2, ty)?;
        let product = self.sink()?;
        let multiply = if high { IntBinary::MulHi } else { IntBinary::MulLo };
        let run = integer::binary(multiply, int, self.level);
        self.emit(run, Operands { d: product, a, b, ..Operands::default() });
        self.add_carry(instruction, false, int.bits, [product, addend], [carry_in, carry_out])
    }

    pub(super) fn lop3_pred(&mut self, instruction: &Instruction, table: u8, logic: Logic) -> Result<()> {
        let c = self.pred_source(instruction, 3)?;
        let value = self.sink()?;
        let slots = [0, 1, 2].map(|index| self.source(instruction, index, Type::B32));
        let [first, second, third] = slots;
        let operands =
            Operands { d: value, a: first?, b: second?, c: third?, imm: i32::from(table), site: 0 };
        self.emit(integer::lop3(table, self.level), operands);
        // The predicate may be one that the join reads, so it is written last.
        let d = self.destination(instruction, 0)?;
        if d != value {
            self.copy(4, d, value);
        }
        let predicate = self.pred_destination(instruction, 1);
        self.not_zero(value, predicate, Some((logic, c)))
    }

    pub(super) fn test_float(&mut self, instruction: &Instruction, test: FloatTest, ty: Float) -> Result<()> {
        self.scalar_pred(instruction, &[float_type(ty)], move |[bits, ..]| {
            let (number, subnormal) = match ty {
                Float::F64 => (f64::from_bits(bits), f64::from_bits(bits).is_subnormal()),
                _ => (f32::from_bits(bits as u32).into(), f32::from_bits(bits as u32).is_subnormal()),
            };
            match test {
                FloatTest::Finite => number.is_finite(),
                FloatTest::Infinite => number.is_infinite(),
                FloatTest::Number => !number.is_nan(),
                FloatTest::NotANumber => number.is_nan(),
                FloatTest::Normal => number.is_finite() && number != 0.0 && !subnormal,
                FloatTest::Subnormal => subnormal,
            }
        })
    }

    /// `slct.ftz`: a subnormal selector counts as zero.
    pub(super) fn select_flushed(&mut self, instruction: &Instruction) -> Result<()> {
        let ty = bits_type(8 * self.destination_bytes(instruction, 0));
        self.scalar(instruction, &[ty, ty, Type::F32], |[a, b, c, _]| {
            let selector = crate::device::soft::exec::math::flush(f32::from_bits(c as u32));
            if selector >= 0.0 { a } else { b }
        })
    }

    /// `set`: `one` where the comparison holds, else 0; each half by itself for packed operands.
    pub(super) fn set(
        &mut self,
        instruction: &Instruction,
        comparison: Comparison,
        ty: Compared,
        logic: Option<Logic>,
        one: u32,
    ) -> Result<()> {
        let (zero, d) = (self.literal(0, false)?, self.destination(instruction, 0)?);
        if !matches!(ty, Compared::Float { ty: Float::F16x2 | Float::Bf16x2, .. }) {
            let a = self.literal(u64::from(one), false)?;
            self.compare(instruction, comparison, ty, logic, SINK_PREDICATE, None)?;
            let operands = Operands { d, a, b: zero, c: SINK_PREDICATE, ..Operands::default() };
            self.emit(moves::select(4, self.level), operands);
            return Ok(());
        }
        let Compared::Float { ty, ftz } = ty else { return self.fail("integers are not packed") };
        let (a, b) = (self.source(instruction, 0, Type::B32)?, self.source(instruction, 1, Type::B32)?);
        let c = if logic.is_some() { self.pred_source(instruction, 2)? } else { 0 };
        let imm = compare_halves::mode(comparison, (ty, ftz), logic);
        let one = self.literal(u64::from(one), false)?;
        self.emit(compare_halves::set, Operands { d, a, b, c, site: one, imm });
        Ok(())
    }

    /// `setp` of packed halves: a predicate for the low one and one for the high one.
    pub(super) fn compare_halves(
        &mut self,
        instruction: &Instruction,
        comparison: Comparison,
        ty: Compared,
        logic: Option<Logic>,
        [low, high]: [u16; 2],
    ) -> Result<()> {
        let Compared::Float { ty, ftz } = ty else { return self.fail("integers are not packed") };
        let (a, b) = (self.source(instruction, 0, Type::B32)?, self.source(instruction, 1, Type::B32)?);
        let c = if logic.is_some() { self.pred_source(instruction, 2)? } else { 0 };
        let imm = compare_halves::mode(comparison, (ty, ftz), logic);
        self.emit(compare_halves::set_pred, Operands { d: low, a, b, c, site: high, imm });
        Ok(())
    }
}
