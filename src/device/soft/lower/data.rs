//! Handlers for moves and memory.

use super::constants::Constant;
use super::emit::{Emitter, Operands, Result};
use crate::device::soft::check::copying;
use crate::device::soft::exec::access::{self, Access, Arithmetic, Place};
use crate::device::soft::exec::{atomic, copy, matrix, memory, moves};
use crate::device::soft::memory::{LOCAL_WINDOW, PARAM_WINDOW, SHARED_WINDOW, WINDOW_OFFSET};
use crate::ptx::ast::Type;
use crate::ptx::typed::{
    self, AddressSpace, AtomicOp, CopyTail, Instruction, IntBinary, Op, Operand, Symbol,
};

fn is_signed(ty: Type) -> bool {
    matches!(ty, Type::S8 | Type::S16 | Type::S32 | Type::S64)
}

impl Emitter<'_> {
    pub(super) fn data(&mut self, instruction: &Instruction) -> Result<()> {
        match &instruction.op {
            Op::Mov => self.mov(instruction),
            Op::MovPred => {
                let (a, d) = (self.pred_source(instruction, 0)?, self.pred_destination(instruction, 0));
                self.emit(moves::copy_pred, Operands { d, a, ..Operands::default() });
                Ok(())
            }
            Op::MovPair => {
                for index in 0..2 {
                    let a = self.source(instruction, index, Type::B64)?;
                    let d = self.destination(instruction, index)?;
                    self.copy(8, d, a);
                }
                Ok(())
            }
            Op::Pack => self.pack(instruction),
            Op::Unpack => self.unpack(instruction),
            Op::Load(access) => self.load(instruction, access),
            Op::Store(access) => self.store(instruction, access),
            Op::Atomic { space, op, ty, offset, .. } => self.atomic(instruction, *space, *op, *ty, *offset),
            Op::ConvertAddress { space, to_space } => self.convert_address(instruction, *space, *to_space),
            Op::IsInSpace(space) => self.is_in_space(instruction, *space),
            Op::CopyAsync { bytes, shared_offset, global_offset, tail } => {
                self.copy_async(instruction, *bytes, *shared_offset, *global_offset, *tail)
            }
            Op::CopyCommit => self.copy_commit(),
            Op::CopyWait(groups) => self.copy_wait(*groups),
            Op::LoadMatrix { space, transposed, offset } => {
                self.load_matrix(instruction, *space, *transposed, *offset)
            }
            Op::StoreMatrix { space, transposed, offset } => {
                self.store_matrix(instruction, *space, *transposed, *offset)
            }
            Op::MoveMatrix => self.lanewise(instruction, matrix::move_matrix, &[Type::B32]),
            _ => self.fail("the software device does not know this instruction"),
        }
    }

    fn mov(&mut self, instruction: &Instruction) -> Result<()> {
        let bytes = self.destination_bytes(instruction, 0);
        let d = self.destination(instruction, 0)?;
        if let Some(imm) = Self::is_clock(instruction.src[0]) {
            if (imm == 2) != (bytes == 8) {
                return self.fail("the clock has another width");
            }
            self.emit(moves::clock, Operands { d, imm, ..Operands::default() });
            return Ok(());
        }
        let a = self.source(instruction, 0, if bytes == 8 { Type::B64 } else { Type::B32 })?;
        self.copy(bytes, d, a);
        Ok(())
    }

    fn pack(&mut self, instruction: &Instruction) -> Result<()> {
        let bytes = self.destination_bytes(instruction, 0);
        let parts = instruction.src.len() as u32;
        match (bytes, parts) {
            (8, 2) => self.lanewise(instruction, moves::join64(self.level), &[Type::B32; 2]),
            (4, 2) => self.lanewise(instruction, moves::join32(self.level), &[Type::B16; 2]),
            _ => {
                let bits = 8 * bytes / parts;
                let types = vec![if bits == 8 { Type::B8 } else { Type::B16 }; parts as usize];
                self.scalar(instruction, &types, move |values| {
                    let part = |index: u32| (values[index as usize] & ((1 << bits) - 1)) << (bits * index);
                    (0..parts).fold(0, |word, index| word | part(index))
                })
            }
        }
    }

    fn unpack(&mut self, instruction: &Instruction) -> Result<()> {
        let parts = instruction.dst.len();
        let part_bytes = instruction.dst.iter().find_map(|operand| match operand {
            Operand::Reg(reg) => Some(self.bytes_of(*reg)),
            _ => None,
        });
        let Some(part_bytes) = part_bytes else { return Ok(()) };
        let wide = part_bytes * parts as u32 == 8;
        let source = if wide { Type::B64 } else { Type::B32 };
        let a = self.source(instruction, 0, source)?;
        for (part, operand) in instruction.dst.iter().enumerate() {
            if *operand == Operand::Sink {
                continue;
            }
            let d = self.destination(instruction, part)?;
            let run = match (wide, part_bytes) {
                (true, 4) => moves::part64(part, self.level),
                (true, _) => moves::part16_of_64(part, self.level),
                (false, 2) => moves::part32(part, self.level),
                (false, _) => {
                    let byte = move |[word, ..]: [u64; 4]| word >> (8 * part) & 0xFF;
                    self.scalar_to((d, false), instruction, &[source], byte)?;
                    continue;
                }
            };
            self.emit(run, Operands { d, a, ..Operands::default() });
        }
        Ok(())
    }

    /// The address operand: 32 bits wide for shared memory unless it is a wide register.
    pub(super) fn address(&mut self, operand: Operand, space: AddressSpace) -> Result<Place> {
        let natural =
            if matches!(space, AddressSpace::Shared | AddressSpace::Cluster) { Type::B32 } else { Type::B64 };
        Ok(Place { slot: self.slot(operand, natural)?, wide: self.is_wide(operand, natural) })
    }

    /// An immediate offset that the fast paths can add.
    pub(super) fn short(&self, offset: i64) -> Result<i32> {
        match i32::try_from(offset) {
            Ok(offset) => Ok(offset),
            Err(_) => self.fail("the address offset does not fit in 32 bits"),
        }
    }

    fn load(&mut self, instruction: &Instruction, access: &typed::Access) -> Result<()> {
        if access.space == AddressSpace::Param
            && let Operand::Address { symbol: Symbol::Param(index), offset } = instruction.src[0]
        {
            return self.load_param(instruction, access, index, offset);
        }
        let (bytes, signed) = (access.ty.bytes(), is_signed(access.ty));
        let mut elements = Vec::new();
        let mut natural = true;
        for index in 0..instruction.dst.len() {
            let width = self.destination_bytes(instruction, index);
            natural &= (width == 8) == (bytes == 8) && (bytes >= 4 || !signed || width == 4);
            elements.push(Place { slot: self.destination(instruction, index)?, wide: width == 8 });
        }
        let address = self.address(instruction.src[0], access.space)?;
        let shape = self.shape(access, address);
        let vector_of_sinks = bytes == 8 && instruction.dst[0] == Operand::Sink;
        let fast = shape.filter(|_| natural && !vector_of_sinks).and_then(|s| memory::load(s, self.level));
        let d = elements[0].slot;
        let space = access.space;
        let site = self.access(Access {
            space,
            bytes,
            signed,
            store: false,
            address,
            offset: access.offset,
            elements,
            atomic: None,
        })?;
        let imm = self.short(access.offset)?;
        let run = fast.unwrap_or(access::access);
        self.emit(run, Operands { d, a: address.slot, site, imm, ..Operands::default() });
        Ok(())
    }

    /// What a fast path needs to know, if the address is of the kind that it reads.
    fn shape(&self, access: &typed::Access, address: Place) -> Option<memory::Shape> {
        let shared = access.space == AddressSpace::Shared;
        let known = match access.space {
            AddressSpace::Shared => !address.wide,
            AddressSpace::Global | AddressSpace::Const | AddressSpace::Generic => address.wide,
            _ => false,
        };
        let (bytes, signed) = (access.ty.bytes(), is_signed(access.ty));
        known.then_some(memory::Shape { bytes, signed, count: access.count as usize, shared })
    }

    /// Parameters are constants.
    fn load_param(
        &mut self,
        instruction: &Instruction,
        access: &typed::Access,
        index: u32,
        offset: i64,
    ) -> Result<()> {
        let param = &self.entry.params[index as usize];
        let bytes = access.ty.bytes();
        let all = i64::from(bytes * access.count);
        if offset < 0 || offset + all > i64::from(param.bytes) || offset % all != 0 {
            let message = format!("reads {all} bytes at offset {offset} of parameter {}", param.name);
            return self.fail(message);
        }
        let start = param.offset + offset as u32;
        for element in 0..instruction.dst.len() {
            let width = self.destination_bytes(instruction, element);
            let constant = Constant::Param {
                offset: start + bytes * element as u32,
                bytes,
                signed: is_signed(access.ty),
                wide: width == 8,
            };
            let (a, d) = (self.constant(constant)?, self.destination(instruction, element)?);
            self.copy(width, d, a);
        }
        Ok(())
    }

    fn store(&mut self, instruction: &Instruction, access: &typed::Access) -> Result<()> {
        let bytes = access.ty.bytes();
        let mut elements = Vec::new();
        let mut natural = true;
        for operand in &instruction.src[1..] {
            let wide = self.is_wide(*operand, access.ty);
            natural &= wide == (bytes == 8);
            elements.push(Place { slot: self.slot(*operand, access.ty)?, wide });
        }
        let address = self.address(instruction.src[0], access.space)?;
        let shape = self.shape(access, address);
        let fast = shape.filter(|_| natural).and_then(|s| memory::store(s, self.level));
        let b = elements[0].slot;
        let site = self.access(Access {
            space: access.space,
            bytes,
            signed: false,
            store: true,
            address,
            offset: access.offset,
            elements,
            atomic: None,
        })?;
        let imm = self.short(access.offset)?;
        let run = fast.unwrap_or(access::access);
        self.emit(run, Operands { a: address.slot, b, site, imm, ..Operands::default() });
        Ok(())
    }

    fn atomic(
        &mut self,
        instruction: &Instruction,
        space: AddressSpace,
        op: AtomicOp,
        ty: Type,
        offset: i64,
    ) -> Result<()> {
        let arithmetic = match ty {
            Type::F32 | Type::F64 => Arithmetic::Float,
            Type::F16 | Type::F16x2 => Arithmetic::F16,
            Type::Bf16 | Type::Bf16x2 => Arithmetic::Bf16,
            ty if is_signed(ty) => Arithmetic::Signed,
            _ => Arithmetic::Unsigned,
        };
        let wide = ty.bytes() == 8;
        let mut elements = Vec::new();
        for operand in &instruction.src[1..] {
            elements.push(Place { slot: self.slot(*operand, ty)?, wide });
        }
        if !instruction.dst.is_empty() {
            elements.push(Place { slot: self.destination(instruction, 0)?, wide });
        }
        let address = self.address(instruction.src[0], space)?;
        let site = self.access(Access {
            space,
            bytes: ty.bytes(),
            signed: false,
            store: true,
            address,
            offset,
            elements,
            atomic: Some((op, arithmetic)),
        })?;
        self.emit(atomic::atomic, Operands { site, ..Operands::default() });
        Ok(())
    }

    /// Whether a generic address lies in the window of a space; constants and globals share what is left.
    fn is_in_space(&mut self, instruction: &Instruction, space: AddressSpace) -> Result<()> {
        let wanted = self.window(space);
        let constants = self.layout.constant_ranges();
        self.scalar_pred(instruction, &[Type::B64], move |[address, ..]| {
            let window = address & !WINDOW_OFFSET;
            let constant = constants.iter().any(|range| range.contains(&address));
            match space {
                AddressSpace::Const => constant,
                AddressSpace::Global => {
                    !constant && !matches!(window, SHARED_WINDOW | LOCAL_WINDOW | PARAM_WINDOW)
                }
                _ => window == wanted,
            }
        })
    }

    /// Where a space begins among the generic addresses; 0 for those that have no window.
    fn window(&self, space: AddressSpace) -> u64 {
        match space {
            AddressSpace::Shared | AddressSpace::Cluster => SHARED_WINDOW,
            AddressSpace::Local => LOCAL_WINDOW,
            AddressSpace::Param => PARAM_WINDOW,
            _ => 0,
        }
    }

    fn convert_address(
        &mut self,
        instruction: &Instruction,
        space: AddressSpace,
        to_space: bool,
    ) -> Result<()> {
        let window = self.window(space);
        let (a, d) = (self.source(instruction, 0, Type::B64)?, self.destination(instruction, 0)?);
        if window == 0 {
            self.copy(8, d, a);
            return Ok(());
        }
        let op = if to_space { IntBinary::Sub } else { IntBinary::Add };
        let b = self.literal(window, true)?;
        let run = crate::device::soft::exec::integer::binary(
            op,
            typed::Int { bits: 64, signed: false },
            self.level,
        );
        self.emit(run, Operands { d, a, b, ..Operands::default() });
        Ok(())
    }

    fn copy_async(
        &mut self,
        instruction: &Instruction,
        bytes: u32,
        shared_offset: i64,
        global_offset: i64,
        tail: CopyTail,
    ) -> Result<()> {
        let address = self.address(instruction.src[0], AddressSpace::Shared)?;
        let global = self.address(instruction.src[1], AddressSpace::Global)?;
        let (d, c) = match tail {
            CopyTail::None => (copy::WHOLE, 0),
            CopyTail::SourceBytes => (copy::SOURCE_BYTES, self.source(instruction, 2, Type::U32)?),
            CopyTail::Ignore => (copy::IGNORE, self.pred_source(instruction, 2)?),
        };
        let site = self.access(Access {
            space: AddressSpace::Shared,
            bytes,
            signed: false,
            store: true,
            address,
            offset: shared_offset,
            elements: vec![global],
            atomic: None,
        })?;
        let imm = self.short(global_offset)?;
        let short = i32::try_from(shared_offset).is_ok() && global.wide;
        let run = match self.checked {
            true => copying::issue,
            false => copy::copy_async(bytes, address.wide || !short, self.level),
        };
        self.emit(run, Operands { d, a: address.slot, b: global.slot, c, site, imm });
        Ok(())
    }

    /// Unchecked copies are done when they are issued, and there is nothing to wait for.
    fn copy_commit(&mut self) -> Result<()> {
        if self.checked {
            self.emit(copying::commit, Operands::default());
        }
        Ok(())
    }

    fn copy_wait(&mut self, groups: Option<u32>) -> Result<()> {
        if self.checked {
            let imm = groups.map_or(copying::ALL, |groups| groups.min(i32::MAX as u32) as i32);
            self.emit(copying::wait, Operands { imm, ..Operands::default() });
        }
        Ok(())
    }

    fn load_matrix(
        &mut self,
        instruction: &Instruction,
        space: AddressSpace,
        transposed: bool,
        offset: i64,
    ) -> Result<()> {
        let mut elements = Vec::new();
        for index in 0..instruction.dst.len() {
            elements.push(Place { slot: self.destination(instruction, index)?, wide: false });
        }
        let address = self.address(instruction.src[0], space)?;
        let site = self.access(Access {
            space,
            bytes: 16,
            signed: false,
            store: false,
            address,
            offset,
            elements,
            atomic: None,
        })?;
        let (d, imm) = (u16::from(transposed), self.short(offset)?);
        let run = matrix::load_matrix(address.wide || space != AddressSpace::Shared, self.level);
        self.emit(run, Operands { d, a: address.slot, site, imm, ..Operands::default() });
        Ok(())
    }

    fn store_matrix(
        &mut self,
        instruction: &Instruction,
        space: AddressSpace,
        transposed: bool,
        offset: i64,
    ) -> Result<()> {
        let mut elements = Vec::new();
        for operand in &instruction.src[1..] {
            elements.push(Place { slot: self.slot(*operand, Type::B32)?, wide: false });
        }
        let address = self.address(instruction.src[0], space)?;
        let site = self.access(Access {
            space,
            bytes: 16,
            signed: false,
            store: true,
            address,
            offset,
            elements,
            atomic: None,
        })?;
        let imm = i32::from(transposed);
        self.emit(matrix::store_matrix, Operands { site, imm, ..Operands::default() });
        Ok(())
    }
}
