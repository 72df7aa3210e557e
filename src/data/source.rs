//! The value of `--data`.

use super::{Cifar10, DataError, Dataset, Folder, Shapes};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where training images come from: `shapes`, `folder:DIR` or `cifar10:DIR`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Source {
    /// Drawn as they are asked for; needs no file.
    Shapes,
    /// Every image file below a folder.
    Folder(PathBuf),
    /// The training batches of CIFAR-10, binary or python, in a folder.
    Cifar10(PathBuf),
}

impl Source {
    /// Opens the images at `size` x `size`. `seed` matters to images that are drawn.
    ///
    /// # Errors
    /// If they are not there, not readable, or cannot have that size.
    pub fn open(&self, size: usize, seed: u64) -> Result<Box<dyn Dataset>, DataError> {
        Ok(match self {
            Source::Shapes => Box::new(Shapes::new(size, seed)?),
            Source::Folder(path) => Box::new(Folder::open(path, size)?),
            Source::Cifar10(path) => Box::new(Cifar10::open(path, size)?),
        })
    }
}

impl FromStr for Source {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Source, DataError> {
        match text.split_once(':') {
            None if text == "shapes" => Ok(Source::Shapes),
            Some(("folder", path)) if !path.is_empty() => Ok(Source::Folder(path.into())),
            Some(("cifar10", path)) if !path.is_empty() => Ok(Source::Cifar10(path.into())),
            _ => Err(DataError::Source { text: text.into() }),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Shapes => write!(f, "shapes"),
            Source::Folder(path) => write!(f, "folder:{}", path.display()),
            Source::Cifar10(path) => write!(f, "cifar10:{}", path.display()),
        }
    }
}

impl From<Source> for String {
    fn from(source: Source) -> String {
        source.to_string()
    }
}

impl TryFrom<String> for Source {
    type Error = DataError;

    fn try_from(text: String) -> Result<Source, DataError> {
        text.parse()
    }
}
