//! The folder of a run.
//!
//! ```text
//! run.json                 settings
//! log.jsonl                one line for every few steps
//! loss.png                 the loss against the steps
//! samples/step-000300.png  a grid of samples
//! checkpoint-300/          a diffusers pipeline folder, and what it takes to go on
//! ```

use super::settings::Settings;
use crate::atomic;
use crate::checkpoint::series::{self, Checkpoint};
use crate::message::excerpt;
use anyhow::{Context, Result, anyhow, bail};
use std::fs;
use std::path::{Path, PathBuf};

const SETTINGS: &str = "run.json";

/// The folder that holds all of one run.
#[derive(Debug, Clone)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// A folder for a new run; nothing is written yet.
    ///
    /// # Errors
    /// If there is a run already that has come as far as a checkpoint.
    pub fn new(path: &Path) -> Result<RunFolder> {
        if RunFolder::is_run(path) && series::latest(path)?.is_some() {
            bail!(
                "{0} already holds a run: continue it with --resume {0}, or choose another folder with --out",
                path.display()
            );
        }
        Ok(RunFolder { path: path.to_path_buf() })
    }

    /// Opens the folder of a run.
    ///
    /// # Errors
    /// If there is none.
    pub fn open(path: &Path) -> Result<(RunFolder, Settings)> {
        let file = path.join(SETTINGS);
        if !RunFolder::is_run(path) {
            bail!("{} is no run folder: there is no {SETTINGS} in it", path.display());
        }
        let text = fs::read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))?;
        let settings: Settings = serde_json::from_str(&text).map_err(|error| {
            anyhow!("{} does not hold the settings of a run: {}", file.display(), excerpt(error))
        })?;
        settings.check().with_context(|| format!("{} has a setting that cannot be", file.display()))?;
        Ok((RunFolder { path: path.to_path_buf() }, settings))
    }

    /// Whether there is a run in the folder.
    pub fn is_run(path: &Path) -> bool {
        path.join(SETTINGS).is_file()
    }

    /// Writes the settings.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn save(&self, settings: &Settings) -> Result<()> {
        let text = serde_json::to_string_pretty(settings).context("settings that are no JSON")? + "\n";
        atomic::write(&self.path.join(SETTINGS), text.as_bytes())
            .with_context(|| format!("{} cannot be written", self.path.display()))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn log(&self) -> PathBuf {
        self.path.join("log.jsonl")
    }

    pub fn loss_curve(&self) -> PathBuf {
        self.path.join("loss.png")
    }

    /// The grid of samples of a step.
    pub fn samples(&self, step: u64) -> PathBuf {
        self.path.join(format!("samples/step-{step:06}.png"))
    }

    /// Where the checkpoint of a step is or will be.
    pub fn checkpoint(&self, step: u64) -> PathBuf {
        series::folder(&self.path, step)
    }

    /// The last checkpoint.
    ///
    /// # Errors
    /// If there is none yet.
    pub fn latest_checkpoint(&self) -> Result<Checkpoint> {
        series::latest(&self.path)?
            .with_context(|| format!("the run in {} has no checkpoint yet", self.path.display()))
    }

    /// Removes all but the last `keep` checkpoints.
    ///
    /// # Errors
    /// If one cannot be removed.
    pub fn prune_checkpoints(&self, keep: usize) -> Result<()> {
        series::prune(&self.path, keep)?;
        Ok(())
    }
}
