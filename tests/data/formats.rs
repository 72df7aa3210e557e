//! Images in files that NumPy, Python's zipfile and pickle, and LMDB wrote: `tests/data/files/make.py`.

use super::read;
use ddpm_ptx::data::{Cifar10, DataError, Dataset, Npz, Source, Zip};
use std::fs;
use std::path::{Path, PathBuf};

pub const SIDE: usize = 6;

pub fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/files").join(name)
}

/// Image `number` of every file there.
fn pixels(number: usize) -> Vec<u8> {
    let pixel = |place: usize| {
        let (row, column) = (place / SIDE, place % SIDE);
        [40 * number + 6 * row, 255 - 6 * column, 10 * (row + column)].map(|value| value as u8)
    };
    (0..SIDE * SIDE).flat_map(pixel).collect()
}

/// The images are the five in this order, and their labels are there if there are classes.
#[track_caller]
fn assert_is_the_five(dataset: &dyn Dataset, order: [usize; 5], classes: &[&str]) {
    assert_eq!((dataset.len(), dataset.size(), dataset.channels()), (5, SIDE, 3));
    assert_eq!(dataset.classes(), classes);
    for (index, number) in order.into_iter().enumerate() {
        assert_eq!(read(dataset, index), pixels(number), "image {index}");
        let label = (!classes.is_empty()).then_some(number as u32 % 2);
        assert_eq!(dataset.label(index), label, "label {index}");
    }
}

const AS_MADE: [usize; 5] = [0, 1, 2, 3, 4];

#[test]
fn arrays_of_numpy() {
    assert_is_the_five(&Npz::open(&file("plain.npz"), SIDE).unwrap(), AS_MADE, &[]);
    assert_is_the_five(&Npz::open(&file("labelled.npz"), SIDE).unwrap(), AS_MADE, &["0", "1"]);
}

/// Sorted by name, whatever the order in the archive; the folder that all images share is no class.
#[test]
fn images_in_a_zip_archive() {
    assert_is_the_five(&Zip::open(&file("classes.zip"), SIDE).unwrap(), [0, 2, 4, 1, 3], &["ant", "cat"]);
}

#[test]
fn batches_of_todays_python() {
    let images = Cifar10::open(&file(""), 32).unwrap();
    assert_eq!(images.len(), 6);
    let labels: Vec<u32> = (0..6).filter_map(|index| images.label(index)).collect();
    assert_eq!(labels, [6, 9, 0, 6, 9, 0]);
    assert_eq!((images.classes()[6].as_str(), images.classes()[9].as_str()), ("frog", "truck"));
    let plane = |place: usize| (place * 7 % 251) as u8;
    assert_eq!(read(&images, 4)[..6], [0, 1024, 2048, 1, 1025, 2049].map(|place| plane(3072 + place)));
}

#[cfg(feature = "lmdb")]
#[test]
fn a_database_of_lsun() {
    assert_is_the_five(&ddpm_ptx::data::Lsun::open(&file("lsun"), SIDE).unwrap(), AS_MADE, &[]);
    let folder = tempfile::tempdir().unwrap();
    assert!(message(Source::open(&source("lsun", folder.path()), SIDE, 0)).contains("data.mdb"));
    fs::write(folder.path().join("data.mdb"), [7; 100]).unwrap();
    let error = message(Source::open(&source("lsun", folder.path()), SIDE, 0));
    assert!(error.contains("holds no database of LMDB"), "{error}");
}

#[cfg(not(feature = "lmdb"))]
#[test]
fn a_program_without_lmdb_says_so() {
    let error = message(source("lsun", &file("lsun")).open(SIDE, 0));
    assert!(error.contains("--features lmdb"), "{error}");
}

fn source(kind: &str, path: &Path) -> Source {
    format!("{kind}:{}", path.display()).parse().unwrap()
}

fn message(result: Result<Box<dyn Dataset>, DataError>) -> String {
    let message = result.err().expect("it was opened").to_string();
    assert!(!message.contains('\n'), "{message}");
    message
}

#[test]
fn sources_are_named_as_they_are_read() {
    for text in ["shapes", "folder:a", "zip:a/b.zip", "npz:c:d.npz", "cifar10:x", "lsun:y"] {
        assert_eq!(text.parse::<Source>().unwrap().to_string(), text);
    }
    for text in ["", "zip", "zip:", "tar:x", "shapes:x"] {
        let error = text.parse::<Source>().unwrap_err().to_string();
        assert!(error.contains("folder:DIR, zip:FILE"), "{error}");
    }
}

#[test]
fn files_that_are_something_else() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |kind: &str, content: &[u8], words: &str| {
        let path = folder.path().join("some.file");
        fs::write(&path, content).unwrap();
        let error = message(source(kind, &path).open(SIDE, 0));
        assert!(error.contains("some.file") && error.contains(words), "{error:?} does not say {words:?}");
    };
    for kind in ["zip", "npz"] {
        refused(kind, b"", "is no whole zip archive");
        let missing = message(source(kind, Path::new("/no/such.file")).open(SIDE, 0));
        assert!(missing.contains("/no/such.file cannot be read"), "{missing}");
    }
    let npz = fs::read(file("plain.npz")).unwrap();
    refused("zip", &npz, "holds no image file");
    refused("npz", &fs::read(file("classes.zip")).unwrap(), "holds no array arr_0");
    let replaced = |old: &str, new: &str| -> Vec<u8> {
        let at = npz.windows(old.len()).position(|window| window == old.as_bytes()).unwrap();
        [&npz[..at], new.as_bytes(), &npz[at + old.len()..]].concat()
    };
    // The sums in the archive are of the old header: whatever is said, it is refused.
    refused("npz", &replaced("(5, 6, 6, 3)", "(5, 6, 9, 2)"), "some.file");
    let error = message(source("npz", &file("plain.npz")).open(8, 0));
    assert!(error.contains("--size 6"), "{error}");
}

/// Archives that are whole, with arrays that are not images.
#[test]
fn arrays_that_are_no_images() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("some.npz");
    let refused = |header: &str, bytes: usize, words: &str| {
        let mut array = b"\x93NUMPY\x01\x00".to_vec();
        array.extend((header.len() as u16).to_le_bytes());
        array.extend(header.as_bytes());
        array.resize(array.len() + bytes, 0);
        write_npz(&path, &[("arr_0.npy", &array)]);
        let error = message(source("npz", &path).open(SIDE, 0));
        assert!(error.contains("some.npz") && error.contains(words), "{error:?} does not say {words:?}");
    };
    let of = |shape: &str| format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}\n");
    refused(&of("(5, 6, 6, 3)"), 539, "its 539 bytes are not of shape [5, 6, 6, 3]");
    refused(&of("(5, 6, 6, 4)"), 720, "not [N, H, W, 3]");
    refused(&of("(5, 6, 7, 3)"), 630, "which are not square");
    refused(&of("(0, 6, 6, 3)"), 0, "no image in arr_0");
    refused(&of("(4294967296, 4294967296, 6, 3)"), 0, "are not of shape");
    refused(&of("(5, -6, 6, 3)"), 540, "no shape");
    refused(&of("(5, 6, 6, 3)").replace("|u1", "<f4"), 2160, "of <f4");
    refused(&of("(5, 6, 6, 3)").replace("False", "True "), 540, "Fortran");
    refused("{'descr': [('a', '|u1')], 'fortran_order': False, 'shape': (5,), }", 5, "no plain numbers");
    refused("((((((", 0, "its header says no descr");
}

fn write_npz(path: &Path, entries: &[(&str, &[u8])]) {
    use std::io::Write;
    let mut archive = zip::ZipWriter::new(fs::File::create(path).unwrap());
    for (name, content) in entries {
        archive.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(content).unwrap();
    }
    archive.finish().unwrap();
}
