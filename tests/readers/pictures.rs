//! Image files in a folder, of every format.

use crate::npz::read_all;
use crate::trial::Reader;
use ddpm_ptx::data::Folder;
use image::{ImageFormat, Rgb, RgbImage};
use std::io::Cursor;
use std::path::Path;

/// What deflate makes of a byte at most, twice: as it is in the file, and as RGB.
const GROWTH: usize = 2100;
/// What every file is believed to hold, and decoders take beside it.
const BELIEVED: usize = 6 << 24;
/// The library that reads TIFF believes lists of so many bytes whatever the file, before it can be told of limits.
const LISTS_OF_TIFF: usize = 1 << 28;

fn images(folder: &Path) -> anyhow::Result<()> {
    read_all(&Folder::open(folder, 8)?)
}

fn picture(format: ImageFormat) -> Vec<u8> {
    let image = RgbImage::from_fn(24, 20, |x, y| Rgb([x as u8 * 9, y as u8 * 11, (x * y) as u8]));
    let mut file = Cursor::new(vec![]);
    image.write_to(&mut file, format).unwrap();
    file.into_inner()
}

fn survives(format: ImageFormat) {
    let folder = tempfile::tempdir().unwrap();
    let file = format!("picture.{}", format.extensions_str()[0]);
    let reader = Reader::new(folder.path(), &file, &images);
    let reader = match format {
        ImageFormat::Png => Reader { finish: &with_sums, ..reader },
        _ => reader,
    };
    let lists = if format == ImageFormat::Tiff { LISTS_OF_TIFF } else { 0 };
    Reader { growth: GROWTH, besides: BELIEVED + lists, ..reader }.survives(&[picture(format)], 1500);
}

#[test]
fn damaged_png() {
    survives(ImageFormat::Png);
}

#[test]
fn damaged_jpeg() {
    survives(ImageFormat::Jpeg);
}

#[test]
fn damaged_gif() {
    survives(ImageFormat::Gif);
}

#[test]
fn damaged_bmp() {
    survives(ImageFormat::Bmp);
}

#[test]
fn damaged_webp() {
    survives(ImageFormat::WebP);
}

#[test]
fn damaged_tiff() {
    survives(ImageFormat::Tiff);
}

#[test]
fn refused_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let reader = Reader { besides: BELIEVED, ..Reader::new(folder.path(), "picture.png", &images) };
    // A bitmap that says that it is 16384 pixels wide and high.
    let mut large = picture(ImageFormat::Bmp);
    large[18..26].copy_from_slice(&[0, 0x40, 0, 0, 0, 0x40, 0, 0]);
    let cases = [
        (vec![], "The image format could not be determined"),
        (b"no picture".to_vec(), "The image format could not be determined"),
        (picture(ImageFormat::Png)[..100].to_vec(), "unexpected end of file"),
        (large, "Memory limit exceeded"),
    ];
    for (content, reason) in cases {
        assert_eq!(
            reader.refusal(&content),
            format!(
                "FOLDER/picture.png is not a readable image ({reason}); repair it or take it out of the folder"
            )
        );
    }
}

/// A PNG whose chunks' sums are of what they hold: a damage is found where it matters.
fn with_sums(mut file: Vec<u8>) -> Vec<u8> {
    let mut at = 8;
    while let Some(head) = file.get(at..at + 4) {
        let length = u32::from_be_bytes(head.try_into().expect("four bytes")) as usize;
        let sum = at + 8 + length;
        if file.len() < sum + 4 {
            break;
        }
        let crc = crc32(&file[at + 4..sum]);
        file[sum..sum + 4].copy_from_slice(&crc.to_be_bytes());
        at = sum + 4;
    }
    file
}

/// The sum of PNG and zip, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| (sum >> 1) ^ if sum & 1 == 1 { 0xEDB8_8320 } else { 0 })
    })
}
