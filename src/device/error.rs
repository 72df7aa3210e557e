//! What can go wrong on a device.

use super::soft;

/// An error of a device, software or CUDA.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// No usable GPU: what was looked for and what was found.
    #[error("{0}")]
    Unavailable(String),
    #[error("out of device memory: {wanted} bytes asked for on {device}")]
    OutOfMemory { wanted: u64, device: String },
    /// A module did not load: its name and the parser's, decoder's or JIT compiler's log.
    #[error("module {module} did not load: {log}")]
    Module { module: String, log: String },
    #[error("module {module} has no entry named {entry}")]
    NoEntry { module: String, entry: String },
    /// A launch that cannot be: wrong argument count or kind, block too large, an unbound symbol …
    #[error("kernel {kernel} cannot be launched: {reason}")]
    BadLaunch { kernel: String, reason: String },
    /// A kernel that went wrong while it ran: kernel, line, thread and address as far as they are known.
    #[error("kernel {kernel} failed: {report}")]
    Fault {
        kernel: String,
        report: String,
        /// What kind of mistake it is, where the device knows.
        kind: Option<soft::Kind>,
    },
    /// Mistakes of a kernel that a checked device found; at least one.
    #[error("{}", soft::print(findings))]
    Findings { kernel: String, findings: Vec<soft::Finding> },
    /// A host copy outside of an allocation.
    #[error("a copy of {bytes} bytes at {address:#x} is outside every allocation")]
    BadCopy { address: u64, bytes: u64 },
    /// A driver call that failed.
    #[error("{call} failed: {reason}")]
    Driver { call: &'static str, reason: String },
}
