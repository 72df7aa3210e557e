//! Zip archives of image files.

use crate::npz::{DEFLATED, made, read_all};
use crate::trial::Reader;
use ddpm_ptx::data::Zip;
use std::fs;
use std::path::Path;

fn images(folder: &Path) -> anyhow::Result<()> {
    read_all(&Zip::open(&folder.join("images.zip"), 6)?)
}

#[test]
fn damaged_archives() {
    let folder = tempfile::tempdir().unwrap();
    let [whole, other] = ["classes.zip", "plain.npz"].map(|name| fs::read(made(name)).unwrap());
    let reader = Reader { growth: DEFLATED, ..Reader::new(folder.path(), "images.zip", &images) };
    reader.survives(&[whole, other], 3000);
}

#[test]
fn refused_archives() {
    let folder = tempfile::tempdir().unwrap();
    let reader = Reader::new(folder.path(), "images.zip", &images);
    let whole = fs::read(made("classes.zip")).unwrap();
    let no_archive = "FOLDER/images.zip is no whole zip archive (invalid Zip archive: Could not find EOCD)";
    assert_eq!(reader.refusal(b""), no_archive);
    assert_eq!(reader.refusal(&whole[..500]), no_archive);
    assert_eq!(
        reader.refusal(&fs::read(made("plain.npz")).unwrap()),
        "FOLDER/images.zip holds no image file (.jpg .jpeg .png .webp .bmp .gif .tif .tiff)"
    );
    // The first byte that is deflated.
    let mut damaged = whole.clone();
    let name = damaged.windows(4).position(|bytes| bytes == b".png").unwrap();
    damaged[name + 4] ^= 0xFF;
    assert_eq!(reader.refusal(&damaged), "FOLDER/images.zip has a damaged entry 0 (corrupt deflate stream)");
}
