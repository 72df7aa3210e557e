//! Copies, of lines, rectangles and boxes, between any two sides.

use crate::abi::{In, Status};
use crate::capture;
use crate::context::{self, current};
use crate::driver::soft;
use crate::error::Code;
use crate::handle::Handle;
use crate::memory::allocation;
use crate::stream;
use crate::work::Work;

/// `CU_MEMORYTYPE_*`.
const HOST: u32 = 1;
const DEVICE: u32 = 2;
const UNIFIED: u32 = 4;

/// One side of a copy.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Side {
    address: u64,
    /// Whether the address is one of the device's.
    on_device: bool,
    /// Bytes from row to row and from slice to slice.
    pitch: usize,
    slice: usize,
}

/// A copy of `depth` slices of `height` rows of `width` bytes.
#[derive(Clone, Copy)]
pub struct Copy3d {
    to: Side,
    from: Side,
    width: usize,
    height: usize,
    depth: usize,
}

impl Side {
    fn line(address: u64, on_device: bool) -> Side {
        Side { address, on_device, pitch: 0, slice: 0 }
    }

    fn unified(address: u64) -> Side {
        Side::line(address, allocation(address).is_some())
    }

    /// A side of a box that begins at byte `x`, row `y`, slice `z`.
    fn boxed(
        kind: u32,
        host: u64,
        device: u64,
        pitch: usize,
        rows: usize,
        [x, y, z]: [usize; 3],
    ) -> Result<Side, Code> {
        let side = match kind {
            HOST => Side::line(host, false),
            DEVICE => Side::line(device, true),
            UNIFIED => Side::unified(device),
            _ => return Err(Code::NOT_SUPPORTED),
        };
        let slice = pitch.checked_mul(rows).ok_or(Code::INVALID_VALUE)?;
        let offset = (|| x.checked_add(y.checked_mul(pitch)?)?.checked_add(z.checked_mul(slice)?))();
        let address = side.address.checked_add(offset.ok_or(Code::INVALID_VALUE)? as u64);
        Ok(Side { address: address.ok_or(Code::INVALID_VALUE)?, pitch, slice, ..side })
    }

    fn row(&self, y: usize, z: usize) -> Result<u64, Code> {
        let offset = (|| y.checked_mul(self.pitch)?.checked_add(z.checked_mul(self.slice)?))();
        offset.and_then(|offset| self.address.checked_add(offset as u64)).ok_or(Code::INVALID_VALUE)
    }
}

impl Copy3d {
    fn line(to: Side, from: Side, bytes: usize) -> Copy3d {
        Copy3d { to, from, width: bytes, height: 1, depth: 1 }
    }

    fn is_empty(&self) -> bool {
        [self.width, self.height, self.depth].contains(&0)
    }

    /// What the driver refuses when the copy is queued.
    fn check(&self) -> Status {
        if self.is_empty() {
            return Ok(());
        }
        let side = |side: &Side| {
            let narrow = self.height > 1 && side.pitch < self.width;
            let flat = self.depth > 1 && side.slice < self.height.saturating_mul(side.pitch);
            let first = side.row(0, 0)?;
            let last = side.row(self.height - 1, self.depth - 1)?;
            let outside =
                side.on_device && [first, last].into_iter().any(|row| !is_inside(row, self.width as u64));
            if side.address == 0 || narrow || flat || outside { Err(Code::INVALID_VALUE) } else { Ok(()) }
        };
        side(&self.to)?;
        side(&self.from)
    }

    pub fn run(&self) -> Status {
        if self.is_empty() {
            return Ok(());
        }
        for z in 0..self.depth {
            for y in 0..self.height {
                copy_row(
                    self.to.on_device,
                    self.to.row(y, z)?,
                    self.from.on_device,
                    self.from.row(y, z)?,
                    self.width,
                )?;
            }
        }
        Ok(())
    }
}

/// Whether all of a range is in one allocation of the device, a module's variables included.
fn is_inside(address: u64, bytes: u64) -> bool {
    let found = soft().ok().and_then(|soft| soft.allocation(address));
    found.is_some_and(|range| bytes <= range.end - address)
}

fn copy_row(to_device: bool, to: u64, from_device: bool, from: u64, bytes: usize) -> Status {
    let soft = soft()?;
    let source = std::ptr::with_exposed_provenance::<u8>(from as usize);
    let target = std::ptr::with_exposed_provenance_mut::<u8>(to as usize);
    match (to_device, from_device) {
        (true, true) => soft.copy_within(to, from, bytes)?,
        // SAFETY: the program's promise: so many bytes are there to read.
        (true, false) => soft.copy_in(to, unsafe { std::slice::from_raw_parts(source, bytes) })?,
        // SAFETY: the program's promise: so many bytes are there to write, and nobody else uses them.
        (false, true) => soft.copy_out(from, unsafe { std::slice::from_raw_parts_mut(target, bytes) })?,
        // SAFETY: the program's promise for both sides, which may overlap.
        (false, false) => unsafe { std::ptr::copy(source, target, bytes) },
    }
    Ok(())
}

fn submit(copy: Copy3d, stream: Handle) -> Status {
    let stream = stream::find(stream)?;
    stream.context()?;
    copy.check()?;
    stream.submit(Work::Copy(copy))
}

/// Copies that wait are not allowed while a stream is capturing.
fn now(copy: Copy3d) -> Status {
    current()?;
    capture::refuse()?;
    submit(copy, 0)
}

fn to_device(to: u64, from: u64, bytes: usize) -> Copy3d {
    Copy3d::line(Side::line(to, true), Side::line(from, false), bytes)
}

fn to_host(to: u64, from: u64, bytes: usize) -> Copy3d {
    Copy3d::line(Side::line(to, false), Side::line(from, true), bytes)
}

fn within(to: u64, from: u64, bytes: usize) -> Copy3d {
    Copy3d::line(Side::line(to, true), Side::line(from, true), bytes)
}

fn unified(to: u64, from: u64, bytes: usize) -> Copy3d {
    Copy3d::line(Side::unified(to), Side::unified(from), bytes)
}

fn copy_to_device(to: u64, from: u64, bytes: usize) -> Status {
    now(to_device(to, from, bytes))
}

fn copy_to_host(to: u64, from: u64, bytes: usize) -> Status {
    now(to_host(to, from, bytes))
}

fn copy_within(to: u64, from: u64, bytes: usize) -> Status {
    now(within(to, from, bytes))
}

fn copy(to: u64, from: u64, bytes: usize) -> Status {
    now(unified(to, from, bytes))
}

fn copy_to_device_async(to: u64, from: u64, bytes: usize, stream: Handle) -> Status {
    submit(to_device(to, from, bytes), stream)
}

fn copy_to_host_async(to: u64, from: u64, bytes: usize, stream: Handle) -> Status {
    submit(to_host(to, from, bytes), stream)
}

fn copy_within_async(to: u64, from: u64, bytes: usize, stream: Handle) -> Status {
    submit(within(to, from, bytes), stream)
}

fn copy_async(to: u64, from: u64, bytes: usize, stream: Handle) -> Status {
    submit(unified(to, from, bytes), stream)
}

fn copy_peer(to: u64, to_context: Handle, from: u64, from_context: Handle, bytes: usize) -> Status {
    context::find(to_context)?;
    context::find(from_context)?;
    copy_within(to, from, bytes)
}

fn copy_peer_async(
    to: u64,
    to_context: Handle,
    from: u64,
    from_context: Handle,
    bytes: usize,
    stream: Handle,
) -> Status {
    context::find(to_context)?;
    context::find(from_context)?;
    copy_within_async(to, from, bytes, stream)
}

/// `CUDA_MEMCPY2D`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Params2d {
    from: Params2dSide,
    to: Params2dSide,
    width: usize,
    height: usize,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Params2dSide {
    x: usize,
    y: usize,
    kind: u32,
    host: u64,
    device: u64,
    array: usize,
    pitch: usize,
}

impl Params2d {
    fn copy(&self) -> Result<Copy3d, Code> {
        let side = |side: &Params2dSide| {
            let Params2dSide { x, y, kind, host, device, pitch, .. } = *side;
            // Pitch 0: rows are packed.
            let pitch = if pitch == 0 { self.width } else { pitch };
            Side::boxed(kind, host, device, pitch, self.height, [x, y, 0])
        };
        let (to, from) = (side(&self.to)?, side(&self.from)?);
        Ok(Copy3d { to, from, width: self.width, height: self.height, depth: 1 })
    }
}

fn copy_2d(params: In<Params2d>) -> Status {
    now(params.get()?.copy()?)
}

fn copy_2d_async(params: In<Params2d>, stream: Handle) -> Status {
    submit(params.get()?.copy()?, stream)
}

/// `CUDA_MEMCPY3D`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Params3d {
    from: Params3dSide,
    to: Params3dSide,
    width: usize,
    height: usize,
    depth: usize,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Params3dSide {
    x: usize,
    y: usize,
    z: usize,
    level: usize,
    kind: u32,
    host: u64,
    device: u64,
    array: usize,
    reserved: usize,
    pitch: usize,
    height: usize,
}

impl Params3d {
    pub fn copy(&self) -> Result<Copy3d, Code> {
        let side = |side: &Params3dSide| {
            let Params3dSide { x, y, z, kind, host, device, pitch, height, .. } = *side;
            let pitch = if pitch == 0 { self.width } else { pitch };
            let height = if height == 0 { self.height } else { height };
            Side::boxed(kind, host, device, pitch, height, [x, y, z])
        };
        let (to, from) = (side(&self.to)?, side(&self.from)?);
        let copy = Copy3d { to, from, width: self.width, height: self.height, depth: self.depth };
        copy.check()?;
        Ok(copy)
    }
}

fn copy_3d(params: In<Params3d>) -> Status {
    now(params.get()?.copy()?)
}

fn copy_3d_async(params: In<Params3d>, stream: Handle) -> Status {
    submit(params.get()?.copy()?, stream)
}

export! {
    cuMemcpy [cuMemcpy_ptds] (to: u64, from: u64, bytes: usize) => copy;
    cuMemcpyAsync [cuMemcpyAsync_ptsz] (to: u64, from: u64, bytes: usize, stream: Handle) => copy_async;
    cuMemcpyHtoD_v2 [cuMemcpyHtoD_v2_ptds] (to: u64, from: u64, bytes: usize) => copy_to_device;
    cuMemcpyHtoDAsync_v2 [cuMemcpyHtoDAsync_v2_ptsz] (to: u64, from: u64, bytes: usize, stream: Handle)
        => copy_to_device_async;
    cuMemcpyDtoH_v2 [cuMemcpyDtoH_v2_ptds] (to: u64, from: u64, bytes: usize) => copy_to_host;
    cuMemcpyDtoHAsync_v2 [cuMemcpyDtoHAsync_v2_ptsz] (to: u64, from: u64, bytes: usize, stream: Handle)
        => copy_to_host_async;
    cuMemcpyDtoD_v2 [cuMemcpyDtoD_v2_ptds] (to: u64, from: u64, bytes: usize) => copy_within;
    cuMemcpyDtoDAsync_v2 [cuMemcpyDtoDAsync_v2_ptsz] (to: u64, from: u64, bytes: usize, stream: Handle)
        => copy_within_async;
    cuMemcpyPeer [cuMemcpyPeer_ptds]
        (to: u64, to_context: Handle, from: u64, from_context: Handle, bytes: usize) => copy_peer;
    cuMemcpyPeerAsync [cuMemcpyPeerAsync_ptsz]
        (to: u64, to_context: Handle, from: u64, from_context: Handle, bytes: usize, stream: Handle)
        => copy_peer_async;
    cuMemcpy2D_v2 [cuMemcpy2D_v2_ptds] (params: In<Params2d>) => copy_2d;
    cuMemcpy2DUnaligned_v2 [cuMemcpy2DUnaligned_v2_ptds] (params: In<Params2d>) => copy_2d;
    cuMemcpy2DAsync_v2 [cuMemcpy2DAsync_v2_ptsz] (params: In<Params2d>, stream: Handle) => copy_2d_async;
    cuMemcpy3D_v2 [cuMemcpy3D_v2_ptds] (params: In<Params3d>) => copy_3d;
    cuMemcpy3DAsync_v2 [cuMemcpy3DAsync_v2_ptsz] (params: In<Params3d>, stream: Handle) => copy_3d_async;
}
