//! Pictures of the process: strips, films, shared latents, interpolations.

use super::{device, fail, names, succeed, trained};
use image::codecs::gif::GifDecoder;
use image::{AnimationDecoder, RgbImage};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// Side of a picture of 8x8 pixels as it is drawn, with the line on its left.
const CELL: u32 = 68;

fn picture(path: &Path) -> RgbImage {
    image::open(path).unwrap().into_rgb8()
}

#[test]
fn a_strip_ends_with_the_samples() {
    let (folder, run) = trained();
    let at = |name: &str| folder.path().join(name);
    let flags = format!("{} --device {} --sampler ddim --steps 6 --seed 5", run.display(), device());
    succeed(&format!(
        "sample {flags} -n 3 --batch 2 --progressive --moments 4 --out {}",
        at("a.png").display()
    ));
    succeed(&format!("sample {flags} -n 3 --out {}", at("samples").display()));
    let strip = picture(&at("a.png"));
    assert_eq!(strip.dimensions(), (4 * CELL + 4, 3 * CELL + 4));
    for row in 0..3 {
        let sample = picture(&at("samples").join(format!("{row:06}.png")));
        for (x, y, pixel) in sample.enumerate_pixels() {
            // Every pixel is eight by eight; the middle of it is looked at.
            let (x, y) = (3 * CELL + 4 + 8 * x + 4, row * CELL + 4 + 8 * y + 4);
            assert_eq!(strip.get_pixel(x, y), pixel);
        }
    }
}

#[test]
fn a_film_goes_from_noise_to_the_samples() {
    let (folder, run) = trained();
    let at = |name: &str| folder.path().join(name);
    let flags = format!("{} --device {} --sampler ddim --steps 6", run.display(), device());
    let (film, still, plain) = (at("film.gif"), at("still.png"), at("plain.png"));
    let said = succeed(&format!("sample {flags} -n 4 --film {} --out {}", film.display(), still.display()));
    assert!(said.contains("wrote 4 images at 7 moments"), "{said}");
    succeed(&format!("sample {flags} -n 4 --out {}", plain.display()));
    assert_eq!(picture(&still), picture(&plain));

    let decoder = GifDecoder::new(BufReader::new(File::open(&film).unwrap())).unwrap();
    let frames = decoder.into_frames().collect_frames().unwrap();
    assert_eq!(frames.len(), 7);
    let same_size = |frame: &image::Frame| frame.buffer().dimensions() == picture(&still).dimensions();
    assert!(frames.iter().all(same_size));
    assert_ne!(frames[0].buffer(), frames[6].buffer());
}

#[test]
fn rows_of_samples_that_share_a_latent() {
    let (folder, run) = trained();
    let out = folder.path().join("shared.png");
    let line = format!("sample {} --device {} --steps 20 -n 3", run.display(), device());
    let said = succeed(&format!("{line} --shared-latent 19,10,3 --out {}", out.display()));
    assert!(said.contains("wrote 3 rows"), "{said}");
    let picture = picture(&out);
    assert!(picture.width() > 4 * 64 && picture.height() > 3 * 64, "{:?}", picture.dimensions());
}

#[test]
fn interpolations() {
    let (folder, run) = trained();
    let at = |name: &str| folder.path().join(name).display().to_string();
    for (name, colour) in [("a.png", [200, 30, 30]), ("b.png", [20, 160, 40])] {
        RgbImage::from_pixel(12, 9, image::Rgb(colour)).save(at(name)).unwrap();
    }
    let model = format!("interpolate {} --device {} --steps 20", run.display(), device());
    let images = format!("{} {}", at("a.png"), at("b.png"));
    let said =
        succeed(&format!("{model} {images} --t 15,5 --lambdas 0,0.3,-0.1,1.2 --out {}", at("between.png")));
    assert!(said.contains("wrote 8 images"), "{said}");
    let said =
        succeed(&format!("{model} --samples 2,5 --sampler ddim --lambdas 0,1 --out {}", at("walk.png")));
    assert!(said.contains("wrote 2 images"), "{said}");
    assert!(
        picture(&folder.path().join("between.png")).width()
            > picture(&folder.path().join("walk.png")).width()
    );
}

#[test]
fn what_cannot_be_shown() {
    let (folder, run) = trained();
    let before = names(folder.path());
    let at = |name: &str| folder.path().join(name).display().to_string();
    let model = format!("{} --device {} --steps 4", run.display(), device());
    RgbImage::new(9, 9).save(at("run/a.png")).unwrap();
    std::fs::write(folder.path().join("run/b.png"), "no picture").unwrap();
    let (a, b, out) = (at("run/a.png"), at("run/b.png"), at("out.png"));
    let refused = [
        (format!("sample {model} --progressive --out {}", at("out.npz")), "name a .png with --out"),
        (format!("sample {model} --film {} --out {out}", at("film.mp4")), "ends in .gif"),
        (format!("sample {model} --progressive --moments 1 --out {out}"), "--moments must be at least 2"),
        (format!("sample {model} --moments 3 --out {out}"), "--progressive or --film"),
        (format!("sample {model} --progressive --shared-latent 3 --out {out}"), "cannot be used with"),
        (format!("sample {model} --shared-latent 20 --out {out}"), "0 to 19"),
        (format!("sample {model} --shared-latent 9 --sampler ddim --out {out}"), "use --sampler ddpm"),
        (format!("sample {model} --shared-latent 9 -n 3 --batch 2 --out {out}"), "in one --batch"),
        (format!("interpolate {model} {a} --out {out}"), "2 values required"),
        (format!("interpolate {model} --out {out}"), "required"),
        (format!("interpolate {model} {a} {a} --samples 1,2 --out {out}"), "cannot be used with"),
        (format!("interpolate {model} {a} {b} --out {out}"), "b.png cannot be read as an image"),
        (format!("interpolate {model} {a} {a} --t 20 --out {out}"), "0 to 19"),
        (format!("interpolate {model} {a} {a} --lambdas nan --out {out}"), "--lambdas must be numbers"),
        (format!("interpolate {model} {a} {a} --sampler unipc --out {out}"), "--sampler ddpm or ddim"),
        (format!("interpolate {model} --samples 1 --out {out}"), "--samples takes two numbers"),
        (format!("interpolate {model} --samples 1,2 --out {}", at("out.gif")), "ends in .png"),
    ];
    for (line, reason) in refused {
        let error = fail(&line);
        assert!(error.contains(reason), "{line}: {error}");
        assert_eq!(names(folder.path()), before, "{line}");
    }
}
