//! Both archives of CIFAR-10, as small files made here.

use super::read;
use ddpm_ptx::data::{Cifar10, Dataset};
use std::fs;
use std::path::Path;

const IMAGE: usize = 3072;

/// Image `number`: the planes R, G and B one after the other, as the files have them.
fn planes(number: usize) -> Vec<u8> {
    (0..IMAGE).map(|place| (place * 7 + place / 1024 * 50 + number * 13) as u8).collect()
}

/// The same with channels innermost.
fn pixels(number: usize) -> Vec<u8> {
    let planes = planes(number);
    (0..1024).flat_map(|place| [0, 1, 2].map(|channel| planes[channel * 1024 + place])).collect()
}

fn binary(numbers: std::ops::Range<usize>) -> Vec<u8> {
    numbers.flat_map(|number| [vec![number as u8 % 10], planes(number)].concat()).collect()
}

/// What Python 2 wrote for the authors: a dictionary with strings, a list of labels and a NumPy array.
fn pickled(numbers: std::ops::Range<usize>) -> Vec<u8> {
    let data: Vec<u8> = numbers.clone().flat_map(planes).collect();
    let mut file =
        b"\x80\x02}q\x01(U\x0bbatch_labelq\x02U\x15training batch 1 of 5q\x03U\x06labelsq\x04]q\x05("
            .to_vec();
    file.extend(numbers.clone().flat_map(|number| [b'K', number as u8]));
    file.extend(b"eU\x04dataq\x06cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08K\x00\x85q\tU\x01bq\n\x87q\x0bRq\x0c(K\x01");
    file.extend([b'M', numbers.len() as u8, 0]);
    file.extend(b"M\x00\x0c\x86q\rcnumpy\ndtype\nq\x0eU\x02u1q\x0fK\x00K\x01\x87q\x10Rq\x11(K\x03U\x01|q\x12NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x13b\x89T");
    file.extend((data.len() as u32).to_le_bytes());
    file.extend(data);
    file.extend(b"q\x14tq\x15bU\tfilenamesq\x16]q\x17(U\x09a_000.pngq\x18U\x09b_001.pngq\x19eu.");
    file
}

fn open(folder: &Path) -> Cifar10 {
    Cifar10::open(folder, 32).unwrap()
}

fn error_of(name: &str, content: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(name), content).unwrap();
    let error = Cifar10::open(folder.path(), 32).err().unwrap().to_string();
    assert!(error.contains(name), "{error}");
    error
}

#[test]
fn binary_batches_in_order_without_the_test_batch() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("data_batch_2.bin"), binary(3..5)).unwrap();
    fs::write(folder.path().join("data_batch_1.bin"), binary(0..3)).unwrap();
    fs::write(folder.path().join("test_batch.bin"), binary(90..92)).unwrap();
    let images = open(folder.path());
    assert_eq!(images.len(), 5);
    (0..5).for_each(|number| assert_eq!(read(&images, number), pixels(number)));
}

#[test]
fn python_batches_in_the_folder_that_the_archive_makes() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("cifar-10-batches-py");
    fs::create_dir(&inner).unwrap();
    fs::write(inner.join("data_batch_1"), pickled(0..2)).unwrap();
    fs::write(inner.join("data_batch_2"), pickled(2..4)).unwrap();
    fs::write(inner.join("test_batch"), b"not read").unwrap();
    let images = open(folder.path());
    assert_eq!(images.len(), 4);
    (0..4).for_each(|number| assert_eq!(read(&images, number), pixels(number)));
}

#[test]
fn a_binary_batch_of_the_wrong_length_is_refused() {
    let whole = binary(0..2);
    for wrong in [&whole[..whole.len() - 1], &[]] {
        let error = error_of("data_batch_1.bin", wrong);
        assert!(error.contains(&format!("is {} bytes long", wrong.len())), "{error}");
    }
}

/// Cut at any place, a pickle gives an error and no panic.
#[test]
fn a_truncated_python_batch_is_refused() {
    let whole = pickled(0..2);
    let header = whole.len() - 2 * IMAGE;
    for length in (0..header / 2).chain([whole.len() / 2, whole.len() - 100, whole.len() - 1]) {
        let error = error_of("data_batch_1", &whole[..length]);
        assert!(error.contains("is no CIFAR-10 batch"), "{length}: {error}");
    }
}

#[test]
fn a_pickle_that_calls_something_else_is_refused_and_not_obeyed() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("made");
    let path = target.to_str().unwrap().as_bytes();
    let mut call = b"\x80\x02}(U\x04datacos\nmkdir\nU".to_vec();
    call.push(path.len() as u8);
    call.extend(path);
    call.extend(b"\x85Ru.");
    let error = error_of("data_batch_1", &call);
    assert!(error.contains("made by os.mkdir"), "{error}");
    assert!(!target.exists());
    let unknown = error_of("data_batch_1", b"\x80\x02\x82\x01.");
    assert!(unknown.contains("0x82"), "{unknown}");
}

#[test]
fn a_deeply_nested_pickle_does_not_overflow_the_stack() {
    let mut bomb = b"\x80\x02N".to_vec();
    bomb.extend(std::iter::repeat_n(0x85, 5_000_000));
    bomb.push(b'.');
    assert!(error_of("data_batch_1", &bomb).contains("far more values"));
}

#[test]
fn another_size_is_refused_with_the_right_one() {
    let folder = tempfile::tempdir().unwrap();
    let error = Cifar10::open(folder.path(), 16).err().unwrap().to_string();
    assert!(error.contains("--size 32"), "{error}");
    let error = Cifar10::open(folder.path(), 32).err().unwrap().to_string();
    assert!(error.contains("holds no CIFAR-10 batch"), "{error}");
}
