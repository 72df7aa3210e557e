//! Element types of device memory.

use bytemuck::Pod;
use half::bf16;

/// The type of one element in device memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DType {
    U8,
    U32,
    I32,
    U64,
    BF16,
    F32,
    F64,
}

impl DType {
    /// Size of one element in bytes.
    pub const fn bytes(self) -> usize {
        match self {
            DType::U8 => 1,
            DType::BF16 => 2,
            DType::U32 | DType::I32 | DType::F32 => 4,
            DType::U64 | DType::F64 => 8,
        }
    }
}

/// A host type that device memory can hold.
pub trait Element: Pod + Send + Sync + 'static {
    const DTYPE: DType;
}

macro_rules! elements {
    ($($host:ty => $dtype:ident),* $(,)?) => { $(impl Element for $host { const DTYPE: DType = DType::$dtype; })* };
}
elements!(u8 => U8, u32 => U32, i32 => I32, u64 => U64, bf16 => BF16, f32 => F32, f64 => F64);
