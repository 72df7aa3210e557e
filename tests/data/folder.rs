use super::read;
use ddpm_ptx::data::{Dataset, Folder};
use image::{ImageFormat, Rgb, RgbImage};
use std::fs;
use std::path::Path;

/// Every format is found, in sub-folders too, in the order of the paths; other files are passed over.
#[test]
fn images_are_found_in_every_format_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let formats = [
        ("a/deep/b.BMP", ImageFormat::Bmp),
        ("a/z.gif", ImageFormat::Gif),
        ("b.jpeg", ImageFormat::Jpeg),
        ("c.png", ImageFormat::Png),
        ("d.tif", ImageFormat::Tiff),
        ("e.webp", ImageFormat::WebP),
    ];
    for (number, (name, format)) in formats.iter().enumerate().rev() {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let shade = 40 * number as u8;
        RgbImage::from_pixel(20, 20, Rgb([shade; 3])).save_with_format(path, *format).unwrap();
    }
    fs::write(folder.path().join("notes.txt"), "no image").unwrap();
    fs::write(folder.path().join("._c.png"), "no image").unwrap();

    let images = Folder::open(folder.path(), 8).unwrap();
    assert_eq!(images.len(), formats.len());
    for (number, (name, _)) in formats.iter().enumerate() {
        assert_eq!(images.path(number), folder.path().join(name));
        let pixels = read(&images, number);
        assert_eq!(pixels.len(), 8 * 8 * 3);
        assert!(pixels.iter().all(|&value| value.abs_diff(40 * number as u8) <= 2), "{name}: {pixels:?}");
    }
}

/// Of a wide image the middle is kept: left and right bands fall away.
#[test]
fn the_largest_centred_square_is_resized() {
    let folder = tempfile::tempdir().unwrap();
    let wide =
        RgbImage::from_fn(
            64,
            32,
            |x, _| if (16..48).contains(&x) { Rgb([200, 100, 0]) } else { Rgb([0; 3]) },
        );
    wide.save(folder.path().join("wide.png")).unwrap();
    for size in [32, 16, 64] {
        let pixels = read(&Folder::open(folder.path(), size).unwrap(), 0);
        assert!(pixels.chunks_exact(3).all(|pixel| pixel == [200, 100, 0]), "size {size}");
    }
}

#[test]
fn grey_deep_and_transparent_images_become_rgb() {
    let folder = tempfile::tempdir().unwrap();
    image::GrayImage::from_pixel(8, 8, image::Luma([7])).save(folder.path().join("a.png")).unwrap();
    let deep = image::ImageBuffer::from_pixel(8, 8, Rgb([0x8000u16, 0, 0xFFFF]));
    image::DynamicImage::ImageRgb16(deep).save(folder.path().join("b.png")).unwrap();
    image::RgbaImage::from_pixel(8, 8, image::Rgba([1, 2, 3, 9])).save(folder.path().join("c.png")).unwrap();
    let images = Folder::open(folder.path(), 8).unwrap();
    let first = |index| read(&images, index)[..3].to_vec();
    assert_eq!([first(0), first(1), first(2)], [vec![7, 7, 7], vec![128, 0, 255], vec![1, 2, 3]]);
}

#[test]
fn a_broken_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    RgbImage::new(8, 8).save(folder.path().join("fine.png")).unwrap();
    let whole = fs::read(folder.path().join("fine.png")).unwrap();
    fs::write(folder.path().join("half.png"), &whole[..whole.len() / 2]).unwrap();
    let images = Folder::open(folder.path(), 8).unwrap();
    assert!(images.read(0, &mut [0; 192]).is_ok());
    let error = images.read(1, &mut [0; 192]).unwrap_err().to_string();
    assert!(error.contains("half.png") && error.contains("not a readable image"), "{error}");
}

#[test]
fn a_folder_without_images_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = |path: &Path| Folder::open(path, 8).err().unwrap().to_string();
    assert!(error(folder.path()).contains("holds no image file"));
    let missing = folder.path().join("missing");
    assert!(error(&missing).contains("missing cannot be read"), "{}", error(&missing));
}
