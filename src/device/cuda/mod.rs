//! The CUDA device, through libcuda.

use super::{Backend, DeviceError, Kernel, Launch, Replay, Result};
use std::time::Duration;

/// A CUDA device, through libcuda.
pub struct Cuda {}

impl Cuda {
    pub fn new(_ordinal: usize) -> Result<Cuda> {
        Err(DeviceError::Unavailable("not built yet".into()))
    }
}

impl Backend for Cuda {
    fn name(&self) -> String {
        "cuda".into()
    }
    fn alloc(&self, _bytes: usize) -> Result<u64> {
        Err(DeviceError::Unavailable("not built yet".into()))
    }
    fn free(&self, _address: u64) {}
    fn write(&self, _address: u64, _data: &[u8]) -> Result<()> {
        Ok(())
    }
    fn read(&self, _address: u64, _data: &mut [u8]) -> Result<()> {
        Ok(())
    }
    fn fill(&self, _address: u64, _byte: u8, _bytes: usize) -> Result<()> {
        Ok(())
    }
    fn prepare(&self, _kernel: &'static Kernel) -> Result<()> {
        Ok(())
    }
    fn launch(&self, _launch: &Launch) -> Result<()> {
        Ok(())
    }
    fn record(&self, _launches: Vec<Launch>) -> Result<Box<dyn Replay>> {
        Err(DeviceError::Unavailable("not built yet".into()))
    }
    fn synchronize(&self) -> Result<()> {
        Ok(())
    }
    fn time(&self, _work: &mut dyn FnMut() -> Result<()>) -> Result<Duration> {
        Ok(Duration::ZERO)
    }
    fn multiprocessors(&self) -> u32 {
        1
    }
}
