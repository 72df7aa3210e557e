//! Files and folders that are there whole or not at all.
//!
//! Everything the program leaves on disk is written under a temporary name beside its place, flushed to the
//! disk, and renamed. A crash, a full disk or a Ctrl-C leaves the old version or nothing.

use std::fs;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// A file being written under a temporary name. Dropped before [`File::commit`], it leaves nothing.
pub struct File {
    writer: BufWriter<fs::File>,
    temporary: Temporary,
    path: PathBuf,
}

impl File {
    /// Begins to write `path`; missing parent folders are made.
    pub fn create(path: &Path) -> io::Result<File> {
        let temporary = Temporary::beside(path)?;
        let writer = BufWriter::new(fs::File::create(&temporary.path)?);
        Ok(File { writer, temporary, path: path.to_path_buf() })
    }

    /// Flushes to the disk and gives the file its name, in place of what was there.
    pub fn commit(self) -> io::Result<()> {
        let file = self.writer.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        self.temporary.rename_to(&self.path)
    }
}

impl Write for File {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.writer.write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl Seek for File {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.writer.seek(to)
    }
}

/// Writes a whole file.
pub fn write(path: &Path, data: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(data)?;
    file.commit()
}

/// A folder being filled under a temporary name. Dropped before [`Folder::commit`], it leaves nothing.
pub struct Folder {
    temporary: Temporary,
    path: PathBuf,
}

impl Folder {
    /// Begins to fill `path`; missing parent folders are made.
    pub fn create(path: &Path) -> io::Result<Folder> {
        let temporary = Temporary::beside(path)?;
        fs::create_dir(&temporary.path)?;
        Ok(Folder { temporary, path: path.to_path_buf() })
    }

    /// Where to write the folder's files meanwhile. They are flushed to the disk by [`Folder::commit`].
    pub fn path(&self) -> &Path {
        &self.temporary.path
    }

    /// Flushes every file to the disk and gives the folder its name, in place of a folder that was there.
    pub fn commit(self) -> io::Result<()> {
        sync_tree(&self.temporary.path)?;
        if self.path.exists() {
            // A folder cannot be renamed over a full one: the old one steps aside first.
            let old = Temporary::beside(&self.path)?;
            fs::rename(&self.path, &old.path)?;
            return self.temporary.rename_to(&self.path);
        }
        self.temporary.rename_to(&self.path)
    }
}

/// Removes a folder: first its name, at once, then what it holds.
pub fn remove_folder(path: &Path) -> io::Result<()> {
    let gone = Temporary::beside(path)?;
    fs::rename(path, &gone.path)?;
    sync_folder(parent(path))
}

/// A name that is removed on drop, with what it names, unless it was renamed.
struct Temporary {
    path: PathBuf,
}

impl Temporary {
    /// `.NAME.PID.COUNT.tmp` in the folder of `path`.
    fn beside(path: &Path) -> io::Result<Temporary> {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = path.file_name().ok_or_else(|| io::Error::other("the path has no file name"))?;
        let folder = parent(path);
        fs::create_dir_all(folder)?;
        let hidden = format!(".{}.{}.{count}.tmp", name.to_string_lossy(), std::process::id());
        Ok(Temporary { path: folder.join(hidden) })
    }

    fn rename_to(self, path: &Path) -> io::Result<()> {
        fs::rename(&self.path, path)?;
        sync_folder(parent(path))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Nothing is there after a rename, and there is nobody to tell of a failure.
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn sync_tree(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_tree(&entry.path())?;
        } else {
            fs::File::open(entry.path())?.sync_all()?;
        }
    }
    sync_folder(folder)
}

/// Makes a rename last: the folder's own entry list reaches the disk.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { fs::File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_there_only_after_commit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/file");
        let mut file = File::create(&path).unwrap();
        file.write_all(b"new").unwrap();
        assert!(!path.exists());
        file.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_dropped_file_leaves_the_old_one_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write(&path, b"old").unwrap();
        let mut file = File::create(&path).unwrap();
        file.write_all(b"half").unwrap();
        drop(file);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_replaces_the_old_one_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        for name in ["a", "b"] {
            let new = Folder::create(&path).unwrap();
            fs::write(new.path().join(name), name).unwrap();
            new.commit().unwrap();
        }
        let names: Vec<_> = fs::read_dir(&path).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["b"]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
