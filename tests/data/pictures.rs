use ddpm_ptx::picture::{LossPoint, NpzFile, Pictures, loss_curve, write_png};
use std::fs;

fn pictures(count: usize) -> Pictures {
    Pictures::new([5, 4, 3], (0..count * 60).map(|place| (place * 31) as u8).collect())
}

#[test]
fn a_png_holds_the_pixels() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/folder/picture.png");
    write_png(&path, [5, 4, 3], pictures(1).pixels()).unwrap();
    let read = image::open(&path).unwrap();
    assert_eq!((read.width(), read.height()), (4, 5));
    assert_eq!(read.as_bytes(), pictures(1).pixels());
    let grey = folder.path().join("grey.png");
    write_png(&grey, [3, 2, 1], &[1, 2, 3, 4, 5, 6]).unwrap();
    assert_eq!(image::open(&grey).unwrap().as_bytes(), [1, 2, 3, 4, 5, 6]);
    assert!(write_png(&grey, [3, 2, 2], &[0; 12]).unwrap_err().to_string().contains("2 channels"));
}

#[test]
fn an_npz_holds_one_array_of_bytes_and_appears_when_it_is_finished() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("samples.npz");
    let images = pictures(7);
    let mut file = NpzFile::create(&path, 7, [5, 4, 3]).unwrap();
    for part in images.pixels().chunks(60 * 3) {
        file.push(&Pictures::new([5, 4, 3], part.to_vec())).unwrap();
    }
    assert!(!path.exists());
    file.finish().unwrap();

    let mut archive = zip::ZipArchive::new(fs::File::open(&path).unwrap()).unwrap();
    assert_eq!(archive.file_names().map(Result::unwrap).collect::<Vec<_>>(), ["arr_0.npy"]);
    let array = npyz::NpyFile::new(archive.by_index(0).unwrap()).unwrap();
    assert_eq!(array.shape(), [7, 5, 4, 3]);
    assert_eq!(array.order(), npyz::Order::C);
    assert_eq!(array.into_vec::<u8>().unwrap(), images.pixels());
    // Stored, not deflated: evaluators map it.
    let bytes = fs::read(&path).unwrap();
    assert!(bytes.windows(images.pixels().len()).any(|window| window == images.pixels()));
}

#[test]
fn an_npz_that_is_given_up_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    drop(NpzFile::create(&folder.path().join("samples.npz"), 7, [5, 4, 3]).unwrap());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_loss_curve_falls_from_left_to_right() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("loss.png");
    let points: Vec<LossPoint> =
        (1..=500).map(|step| LossPoint { step, loss: 1.0 / (step as f32).sqrt() }).collect();
    loss_curve(&path, &points).unwrap();
    let curve = image::open(&path).unwrap().into_rgb8();
    let blue = |pixel: &image::Rgb<u8>| pixel.0 == [20, 80, 150];
    // The first row, from above, at which a column of pixels has the strong line.
    let top = |x| (0..curve.height()).find(|&y| blue(curve.get_pixel(x, y)));
    let tops: Vec<u32> = (0..curve.width()).filter_map(top).collect();
    assert!(tops.len() > 700, "the line spans the width: {}", tops.len());
    assert!(tops[0] < curve.height() / 4 && *tops.last().unwrap() > curve.height() / 2, "{tops:?}");
    assert!(tops.is_sorted());
}

#[test]
fn a_loss_curve_leaves_out_what_is_no_number() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("loss.png");
    let point = |step, loss| LossPoint { step, loss };
    loss_curve(&path, &[point(1, 1.0), point(2, f32::NAN), point(3, f32::INFINITY), point(4, 0.0)]).unwrap();
    assert!(loss_curve(&path, &[point(1, f32::NAN)]).unwrap_err().to_string().contains("no loss"));
}
