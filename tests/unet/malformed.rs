//! Every broken checkpoint is refused in one sentence that names the file.

use crate::checkpoint::{Part, WEIGHTS, copy_of, rewrite};
use crate::common::goldens;
use crate::common::random::Random;
use ddpm_ptx::checkpoint::pipeline;
use safetensors::Dtype;
use std::fs;
use std::path::Path;

/// The error of reading the golden folder after a change, with the folder's path left out.
fn refusal(change: impl FnOnce(&Path)) -> String {
    let copy = copy_of("tiny");
    change(copy.path());
    let error = pipeline::read(copy.path()).err().expect("it was read");
    let message = error.to_string().replace(&copy.path().display().to_string(), "FOLDER");
    assert!(message.contains("FOLDER") && !message.contains('\n'), "{message}");
    message
}

fn refusal_of_weights(change: impl FnOnce(&mut Vec<Part>)) -> String {
    refusal(|folder| rewrite(&folder.join(WEIGHTS), change))
}

#[test]
fn tensors_that_do_not_fit() {
    assert_eq!(
        refusal_of_weights(|parts| parts.retain(|part| part.name != "conv_in.bias")),
        format!("FOLDER/{WEIGHTS}: tensor conv_in.bias is missing")
    );
    assert_eq!(
        refusal_of_weights(|parts| {
            let (dtype, shape, bytes) = (Dtype::F32, vec![1], vec![0; 4]);
            parts.push(Part { name: "conv_mid.bias".into(), dtype, shape, bytes });
        }),
        format!("FOLDER/{WEIGHTS}: tensor conv_mid.bias is not part of the network of the config")
    );
    let conv_in =
        |parts: &mut Vec<Part>| parts.iter().position(|part| part.name == "conv_in.weight").unwrap();
    assert_eq!(
        refusal_of_weights(|parts| {
            let at = conv_in(parts);
            parts[at].shape = vec![32, 27];
        }),
        format!(
            "FOLDER/{WEIGHTS}: tensor conv_in.weight has shape [32, 27] where the network has [32, 3, 3, 3]"
        )
    );
    assert_eq!(
        refusal_of_weights(|parts| {
            let at = conv_in(parts);
            parts[at].dtype = Dtype::I32;
        }),
        format!(
            "FOLDER/{WEIGHTS}: tensor conv_in.weight has elements of type I32; only F32, F16 and BF16 are read"
        )
    );
    assert_eq!(
        refusal_of_weights(|parts| {
            let q =
                parts.iter().find(|part| part.name.ends_with("mid_block.attentions.0.to_q.weight")).unwrap();
            let (dtype, shape, bytes) = (q.dtype, q.shape.clone(), q.bytes.clone());
            parts.push(Part { name: "mid_block.attentions.0.query.weight".into(), dtype, shape, bytes });
        }),
        format!(
            "FOLDER/{WEIGHTS}: tensor mid_block.attentions.0.to_q.weight is there twice: as \
             mid_block.attentions.0.to_q.weight and by its present name"
        )
    );
}

#[test]
fn files_that_are_not_there() {
    assert_eq!(
        refusal(|folder| fs::remove_file(folder.join("unet/config.json")).unwrap()),
        "FOLDER holds no network: neither unet/config.json nor config.json is there"
    );
    assert_eq!(
        refusal(|folder| fs::remove_file(folder.join(WEIGHTS)).unwrap()),
        "FOLDER/unet holds no weights: none of diffusion_pytorch_model.safetensors, diffusion_pytorch_model.bin, \
         diffusion_pytorch_model.fp16.safetensors, diffusion_pytorch_model.fp16.bin is there"
    );
}

/// What a file is shows in its content.
#[test]
fn safetensors_by_the_name_of_a_pickle() {
    let copy = copy_of("tiny");
    fs::rename(copy.path().join(WEIGHTS), copy.path().join("unet/diffusion_pytorch_model.bin")).unwrap();
    pipeline::read(copy.path()).unwrap();
}

#[test]
fn configs_that_are_wrong() {
    let config = goldens::text("tiny/unet/config.json");
    let refused = |text: &str| refusal(|folder| fs::write(folder.join("unet/config.json"), text).unwrap());
    assert_eq!(
        refused(&config.replace("\"default\"", "\"scale_shift\"")),
        "FOLDER/unet/config.json: resnet_time_scale_shift \"scale_shift\" is not supported; only \"default\" is"
    );
    assert!(
        refused(&config[..100]).starts_with("FOLDER/unet/config.json: not a JSON object: EOF while parsing")
    );
    let scheduler = refusal(|folder| fs::write(folder.join("scheduler/scheduler_config.json"), "{").unwrap());
    assert!(scheduler.starts_with("FOLDER/scheduler/scheduler_config.json is not JSON: "), "{scheduler}");
    let index = r#"{"_class_name": "LDMPipeline"}"#;
    assert_eq!(
        refusal(|folder| fs::write(folder.join("model_index.json"), index).unwrap()),
        "FOLDER/model_index.json is of a LDMPipeline; only a DDPMPipeline or DDIMPipeline or PNDMPipeline is read"
    );
}

/// A config that asks for terabytes is refused for the tensors that it lacks, before memory is asked for.
#[test]
fn a_config_of_absurd_size() {
    let config = goldens::text("tiny/unet/config.json")
        .replace("64\n", "65536\n")
        .replace("\"norm_num_groups\": 8", "\"norm_num_groups\": 1")
        .replace("\"attention_head_dim\": null", "\"attention_head_dim\": 64");
    let message = refusal(|folder| fs::write(folder.join("unet/config.json"), config).unwrap());
    assert!(message.contains("where the network has [65536, "), "{message}");
}

/// A file cut anywhere, or with any byte of its header changed, is an error or a network, never a panic.
#[test]
fn cut_and_damaged_files() {
    let whole = fs::read(goldens::path("tiny").join(WEIGHTS)).unwrap();
    let header = 8 + u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let mut random = Random::new(3);
    for length in [0, 1, 7, 8, 9, header - 1, header, header + 1, whole.len() / 2, whole.len() - 1] {
        let message = refusal(|folder| fs::write(folder.join(WEIGHTS), &whole[..length]).unwrap());
        assert!(
            message.contains("is not a whole safetensors file") && message.contains("cut short"),
            "{message}"
        );
    }
    let copy = copy_of("tiny");
    for _ in 0..60 {
        let mut damaged = whole.clone();
        for _ in 0..random.between(1, 3) {
            damaged[random.between(0, header - 1)] = random.bits() as u8;
        }
        fs::write(copy.path().join(WEIGHTS), damaged).unwrap();
        if let Err(error) = pipeline::read(copy.path()) {
            assert!(error.to_string().contains("diffusion_pytorch_model.safetensors"), "{error}");
        }
    }
}
