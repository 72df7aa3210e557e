//! From PTX text to a program, with the options and logs of the driver's compiler.

use crate::abi::{In, Out, Status, place_at};
use crate::device::set_text;
use crate::driver::soft;
use crate::error::Code;
use ddpm_ptx::device::DeviceError;
use ddpm_ptx::device::soft::Program;
use std::ffi::c_char;
use std::time::Instant;

/// The name under which a text is loaded, by which its lines are found in messages.
const NAME: &str = "ptx";

/// `CU_JIT_*`.
const WALL_TIME: u32 = 2;
const INFO_LOG: u32 = 3;
const INFO_LOG_BYTES: u32 = 4;
const ERROR_LOG: u32 = 5;
const ERROR_LOG_BYTES: u32 = 6;
/// Options from here on do not exist.
const END: u32 = 37;

/// The options of a load: names, and a word of value for each, which results are written to as well.
#[derive(Clone, Copy)]
pub struct Options {
    pub count: u32,
    pub names: In<u32>,
    pub values: Out<usize>,
}

impl Options {
    pub const NONE: Options = Options { count: 0, names: In::NULL, values: Out::NULL };

    fn position(&self, name: u32) -> Option<usize> {
        (0..self.count as usize).find(|index| self.names.at(*index) == Ok(name))
    }

    fn value(&self, index: usize) -> Out<usize> {
        self.values.at(index)
    }

    fn check(&self) -> Status {
        if self.count > 0 && (self.names.is_null() || self.values.is_null()) {
            return Err(Code::INVALID_VALUE);
        }
        let known = |index| self.names.at(index).is_ok_and(|name| name < END);
        if (0..self.count as usize).all(known) { Ok(()) } else { Err(Code::INVALID_VALUE) }
    }

    /// Writes a log to the buffer that the options name, and its length to where its size stood.
    fn write_log(&self, buffer: u32, size: u32, log: &str) -> Status {
        let (Some(buffer), Some(size)) = (self.position(buffer), self.position(size)) else { return Ok(()) };
        let room = self.value(size).get()?;
        let place: Out<c_char> = place_at(self.value(buffer).get()?);
        if room == 0 || place.is_null() {
            return Ok(());
        }
        set_text(place, i32::try_from(room).unwrap_or(i32::MAX), log)?;
        self.value(size).set(log.len().min(room - 1))
    }
}

/// Compiles a text.
pub fn compile(text: &str, options: Options) -> Result<Program, Code> {
    options.check()?;
    let started = Instant::now();
    let result = soft()?.load(NAME, text);
    if let Some(index) = options.position(WALL_TIME) {
        options.value(index).cast().set(started.elapsed().as_secs_f32() * 1e3)?;
    }
    let errors = result.as_ref().err().map(message).unwrap_or_default();
    options.write_log(ERROR_LOG, ERROR_LOG_BYTES, &errors)?;
    options.write_log(INFO_LOG, INFO_LOG_BYTES, "")?;
    Ok(result?)
}

/// An error as NVIDIA's compiler would put it, so that programs find the line.
fn message(error: &DeviceError) -> String {
    let DeviceError::Module { log, .. } = error else { return error.to_string() };
    let located = log.strip_prefix(NAME).and_then(|rest| rest.strip_prefix(':')?.split_once(": "));
    match located {
        Some((line, what)) => format!("ptxas application ptx input, line {line}; error   : {what}"),
        None => format!("ptxas fatal   : {log}"),
    }
}
