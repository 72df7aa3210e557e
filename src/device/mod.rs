//! Devices: where memory is and kernels run.
//!
//! One interface, two devices. [`Device::cuda`] drives an NVIDIA GPU through libcuda; [`Device::soft`] is a
//! software CUDA device that executes the same PTX on the CPU. Nothing above this module knows which one
//! it has. This module knows nothing of diffusion.

mod buffer;
mod choice;
pub mod cuda;
mod dtype;
mod error;
mod launch;
pub mod model;
mod report;
pub mod soft;

pub use buffer::Buffer;
pub use choice::DeviceChoice;
pub use dtype::{DType, Element};
pub use error::DeviceError;
pub use launch::{Access, Arg, Call, Cubin, In, InOut, Kernel, Launch, ModuleSource, Out, Place, Resources};
pub use report::{DeviceReport, KernelReport, Report, report};

use std::sync::Arc;
use std::time::Duration;

pub type Result<T, E = DeviceError> = std::result::Result<T, E>;

/// What a device must do. Addresses are device addresses; sizes are bytes.
pub(crate) trait Backend: Send + Sync {
    /// `soft (2 threads, AVX-512)`, `cuda:0 (NVIDIA H100 80GB HBM3, sm_90, driver 12.4)`.
    fn name(&self) -> String;
    fn alloc(&self, bytes: usize) -> Result<u64>;
    fn free(&self, address: u64);
    fn write(&self, address: u64, data: &[u8]) -> Result<()>;
    /// Waits for all work queued before it.
    fn read(&self, address: u64, data: &mut [u8]) -> Result<()>;
    fn fill(&self, address: u64, byte: u8, bytes: usize) -> Result<()>;
    /// Makes bytes undefined: all ones, a NaN in every float; a device that checks reports their use.
    fn poison(&self, address: u64, bytes: usize) -> Result<()> {
        self.fill(address, 0xFF, bytes)
    }
    /// Loads the kernel's module if it is not loaded yet.
    fn prepare(&self, kernel: &'static Kernel) -> Result<()>;
    /// Queues a launch, all of whose pointers are bound.
    fn launch(&self, launch: &Launch) -> Result<()>;
    /// Turns a list of bound launches into something that is started as one.
    fn record(&self, launches: Vec<Launch>) -> Result<Box<dyn Replay>>;
    fn synchronize(&self) -> Result<()>;
    /// Time that the device takes for what `work` queues.
    fn time(&self, work: &mut dyn FnMut() -> Result<()>) -> Result<Duration>;
    /// What kernels did since the last call that is bad style rather than an error, if the device checks that.
    fn take_lints(&self) -> Vec<soft::Finding> {
        Vec::new()
    }
    /// Whether the device finds accesses that leave an allocation, so that tensors should not share one.
    fn isolates(&self) -> bool {
        false
    }
    /// Multiprocessors (soft: worker threads), for choices of launch geometry that do not change results.
    fn multiprocessors(&self) -> u32;
}

/// A recorded list of launches.
pub trait Replay: Send + Sync {
    /// Queues all launches, in order.
    fn run(&self) -> Result<()>;
}

/// A device that holds memory and runs kernels. Clones are the same device.
#[derive(Clone)]
pub struct Device(Arc<dyn Backend>);

impl Device {
    /// The software CUDA device, with a worker for each core.
    pub fn soft() -> Device {
        Device(Arc::new(soft::Soft::new()))
    }

    /// The software device with all its checks: a kernel that does what it may not do fails with
    /// [`DeviceError::Findings`]. The seed chooses the order in which threads run; results do not depend on it.
    pub fn checked(seed: u64) -> Device {
        Device(Arc::new(soft::Soft::checked(seed)))
    }

    /// As [`Device::checked`], and every launch is run in so many orders, from the same memory; a byte that does not
    /// come out the same in all of them is a finding.
    pub fn in_orders(orders: u32) -> Device {
        let check = soft::Check { orders, ..soft::Check::default() };
        Device::from(soft::Soft::with(soft::Options::checked(check)))
    }

    /// GPU number `ordinal` of the NVIDIA driver.
    ///
    /// # Errors
    /// [`DeviceError::Unavailable`] if there is no driver, it is too old, or it has no such device.
    pub fn cuda(ordinal: usize) -> Result<Device> {
        Ok(Device(Arc::new(cuda::Cuda::new(ordinal)?)))
    }

    /// The device that `--device` asked for. [`DeviceChoice::open`] also says why.
    pub fn open(choice: DeviceChoice) -> Result<Device> {
        choice.open().map(|(device, _)| device)
    }

    /// What the device is, for people.
    pub fn name(&self) -> String {
        self.0.name()
    }

    /// Memory for `len` elements of `T`, uninitialised.
    pub fn alloc<T: Element>(&self, len: usize) -> Result<Buffer> {
        Buffer::new(self.clone(), len * T::DTYPE.bytes())
    }

    /// Memory for `len` elements of `T`, all bytes zero.
    pub fn alloc_zeroed<T: Element>(&self, len: usize) -> Result<Buffer> {
        let buffer = self.alloc::<T>(len)?;
        buffer.fill(0)?;
        Ok(buffer)
    }

    /// A new buffer that holds `data`.
    pub fn upload<T: Element>(&self, data: &[T]) -> Result<Buffer> {
        let buffer = self.alloc::<T>(data.len())?;
        buffer.write(0, data)?;
        Ok(buffer)
    }

    /// Loads the module of `kernel` now rather than at its first launch.
    pub fn prepare(&self, kernel: &'static Kernel) -> Result<()> {
        self.0.prepare(kernel)
    }

    /// Queues one launch. Errors of the kernel itself may surface at the next [`Device::synchronize`].
    pub fn launch(&self, launch: &Launch) -> Result<()> {
        self.0.launch(launch)
    }

    /// Records launches whose pointers are all bound, to be started as one: a CUDA graph on a GPU.
    pub fn record(&self, launches: Vec<Launch>) -> Result<Box<dyn Replay>> {
        self.0.record(launches)
    }

    /// Waits until all queued work is done.
    pub fn synchronize(&self) -> Result<()> {
        self.0.synchronize()
    }

    /// How long the device takes for what `work` queues.
    pub fn time(&self, mut work: impl FnMut() -> Result<()>) -> Result<Duration> {
        self.0.time(&mut work)
    }

    /// What kernels did since the last call that is bad style rather than an error; only a [checked
    /// device](Device::checked) finds any.
    pub fn take_lints(&self) -> Vec<soft::Finding> {
        self.0.take_lints()
    }

    /// Whether the device finds accesses that leave an allocation, so that tensors should not share one.
    pub fn isolates(&self) -> bool {
        self.0.isolates()
    }

    /// Number of multiprocessors (worker threads on the software device).
    pub fn multiprocessors(&self) -> u32 {
        self.0.multiprocessors()
    }
}
