//! Arenas in files: read from safetensors and from torch's, written as safetensors.

use super::stored::Stored;
use super::{CheckpointError, Result, torch_file};
use crate::message::excerpt;
use crate::nn::{Entry, Layout};
use safetensors::tensor::{Dtype, SafeTensors, View};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

/// The bytes of a file of tensors: safetensors, or what `torch.save` wrote.
pub struct TensorFile {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl TensorFile {
    pub fn open(path: &Path) -> Result<TensorFile> {
        let bytes = fs::read(path).map_err(CheckpointError::io(path))?;
        Ok(TensorFile { path: path.to_path_buf(), bytes })
    }

    /// The tensors by name. What kind of file it is shows in its first bytes, whatever its name says.
    ///
    /// # Errors
    /// If the file is cut short or is no file of tensors.
    pub fn tensors(&self) -> Result<Tensors<'_>> {
        let found = if torch_file::is_torch(&self.bytes) { self.of_torch()? } else { self.of_safetensors()? };
        Ok(Tensors { path: &self.path, found })
    }

    fn of_safetensors(&self) -> Result<BTreeMap<String, Stored<'_>>> {
        let file = SafeTensors::deserialize(&self.bytes).map_err(|error| {
            let reason =
                format!("is not a whole safetensors file ({}); it may have been cut short", excerpt(error));
            CheckpointError::malformed(&self.path, reason)
        })?;
        Ok(file.tensors().into_iter().map(|(name, view)| (name, Stored::from(view))).collect())
    }

    fn of_torch(&self) -> Result<BTreeMap<String, Stored<'_>>> {
        torch_file::tensors(&self.bytes).map_err(|reason| {
            CheckpointError::malformed(&self.path, format!("is no whole torch file of weights: {reason}"))
        })
    }
}

/// Tensors of a file that nobody has taken yet.
pub struct Tensors<'a> {
    path: &'a Path,
    found: BTreeMap<String, Stored<'a>>,
}

impl<'a> Tensors<'a> {
    /// Where they are.
    pub fn path(&self) -> &Path {
        self.path
    }

    /// Shape of a tensor.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.found.get(name).map(|tensor| tensor.shape.as_slice())
    }

    /// Gives tensors other names.
    ///
    /// # Errors
    /// If two get the same.
    pub fn rename(&mut self, new_name: impl Fn(&str) -> String) -> Result<()> {
        let mut renamed = BTreeMap::new();
        for (name, tensor) in std::mem::take(&mut self.found) {
            let new = new_name(&name);
            if renamed.insert(new.clone(), tensor).is_some() {
                let reason = format!("is there twice: as {} and by its present name", excerpt(&name));
                return Err(CheckpointError::tensor(self.path, &new, reason));
            }
        }
        self.found = renamed;
        Ok(())
    }

    /// Takes an arena whose tensors' names begin with `prefix`, as f32.
    ///
    /// # Errors
    /// If a tensor of the layout is missing, or has another shape or an element type that is not a float's.
    pub fn take_arena(&mut self, layout: &Layout, prefix: &str) -> Result<Vec<f32>> {
        // All are looked at before memory is asked for: the layout comes from a file, too.
        let mut tensors = HashMap::new();
        for entry in layout.entries() {
            tensors.insert(entry.name.as_str(), self.take_fitting(entry, prefix)?);
        }
        layout.pack(|entry| {
            tensors[entry.name.as_str()].to_f32().map_err(|reason| {
                CheckpointError::tensor(self.path, &format!("{prefix}{}", entry.name), reason)
            })
        })
    }

    fn take_fitting(&mut self, entry: &Entry, prefix: &str) -> Result<Stored<'a>> {
        let name = format!("{prefix}{}", entry.name);
        let Some(tensor) = self.found.remove(&name) else {
            return Err(CheckpointError::tensor(self.path, &name, "is missing"));
        };
        if !entry.accepts(&tensor.shape) {
            let shape = excerpt(format!("{:?}", tensor.shape));
            let reason = format!("has shape {shape} where the network has {:?}", entry.checkpoint_shape());
            return Err(CheckpointError::tensor(self.path, &name, reason));
        }
        Ok(tensor)
    }

    /// Takes one u64.
    ///
    /// # Errors
    /// If it is missing, or has another shape or element type.
    pub fn take_counter(&mut self, name: &str) -> Result<u64> {
        let Some(tensor) = self.found.remove(name) else {
            return Err(CheckpointError::tensor(self.path, name, "is missing"));
        };
        tensor.to_u64().ok_or_else(|| {
            let shape = excerpt(format!("{:?}", tensor.shape));
            let reason = format!("is {shape} of type {:?} and not one U64", tensor.dtype);
            CheckpointError::tensor(self.path, name, reason)
        })
    }

    /// Refuses what is left.
    pub fn nothing_left(&self) -> Result<()> {
        match self.found.keys().next() {
            Some(name) => {
                Err(CheckpointError::tensor(self.path, name, "is not part of the network of the config"))
            }
            None => Ok(()),
        }
    }
}

/// A tensor to be written.
pub enum Written<'a> {
    /// One entry of an arena.
    Parameter {
        layout: &'a Layout,
        arena: &'a [f32],
        entry: &'a Entry,
        shape: Vec<usize>,
    },
    Counter(u64),
}

/// The tensors of an arena, with `prefix` before their names.
pub fn arena<'a>(prefix: &str, layout: &'a Layout, arena: &'a [f32]) -> Vec<(String, Written<'a>)> {
    let named = |entry: &'a Entry| {
        let shape = entry.checkpoint_shape();
        (format!("{prefix}{}", entry.name), Written::Parameter { layout, arena, entry, shape })
    };
    layout.entries().iter().map(named).collect()
}

/// Writes a file with the metadata that PyTorch's loader asks for.
pub fn write(path: &Path, tensors: Vec<(String, Written)>) -> Result<()> {
    let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    safetensors::serialize_to_file(tensors, Some(metadata), path).map_err(|error| {
        let source = match error {
            safetensors::SafeTensorError::IoError(source) => source,
            other => std::io::Error::other(other),
        };
        CheckpointError::io(path)(source)
    })
}

impl View for Written<'_> {
    fn dtype(&self) -> Dtype {
        match self {
            Written::Parameter { .. } => Dtype::F32,
            Written::Counter(_) => Dtype::U64,
        }
    }

    fn shape(&self) -> &[usize] {
        match self {
            Written::Parameter { shape, .. } => shape,
            Written::Counter(_) => &[1],
        }
    }

    fn data(&self) -> Cow<'_, [u8]> {
        match self {
            Written::Parameter { layout, arena, entry, .. } => {
                layout.unpack(arena, entry).iter().flat_map(|value| value.to_le_bytes()).collect()
            }
            Written::Counter(count) => Cow::Owned(count.to_le_bytes().to_vec()),
        }
    }

    fn data_len(&self) -> usize {
        match self {
            Written::Parameter { entry, .. } => entry.slot.len() * size_of::<f32>(),
            Written::Counter(_) => size_of::<u64>(),
        }
    }
}
