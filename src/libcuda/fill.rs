//! Memory set to a value of 1, 2 or 4 bytes, in lines and rectangles.

use crate::abi::Status;
use crate::capture;
use crate::context::current;
use crate::driver::soft;
use crate::error::Code;
use crate::handle::Handle;
use crate::stream;
use crate::work::Work;

/// `height` rows of `width` elements, `pitch` bytes apart.
#[derive(Clone, Copy)]
pub struct Fill {
    pub address: u64,
    pub pitch: usize,
    /// The element's bytes are the first ones.
    pub value: u32,
    pub element: u32,
    pub width: usize,
    pub height: usize,
}

impl Fill {
    fn line(address: u64, value: u32, element: u32, width: usize) -> Fill {
        Fill { address, pitch: 0, value, element, width, height: 1 }
    }

    /// What the driver refuses when the work is queued.
    pub fn check(&self) -> Status {
        let &Fill { address, pitch, element, width, height, .. } = self;
        let sized = matches!(element, 1 | 2 | 4) && address.is_multiple_of(u64::from(element));
        let row = width.checked_mul(element as usize).ok_or(Code::INVALID_VALUE)?;
        let spaced = height <= 1 || (pitch >= row && pitch.is_multiple_of(element.max(1) as usize));
        let rows = pitch.checked_mul(height.saturating_sub(1)).and_then(|rows| rows.checked_add(row));
        let bytes = rows.ok_or(Code::INVALID_VALUE)? as u64;
        let empty = width == 0 || height == 0;
        let found = soft()?.allocation(address);
        let inside = empty || found.is_some_and(|range| bytes <= range.end - address);
        if sized && spaced && inside { Ok(()) } else { Err(Code::INVALID_VALUE) }
    }

    pub fn run(&self) -> Status {
        let bytes = self.value.to_le_bytes();
        let pattern = &bytes[..self.element as usize];
        for row in 0..self.height {
            soft()?.fill_with(self.address + (row * self.pitch) as u64, pattern, self.width)?;
        }
        Ok(())
    }
}

fn submit(fill: Fill, stream: Handle) -> Status {
    let stream = stream::find(stream)?;
    stream.context()?;
    fill.check()?;
    stream.submit(Work::Fill(fill))
}

fn now(fill: Fill) -> Status {
    current()?;
    capture::refuse()?;
    submit(fill, 0)
}

fn fill_8(address: u64, value: u8, count: usize) -> Status {
    now(Fill::line(address, u32::from(value), 1, count))
}

fn fill_16(address: u64, value: u16, count: usize) -> Status {
    now(Fill::line(address, u32::from(value), 2, count))
}

fn fill_32(address: u64, value: u32, count: usize) -> Status {
    now(Fill::line(address, value, 4, count))
}

fn fill_8_async(address: u64, value: u8, count: usize, stream: Handle) -> Status {
    submit(Fill::line(address, u32::from(value), 1, count), stream)
}

fn fill_16_async(address: u64, value: u16, count: usize, stream: Handle) -> Status {
    submit(Fill::line(address, u32::from(value), 2, count), stream)
}

fn fill_32_async(address: u64, value: u32, count: usize, stream: Handle) -> Status {
    submit(Fill::line(address, value, 4, count), stream)
}

fn rows_8(address: u64, pitch: usize, value: u8, width: usize, height: usize) -> Status {
    now(Fill { address, pitch, value: u32::from(value), element: 1, width, height })
}

fn rows_16(address: u64, pitch: usize, value: u16, width: usize, height: usize) -> Status {
    now(Fill { address, pitch, value: u32::from(value), element: 2, width, height })
}

fn rows_32(address: u64, pitch: usize, value: u32, width: usize, height: usize) -> Status {
    now(Fill { address, pitch, value, element: 4, width, height })
}

fn rows_8_async(
    address: u64,
    pitch: usize,
    value: u8,
    width: usize,
    height: usize,
    stream: Handle,
) -> Status {
    submit(Fill { address, pitch, value: u32::from(value), element: 1, width, height }, stream)
}

fn rows_16_async(
    address: u64,
    pitch: usize,
    value: u16,
    width: usize,
    height: usize,
    stream: Handle,
) -> Status {
    submit(Fill { address, pitch, value: u32::from(value), element: 2, width, height }, stream)
}

fn rows_32_async(
    address: u64,
    pitch: usize,
    value: u32,
    width: usize,
    height: usize,
    stream: Handle,
) -> Status {
    submit(Fill { address, pitch, value, element: 4, width, height }, stream)
}

export! {
    cuMemsetD8_v2 [cuMemsetD8_v2_ptds] (address: u64, value: u8, count: usize) => fill_8;
    cuMemsetD16_v2 [cuMemsetD16_v2_ptds] (address: u64, value: u16, count: usize) => fill_16;
    cuMemsetD32_v2 [cuMemsetD32_v2_ptds] (address: u64, value: u32, count: usize) => fill_32;
    cuMemsetD8Async [cuMemsetD8Async_ptsz] (address: u64, value: u8, count: usize, stream: Handle)
        => fill_8_async;
    cuMemsetD16Async [cuMemsetD16Async_ptsz] (address: u64, value: u16, count: usize, stream: Handle)
        => fill_16_async;
    cuMemsetD32Async [cuMemsetD32Async_ptsz] (address: u64, value: u32, count: usize, stream: Handle)
        => fill_32_async;
    cuMemsetD2D8_v2 [cuMemsetD2D8_v2_ptds] (address: u64, pitch: usize, value: u8, width: usize, height: usize)
        => rows_8;
    cuMemsetD2D16_v2 [cuMemsetD2D16_v2_ptds]
        (address: u64, pitch: usize, value: u16, width: usize, height: usize) => rows_16;
    cuMemsetD2D32_v2 [cuMemsetD2D32_v2_ptds]
        (address: u64, pitch: usize, value: u32, width: usize, height: usize) => rows_32;
    cuMemsetD2D8Async [cuMemsetD2D8Async_ptsz]
        (address: u64, pitch: usize, value: u8, width: usize, height: usize, stream: Handle) => rows_8_async;
    cuMemsetD2D16Async [cuMemsetD2D16Async_ptsz]
        (address: u64, pitch: usize, value: u16, width: usize, height: usize, stream: Handle) => rows_16_async;
    cuMemsetD2D32Async [cuMemsetD2D32Async_ptsz]
        (address: u64, pitch: usize, value: u32, width: usize, height: usize, stream: Handle) => rows_32_async;
}
