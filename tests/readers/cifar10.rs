//! Both archives of CIFAR-10.

use crate::npz::{made, read_all};
use crate::trial::Reader;
use ddpm_ptx::data::Cifar10;
use std::fs;
use std::path::Path;

const BINARY: &str = "data_batch_1.bin";
const PYTHON: &str = "data_batch_1";

fn images(folder: &Path) -> anyhow::Result<()> {
    read_all(&Cifar10::open(folder, 32)?)
}

/// Images of classes 0 to 3.
fn binary() -> Vec<u8> {
    (0..4).flat_map(|label| [vec![label], vec![9; 3072]].concat()).collect()
}

/// A batch that Python wrote.
fn python(number: usize) -> Vec<u8> {
    fs::read(made("cifar-10-batches-py").join(format!("data_batch_{number}"))).unwrap()
}

#[test]
fn damaged_binary_batches() {
    let folder = tempfile::tempdir().unwrap();
    Reader::new(folder.path(), BINARY, &images).survives(&[binary()], 1000);
}

#[test]
fn damaged_python_batches() {
    let folder = tempfile::tempdir().unwrap();
    // Values are larger in memory than their instructions.
    let reader = Reader { growth: 8, ..Reader::new(folder.path(), PYTHON, &images) };
    reader.survives(&[python(3), python(4)], 3000);
}

#[test]
fn refused_binary_batches() {
    let folder = tempfile::tempdir().unwrap();
    let reader = Reader::new(folder.path(), BINARY, &images);
    let length =
        "bytes long, which is no whole number of CIFAR-10 records of 3073 bytes; unpack the archive again";
    assert_eq!(reader.refusal(b""), format!("FOLDER/{BINARY} is 0 {length}"));
    assert_eq!(reader.refusal(&binary()[1..]), format!("FOLDER/{BINARY} is 12291 {length}"));
    let mut wrong_class = binary();
    wrong_class[3073] = 10;
    assert_eq!(
        reader.refusal(&wrong_class),
        "FOLDER/data_batch_1.bin is no CIFAR-10 batch: an image has class 10, and there are 10; unpack the archive again"
    );
}

#[test]
fn refused_python_batches() {
    let folder = tempfile::tempdir().unwrap();
    let reader = Reader::new(folder.path(), PYTHON, &images);
    let cut = &python(3)[..5000];
    let cases: [(&[u8], &str); 6] = [
        (b"", "it ends too early"),
        (cut, "it ends too early"),
        (b"\x80\x02}.", "it has no array named data"),
        (b"\x80\x02K\x01.", "it holds no dictionary"),
        (b"\x80\x02}(U\x04datacos\nmkdir\nU\x01a\x85Ru.", "its data is made by os.mkdir, not a NumPy array"),
        (b"\x80\x02\x82\x01.", "instruction 0x82 in it is not one that images or weights need"),
    ];
    for (content, reason) in cases {
        let sentence =
            format!("FOLDER/data_batch_1 is no CIFAR-10 batch: {reason}; unpack the archive again");
        assert_eq!(reader.refusal(content), sentence);
    }
}
