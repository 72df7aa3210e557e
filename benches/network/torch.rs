//! PyTorch's passes, in a process that waits for its turns.

use super::Pass;
use super::networks::Network;
use super::ours::STEPS;
use anyhow::{Context, Result, bail};
use ddpm_ptx::nn::{Precision, UNet};
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/network/torch_side.py");

/// How it is run.
pub struct Setting {
    pub batch: usize,
    pub precision: Precision,
    pub compile: bool,
    pub cuda: bool,
}

/// The process; it ends when its input does.
struct Side {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

/// Starts an interpreter, which warms up; what is returned lets it run once and tells the seconds.
pub fn start(
    python: &Path,
    network: Network,
    pass: Pass,
    setting: &Setting,
) -> Result<Box<dyn FnMut() -> Result<f64>>> {
    let settings = network.settings();
    let unet = UNet::new(settings.network.unet()?)?;
    let config: serde_json::Value = serde_json::from_str(&unet.config().to_json())?;
    let request = json!({
        "config": config,
        "size": settings.network.size,
        "batch": setting.batch,
        "pass": pass.name(),
        "steps": STEPS,
        "dtype": setting.precision.name(),
        "compile": setting.compile,
        "device": if setting.cuda { "cuda" } else { "cpu" },
    });
    let mut child = Command::new(python)
        .arg(SCRIPT)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", python.display()))?;
    let (input, output) = (child.stdin.take(), child.stdout.take().context("a pipe")?);
    let mut side = Side { child, input, output: BufReader::new(output) };
    side.ask(&request.to_string())?;
    Ok(Box::new(move || side.ask("run")))
}

impl Side {
    /// Sends a line; the number that comes back.
    fn ask(&mut self, line: &str) -> Result<f64> {
        writeln!(self.input.as_mut().context("a pipe")?, "{line}").context("PyTorch's side is gone")?;
        let mut answer = String::new();
        self.output.read_line(&mut answer)?;
        match answer.trim().parse() {
            Ok(seconds) => Ok(seconds),
            Err(_) => bail!("PyTorch's side said {answer:?}; its errors are above"),
        }
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.child.wait();
    }
}
