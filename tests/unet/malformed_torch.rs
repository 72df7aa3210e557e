//! Every broken file of torch is refused in one sentence that names it.

use crate::common::goldens;
use crate::common::random::Random;
use ddpm_ptx::checkpoint::authors;
use std::fs;
use std::path::Path;

fn whole(name: &str) -> Vec<u8> {
    fs::read(goldens::path("interchange").join(name)).unwrap()
}

/// The error of reading these bytes as a checkpoint, if there is one.
fn reading(folder: &Path, bytes: &[u8]) -> Option<String> {
    let file = folder.join("model.ckpt");
    fs::write(&file, bytes).unwrap();
    let message = authors::read(&file, None).err()?.to_string();
    assert!(message.contains("model.ckpt") && !message.contains('\n'), "{message}");
    Some(message)
}

/// A chain of the first pickles, and then these bytes.
fn chain(bytes: &[u8]) -> Vec<u8> {
    let mut file = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.".to_vec();
    file.extend(b"\x80\x02}X\x0d\x00\x00\x00little_endian\x88s.");
    file.extend(bytes);
    file
}

/// The pickle of a dictionary with one F32 tensor `a`, of this first element, extent and stride.
fn one_tensor([first, extent, stride]: [u32; 3]) -> Vec<u8> {
    let number = |number: u32| [&b"J"[..], &number.to_le_bytes()].concat();
    [
        &b"\x80\x02}X\x01\x00\x00\x00actorch._utils\n_rebuild_tensor_v2\n("[..],
        b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04NtQ",
        &number(first),
        &number(extent),
        b"\x85",
        &number(stride),
        b"\x85\x89NtRs.",
        b"\x80\x02]X\x01\x00\x00\x000a.",
        &4u64.to_le_bytes(),
        &[0; 16],
    ]
    .concat()
}

#[test]
fn files_that_are_something_else() {
    let folder = tempfile::tempdir().unwrap();
    let says = |bytes: &[u8], words: &str| {
        let message = reading(folder.path(), bytes).expect("it was read");
        assert!(message.contains(words), "{message:?} does not say {words:?}");
    };
    says(b"", "is not a whole safetensors file");
    says(b"PK\x03\x04 and so on", "its zip archive is broken");
    says(
        &chain(b"\x80\x02K\x01.\x80\x02]."),
        "it holds no dictionary; save the state_dict of the network alone",
    );
    says(&chain(b"\x80\x02}X\x01\x00\x00\x00aK\x01s.\x80\x02]."), "its a is no tensor");
    says(
        &chain(b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.\x80\x02]."),
        "holds no network under the authors' names",
    );
    says(&chain(b"\x80\x02\x81."), "instruction 0x81 in it is not one");
    says(&chain(&one_tensor([0, 4, 1])), "holds no network under the authors' names");
    for outside in [[1, 4, 1], [0, 5, 1], [0, 2, 4], [0, 5, 0], [4, 1, 1], [u32::MAX, 4, 1]] {
        let message = reading(folder.path(), &chain(&one_tensor(outside))).unwrap();
        assert!(message.contains("its a ") || message.contains("is no tensor"), "{outside:?}: {message}");
    }
    let zip = whole("authors-f16.ckpt");
    let big = replaced(&zip, b"little", b"biggie");
    says(&big, "not little-endian");
    let missing = replaced(&zip, b"data/0", b"data/X");
    says(&missing, "is missing");
}

/// Every occurrence of `old`, which is as long as `new`, replaced.
fn replaced(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for at in 0..bytes.len() - old.len() {
        if bytes[at..].starts_with(old) {
            bytes[at..][..old.len()].copy_from_slice(new);
        }
    }
    bytes
}

/// Cut anywhere, both containers are refused; with bytes changed, they are refused or read, and nothing panics.
#[test]
fn cut_and_damaged_files() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random::new(8);
    for (name, described) in [("authors.ckpt", 12_000), ("authors-f16.ckpt", 14_000)] {
        let whole = whole(name);
        for _ in 0..20 {
            let length = random.between(0, whole.len() - 1);
            assert!(reading(folder.path(), &whole[..length]).is_some(), "{name} of {length} bytes was read");
        }
        for _ in 0..40 {
            let mut damaged = whole.clone();
            for _ in 0..random.between(1, 3) {
                // What describes the tensors is at the beginning, and in archives at the end as well.
                let at = random.between(0, described - 1);
                let at = if random.between(0, 3) == 0 { whole.len() - 1 - at } else { at };
                damaged[at] = random.bits() as u8;
            }
            reading(folder.path(), &damaged);
        }
    }
}
