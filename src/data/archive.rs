//! Zip archives, read entry by entry.

use super::DataError;
use crate::message::excerpt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zip::read::ZipFile;
use zip::result::ZipResult;
use zip::{CompressionMethod, ZipArchive};

/// Deflate makes no byte into more than this many.
const MOST_FOR_A_BYTE: u64 = 1032;

/// A zip archive on disk. Threads read entries of it side by side.
pub struct Archive {
    path: PathBuf,
    zip: ZipArchive<SharedFile>,
}

impl Archive {
    /// # Errors
    /// If the file cannot be read or is no zip archive.
    pub fn open(path: &Path) -> Result<Archive, DataError> {
        let file = SharedFile::open(path).map_err(|reason| DataError::File { path: path.into(), reason })?;
        let zip = ZipArchive::new(file).map_err(|reason| DataError::Malformed {
            path: path.into(),
            reason: format!("is no whole zip archive ({})", excerpt(reason)),
        })?;
        Ok(Archive { path: path.into(), zip })
    }

    /// Names of the entries, which are numbered in this order.
    ///
    /// # Errors
    /// If the archive is damaged.
    pub fn names(&self) -> Result<Vec<String>, DataError> {
        let mut zip = self.zip.clone();
        let name = |number| zip.by_index_raw(number)?.name().map(|name| name.into_owned());
        let names: ZipResult<Vec<String>> = (0..self.zip.len()).map(name).collect();
        names.map_err(|reason| self.malformed(format!("is a damaged zip archive ({})", excerpt(reason))))
    }

    /// The content of an entry, which takes no more memory than the archive says and its bytes allow.
    ///
    /// # Errors
    /// If it cannot be read whole.
    pub fn read(&self, number: usize) -> Result<Vec<u8>, DataError> {
        let mut zip = self.zip.clone();
        let damaged =
            |reason: String| self.malformed(format!("has a damaged entry {number} ({})", excerpt(reason)));
        let mut entry = zip.by_index(number).map_err(|reason| damaged(reason.to_string()))?;
        let size =
            believable_size(&entry).ok_or_else(|| damaged("its size or compression cannot be".into()))?;
        let mut content = vec![];
        entry.by_ref().take(size).read_to_end(&mut content).map_err(|reason| damaged(reason.to_string()))?;
        if content.len() as u64 != size {
            return Err(damaged(format!("it has {} of its {size} bytes", content.len())));
        }
        Ok(content)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn malformed(&self, reason: String) -> DataError {
        DataError::Malformed { path: self.path.clone(), reason }
    }
}

/// The size that an entry claims, if its bytes can be so many.
fn believable_size(entry: &ZipFile<SharedFile>) -> Option<u64> {
    let most = match entry.compression() {
        CompressionMethod::Stored => entry.compressed_size(),
        CompressionMethod::Deflated => entry.compressed_size().saturating_mul(MOST_FOR_A_BYTE),
        _ => return None,
    };
    Some(entry.size()).filter(|&size| size <= most)
}

/// A file with a position of its own in each copy.
#[derive(Clone)]
struct SharedFile {
    file: Arc<File>,
    length: u64,
    position: u64,
}

impl SharedFile {
    fn open(path: &Path) -> io::Result<SharedFile> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Ok(SharedFile { file: Arc::new(file), length, position: 0 })
    }
}

impl Read for SharedFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.position)?;
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for SharedFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.length.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = target.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.position)
    }
}
