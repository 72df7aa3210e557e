//! Loads a fixture and launches its kernels.

use bytemuck::Pod;
use ddpm_ptx::device::soft::{Check, Options, Program, Soft};
use ddpm_ptx::device::{Buffer, Device, DeviceError, Element};

/// A module on a software device of its own.
pub struct Foreign {
    /// The file, for messages.
    pub name: &'static str,
    device: Device,
    program: Program,
}

/// The fixtures of one source, each with the name of its file.
#[macro_export]
macro_rules! fixtures {
    ($($name:literal),+ $(,)?) => {
        [$(($name, include_str!(concat!("ptx/", $name, ".ptx")))),+]
    };
}

/// Loads every fixture twice: on a plain device and on a checked one, where blocks and warps run in another order.
pub fn load_all<const N: usize>(fixtures: [(&'static str, &'static str); N]) -> Vec<Foreign> {
    let checked =
        || Soft::with(Options { check: Some(Check { seed: 3, ..Check::default() }), ..Options::default() });
    let twice = |(name, text)| [load(Soft::new(), name, text), load(checked(), name, text)];
    fixtures.into_iter().flat_map(twice).collect()
}

/// Loads one fixture on a device of its own.
pub fn load(soft: Soft, name: &'static str, text: &str) -> Foreign {
    let program = soft.load(name, text).unwrap_or_else(|error| panic!("{error}"));
    Foreign { name, device: Device::from(soft), program }
}

impl Foreign {
    pub fn upload<T: Element>(&self, data: &[T]) -> Buffer {
        self.device.upload(data).expect("memory")
    }

    /// Memory that holds no sensible value yet.
    pub fn output<T: Element>(&self, len: usize) -> Buffer {
        self.device.alloc::<T>(len).expect("memory")
    }

    pub fn zeroed<T: Element>(&self, len: usize) -> Buffer {
        self.device.alloc_zeroed::<T>(len).expect("memory")
    }

    /// Runs `entry` without dynamic shared memory.
    pub fn run(&self, entry: &str, grid: [u32; 3], block: [u32; 3], params: Params) {
        self.launch(entry, grid, block, 0, params).unwrap_or_else(|error| panic!("{}: {error}", self.name));
    }

    /// # Errors
    /// What the launch reports.
    pub fn launch(
        &self,
        entry: &str,
        grid: [u32; 3],
        block: [u32; 3],
        shared_bytes: u32,
        params: Params,
    ) -> Result<(), DeviceError> {
        self.program.launch(entry, grid, block, shared_bytes, &params.0)
    }
}

/// The parameters of a launch in order, each at a multiple of its size.
#[derive(Debug, Clone, Default)]
pub struct Params(Vec<u8>);

impl Params {
    pub fn new() -> Params {
        Params::default()
    }

    pub fn pointer(self, buffer: &Buffer) -> Params {
        self.value(buffer.address())
    }

    pub fn value<T: Pod>(mut self, value: T) -> Params {
        self.0.resize(self.0.len().next_multiple_of(size_of::<T>()), 0);
        self.0.extend(bytemuck::bytes_of(&value));
        self
    }
}
