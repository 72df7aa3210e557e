//! Reads the modifiers and operands of one instruction.

use super::scope::{Name, Scope};
use super::{CheckError, Float, FloatMode, Instruction, Int, Op, Operand, Reg, Rounding, Special, Symbol};
use crate::ptx::ast::{self, Number, Type};

/// An instruction that is being decoded: modifiers are taken one by one, and [`Reader::done`] refuses
/// what nobody took.
pub(super) struct Reader<'a, 's> {
    pub scope: &'a mut Scope<'s>,
    pub ast: &'a ast::Instruction,
    modifiers: Vec<&'a str>,
}

/// An address operand.
pub(super) struct Address {
    pub base: Operand,
    pub offset: i64,
}

pub(super) type Result<T> = std::result::Result<T, CheckError>;

impl<'a, 's> Reader<'a, 's> {
    pub fn new(scope: &'a mut Scope<'s>, ast: &'a ast::Instruction) -> Self {
        let modifiers = ast.modifiers.iter().map(String::as_str).collect();
        Reader { scope, ast, modifiers }
    }

    pub fn fail<T>(&self, message: impl Into<String>) -> Result<T> {
        let (line, column) = (self.ast.line, self.ast.column);
        Err(CheckError { line, column, message: format!("{}: {}", self.spelled(), message.into()) })
    }

    /// The opcode with its modifiers.
    fn spelled(&self) -> String {
        let mut text = self.ast.opcode.clone();
        for modifier in &self.ast.modifiers {
            text.push('.');
            text.push_str(modifier);
        }
        text
    }

    /// Refuses what the module's target does not have yet.
    pub fn since(&self, capability: u32) -> Result<()> {
        let found = self.scope.module.capability;
        if found >= capability {
            return Ok(());
        }
        self.fail(format!("needs .target sm_{capability} or later, not sm_{found}"))
    }

    // ---- modifiers

    /// Takes a modifier if it is there.
    pub fn flag(&mut self, name: &str) -> bool {
        let found = self.modifiers.iter().position(|m| *m == name);
        found.map(|at| self.modifiers.remove(at)).is_some()
    }

    /// Takes the first of `choices` that is there.
    pub fn choice<T: Copy>(&mut self, choices: &[(&str, T)]) -> Option<T> {
        choices.iter().find(|(name, _)| self.flag(name)).map(|(_, value)| *value)
    }

    /// Takes one of `choices`, which must be there.
    pub fn require<T: Copy>(&mut self, choices: &[(&str, T)]) -> Result<T> {
        match self.choice(choices) {
            Some(value) => Ok(value),
            None => {
                let names: Vec<_> = choices.iter().map(|(name, _)| format!(".{name}")).collect();
                self.fail(format!("needs one of {}", names.join(" ")))
            }
        }
    }

    /// Takes the first modifier that `parse` knows.
    pub fn first<T>(&mut self, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let (at, found) = self.modifiers.iter().enumerate().find_map(|(at, m)| Some((at, parse(m)?)))?;
        self.modifiers.remove(at);
        Some(found)
    }

    /// Takes the first modifier that is a type.
    pub fn ty(&mut self) -> Result<Type> {
        match self.first(Type::parse) {
            Some(ty) => Ok(ty),
            None => self.fail("has no type"),
        }
    }

    /// `.uN` or `.sN` of 16, 32 or 64 bits.
    pub fn int(&mut self) -> Result<Int> {
        let ty = self.ty()?;
        match int_of(ty) {
            Some(int) if int.bits >= 16 && !is_bits(ty) => Ok(int),
            _ => self.fail("is for .u and .s of 16, 32 and 64 bits"),
        }
    }

    /// `.bN` of 16, 32 or 64 bits, as an unsigned integer.
    pub fn bits(&mut self) -> Result<Int> {
        let ty = self.ty()?;
        match int_of(ty) {
            Some(int) if int.bits >= 16 && is_bits(ty) => Ok(int),
            _ => self.fail("is for .b16, .b32 and .b64"),
        }
    }

    /// Takes exactly this type.
    pub fn only(&mut self, wanted: Type) -> Result<()> {
        match self.ty()? == wanted {
            true => Ok(()),
            false => self.fail(format!("the type is .{}", format!("{wanted:?}").to_lowercase())),
        }
    }

    pub fn float_mode(&mut self) -> FloatMode {
        let rounding = self.choice(&[
            ("rn", Rounding::Nearest),
            ("rz", Rounding::Zero),
            ("rm", Rounding::Down),
            ("rp", Rounding::Up),
        ]);
        FloatMode {
            rounding: rounding.unwrap_or(Rounding::Nearest),
            explicit: rounding.is_some(),
            ftz: self.flag("ftz"),
            sat: self.flag("sat"),
            relu: self.flag("relu"),
            ..FloatMode::NEAREST
        }
    }

    // ---- operands

    pub fn count(&self, expected: usize) -> Result<()> {
        self.count_in(expected, expected)
    }

    pub fn count_in(&self, low: usize, high: usize) -> Result<()> {
        let found = self.ast.operands.len();
        if (low..=high).contains(&found) {
            return Ok(());
        }
        let expected = if low == high { low.to_string() } else { format!("{low} to {high}") };
        self.fail(format!("takes {expected} operands, not {found}"))
    }

    fn operand(&self, index: usize) -> Result<&'a ast::Operand> {
        match self.ast.operands.get(index) {
            Some(operand) => Ok(operand),
            None => self.fail(format!("operand {} is missing", index + 1)),
        }
    }

    fn reg_named(&self, name: &str) -> Result<Reg> {
        match self.scope.lookup(name) {
            Some(Name::Reg(reg)) => Ok(reg),
            Some(_) => self.fail(format!("{name} is not a register")),
            None => self.fail(format!("{name} is not declared")),
        }
    }

    fn check_width(&self, reg: Reg, bytes: u32) -> Result<()> {
        let register = self.scope.register(reg);
        if register.ty.bytes() == bytes {
            return Ok(());
        }
        let expected = if bytes == 0 { "a predicate".to_string() } else { format!("{} bits", 8 * bytes) };
        let found = format!("{:?}", register.ty).to_lowercase();
        self.fail(format!("{} is .{found}, but the operand must be {expected}", register.name))
    }

    /// A register of exactly `bytes` bytes (0: a predicate), or `_`.
    pub fn dst(&self, index: usize, bytes: u32) -> Result<Operand> {
        self.dst_of(self.operand(index)?, bytes, bytes)
    }

    /// A destination register of `bytes` bytes or more.
    pub fn dst_of(&self, operand: &ast::Operand, bytes: u32, widest: u32) -> Result<Operand> {
        let reg = match operand {
            ast::Operand::Name(name) => self.reg_named(name)?,
            ast::Operand::Component(name, part) => self.reg_named(&format!("{name}.{part}"))?,
            ast::Operand::Sink => return Ok(Operand::Sink),
            _ => return self.fail("the destination is not a register"),
        };
        let found = self.scope.register(reg).ty.bytes();
        if !(bytes..=widest).contains(&found) {
            self.check_width(reg, bytes)?;
        }
        Ok(Operand::Reg(reg))
    }

    /// A source of `ty`: a register of that width, an immediate, a special register or an address.
    pub fn src(&self, index: usize, ty: Type) -> Result<Operand> {
        self.src_of(self.operand(index)?, ty, ty.bytes())
    }

    /// A source register may be up to `widest` bytes wide; the instruction uses the low part.
    pub fn src_of(&self, operand: &ast::Operand, ty: Type, widest: u32) -> Result<Operand> {
        match operand {
            ast::Operand::Name(name) => self.named(name, ty, widest, 0),
            ast::Operand::Offset(name, offset) => self.named(name, ty, widest, *offset),
            ast::Operand::Component(name, part) => match special(name, Some(part)) {
                Some(special) => Ok(Operand::Special(special)),
                None => self.sized(self.reg_named(&format!("{name}.{part}"))?, ty, widest),
            },
            ast::Operand::Number(number) => match literal(*number, ty) {
                Ok(bits) => Ok(Operand::Bits(bits)),
                Err(message) => self.fail(message),
            },
            ast::Operand::Not(name) if ty == Type::Pred => Ok(Operand::Not(self.predicate(name)?)),
            _ => self.fail("an operand has a form that this instruction does not take"),
        }
    }

    fn named(&self, name: &str, ty: Type, widest: u32, offset: i64) -> Result<Operand> {
        match self.scope.lookup(name) {
            Some(Name::Reg(reg)) if offset == 0 => self.sized(reg, ty, widest),
            Some(Name::Symbol(symbol)) if ty.bytes() >= 4 => Ok(Operand::Address { symbol, offset }),
            Some(_) => self.fail(format!("{name} cannot stand here")),
            None => match special(name, None) {
                Some(special) => Ok(Operand::Special(special)),
                None => self.fail(format!("{name} is not declared")),
            },
        }
    }

    fn sized(&self, reg: Reg, ty: Type, widest: u32) -> Result<Operand> {
        let found = self.scope.register(reg).ty.bytes();
        if !(ty.bytes()..=widest).contains(&found) {
            self.check_width(reg, ty.bytes())?;
        }
        Ok(Operand::Reg(reg))
    }

    pub fn predicate(&self, name: &str) -> Result<Reg> {
        let reg = self.reg_named(name)?;
        self.check_width(reg, 0)?;
        Ok(reg)
    }

    /// A predicate source, plain or negated; the literals 0 and 1 too.
    pub fn pred(&self, index: usize) -> Result<Operand> {
        self.src(index, Type::Pred)
    }

    /// `d` or `d|p`: the second is `None` where it is not written.
    pub fn pair(&self, index: usize) -> Result<(&'a ast::Operand, Option<&'a ast::Operand>)> {
        Ok(match self.operand(index)? {
            ast::Operand::Pair(first, second) => (first, Some(second)),
            single => (single, None),
        })
    }

    /// The elements of a vector operand; a scalar counts as one.
    pub fn elements(&self, index: usize) -> Result<Vec<ast::Operand>> {
        Ok(match self.operand(index)? {
            ast::Operand::Vector(elements) => elements.clone(),
            ast::Operand::Name(name) => match self.scope.lookup(name) {
                Some(Name::VectorReg(_, count)) => ["x", "y", "z", "w"][..count as usize]
                    .iter()
                    .map(|part| ast::Operand::Component(name.clone(), part.to_string()))
                    .collect(),
                _ => vec![self.operand(index)?.clone()],
            },
            single => vec![single.clone()],
        })
    }

    /// The halves of a register of 128 bits; `None` if the operand is something else.
    pub fn wide(&self, index: usize) -> Option<[Operand; 2]> {
        let ast::Operand::Name(name) = self.ast.operands.get(index)? else { return None };
        match self.scope.lookup(name)? {
            Name::WideReg(halves) => Some(halves.map(Operand::Reg)),
            _ => None,
        }
    }

    pub fn is_vector(&self, index: usize) -> bool {
        match self.ast.operands.get(index) {
            Some(ast::Operand::Vector(_)) => true,
            Some(ast::Operand::Name(name)) => matches!(self.scope.lookup(name), Some(Name::VectorReg(..))),
            _ => false,
        }
    }

    /// `[base+offset]`, base a register of 32 or 64 bits, a symbol or a number.
    pub fn address(&self, index: usize) -> Result<Address> {
        let ast::Operand::Memory { base, offset, rest } = self.operand(index)? else {
            return self.fail("the address must stand in brackets");
        };
        if !rest.is_empty() {
            return self.fail("the address has more parts than this instruction takes");
        }
        let base = match base.as_ref() {
            ast::Operand::Number(Number::Integer(n)) => Operand::Bits(*n as u64),
            ast::Operand::Offset(name, more) => match self.named(name, Type::B64, 8, *more)? {
                Operand::Address { symbol, offset } => Operand::Address { symbol, offset },
                _ => return self.fail("a register's offset stands behind a plus sign"),
            },
            operand => self.src_of(operand, Type::B32, 8)?,
        };
        match base {
            Operand::Address { symbol, offset: inner } => {
                Ok(Address { base: Operand::Address { symbol, offset: inner + offset }, offset: 0 })
            }
            Operand::Bits(n) => {
                Ok(Address { base: Operand::Bits(n.wrapping_add(*offset as u64)), offset: 0 })
            }
            base => Ok(Address { base, offset: *offset }),
        }
    }

    /// An integer literal.
    pub fn immediate(&self, index: usize) -> Result<i128> {
        match self.operand(index)? {
            ast::Operand::Number(Number::Integer(n)) => Ok(*n),
            _ => self.fail(format!("operand {} must be an integer literal", index + 1)),
        }
    }

    pub fn label_name(&self, index: usize) -> Result<&'a str> {
        match self.operand(index)? {
            ast::Operand::Name(name) => Ok(name),
            _ => self.fail("the target must be a label"),
        }
    }

    // ---- the end

    /// The instruction, if every modifier was taken.
    pub fn done(self, op: Op, dst: Vec<Operand>, src: Vec<Operand>) -> Result<Instruction> {
        if let Some(left) = self.modifiers.first() {
            return self.fail(format!("unknown modifier .{left}"));
        }
        let guard = match &self.ast.guard {
            Some(guard) => Some((self.predicate(&guard.register)?, guard.negated)),
            None => None,
        };
        Ok(Instruction { guard, op, dst, src, line: self.ast.line, column: self.ast.column })
    }

    /// `d, a, b, …` where all have one type.
    pub fn uniform(self, op: Op, ty: Type, sources: usize) -> Result<Instruction> {
        self.count(sources + 1)?;
        let dst = vec![self.dst(0, ty.bytes())?];
        let src = (1..=sources).map(|i| self.src(i, ty)).collect::<Result<_>>()?;
        self.done(op, dst, src)
    }

    pub fn symbol_space(&self, symbol: Symbol) -> ast::Space {
        self.scope.space(symbol)
    }
}

/// The integer type that `ty` is; `.bN` counts as unsigned.
pub(super) fn int_of(ty: Type) -> Option<Int> {
    use Type::*;
    let signed = matches!(ty, S8 | S16 | S32 | S64);
    let unsigned = matches!(ty, U8 | U16 | U32 | U64 | B8 | B16 | B32 | B64);
    (signed || unsigned).then_some(Int { bits: 8 * ty.bytes(), signed })
}

/// Whether `ty` is `.bN`.
pub(super) fn is_bits(ty: Type) -> bool {
    matches!(ty, Type::B8 | Type::B16 | Type::B32 | Type::B64)
}

pub(super) fn float_of(ty: Type) -> Option<Float> {
    Some(match ty {
        Type::F16 => Float::F16,
        Type::F16x2 => Float::F16x2,
        Type::Bf16 => Float::Bf16,
        Type::Bf16x2 => Float::Bf16x2,
        Type::F32 => Float::F32,
        Type::F64 => Float::F64,
        _ => return None,
    })
}

/// The bits of a literal as an operand of `ty`.
pub(super) fn literal(number: Number, ty: Type) -> std::result::Result<u64, String> {
    match (number, ty) {
        (Number::Integer(n), Type::Pred) => Ok(u64::from(n != 0)),
        (Number::F32(bits), Type::F32 | Type::B32 | Type::Tf32) => Ok(u64::from(bits)),
        (Number::F64(bits), Type::F64 | Type::B64) => Ok(bits),
        (Number::F64(bits), Type::F32) => Ok(u64::from((f64::from_bits(bits) as f32).to_bits())),
        (Number::F32(bits), Type::F64) => Ok(f64::from(f32::from_bits(bits)).to_bits()),
        (Number::Integer(n), Type::F32) => Ok(u64::from((n as f32).to_bits())),
        (Number::Integer(n), Type::F64) => Ok((n as f64).to_bits()),
        (Number::Integer(n), _) => {
            let bits = 8 * ty.bytes().clamp(1, 8);
            if n < -(1i128 << (bits - 1)) || n >= 1i128 << bits {
                return Err(format!("{n} does not fit in {bits} bits"));
            }
            Ok(n as u64 & (u64::MAX >> (64 - bits)))
        }
        _ => Err("the literal does not fit the type".to_string()),
    }
}

/// The special register of that name.
fn special(name: &str, component: Option<&str>) -> Option<Special> {
    if let Some(part) = component {
        let axis = ["x", "y", "z"].iter().position(|p| *p == part)? as u8;
        return Some(match name {
            "%tid" => Special::Tid(axis),
            "%ntid" => Special::Ntid(axis),
            "%ctaid" => Special::Ctaid(axis),
            "%nctaid" => Special::Nctaid(axis),
            "%clusterid" => Special::ClusterId(axis),
            "%nclusterid" => Special::ClusterCount(axis),
            "%cluster_ctaid" => Special::ClusterBlock(axis),
            "%cluster_nctaid" => Special::ClusterExtent(axis),
            _ => return None,
        });
    }
    Some(match name {
        "%cluster_ctarank" => Special::ClusterRank,
        "%cluster_nctarank" => Special::ClusterSize,
        "%laneid" => Special::LaneId,
        "%warpid" => Special::WarpId,
        "%nwarpid" => Special::WarpCount,
        "%smid" => Special::SmId,
        "%nsmid" => Special::SmCount,
        "%gridid" => Special::GridId,
        "%lanemask_eq" => Special::LaneMaskEq,
        "%lanemask_lt" => Special::LaneMaskLt,
        "%lanemask_le" => Special::LaneMaskLe,
        "%lanemask_gt" => Special::LaneMaskGt,
        "%lanemask_ge" => Special::LaneMaskGe,
        "%dynamic_smem_size" => Special::DynamicSharedBytes,
        "%total_smem_size" => Special::TotalSharedBytes,
        "%clock" => Special::Clock,
        "%clock_hi" => Special::ClockHigh,
        "%clock64" => Special::Clock64,
        "%globaltimer_lo" => Special::Clock,
        "%globaltimer_hi" => Special::ClockHigh,
        "%globaltimer" => Special::GlobalTimer,
        _ => return None,
    })
}
