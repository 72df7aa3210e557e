//! What the driver's PTX compiler says.

use crate::device::ModuleSource;
use cudarc::driver::sys::CUjit_option;
use std::ffi::{c_uint, c_void};
use std::fmt;
use std::ptr::without_provenance_mut;

const BYTES: usize = 16 << 10;

/// The compiler's errors and remarks.
pub struct JitLog {
    errors: Vec<u8>,
    remarks: Vec<u8>,
}

impl JitLog {
    pub fn new() -> JitLog {
        JitLog { errors: vec![0; BYTES], remarks: vec![0; BYTES] }
    }

    /// Calls `load` with the options that make the driver write here: their number, their names and their
    /// values, which are valid until `load` returns.
    pub fn with_options<T>(
        &mut self,
        load: impl FnOnce(c_uint, *mut CUjit_option, *mut *mut c_void) -> T,
    ) -> T {
        let mut options = [
            CUjit_option::CU_JIT_ERROR_LOG_BUFFER,
            CUjit_option::CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES,
            CUjit_option::CU_JIT_INFO_LOG_BUFFER,
            CUjit_option::CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES,
            CUjit_option::CU_JIT_LOG_VERBOSE,
        ];
        // Sizes and flags travel in the pointers themselves. The last byte of each buffer stays 0.
        let mut values = [
            self.errors.as_mut_ptr().cast::<c_void>(),
            without_provenance_mut(BYTES - 1),
            self.remarks.as_mut_ptr().cast::<c_void>(),
            without_provenance_mut(BYTES - 1),
            without_provenance_mut(1),
        ];
        load(options.len() as c_uint, options.as_mut_ptr(), values.as_mut_ptr())
    }

    /// The log with the template's file and line after each line that names a line of the PTX.
    pub fn located(&self, source: &ModuleSource) -> String {
        let text = self.to_string();
        let lines = text.lines().map(|line| match template_line(line, source) {
            Some((file, number)) => format!("{line} [kernels/{file}:{number}]"),
            None => line.to_string(),
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

impl fmt::Display for JitLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [text(&self.errors), text(&self.remarks)];
        let said: Vec<_> = parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty()).collect();
        f.write_str(&said.join("\n"))
    }
}

fn text(buffer: &[u8]) -> String {
    let end = buffer.iter().position(|&byte| byte == 0).unwrap_or(buffer.len());
    String::from_utf8_lossy(&buffer[..end]).into_owned()
}

/// Where the template has the line that a message is about: `ptxas application ptx input, line 12; error …`.
fn template_line<'a>(message: &str, source: &'a ModuleSource) -> Option<(&'a str, u32)> {
    let (_, rest) = message.split_once("line ")?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    let rendered: usize = digits.parse().ok()?;
    let (file, line) = source.origins.get(rendered.checked_sub(1)?)?;
    Some((source.files.get(usize::from(*file))?, *line))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: ModuleSource = ModuleSource {
        name: "conv/fprop",
        ptx: "",
        cubins: &[],
        origins: &[(0, 1), (1, 40)],
        files: &["conv/fprop.ptx", "prelude/philox.ptx"],
    };

    fn log_of(errors: &str, remarks: &str) -> JitLog {
        let mut log = JitLog::new();
        log.errors[..errors.len()].copy_from_slice(errors.as_bytes());
        log.remarks[..remarks.len()].copy_from_slice(remarks.as_bytes());
        log
    }

    #[test]
    fn names_the_template_line() {
        let log = log_of("ptxas application ptx input, line 2; error : bad\nptxas fatal : no", "");
        assert_eq!(
            log.located(&SOURCE),
            "ptxas application ptx input, line 2; error : bad [kernels/prelude/philox.ptx:40]\nptxas fatal : no"
        );
    }

    #[test]
    fn leaves_lines_alone_that_have_no_origin() {
        for text in ["line 3; beyond the end", "line 0;", "line x", "no number", ""] {
            assert_eq!(log_of(text, "").located(&SOURCE), text);
        }
    }

    #[test]
    fn errors_come_before_remarks() {
        assert_eq!(log_of("first\n", "second").to_string(), "first\nsecond");
    }
}
