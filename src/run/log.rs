//! The log of a run: one JSON object a line.

use crate::message::excerpt;
use anyhow::{Context, Result, anyhow};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::Write;
use std::path::Path;

/// What a run says about the steps since its last entry.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LogEntry {
    /// Steps done.
    pub step: u64,
    /// Mean loss of the steps that were not skipped.
    pub loss: f32,
    /// Norm of the gradient, before it was clipped, of the last of them.
    pub grad_norm: f32,
    /// Learning rate of the last step.
    pub lr: f32,
    /// Steps of the whole run that changed nothing, because their gradient was not finite.
    #[serde(default)]
    pub skipped: u64,
    /// Training images a second.
    pub images_per_second: f64,
    /// Seconds of training so far, of earlier parts of the run too.
    pub seconds: f64,
}

/// A log that is open for more entries.
pub struct Log {
    file: fs::File,
    entries: Vec<LogEntry>,
}

impl Log {
    /// Opens the log at `path`, keeping the entries up to `step`: what a resumed run repeats is written again.
    ///
    /// # Errors
    /// If the log cannot be read or written.
    pub fn open(path: &Path, step: u64) -> Result<Log> {
        let mut entries = if path.exists() { read(path)? } else { vec![] };
        entries.retain(|entry| entry.step <= step);
        let text: String = entries.iter().map(line).collect();
        crate::atomic::write(path, text.as_bytes())
            .with_context(|| format!("{} cannot be written", path.display()))?;
        let file = fs::OpenOptions::new()
            .append(true)
            .open(path)
            .with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(Log { file, entries })
    }

    /// Appends an entry.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn push(&mut self, entry: LogEntry) -> Result<()> {
        self.entries.push(entry);
        self.file.write_all(line(&entry).as_bytes()).context("the log cannot be written")
    }

    /// All entries, the earliest first.
    pub fn entries(&self) -> &[LogEntry] {
        &self.entries
    }
}

fn line(entry: &LogEntry) -> String {
    serde_json::to_string(entry).expect("numbers are always JSON") + "\n"
}

/// The entries of a log. A last line that a crash cut short is passed over.
fn read(path: &Path) -> Result<Vec<LogEntry>> {
    let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
    let parse = |(number, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|error| {
            anyhow!("line {} of {} is no log entry: {}", number + 1, path.display(), excerpt(error))
        })
    };
    whole.lines().enumerate().map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reopened_log_forgets_what_will_be_repeated_and_what_was_cut_short() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        let entry = |step| LogEntry {
            step,
            loss: 0.5,
            grad_norm: 1.0,
            lr: 0.1,
            skipped: 2,
            images_per_second: 9.0,
            seconds: step as f64,
        };
        let mut log = Log::open(&path, 0).unwrap();
        for step in [10, 20, 30] {
            log.push(entry(step)).unwrap();
        }
        drop(log);
        fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"step\":4").unwrap();

        let mut log = Log::open(&path, 20).unwrap();
        assert_eq!(log.entries(), [entry(10), entry(20)]);
        log.push(entry(25)).unwrap();
        drop(log);
        assert_eq!(Log::open(&path, 100).unwrap().entries(), [entry(10), entry(20), entry(25)]);
    }
}
