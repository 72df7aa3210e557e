//! Networks of others: the same one from each kind of file, computing what PyTorch computes with it.

use crate::common::goldens::{self, Goldens};
use crate::forward::{FORWARD, golden_inputs, rms_error};
use crate::network::Network;
use ddpm_ptx::checkpoint::{Pipeline, authors, pipeline};
use ddpm_ptx::interchange::{export, import};
use ddpm_ptx::nn::UNetConfig;
use std::fs;
use std::path::PathBuf;

fn fixture(name: &str) -> PathBuf {
    goldens::path("interchange").join(name)
}

fn of_authors(name: &str) -> Pipeline {
    authors::read(&fixture(name), None).unwrap()
}

/// The config follows from names and shapes; weights of exact halves are the same in F32, F16 and BF16.
#[test]
fn every_kind_of_file_holds_the_same_network() {
    let chain = of_authors("authors.ckpt");
    assert_eq!(
        *chain.unet.config(),
        UNetConfig { layers_per_block: 1, ..UNetConfig::authors(32, &[32, 32], &[false, true]) }
    );
    let archive = of_authors("authors-f16.ckpt");
    let old = pipeline::read(&fixture("old")).unwrap();
    for other in [&archive, &old] {
        assert_eq!(other.unet.config(), chain.unet.config());
        assert!(other.weights == chain.weights);
    }
    assert_eq!(chain.scheduler.unwrap()["variance_type"], "fixed_large");
}

#[test]
fn the_authors_network_predicts_as_in_pytorch() {
    let pipeline = of_authors("authors.ckpt");
    let io = Goldens::open("interchange/io");
    let (x, t) = golden_inputs(&io);
    let network = Network::new(pipeline.unet, &pipeline.weights);
    let error = rms_error(&network.predict(&x, &t), &io.array("eps_f64").nhwc().data);
    println!("rms error {error:.2e} of rms");
    assert!(error <= FORWARD, "rms error {error:.2e} of rms, where {FORWARD:.0e} is allowed");
}

/// In safetensors, and by the operation that downsamples in the earliest conversions.
#[test]
fn other_containers_and_names() {
    let expected = of_authors("authors.ckpt");
    let theirs = theirs_as_safetensors(&expected, |name| name.replace("downsample.conv", "downsample.op"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.safetensors");
    fs::write(&file, theirs).unwrap();
    assert!(authors::read(&file, None).unwrap().weights == expected.weights);
    // Another size is believed, and takes the variance of larger images.
    let larger = authors::read(&file, Some(64)).unwrap();
    assert_eq!(larger.unet.config().sample_size, Some([64; 2]));
    assert_eq!(larger.scheduler.unwrap()["variance_type"], "fixed_small");
    let odd = authors::read(&file, Some(33)).err().unwrap().to_string();
    assert!(odd.contains("model.safetensors") && odd.contains("33x33"), "{odd}");
}

/// A file of the network's tensors under the authors' names.
fn theirs_as_safetensors(network: &Pipeline, renamed: impl Fn(String) -> String) -> Vec<u8> {
    use safetensors::{Dtype, tensor::TensorView};
    let layout = network.unet.layout();
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = layout
        .entries()
        .iter()
        .map(|entry| {
            let values = layout.unpack(&network.weights, entry);
            let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            (renamed(authors_name(&entry.name)), entry.checkpoint_shape(), bytes)
        })
        .collect();
    let views = tensors.iter().map(|(name, shape, bytes)| {
        (name.clone(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
    });
    safetensors::serialize(views, None).unwrap()
}

/// The other direction than the code's, for networks of two levels.
fn authors_name(name: &str) -> String {
    [
        ("time_embedding.linear_1", "temb.dense.0"),
        ("time_embedding.linear_2", "temb.dense.1"),
        ("conv_norm_out", "norm_out"),
        ("mid_block.resnets.0", "mid.block_1"),
        ("mid_block.resnets.1", "mid.block_2"),
        ("mid_block.attentions.0", "mid.attn_1"),
        ("down_blocks", "down"),
        ("up_blocks.0", "up.1"),
        ("up_blocks.1", "up.0"),
        ("downsamplers.0", "downsample"),
        ("upsamplers.0", "upsample"),
        ("resnets", "block"),
        ("attentions", "attn"),
        ("time_emb_proj", "temb_proj"),
        ("conv_shortcut", "nin_shortcut"),
        ("group_norm", "norm"),
        ("to_q", "q"),
        ("to_k", "k"),
        ("to_v", "v"),
        ("to_out.0", "proj_out"),
    ]
    .iter()
    .fold(name.to_string(), |name, (todays, theirs)| name.replace(todays, theirs))
}

#[test]
fn an_import_is_a_folder_of_today_and_so_is_its_export() {
    let folder = tempfile::tempdir().unwrap();
    let [imported, exported] = ["imported", "exported"].map(|name| folder.path().join(name));
    let done = import(&fixture("old"), &imported, None).unwrap();
    assert!(!done.assumed_scheduler);
    let read = pipeline::read(&imported).unwrap();
    assert!(read.weights == of_authors("authors.ckpt").weights);
    assert_eq!(read.scheduler.unwrap()["variance_type"], "fixed_large");
    export(&imported, &exported, false).unwrap();
    for file in ["model_index.json", "unet/config.json", "unet/diffusion_pytorch_model.safetensors"] {
        assert!(fs::read(imported.join(file)).unwrap() == fs::read(exported.join(file)).unwrap(), "{file}");
    }
    let again = import(&fixture("old"), &imported, None).unwrap_err().to_string();
    assert!(again.contains("is there already"), "{again}");
    let raw = export(&imported, &folder.path().join("raw"), true).unwrap_err().to_string();
    assert!(raw.contains("one set of weights"), "{raw}");
}
