//! The value of `--data`.

use super::{Cifar10, DataError, Dataset, Folder, Npz, Shapes, Zip};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// How a source is named.
pub(super) const FORMS: &str = "shapes, folder:DIR, zip:FILE, npz:FILE, cifar10:DIR or lsun:DIR";

/// Where training images come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Source {
    /// `shapes`: drawn as they are asked for; needs no file.
    Shapes,
    /// Images in files: `KIND:PATH`.
    Files(Kind, PathBuf),
}

/// How images are kept in files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Every image file below a folder.
    Folder,
    /// Every image file in a zip archive.
    Zip,
    /// An array in a NumPy file.
    Npz,
    /// The training batches of CIFAR-10, binary or python, in a folder.
    Cifar10,
    /// A database of LSUN, in a folder; needs the cargo feature `lmdb`.
    Lsun,
}

impl Kind {
    const ALL: [Kind; 5] = [Kind::Folder, Kind::Zip, Kind::Npz, Kind::Cifar10, Kind::Lsun];

    fn name(self) -> &'static str {
        match self {
            Kind::Folder => "folder",
            Kind::Zip => "zip",
            Kind::Npz => "npz",
            Kind::Cifar10 => "cifar10",
            Kind::Lsun => "lsun",
        }
    }

    fn open(self, path: &Path, size: usize) -> Result<Box<dyn Dataset>, DataError> {
        Ok(match self {
            Kind::Folder => Box::new(Folder::open(path, size)?),
            Kind::Zip => Box::new(Zip::open(path, size)?),
            Kind::Npz => Box::new(Npz::open(path, size)?),
            Kind::Cifar10 => Box::new(Cifar10::open(path, size)?),
            Kind::Lsun => open_lsun(path, size)?,
        })
    }
}

#[cfg(feature = "lmdb")]
fn open_lsun(path: &Path, size: usize) -> Result<Box<dyn Dataset>, DataError> {
    Ok(Box::new(super::Lsun::open(path, size)?))
}

#[cfg(not(feature = "lmdb"))]
fn open_lsun(_path: &Path, _size: usize) -> Result<Box<dyn Dataset>, DataError> {
    Err(DataError::NoLmdb)
}

impl Source {
    /// Opens the images at `size` x `size`. `seed` matters to images that are drawn.
    ///
    /// # Errors
    /// If they are not there, not readable, or cannot have that size.
    pub fn open(&self, size: usize, seed: u64) -> Result<Box<dyn Dataset>, DataError> {
        match self {
            Source::Shapes => Ok(Box::new(Shapes::new(size, seed)?)),
            Source::Files(kind, path) => kind.open(path, size),
        }
    }
}

impl FromStr for Source {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Source, DataError> {
        if text == "shapes" {
            return Ok(Source::Shapes);
        }
        let named = text.split_once(':').and_then(|(name, path)| {
            let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name)?;
            (!path.is_empty()).then(|| Source::Files(kind, path.into()))
        });
        named.ok_or_else(|| DataError::Source { text: text.into() })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Shapes => write!(f, "shapes"),
            Source::Files(kind, path) => write!(f, "{}:{}", kind.name(), path.display()),
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
