//! Device memory with an owner.

use super::{Device, Element, In, InOut, Out, Place, Result};

/// An allocation on a device; freed when dropped.
pub struct Buffer {
    device: Device,
    address: u64,
    bytes: usize,
}

impl Buffer {
    pub(super) fn new(device: Device, bytes: usize) -> Result<Buffer> {
        let address = device.0.alloc(bytes)?;
        Ok(Buffer { device, address, bytes })
    }

    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Device address of the first byte.
    pub fn address(&self) -> u64 {
        self.address
    }

    /// Size in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Copies `data` to the elements from index `first` on.
    ///
    /// # Panics
    /// If the elements do not fit.
    pub fn write<T: Element>(&self, first: usize, data: &[T]) -> Result<()> {
        let start = first * T::DTYPE.bytes();
        assert!(start + std::mem::size_of_val(data) <= self.bytes, "a write past the end of a buffer");
        self.device.0.write(self.address + start as u64, bytemuck::cast_slice(data))
    }

    /// Copies the elements from index `first` on to `data`, after all queued work.
    ///
    /// # Panics
    /// If the buffer ends before that.
    pub fn read<T: Element>(&self, first: usize, data: &mut [T]) -> Result<()> {
        let start = first * T::DTYPE.bytes();
        assert!(start + std::mem::size_of_val(data) <= self.bytes, "a read past the end of a buffer");
        self.device.0.read(self.address + start as u64, bytemuck::cast_slice_mut(data))
    }

    /// All elements, after all queued work.
    pub fn to_vec<T: Element>(&self) -> Result<Vec<T>> {
        let mut data = vec![T::zeroed(); self.bytes / T::DTYPE.bytes()];
        self.read(0, &mut data)?;
        Ok(data)
    }

    /// Sets every byte.
    pub fn fill(&self, byte: u8) -> Result<()> {
        self.device.0.fill(self.address, byte, self.bytes)
    }

    /// Makes every byte undefined: all ones, a NaN in every float. On a checked device it is an error to use
    /// them before they are written again.
    pub fn poison(&self) -> Result<()> {
        self.device.0.poison(self.address, self.bytes)
    }

    /// The buffer as a kernel's input.
    pub fn input<T: Element>(&self) -> In<T> {
        In::new(Place::Address(self.address))
    }

    /// The buffer as a kernel's output.
    pub fn output<T: Element>(&self) -> Out<T> {
        Out::new(Place::Address(self.address))
    }

    /// The buffer as memory that a kernel reads and writes.
    pub fn in_out<T: Element>(&self) -> InOut<T> {
        InOut::new(Place::Address(self.address))
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.device.0.free(self.address);
    }
}
