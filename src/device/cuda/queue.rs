//! The device's work queue: launches in order on one stream.

use super::context::Stream;
use super::failure::{Failure, code};
use super::module::Modules;
use crate::device::{Arg, DeviceError, Launch, Place, Result};
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::Arc;

/// One stream and the kernels that run on it.
pub struct Queue {
    pub stream: Arc<Stream>,
    pub modules: Modules,
}

impl Queue {
    /// Queues a launch on the device's stream.
    pub fn launch(&self, launch: &Launch) -> Result<()> {
        self.launch_on(&self.stream, launch)
    }

    /// Queues a launch on `stream`, of the same context.
    pub fn launch_on(&self, stream: &Stream, launch: &Launch) -> Result<()> {
        let function = self.modules.function(launch.kernel)?;
        check(launch, function.shared_limit)?;
        function.ask_for_shared(launch.shared_bytes)?;
        let values = argument_values(launch)?;
        let mut params: Vec<*mut c_void> =
            values.iter().map(|value| value.as_ptr().cast_mut().cast()).collect();
        let [grid_x, grid_y, grid_z] = launch.grid;
        let [block_x, block_y, block_z] = launch.kernel.block;
        let driver = stream.context.bind()?;
        // SAFETY: the function lives; `params` has a value for each parameter, of at least its size (checked
        // above and by the generated launchers), which the driver copies before it returns. Addresses are of
        // allocations that the caller keeps.
        let status = unsafe {
            driver.cuLaunchKernel(
                function.handle,
                grid_x,
                grid_y,
                grid_z,
                block_x,
                block_y,
                block_z,
                launch.shared_bytes,
                stream.handle,
                params.as_mut_ptr(),
                null_mut(),
            )
        };
        status.map_err(|failure| not_launched(launch, &failure))
    }
}

/// What the driver would refuse without saying why.
fn check(launch: &Launch, shared_limit: u32) -> Result<()> {
    let expected = launch.kernel.params.len();
    if launch.args.len() != expected {
        return Err(bad(
            launch,
            format!("it takes {expected} arguments and was given {}", launch.args.len()),
        ));
    }
    if launch.grid.contains(&0) {
        return Err(bad(launch, format!("its grid {:?} is empty", launch.grid)));
    }
    let shared = launch.shared_bytes;
    if shared > shared_limit {
        let reason =
            format!("it asks for {shared} bytes of dynamic shared memory and can have {shared_limit}");
        return Err(bad(launch, reason));
    }
    Ok(())
}

/// The bytes of each argument as the kernel reads them; shorter types use the first bytes.
fn argument_values(launch: &Launch) -> Result<Vec<[u8; 8]>> {
    let values = launch.args.iter().zip(launch.kernel.params);
    values
        .map(|(arg, name)| match *arg {
            Arg::Pointer(Place::Null, _) => Ok([0; 8]),
            Arg::Pointer(Place::Address(address), _) => Ok(address.to_ne_bytes()),
            Arg::Pointer(Place::Symbol { id, .. }, _) => {
                Err(bad(launch, format!("argument {name} is symbol {id}, which has no address yet")))
            }
            Arg::U32(value) => Ok(widen(value.to_ne_bytes())),
            Arg::I32(value) => Ok(widen(value.to_ne_bytes())),
            Arg::F32(value) => Ok(widen(value.to_ne_bytes())),
            Arg::U64(value) => Ok(value.to_ne_bytes()),
            Arg::F64(value) => Ok(value.to_ne_bytes()),
        })
        .collect()
}

fn widen(bytes: [u8; 4]) -> [u8; 8] {
    let [a, b, c, d] = bytes;
    [a, b, c, d, 0, 0, 0, 0]
}

fn bad(launch: &Launch, reason: String) -> DeviceError {
    DeviceError::BadLaunch { kernel: launch.kernel.entry.into(), reason }
}

fn not_launched(launch: &Launch, failure: &Failure) -> DeviceError {
    let kernel = launch.kernel.entry;
    let geometry = format!(
        "grid {:?}, block {:?}, {} bytes shared",
        launch.grid, launch.kernel.block, launch.shared_bytes
    );
    if failure.is_fault() {
        // Launches are asynchronous: unless the driver blocks on each, an earlier kernel may be the cause.
        let report = format!("seen at its launch ({geometry}): {}", failure.reason());
        return DeviceError::Fault { kernel: kernel.into(), report, kind: None };
    }
    match failure.code {
        code::INVALID_VALUE | code::LAUNCH_OUT_OF_RESOURCES => {
            bad(launch, format!("{geometry}: {}", failure.reason()))
        }
        _ => failure.clone().into(),
    }
}
