//! Pipeline folders, there and back.

use crate::common::goldens::{self, Goldens};
use ddpm_ptx::checkpoint::pipeline;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

pub const WEIGHTS: &str = "unet/diffusion_pytorch_model.safetensors";

/// A copy of a golden pipeline folder.
pub fn copy_of(name: &str) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for folder in ["unet", "scheduler"] {
        fs::create_dir(copy.path().join(folder)).unwrap();
    }
    for file in ["model_index.json", "unet/config.json", WEIGHTS, "scheduler/scheduler_config.json"] {
        fs::copy(goldens::path(name).join(file), copy.path().join(file)).unwrap();
    }
    copy
}

/// A tensor of a file that is being changed: name, element type, shape, bytes.
pub struct Part {
    pub name: String,
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    pub bytes: Vec<u8>,
}

/// Rewrites a safetensors file.
pub fn rewrite(file: &Path, change: impl FnOnce(&mut Vec<Part>)) {
    let bytes = fs::read(file).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap().tensors();
    let mut parts: Vec<Part> = tensors
        .into_iter()
        .map(|(name, view)| Part {
            name,
            dtype: view.dtype(),
            shape: view.shape().to_vec(),
            bytes: view.data().to_vec(),
        })
        .collect();
    change(&mut parts);
    let views = parts.iter().map(|part| {
        (part.name.clone(), TensorView::new(part.dtype, part.shape.clone(), &part.bytes).unwrap())
    });
    fs::write(file, safetensors::serialize(views, None).unwrap()).unwrap();
}

/// The arena of a folder's weights.
fn weights(folder: &Path) -> Vec<f32> {
    pipeline::read(folder).unwrap().weights
}

/// What diffusers wrote comes back byte for byte.
#[test]
fn reads_and_writes_the_bytes_of_diffusers() {
    let network = pipeline::read(&goldens::path("tiny")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs/copy");
    let scheduler = network.scheduler.unwrap();
    // Twice: over nothing, and over what is there.
    for _ in 0..2 {
        pipeline::write(&path, &network.unet, &network.weights, &scheduler).unwrap();
        for file in [WEIGHTS, "model_index.json", "scheduler/scheduler_config.json"] {
            let (ours, theirs) = (fs::read(path.join(file)), fs::read(goldens::path("tiny").join(file)));
            assert!(ours.unwrap() == theirs.unwrap(), "{file}");
        }
        let read = pipeline::read(&path).unwrap();
        assert_eq!(read.unet.config(), network.unet.config());
        assert_eq!(read.scheduler.as_ref(), Some(&scheduler));
        assert_eq!(read.weights, network.weights);
    }
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
}

/// The arena holds the file's numbers, queries before keys before values.
#[test]
fn the_weights_of_attention_are_one_matrix() {
    let file = Goldens::open("tiny/unet/diffusion_pytorch_model");
    let network = pipeline::read(&goldens::path("tiny")).unwrap();
    let name = |part: &str| format!("mid_block.attentions.0.{part}.weight");
    let first = network.unet.layout().entry(&name("to_q")).unwrap().slot.first;
    let expected = ["to_q", "to_k", "to_v"].map(|part| file.array(&name(part)).f32()).concat();
    assert_eq!(network.weights[first..][..expected.len()], expected);
}

/// A file of F16 is read exactly, and written as F32.
#[test]
fn half_precision_is_widened() {
    let network = pipeline::read(&goldens::path("tiny2")).unwrap();
    let file = Goldens::open("tiny2/unet/diffusion_pytorch_model");
    for entry in network.unet.layout().entries() {
        let got = network.unet.layout().unpack(&network.weights, entry);
        assert_eq!(got, file.array(&entry.name).f32(), "{}", entry.name);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("copy");
    pipeline::write(&path, &network.unet, &network.weights, network.scheduler.as_ref().unwrap()).unwrap();
    assert_eq!(weights(&path), network.weights);
}

/// A bf16 is the upper half of an f32.
#[test]
fn brain_floats_are_widened() {
    let copy = copy_of("tiny");
    rewrite(&copy.path().join(WEIGHTS), |parts| {
        for part in parts {
            part.dtype = Dtype::BF16;
            part.bytes = part.bytes.chunks_exact(4).flat_map(|f32| [f32[2], f32[3]]).collect();
        }
    });
    let cut = |value: &f32| f32::from_bits(value.to_bits() & 0xFFFF_0000);
    let expected: Vec<f32> = weights(&goldens::path("tiny")).iter().map(cut).collect();
    assert_eq!(weights(copy.path()), expected);
}

/// The first google/ddpm-* files: everything at the root, attention by other names, perhaps as convolutions.
#[test]
fn old_folders_are_read() {
    let copy = copy_of("tiny");
    rewrite(&copy.path().join(WEIGHTS), |parts| {
        for part in parts {
            let old = [("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")];
            for (new, old) in old {
                part.name = part.name.replace(new, old);
            }
            if part.name.contains("attentions") && part.shape.len() == 2 {
                part.shape.extend([1, 1]);
            }
        }
    });
    let expected = weights(&goldens::path("tiny"));
    assert_eq!(weights(copy.path()), expected);
    for file in ["unet/config.json", WEIGHTS, "scheduler/scheduler_config.json"] {
        let file = copy.path().join(file);
        fs::rename(&file, copy.path().join(file.file_name().unwrap())).unwrap();
    }
    for folder in ["unet", "scheduler"] {
        fs::remove_dir(copy.path().join(folder)).unwrap();
    }
    let network = pipeline::read(copy.path()).unwrap();
    assert_eq!(network.weights, expected);
    assert_eq!(network.scheduler.unwrap()["variance_type"], "fixed_large");
}

/// A folder of a network alone has no scheduler.
#[test]
fn a_network_without_a_pipeline() {
    let network = pipeline::read(&goldens::path("tiny/unet")).unwrap();
    assert!(network.scheduler.is_none());
    assert_eq!(network.weights, weights(&goldens::path("tiny")));
}
