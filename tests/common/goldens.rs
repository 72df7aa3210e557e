//! Tensors that PyTorch and diffusers computed, under `tests/goldens/`.

use safetensors::tensor::{Dtype, SafeTensors};
use std::path::Path;

/// One safetensors file.
pub struct Goldens {
    name: String,
    bytes: Vec<u8>,
}

impl Goldens {
    /// Reads `name`, a path under `tests/goldens/` without its ending.
    pub fn open(name: &str) -> Goldens {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/goldens/{name}.safetensors"));
        let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Goldens { name: name.into(), bytes }
    }

    /// A tensor of F64, F32 or I64, as f64.
    pub fn numbers(&self, key: &str) -> Vec<f64> {
        let file = SafeTensors::deserialize(&self.bytes).unwrap();
        let tensor = file.tensor(key).unwrap_or_else(|error| panic!("{} {key}: {error}", self.name));
        let data = tensor.data();
        match tensor.dtype() {
            Dtype::F64 => data.as_chunks().0.iter().map(|&b| f64::from_le_bytes(b)).collect(),
            Dtype::F32 => data.as_chunks().0.iter().map(|&b| f64::from(f32::from_le_bytes(b))).collect(),
            Dtype::I64 => data.as_chunks().0.iter().map(|&b| i64::from_le_bytes(b) as f64).collect(),
            other => panic!("{} {key} is of {other:?}", self.name),
        }
    }
}
