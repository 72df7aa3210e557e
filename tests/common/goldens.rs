//! What PyTorch and diffusers computed, under `tests/goldens/`, whose README says how.

use safetensors::tensor::{Dtype, SafeTensors};
use std::path::PathBuf;

/// A file or folder under `tests/goldens/`.
pub fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/goldens").join(name)
}

/// The text of a file under `tests/goldens/`.
pub fn text(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// One safetensors file.
pub struct Goldens {
    name: String,
    bytes: Vec<u8>,
}

impl Goldens {
    /// Reads `name`, a path under `tests/goldens/` without its ending.
    pub fn open(name: &str) -> Goldens {
        let path = path(&format!("{name}.safetensors"));
        let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Goldens { name: name.into(), bytes }
    }

    /// The tensors' names, sorted.
    pub fn names(&self) -> Vec<String> {
        let file = SafeTensors::deserialize(&self.bytes).unwrap();
        let mut names: Vec<String> = file.names().into_iter().map(String::from).collect();
        names.sort();
        names
    }

    /// The elements of a tensor, as f64.
    pub fn numbers(&self, key: &str) -> Vec<f64> {
        self.array(key).data
    }

    /// A tensor of F64, F32, F16, I64 or U8, as f64.
    pub fn array(&self, key: &str) -> Array {
        let file = SafeTensors::deserialize(&self.bytes).unwrap();
        let tensor = file.tensor(key).unwrap_or_else(|error| panic!("{} {key}: {error}", self.name));
        let bytes = tensor.data();
        let data = match tensor.dtype() {
            Dtype::F64 => elements(bytes, f64::from_le_bytes),
            Dtype::F32 => elements(bytes, |b| f64::from(f32::from_le_bytes(b))),
            Dtype::F16 => elements(bytes, |b| f64::from(half::f16::from_le_bytes(b))),
            Dtype::I64 => elements(bytes, |b| i64::from_le_bytes(b) as f64),
            Dtype::U8 => bytes.iter().map(|&byte| f64::from(byte)).collect(),
            other => panic!("{} {key} is of {other:?}", self.name),
        };
        Array { shape: tensor.shape().to_vec(), data }
    }
}

fn elements<const B: usize>(bytes: &[u8], number: impl Fn([u8; B]) -> f64) -> Vec<f64> {
    bytes.as_chunks().0.iter().map(|&chunk| number(chunk)).collect()
}

/// A tensor whose elements are all exact in f64.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    pub shape: Vec<usize>,
    pub data: Vec<f64>,
}

impl Array {
    /// The elements as f32, which must hold them exactly.
    pub fn f32(&self) -> Vec<f32> {
        let exact = |&x: &f64| {
            assert_eq!(f64::from(x as f32), x);
            x as f32
        };
        self.data.iter().map(exact).collect()
    }

    /// `[N, C, H, W]` as `[N, H, W, C]`; two dimensions as they are.
    pub fn nhwc(&self) -> Array {
        let [n, c, h, w] = match *self.shape.as_slice() {
            [n, c, h, w] => [n, c, h, w],
            [_, _] => return self.clone(),
            _ => panic!("{:?} is no image", self.shape),
        };
        let mut data = Vec::with_capacity(self.data.len());
        for image in self.data.chunks_exact(c * h * w) {
            for pixel in 0..h * w {
                data.extend((0..c).map(|channel| image[channel * h * w + pixel]));
            }
        }
        Array { shape: vec![n, h, w, c], data }
    }
}
