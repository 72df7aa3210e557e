//! Launches: their parameters, what they must satisfy, and how they run.

use crate::abi::{In, Status, array_at, bytes_at};
use crate::device_attributes::SHARED_LIMIT;
use crate::error::Code;
use crate::function::{self, Function};
use crate::handle::Handle;
use crate::stream;
use crate::work::Work;
use std::sync::Arc;

/// `CU_LAUNCH_PARAM_*`, by which parameters come as one block.
const EXTRA_END: usize = 0;
const EXTRA_BLOCK: usize = 1;
const EXTRA_BYTES: usize = 2;

/// `CU_LAUNCH_ATTRIBUTE_*` that change what a kernel sees.
const COOPERATIVE: u32 = 2;
const CLUSTER: u32 = 4;
/// Attributes from here on do not exist.
const ATTRIBUTES_END: u32 = 19;

/// A launch, complete.
pub struct Launch {
    pub function: Handle,
    kernel: Arc<Function>,
    pub grid: [u32; 3],
    pub block: [u32; 3],
    pub shared_bytes: u32,
    params: Box<[u8]>,
    /// Where each parameter stands, for programs that ask for a node's parameters.
    pub pointers: Box<[usize]>,
}

impl Launch {
    /// `params` has an address for each parameter; or `extra` says where the whole block is.
    pub fn new(
        handle: Handle,
        grid: [u32; 3],
        block: [u32; 3],
        shared_bytes: u32,
        params: In<usize>,
        extra: In<usize>,
    ) -> Result<Launch, Code> {
        let kernel = function::find(handle)?;
        check(&kernel, grid, block, shared_bytes)?;
        let params = match (params.is_null(), extra.is_null()) {
            (true, false) => from_block(&kernel, extra)?,
            (false, true) => from_pointers(&kernel, params)?,
            (true, true) if kernel.shape.params.is_empty() => Box::default(),
            // Both, or neither.
            _ => return Err(Code::INVALID_VALUE),
        };
        let start = params.as_ptr().expose_provenance();
        let pointers = kernel.shape.params.iter().map(|param| start + param.offset as usize).collect();
        Ok(Launch { function: handle, kernel, grid, block, shared_bytes, params, pointers })
    }

    /// Runs the kernel. Its report, if it fails, goes to the standard error output.
    pub fn run(&self) -> Status {
        let Launch { kernel, grid, block, shared_bytes, params, .. } = self;
        let result = kernel.program.launch(&kernel.shape.name, *grid, *block, *shared_bytes, params);
        result.map_err(|error| {
            eprintln!("libcuda (software device): {error}");
            Code::from(error)
        })
    }
}

/// What the driver refuses when the launch is queued.
fn check(kernel: &Function, grid: [u32; 3], block: [u32; 3], shared_bytes: u32) -> Status {
    let threads = block.iter().map(|n| u64::from(*n)).product::<u64>();
    let empty = grid.contains(&0) || block.contains(&0);
    let wide = grid[0] > i32::MAX as u32 || grid[1] > 65_535 || grid[2] > 65_535 || block[2] > 64;
    let other = kernel.shape.required_block.is_some_and(|required| required != block);
    let too_much_shared = shared_bytes > kernel.dynamic_limit()
        || u64::from(shared_bytes) + u64::from(kernel.shape.shared_bytes) > u64::from(SHARED_LIMIT);
    if empty || wide || threads > 1024 || too_much_shared {
        return Err(Code::INVALID_VALUE);
    }
    if other || threads > u64::from(kernel.max_threads()) {
        return Err(Code::LAUNCH_OUT_OF_RESOURCES);
    }
    Ok(())
}

fn from_pointers(kernel: &Function, pointers: In<usize>) -> Result<Box<[u8]>, Code> {
    let mut block = vec![0; kernel.shape.param_bytes as usize];
    for (index, param) in kernel.shape.params.iter().enumerate() {
        let value = bytes_at(pointers.at(index)?, param.bytes as usize)?;
        block[param.offset as usize..][..value.len()].copy_from_slice(&value);
    }
    Ok(block.into())
}

/// The block may be shorter or longer than the parameters by what aligns its end.
fn from_block(kernel: &Function, extra: In<usize>) -> Result<Box<[u8]>, Code> {
    let (mut address, mut size) = (0, 0);
    for index in (0..).step_by(2) {
        match extra.at(index)? {
            EXTRA_END => break,
            EXTRA_BLOCK => address = extra.at(index + 1)?,
            EXTRA_BYTES => size = array_at::<usize>(extra.at(index + 1)?).get()?,
            _ => return Err(Code::INVALID_VALUE),
        }
    }
    let wanted = kernel.shape.params.last().map_or(0, |last| last.offset + last.bytes) as usize;
    if size < wanted || size > wanted.next_multiple_of(16) {
        return Err(Code::INVALID_VALUE);
    }
    let mut block = bytes_at(address, wanted)?;
    block.resize(kernel.shape.param_bytes as usize, 0);
    Ok(block.into())
}

fn launch(
    function: Handle,
    grid_x: u32,
    grid_y: u32,
    grid_z: u32,
    block_x: u32,
    block_y: u32,
    block_z: u32,
    shared_bytes: u32,
    stream: Handle,
    params: In<usize>,
    extra: In<usize>,
) -> Status {
    let stream = stream::find(stream)?;
    stream.context()?;
    let (grid, block) = ([grid_x, grid_y, grid_z], [block_x, block_y, block_z]);
    let launch = Launch::new(function, grid, block, shared_bytes, params, extra)?;
    stream.submit(Work::Kernel(Arc::new(launch)))
}

/// `CUlaunchConfig`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Config {
    grid: [u32; 3],
    pub block: [u32; 3],
    pub shared_bytes: u32,
    stream: Handle,
    attributes: In<Attribute>,
    count: u32,
}

/// `CUlaunchAttribute`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Attribute {
    id: u32,
    pad: u32,
    value: [u32; 16],
}

fn launch_with(config: In<Config>, function: Handle, params: In<usize>, extra: In<usize>) -> Status {
    let config = config.get()?;
    for attribute in config.attributes.all(config.count as usize)? {
        check_attribute(&attribute)?;
    }
    let stream = stream::find(config.stream)?;
    stream.context()?;
    let launch = Launch::new(function, config.grid, config.block, config.shared_bytes, params, extra)?;
    stream.submit(Work::Kernel(Arc::new(launch)))
}

/// Most attributes are advice on speed, which a device that does one thing after the other need not follow.
fn check_attribute(attribute: &Attribute) -> Status {
    let [x, y, z, ..] = attribute.value;
    match attribute.id {
        COOPERATIVE if x != 0 => Err(Code::NOT_SUPPORTED),
        CLUSTER if [x, y, z].iter().any(|n| *n > 1) => Err(Code::NOT_SUPPORTED),
        ATTRIBUTES_END.. => Err(Code::INVALID_VALUE),
        _ => Ok(()),
    }
}

export! {
    cuLaunchKernel [cuLaunchKernel_ptsz] (
        function: Handle, grid_x: u32, grid_y: u32, grid_z: u32, block_x: u32, block_y: u32, block_z: u32,
        shared_bytes: u32, stream: Handle, params: In<usize>, extra: In<usize>
    ) => launch;
    cuLaunchKernelEx [cuLaunchKernelEx_ptsz]
        (config: In<Config>, function: Handle, params: In<usize>, extra: In<usize>) => launch_with;
}
