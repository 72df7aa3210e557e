//! A kernel launch as a value: which kernel, over which grid, with which arguments.
//!
//! The launchers that `build.rs` generates (see [`crate::kernels`]) make [`Call`]s with checked argument
//! types; an operation gives the call its grid and gets a [`Launch`]. A pointer argument names its
//! [`Place`]: a device address, or a symbol that the memory planner binds to an address later. Each
//! pointer also says whether the kernel reads or writes through it, which is all that lifetime planning
//! needs to know about a kernel.

use super::dtype::Element;
use std::marker::PhantomData;

/// One rendered PTX module, as `build.rs` embeds it.
#[derive(Debug)]
pub struct ModuleSource {
    /// `conv/fprop`, the template's path under `kernels/` without its ending, plus the variant.
    pub name: &'static str,
    /// The rendered text.
    pub ptx: &'static str,
    /// The same assembled by `ptxas`, one for each architecture that was asked for; may be empty.
    pub cubins: &'static [Cubin],
    /// For each rendered line, the index into `files` and the line of the template that it came from.
    pub origins: &'static [(u16, u32)],
    /// Template paths under `kernels/`.
    pub files: &'static [&'static str],
}

/// Machine code for one architecture.
#[derive(Debug)]
pub struct Cubin {
    /// Compute capability, 80 for `sm_80`.
    pub capability: u32,
    pub code: &'static [u8],
    /// For each entry, what `ptxas` reported.
    pub resources: &'static [Resources],
}

/// What one entry takes of the machine, in the machine code for one architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resources {
    pub entry: &'static str,
    /// Registers of a thread.
    pub registers: u32,
    /// Static shared memory of a block.
    pub shared_bytes: u32,
    /// Local memory of a thread.
    pub stack_bytes: u32,
    /// Bytes of a thread's registers that are stored to local memory; good kernels have 0.
    pub spill_bytes: u32,
}

/// One `.entry` of a module.
#[derive(Debug)]
pub struct Kernel {
    pub module: &'static ModuleSource,
    pub entry: &'static str,
    /// Threads of a block, from the entry's `.reqntid`.
    pub block: [u32; 3],
    /// Names of the parameters, in order, for messages.
    pub params: &'static [&'static str],
    /// The formula and layout from the kernel's header.
    pub doc: &'static str,
}

impl Kernel {
    /// What this kernel takes of a card of `capability` (80 for `sm_80`); `None` if it was not assembled for that.
    pub fn resources(&self, capability: u32) -> Option<&'static Resources> {
        let cubin = self.module.cubins.iter().find(|cubin| cubin.capability == capability)?;
        cubin.resources.iter().find(|resources| resources.entry == self.entry)
    }
}

/// Where a pointer argument points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// No memory: an optional argument that is left out; the kernel sees address 0.
    Null,
    /// An address in device memory.
    Address(u64),
    /// `offset` bytes into a tensor that has no address yet.
    Symbol { id: u32, offset: u64 },
}

/// What a kernel does through a pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    Read,
    Write,
    ReadWrite,
}

/// One argument, in the order of the entry's `.param` list.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Arg {
    Pointer(Place, Access),
    U32(u32),
    I32(i32),
    U64(u64),
    F32(f32),
    F64(f64),
}

macro_rules! typed_pointers {
    ($($(#[$doc:meta])* $name:ident => $access:ident),* $(,)?) => { $(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name<T: Element> { pub place: Place, element: PhantomData<T> }

        impl<T: Element> $name<T> {
            /// A typed pointer to `place`, which must hold elements of `T`.
            pub const fn new(place: Place) -> Self {
                $name { place, element: PhantomData }
            }
        }

        impl<T: Element> Clone for $name<T> {
            fn clone(&self) -> Self { *self }
        }
        impl<T: Element> Copy for $name<T> {}

        impl<T: Element> From<$name<T>> for Arg {
            fn from(pointer: $name<T>) -> Arg { Arg::Pointer(pointer.place, Access::$access) }
        }
        impl<T: Element> From<Option<$name<T>>> for Arg {
            fn from(pointer: Option<$name<T>>) -> Arg {
                Arg::Pointer(pointer.map_or(Place::Null, |p| p.place), Access::$access)
            }
        }
    )* };
}

typed_pointers! {
    /// Memory that a kernel only reads.
    In => Read,
    /// Memory that a kernel only writes; every element that is read later must be written.
    Out => Write,
    /// Memory that a kernel reads and writes, or writes in part.
    InOut => ReadWrite,
}

/// A kernel with its arguments, waiting for a grid.
#[derive(Debug, Clone)]
#[must_use]
pub struct Call {
    launch: Launch,
}

impl Call {
    /// Used by the generated launchers only, which guarantee that `args` matches the entry.
    pub fn new(kernel: &'static Kernel, args: Vec<Arg>) -> Call {
        Call { launch: Launch { kernel, grid: [0; 3], shared_bytes: 0, args } }
    }

    /// Asks for dynamic shared memory.
    pub fn shared_bytes(mut self, bytes: u32) -> Call {
        self.launch.shared_bytes = bytes;
        self
    }

    /// Places the call on `grid` blocks.
    pub fn grid(mut self, x: usize, y: usize, z: usize) -> Launch {
        self.launch.grid = [x, y, z].map(|n| u32::try_from(n).expect("a grid dimension fits in 32 bits"));
        self.launch
    }
}

/// A kernel launch: kernel, grid, dynamic shared memory, arguments. The block is the kernel's own.
#[derive(Debug, Clone)]
pub struct Launch {
    pub kernel: &'static Kernel,
    pub grid: [u32; 3],
    /// Dynamic shared memory in bytes.
    pub shared_bytes: u32,
    pub args: Vec<Arg>,
}

impl Launch {
    /// The same launch with every symbol replaced by the address that `address_of(id)` gives plus the offset.
    pub fn bind(&self, mut address_of: impl FnMut(u32) -> u64) -> Launch {
        let mut bound = self.clone();
        for arg in &mut bound.args {
            if let Arg::Pointer(place, _) = arg
                && let Place::Symbol { id, offset } = *place
            {
                *place = Place::Address(address_of(id) + offset);
            }
        }
        bound
    }
}
