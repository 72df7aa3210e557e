//! The databases of LSUN: `church_outdoor_train_lmdb/data.mdb`.

use super::picture::read_square;
use super::{DataError, Dataset};
use crate::message::excerpt;
use heed::types::Bytes;
use heed::{Database, Env, EnvFlags, EnvOpenOptions};
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

/// Every image of an LMDB database, in the order of its keys; otherwise like [`Folder`](super::Folder), without labels.
/// What format the images have shows in their content.
pub struct Lsun {
    path: PathBuf,
    env: Env,
    database: Database<Bytes, Bytes>,
    keys: Vec<Box<[u8]>>,
    size: usize,
}

impl Lsun {
    /// Opens the database in the folder `path`, for reading alone. It is mapped to memory: the file must not change
    /// meanwhile, and a damaged one can be more than LMDB notices.
    ///
    /// # Errors
    /// If it is no database, or an empty one.
    pub fn open(path: &Path, size: usize) -> Result<Lsun, DataError> {
        let file = path.join("data.mdb");
        let length = fs::metadata(&file).map_err(|reason| DataError::File { path: file, reason })?.len();
        let malformed = |reason| DataError::Malformed {
            path: path.into(),
            reason: format!("holds no database of LMDB ({reason})"),
        };
        let (env, database) = open_database(path, length as usize).map_err(malformed)?;
        let database = database.ok_or(DataError::Empty { path: path.into(), wanted: "images" })?;
        let keys = keys(&env, database).map_err(malformed)?;
        if keys.is_empty() {
            return Err(DataError::Empty { path: path.into(), wanted: "images" });
        }
        Ok(Lsun { path: path.into(), env, database, keys, size })
    }
}

type Opened = (Env, Option<Database<Bytes, Bytes>>);

fn open_database(path: &Path, length: usize) -> heed::Result<Opened> {
    // A map as long as the file, in whole pages of any machine.
    let mut options = EnvOpenOptions::new();
    options.map_size(length.next_multiple_of(1 << 16));
    // SAFETY: the environment is only read, so nothing in this process changes what is mapped; that nothing outside does
    // is asked of the caller. Without writers there is nothing to lock.
    let env = unsafe {
        options.flags(EnvFlags::READ_ONLY | EnvFlags::NO_LOCK);
        options.open(path)?
    };
    let transaction = env.read_txn()?;
    let database = env.open_database(&transaction, None)?;
    // A handle lasts beyond the transaction that opened it only if that is committed.
    transaction.commit()?;
    Ok((env, database))
}

fn keys(env: &Env, database: Database<Bytes, Bytes>) -> heed::Result<Vec<Box<[u8]>>> {
    let transaction = env.read_txn()?;
    database.iter(&transaction)?.map(|entry| Ok(entry?.0.into())).collect()
}

impl Dataset for Lsun {
    fn len(&self) -> usize {
        self.keys.len()
    }

    fn size(&self) -> usize {
        self.size
    }

    fn channels(&self) -> usize {
        3
    }

    fn read(&self, index: usize, pixels: &mut [u8]) -> Result<(), DataError> {
        let key = &self.keys[index];
        let name = || self.path.join(excerpt(String::from_utf8_lossy(key)));
        let failed = |reason| DataError::File { path: name(), reason: std::io::Error::other(reason) };
        let transaction = self.env.read_txn().map_err(failed)?;
        let file = self.database.get(&transaction, key).map_err(failed)?.unwrap_or_default();
        let image = read_square(Cursor::new(file), self.size)
            .map_err(|reason| DataError::Image { path: name(), reason })?;
        pixels.copy_from_slice(image.as_raw());
        Ok(())
    }
}
