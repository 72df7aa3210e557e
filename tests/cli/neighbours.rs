//! Samples beside the training images that are most like them.

use super::{fail, succeed};
use image::{Rgb, RgbImage};
use std::fs;
use std::path::Path;

fn write(folder: &Path, name: &str, colour: [u8; 3]) {
    fs::create_dir_all(folder).unwrap();
    RgbImage::from_pixel(8, 8, Rgb(colour)).save(folder.join(name)).unwrap();
}

#[test]
fn the_nearest_training_images() {
    let folder = tempfile::tempdir().unwrap();
    let (samples, data) = (folder.path().join("samples"), folder.path().join("data"));
    write(&samples, "0.png", [250, 0, 0]);
    write(&samples, "1.png", [0, 0, 250]);
    for (name, colour) in [("a.png", [0, 255, 0]), ("b.png", [255, 0, 0]), ("c.png", [10, 0, 255])] {
        write(&data, name, colour);
    }
    let out = folder.path().join("near.png");
    let (samples, data, path) = (samples.display(), data.display(), out.display());
    let said =
        succeed(&format!("neighbours folder:{samples} --data folder:{data} --size 8 -c 2 --out {path}"));
    assert!(said.contains("wrote 2 samples"), "{said}");

    let table = fs::read_to_string(out.with_extension("csv")).unwrap();
    let rows: Vec<Vec<&str>> = table.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let ranked: Vec<[&str; 3]> = rows.iter().map(|row| [row[0], row[1], row[2]]).collect();
    assert_eq!(ranked, [["0", "0", "1"], ["0", "1", "2"], ["1", "0", "2"], ["1", "1", "0"]]);
    // Five of 255 in one of three channels.
    assert_eq!(rows[0][3], format!("{:.6}", 5.0 / 255.0 / 3f64.sqrt()));

    // Two rows of three images of 64 pixels, with lines of 4.
    let picture = image::open(&out).unwrap().into_rgb8();
    assert_eq!(picture.dimensions(), (3 * 68 + 4, 2 * 68 + 4));
    assert_eq!(picture.get_pixel(36, 36).0, [250, 0, 0]);
    assert_eq!(picture.get_pixel(68 + 36, 36).0, [255, 0, 0]);
    assert_eq!(picture.get_pixel(68 + 36, 68 + 36).0, [10, 0, 255]);
}

#[test]
fn samples_that_are_not_there() {
    let error = fail("neighbours folder:/nowhere/at/all --data shapes --size 16");
    assert!(error.contains("/nowhere/at/all"), "{error}");
}
