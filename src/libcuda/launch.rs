//! Launches: their parameters, what they must satisfy, and how they run.

use crate::abi::{In, Status, array_at, bytes_at};
use crate::device_attributes::{CLUSTER_BLOCKS, SHARED_LIMIT};
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
    cluster: Option<[u32; 3]>,
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
        Launch::in_clusters(handle, grid, None, block, shared_bytes, params, extra)
    }

    /// As [`Launch::new`], with blocks in clusters; `None` leaves that to the kernel.
    fn in_clusters(
        handle: Handle,
        grid: [u32; 3],
        cluster: Option<[u32; 3]>,
        block: [u32; 3],
        shared_bytes: u32,
        params: In<usize>,
        extra: In<usize>,
    ) -> Result<Launch, Code> {
        let kernel = function::find(handle)?;
        check(&kernel, grid, block, shared_bytes)?;
        check_cluster(&kernel, grid, cluster)?;
        let params = match (params.is_null(), extra.is_null()) {
            (true, false) => from_block(&kernel, extra)?,
            (false, true) => from_pointers(&kernel, params)?,
            (true, true) if kernel.shape.params.is_empty() => Box::default(),
            // Both, or neither.
            _ => return Err(Code::INVALID_VALUE),
        };
        let start = params.as_ptr().expose_provenance();
        let pointers = kernel.shape.params.iter().map(|param| start + param.offset as usize).collect();
        Ok(Launch { function: handle, kernel, grid, block, cluster, shared_bytes, params, pointers })
    }

    /// Runs the kernel. Its report, if it fails, goes to the standard error output.
    pub fn run(&self) -> Status {
        let Launch { kernel, grid, block, cluster, shared_bytes, params, .. } = self;
        let (program, name) = (&kernel.program, &kernel.shape.name);
        let result = program.launch_in_clusters(name, *grid, *cluster, *block, *shared_bytes, params);
        result.map_err(|error| {
            eprintln!("libcuda (software device): {error}");
            Code::from(error)
        })
    }
}

fn volume(extents: [u32; 3]) -> u64 {
    extents.into_iter().fold(1, |volume: u64, n| volume.saturating_mul(u64::from(n)))
}

/// What the driver refuses when the launch is queued.
fn check(kernel: &Function, grid: [u32; 3], block: [u32; 3], shared_bytes: u32) -> Status {
    let threads = volume(block);
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

fn check_cluster(kernel: &Function, grid: [u32; 3], cluster: Option<[u32; 3]>) -> Status {
    let required = kernel.shape.required_cluster;
    let cluster = cluster.or(required).unwrap_or([1; 3]);
    let blocks = volume(cluster);
    let other = required.is_some_and(|required| required != cluster);
    let sized = (1..=u64::from(CLUSTER_BLOCKS)).contains(&blocks);
    let whole = sized && (0..3).all(|axis| grid[axis].is_multiple_of(cluster[axis]));
    if other || !whole { Err(Code::INVALID_CLUSTER_SIZE) } else { Ok(()) }
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

impl Config {
    /// The cluster that the launch asks for. Most other attributes are advice on speed, which a device that does one
    /// thing after the other need not follow.
    pub fn cluster(&self) -> Result<Option<[u32; 3]>, Code> {
        let mut cluster = None;
        for Attribute { id, value: [x, y, z, ..], .. } in self.attributes.all(self.count as usize)? {
            match id {
                COOPERATIVE if x != 0 => return Err(Code::NOT_SUPPORTED),
                CLUSTER => cluster = Some([x, y, z]),
                ATTRIBUTES_END.. => return Err(Code::INVALID_VALUE),
                _ => {}
            }
        }
        Ok(cluster)
    }
}

fn launch_with(config: In<Config>, function: Handle, params: In<usize>, extra: In<usize>) -> Status {
    let config = config.get()?;
    let cluster = config.cluster()?;
    let stream = stream::find(config.stream)?;
    stream.context()?;
    let Config { grid, block, shared_bytes, .. } = config;
    let launch = Launch::in_clusters(function, grid, cluster, block, shared_bytes, params, extra)?;
    stream.submit(Work::Kernel(Arc::new(launch)))
}

export! {
    cuLaunchKernel [cuLaunchKernel_ptsz] (
        function: Handle, grid_x: u32, grid_y: u32, grid_z: u32, block_x: u32, block_y: u32, block_z: u32,
        shared_bytes: u32, stream: Handle, params: In<usize>, extra: In<usize>
    ) => launch;
    cuLaunchKernelEx [cuLaunchKernelEx_ptsz]
        (config: In<Config>, function: Handle, params: In<usize>, extra: In<usize>) => launch_with;
}
