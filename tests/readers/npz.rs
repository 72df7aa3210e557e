//! NumPy's arrays of images.

use crate::trial::Reader;
use ddpm_ptx::data::{Dataset, Npz};
use ddpm_ptx::npy;
use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// Deflate makes a byte into 1032 at most, and lists grow by doubling.
pub const DEFLATED: usize = 2100;

/// Names of as many classes as can be.
const CLASSES: usize = 1 << 22;

/// A file that `tests/data/files/make.py` made.
pub fn made(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/files").join(name)
}

/// Reads images, and their labels.
pub fn read_all(images: &dyn Dataset) -> anyhow::Result<()> {
    let mut pixels = vec![0; images.image_bytes()];
    for index in 0..images.len().min(100) {
        images.read(index, &mut pixels)?;
        let label = images.label(index);
        assert!(label.is_none_or(|label| (label as usize) < images.classes().len()), "a class for {label:?}");
    }
    Ok(())
}

fn images(folder: &Path) -> anyhow::Result<()> {
    read_all(&Npz::open(&folder.join("images.npz"), 6)?)
}

/// An archive of these entries.
fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(vec![]));
    for (name, content) in entries {
        archive.start_file(*name, SimpleFileOptions::default()).unwrap();
        archive.write_all(content).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// Two images.
fn array() -> Vec<u8> {
    [npy::preamble("|u1", &[2, 6, 6, 3]), vec![5; 216]].concat()
}

/// Their labels.
fn labels() -> Vec<u8> {
    let labels = [3i64, 1].iter().flat_map(|label| label.to_le_bytes()).collect();
    [npy::preamble("<i8", &[2]), labels].concat()
}

#[test]
fn damaged_archives() {
    let folder = tempfile::tempdir().unwrap();
    let [labelled, plain] = ["labelled.npz", "plain.npz"].map(|name| fs::read(made(name)).unwrap());
    let reader =
        Reader { growth: DEFLATED, besides: CLASSES, ..Reader::new(folder.path(), "images.npz", &images) };
    reader.survives(&[labelled, plain], 2000);
}

/// In archives that are whole.
#[test]
fn damaged_arrays() {
    let folder = tempfile::tempdir().unwrap();
    let reader = Reader {
        growth: DEFLATED,
        finish: &|array| archive(&[("arr_0.npy", &array)]),
        ..Reader::new(folder.path(), "images.npz", &images)
    };
    reader.survives(&[array()], 2000);
    let reader = Reader {
        besides: CLASSES,
        finish: &|labels| archive(&[("arr_0.npy", &array()), ("arr_1.npy", &labels)]),
        ..reader
    };
    reader.survives(&[labels()], 2000);
}

#[test]
fn refused_archives() {
    let folder = tempfile::tempdir().unwrap();
    let reader = Reader::new(folder.path(), "images.npz", &images);
    let plain = fs::read(made("plain.npz")).unwrap();
    for content in [&[], &plain[..300]] {
        assert_eq!(
            reader.refusal(content),
            "FOLDER/images.npz is no whole zip archive (invalid Zip archive: Could not find EOCD)"
        );
    }
    let images = fs::read(made("classes.zip")).unwrap();
    assert_eq!(reader.refusal(&images), "FOLDER/images.npz holds no array arr_0 of images");
}

/// So many zeros as an array.
fn zeros(dtype: &str, shape: &[usize], bytes: usize) -> Vec<u8> {
    [npy::preamble(dtype, shape), vec![0; bytes]].concat()
}

#[test]
fn refused_images() {
    let folder = tempfile::tempdir().unwrap();
    let reader = Reader {
        finish: &|array| archive(&[("arr_0.npy", &array)]),
        ..Reader::new(folder.path(), "images.npz", &images)
    };
    let large = 1 << 32;
    let cases = [
        (b"some text".to_vec(), "has no images in arr_0: it is no whole .npy file"),
        (
            zeros("|u1", &[2, 6, 6, 3], 215),
            "has no images in arr_0: its 215 bytes are not of shape [2, 6, 6, 3]",
        ),
        (
            zeros("|u1", &[large, large, 6, 3], 0),
            "has no images in arr_0: its 0 bytes are not of shape [4294967296, 4294967296, 6, 3]",
        ),
        (zeros("|u1", &[2, 6, 6, 4], 288), "has an arr_0 of shape [2, 6, 6, 4], not [N, H, W, 3]"),
        (zeros("|u1", &[2, 6, 7, 3], 252), "has images of 6x7, which are not square"),
        (zeros("|u1", &[0, 6, 6, 3], 0), "has no image in arr_0"),
        (zeros("<f4", &[2, 6, 6, 3], 864), "has an arr_0 of 2 images of <f4, not of bytes (|u1)"),
        (
            zeros("\u{7f}\n1", &[2, 6, 6, 3], 216),
            "has an arr_0 of 2 images of \u{FFFD} 1, not of bytes (|u1)",
        ),
    ];
    for (array, reason) in cases {
        assert_eq!(reader.refusal(&array), format!("FOLDER/images.npz {reason}"));
    }
    assert_eq!(
        reader.refusal(&zeros("|u1", &[2, 7, 7, 3], 294)),
        ".npz images are 7x7, not 6x6; use --size 7"
    );
}

#[test]
fn refused_labels() {
    let folder = tempfile::tempdir().unwrap();
    let reader = Reader {
        finish: &|labels| archive(&[("arr_0.npy", &array()), ("arr_1.npy", &labels)]),
        ..Reader::new(folder.path(), "images.npz", &images)
    };
    let negative = [npy::preamble("<i8", &[2]), vec![0xFF; 16]].concat();
    let cases = [
        (zeros("<f4", &[2], 8), "they are of <f4"),
        (zeros("<i8", &[3], 24), "they are 3 for 2 images"),
        (zeros("<i8", &[2], 15), "its 15 bytes are not of shape [2]"),
        (negative, "one of them is not from 0 to 65535"),
    ];
    for (labels, reason) in cases {
        assert_eq!(reader.refusal(&labels), format!("FOLDER/images.npz has no labels in arr_1: {reason}"));
    }
}
