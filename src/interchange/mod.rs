//! The jobs of coming and going: networks of others in, networks for diffusers out.

mod export;
mod import;

pub use export::{Export, export};
pub use import::{Import, import};

use anyhow::{Context, Result, ensure};
use std::path::Path;

/// A folder with other files in it is not to be replaced.
fn ensure_free(path: &Path) -> Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let empty = path.is_dir()
        && path.read_dir().with_context(|| format!("{} cannot be read", path.display()))?.next().is_none();
    ensure!(empty, "{} is there already; name a new folder", path.display());
    Ok(())
}
