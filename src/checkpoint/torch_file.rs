//! The files of `torch.save`: a pickle of a dictionary of tensors, and the bytes of their storages.
//!
//! Since PyTorch 1.6 that is a zip archive, `NAME/data.pkl` and `NAME/data/KEY` for each storage, uncompressed. Before,
//! it was a chain: three pickles that say of what kind the file is, the dictionary, the list of the storages' keys,
//! then the storages, each after its number of elements. Nothing is executed, see [`crate::pickle`].

use super::stored::Stored;
use crate::message::excerpt;
use crate::pickle::{Pickle, Value};
use safetensors::tensor::Dtype;
use std::collections::{BTreeMap, HashMap};
use std::io::Cursor;
use zip::{CompressionMethod, ZipArchive};

type Result<T> = std::result::Result<T, String>;

/// How a zip archive begins.
const ZIP: &[u8] = b"PK\x03\x04";
/// How a chain of pickles begins: a number that torch made up, as a pickle.
const CHAIN: &[u8] = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.";

/// Whether the file is one of torch's.
pub fn is_torch(file: &[u8]) -> bool {
    file.starts_with(ZIP) || file.starts_with(CHAIN)
}

/// The tensors of a file that holds a dictionary of them: a `state_dict`.
///
/// # Errors
/// What the file is instead, in a few words.
pub fn tensors(file: &[u8]) -> Result<BTreeMap<String, Stored<'_>>> {
    if file.starts_with(ZIP) { of_archive(file) } else { of_chain(file) }
}

fn of_archive(file: &[u8]) -> Result<BTreeMap<String, Stored<'_>>> {
    let entries = uncompressed_entries(file)?;
    let found = entries.iter().find_map(|(name, bytes)| Some((name.strip_suffix("data.pkl")?, *bytes)));
    let (folder, pickle) = found.ok_or("it has no data.pkl")?;
    let order = entries.get(&format!("{folder}byteorder"));
    if order.is_some_and(|order| *order != b"little") {
        return Err("its numbers are not little-endian".into());
    }
    let (pickle, _) = Pickle::read(pickle)?;
    state_dict(file.len(), &pickle, |key| entries.get(&format!("{folder}data/{key}")).copied())
}

/// Entries by name. A compressed one, which torch never writes, could be far larger than the file.
fn uncompressed_entries(file: &[u8]) -> Result<HashMap<String, &[u8]>> {
    let broken = |error| format!("its zip archive is broken ({})", excerpt(error));
    let mut archive = ZipArchive::new(Cursor::new(file)).map_err(broken)?;
    let mut entries = HashMap::new();
    for number in 0..archive.len() {
        let entry = archive.by_index_raw(number).map_err(broken)?;
        let name = entry.name().map_err(broken)?.into_owned();
        if entry.compression() != CompressionMethod::Stored {
            return Err(format!("its entry {} is compressed", excerpt(name)));
        }
        let begin = entry.data_start().and_then(|begin| usize::try_from(begin).ok());
        let size = usize::try_from(entry.size()).ok();
        let bytes = begin.zip(size).and_then(|(begin, size)| file.get(begin..)?.get(..size));
        let bytes = bytes.ok_or_else(|| format!("its entry {} is cut short", excerpt(&name)))?;
        entries.insert(name, bytes);
    }
    Ok(entries)
}

fn of_chain(file: &[u8]) -> Result<BTreeMap<String, Stored<'_>>> {
    let (_version, rest) = Pickle::read(&file[CHAIN.len()..])?;
    let (system, rest) = Pickle::read(rest)?;
    if system.root().get("little_endian").and_then(Value::bool) != Some(true) {
        return Err("its numbers are not little-endian".into());
    }
    let (pickle, rest) = Pickle::read(rest)?;
    let (keys, mut rest) = Pickle::read(rest)?;
    let kinds: HashMap<&str, Dtype> =
        pickle.persistent().filter_map(|key| Some((storage_key(key)?, storage_type(key)?))).collect();
    let mut storages = HashMap::new();
    for key in keys.root().sequence().ok_or("it has no list of storages")? {
        let key = key.text().ok_or("the key of a storage is no text")?;
        let bits = kinds.get(key).ok_or("it has a storage that belongs to no tensor")?.bitsize();
        let (count, behind) = rest.split_first_chunk::<8>().ok_or("it is cut short")?;
        let bytes =
            usize::try_from(u64::from_le_bytes(*count)).ok().and_then(|count| count.checked_mul(bits / 8));
        let split = bytes.and_then(|bytes| behind.split_at_checked(bytes));
        let (storage, behind) = split.ok_or("it is cut short")?;
        storages.insert(key, storage);
        rest = behind;
    }
    state_dict(file.len(), &pickle, |key| storages.get(key).copied())
}

/// The tensors of the pickled dictionary, in the storages that `storage` finds by their keys; `file` is the number of
/// bytes of the whole file.
fn state_dict<'a>(
    file: usize,
    pickle: &Pickle<'a>,
    storage: impl Fn(&str) -> Option<&'a [u8]>,
) -> Result<BTreeMap<String, Stored<'a>>> {
    let advice = "save the state_dict of the network alone";
    let entries = pickle.root().entries().ok_or_else(|| format!("it holds no dictionary; {advice}"))?;
    let mut tensors = BTreeMap::new();
    for (name, value) in entries {
        let name = name.text().ok_or("the name of a tensor is no text")?;
        let said = || excerpt(name);
        let tensor = tensor(value).ok_or_else(|| format!("its {} is no tensor; {advice}", said()))?;
        let bytes = storage(tensor.key).ok_or_else(|| format!("the storage of its {} is missing", said()))?;
        let first = tensor.first.checked_mul(tensor.dtype.bitsize() / 8);
        let bytes = first.and_then(|first| bytes.get(first..)).unwrap_or_default();
        let stored = Stored::new(tensor.dtype, tensor.shape, tensor.strides, bytes);
        tensors.insert(name.to_string(), stored.map_err(|reason| format!("its {} {reason}", said()))?);
    }
    // Many large tensors could be in one storage.
    if tensors.values().map(Stored::bytes).sum::<usize>() > file {
        return Err(format!("its tensors are in each other's storages; {advice}"));
    }
    Ok(tensors)
}

/// What a pickle says of a tensor.
struct Described<'a> {
    /// Of its storage.
    key: &'a str,
    dtype: Dtype,
    /// The element of the storage at which it begins.
    first: usize,
    shape: Vec<usize>,
    strides: Vec<usize>,
}

/// `_rebuild_tensor_v2(storage, first, shape, strides, …)`, or the parameter that is made of one.
fn tensor<'a>(value: Value<'_, 'a>) -> Option<Described<'a>> {
    let (callee, arguments) = (value.callee()?, value.arguments()?);
    if callee.is("torch._utils", "_rebuild_parameter") {
        let inner = *arguments.first()?;
        // A parameter of a parameter there is not: no file makes this deep.
        return inner.callee()?.is("torch._utils", "_rebuild_tensor_v2").then(|| tensor(inner))?;
    }
    let [storage, first, shape, strides, ..] = arguments.as_slice() else { return None };
    if !callee.is("torch._utils", "_rebuild_tensor_v2") {
        return None;
    }
    let storage = storage.persistent()?;
    Some(Described {
        key: storage_key(storage)?,
        dtype: storage_type(storage)?,
        first: first.size()?,
        shape: shape.sizes()?,
        strides: strides.sizes()?,
    })
}

/// The third of `("storage", class, key, device, elements)`.
fn storage_key<'a>(storage: Value<'_, 'a>) -> Option<&'a str> {
    storage.sequence()?.get(2)?.text()
}

/// What the second of them says.
fn storage_type(storage: Value) -> Option<Dtype> {
    let class = storage.sequence()?.get(1)?.name()?;
    Some(match class.name {
        b"FloatStorage" => Dtype::F32,
        b"HalfStorage" => Dtype::F16,
        b"BFloat16Storage" => Dtype::BF16,
        b"DoubleStorage" => Dtype::F64,
        b"LongStorage" => Dtype::I64,
        b"IntStorage" => Dtype::I32,
        b"ShortStorage" => Dtype::I16,
        b"CharStorage" => Dtype::I8,
        b"ByteStorage" => Dtype::U8,
        b"BoolStorage" => Dtype::BOOL,
        _ => return None,
    })
}
