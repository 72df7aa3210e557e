//! Arenas in safetensors files.

use super::{CheckpointError, Result};
use crate::nn::{Entry, Layout};
use half::{bf16, f16};
use safetensors::tensor::{Dtype, SafeTensors, TensorView, View};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

/// The bytes of a safetensors file.
pub struct TensorFile {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl TensorFile {
    pub fn open(path: &Path) -> Result<TensorFile> {
        let bytes = fs::read(path).map_err(CheckpointError::io(path))?;
        Ok(TensorFile { path: path.to_path_buf(), bytes })
    }

    /// The tensors by name.
    ///
    /// # Errors
    /// If the file is cut short or is no safetensors file.
    pub fn tensors(&self) -> Result<Tensors<'_>> {
        let file = SafeTensors::deserialize(&self.bytes).map_err(|error| {
            let reason = format!("is not a whole safetensors file ({error}); it may have been cut short");
            CheckpointError::malformed(&self.path, reason)
        })?;
        let views = file.tensors().into_iter().collect();
        Ok(Tensors { path: &self.path, views })
    }
}

/// Tensors of a file that nobody has taken yet.
pub struct Tensors<'a> {
    path: &'a Path,
    views: BTreeMap<String, TensorView<'a>>,
}

impl<'a> Tensors<'a> {
    /// Gives tensors other names.
    ///
    /// # Errors
    /// If two get the same.
    pub fn rename(&mut self, new_name: impl Fn(&str) -> String) -> Result<()> {
        let mut renamed = BTreeMap::new();
        for (name, view) in std::mem::take(&mut self.views) {
            let new = new_name(&name);
            if renamed.insert(new.clone(), view).is_some() {
                let reason = format!("is there twice: as {name} and by its present name");
                return Err(CheckpointError::tensor(self.path, &new, reason));
            }
        }
        self.views = renamed;
        Ok(())
    }

    /// Takes an arena whose tensors' names begin with `prefix`, as f32.
    ///
    /// # Errors
    /// If a tensor of the layout is missing, or has another shape or an element type that is not a float's.
    pub fn take_arena(&mut self, layout: &Layout, prefix: &str) -> Result<Vec<f32>> {
        // All are looked at before memory is asked for: the layout comes from a file, too.
        let mut views = HashMap::new();
        for entry in layout.entries() {
            views.insert(entry.name.as_str(), self.take_view(entry, prefix)?);
        }
        layout.pack(|entry| {
            let view = &views[entry.name.as_str()];
            to_f32(view).map_err(|reason| {
                CheckpointError::tensor(self.path, &format!("{prefix}{}", entry.name), reason)
            })
        })
    }

    fn take_view(&mut self, entry: &Entry, prefix: &str) -> Result<TensorView<'a>> {
        let name = format!("{prefix}{}", entry.name);
        let Some(view) = self.views.remove(&name) else {
            return Err(CheckpointError::tensor(self.path, &name, "is missing"));
        };
        if !entry.accepts(view.shape()) {
            let reason =
                format!("has shape {:?} where the network has {:?}", view.shape(), entry.checkpoint_shape());
            return Err(CheckpointError::tensor(self.path, &name, reason));
        }
        Ok(view)
    }

    /// Takes one u64.
    ///
    /// # Errors
    /// If it is missing, or has another shape or element type.
    pub fn take_counter(&mut self, name: &str) -> Result<u64> {
        let Some(view) = self.views.remove(name) else {
            return Err(CheckpointError::tensor(self.path, name, "is missing"));
        };
        match <[u8; 8]>::try_from(view.data()) {
            Ok(bytes) if view.dtype() == Dtype::U64 => Ok(u64::from_le_bytes(bytes)),
            _ => {
                let reason = format!("is {:?} of type {:?} and not one U64", view.shape(), view.dtype());
                Err(CheckpointError::tensor(self.path, name, reason))
            }
        }
    }

    /// Refuses what is left.
    pub fn nothing_left(&self) -> Result<()> {
        match self.views.keys().next() {
            Some(name) => {
                Err(CheckpointError::tensor(self.path, name, "is not part of the network of the config"))
            }
            None => Ok(()),
        }
    }
}

fn to_f32(view: &TensorView) -> std::result::Result<Vec<f32>, String> {
    let data = view.data();
    let halves =
        |widen: fn([u8; 2]) -> f32| data.as_chunks::<2>().0.iter().map(|&bytes| widen(bytes)).collect();
    match view.dtype() {
        Dtype::F32 => Ok(data.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()),
        Dtype::F16 => Ok(halves(|bytes| f16::from_le_bytes(bytes).to_f32())),
        Dtype::BF16 => Ok(halves(|bytes| bf16::from_le_bytes(bytes).to_f32())),
        other => Err(format!("has elements of type {other:?}; only F32, F16 and BF16 are read")),
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
