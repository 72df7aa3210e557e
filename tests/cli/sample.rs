use super::{device, minute, names, succeed, trained};
use std::fs;
use std::path::Path;

const SIDE: usize = 8;
const IMAGE: usize = SIDE * SIDE * 3;

/// Samples to an `.npz` and gives the images.
pub fn sample(model: &Path, flags: &str) -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("samples.npz");
    let (model, out_name) = (model.display(), out.display());
    succeed(&format!("sample {model} --steps 4 --device {} {flags} --out {out_name}", device()));
    let mut archive = zip::ZipArchive::new(fs::File::open(&out).unwrap()).unwrap();
    let array = npyz::NpyFile::new(archive.by_name("arr_0.npy").unwrap()).unwrap();
    assert_eq!(array.shape()[1..], [8, 8, 3]);
    let count = array.shape()[0] as usize;
    let pixels = array.into_vec::<u8>().unwrap();
    assert_eq!(pixels.len(), count * IMAGE);
    pixels.chunks_exact(IMAGE).map(<[u8]>::to_vec).collect()
}

#[test]
fn an_image_depends_on_the_seed_and_its_number_alone() {
    let (_folder, run) = trained();
    let samplers = [
        "--sampler ddpm",
        "--sampler ddim --eta 0.5",
        "--sampler dpmsolver++ --order 3",
        "--sampler sde-dpmsolver++",
        "--sampler unipc --order 3",
        "--sampler heun",
    ];
    for sampler in samplers {
        let flags = format!("{sampler} --seed 3");
        let all = sample(&run, &format!("{flags} -n 5 --batch 5"));
        assert_eq!(all, sample(&run, &format!("{flags} -n 5 --batch 2")), "in batches of two");
        assert_eq!(all[3..], sample(&run, &format!("{flags} -n 2 --first 3")), "the last two alone");
        assert_ne!(all[0], all[1]);
        assert_ne!(all, sample(&run, &format!("{sampler} --seed 4 -n 5")), "another seed");
    }
}

/// Every flag matters: no two of these make the same image from one latent. The bound keeps
/// bytes from being all 0 or 255, which a network of random weights leads to.
#[test]
fn samplers_and_spacings_differ() {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/tiny");
    let ways = [
        "--sampler ddpm",
        "--sampler ddim",
        "--sampler ddim --clip 0.8",
        "--sampler ddim --rederive",
        "--sampler ddim --spacing linspace",
        "--sampler ddim --spacing trailing",
        "--sampler ddim --spacing quadratic",
        "--sampler ddim --spacing karras",
        "--sampler dpmsolver++ --order 1",
        "--sampler dpmsolver++ --order 2",
        "--sampler dpmsolver++ --order 3",
        "--sampler dpmsolver++ --spacing karras",
        "--sampler sde-dpmsolver++",
        "--sampler unipc --order 1",
        "--sampler unipc --order 3",
        "--sampler heun",
    ];
    let images =
        ways.map(|way| sample(&model, &format!("-n 1 --size 8 --steps 6 --clip 0.6 {way}")).remove(0));
    for (i, image) in images.iter().enumerate() {
        for (j, other) in images[..i].iter().enumerate() {
            assert_ne!(image, other, "{} and {}", ways[i], ways[j]);
        }
    }
}

/// The run keeps how it was trained; sampling is told nothing of it.
#[test]
fn networks_of_every_schedule() {
    let folder = tempfile::tempdir().unwrap();
    let schedules = [
        "linear",
        "quadratic",
        "const",
        "warmup10",
        "warmup50",
        "jsd --predict x0",
        "cosine",
        "sigmoid",
        "linear --predict v --zero-snr true",
    ];
    for (number, schedule) in schedules.iter().enumerate() {
        let run = folder.path().join(number.to_string());
        succeed(&format!("train {} --schedule {schedule} --steps 2 --out {}", minute(), run.display()));
        assert_eq!(sample(&run, "-n 2 --sampler ddim").len(), 2, "{schedule}");
    }
}

#[test]
fn a_run_its_checkpoint_and_a_plain_pipeline_folder_are_the_same_model() {
    let (folder, run) = trained();
    let checkpoint = run.join("checkpoint-6");
    let of_run = sample(&run, "-n 2");
    assert_eq!(of_run, sample(&checkpoint, "-n 2"));
    let copy = folder.path().join("copy");
    fs::create_dir(&copy).unwrap();
    for file in
        ["unet/config.json", "unet/diffusion_pytorch_model.safetensors", "scheduler/scheduler_config.json"]
    {
        // At the root, as older folders have it.
        fs::copy(checkpoint.join(file), copy.join(Path::new(file).file_name().unwrap())).unwrap();
    }
    assert_eq!(of_run, sample(&copy, "-n 2"));
}

#[test]
fn the_output_is_what_its_name_says() {
    let (folder, run) = trained();
    let to = |name: &str| folder.path().join(name);
    let sample_to = |name: &str| {
        let (run, out) = (run.display(), to(name));
        succeed(&format!("sample {run} -n 5 --batch 2 --steps 2 --device {} -o {}", device(), out.display()))
    };
    sample_to("pngs");
    assert_eq!(names(&to("pngs")), [0, 1, 2, 3, 4].map(|number| format!("{number:06}.png")));
    let first = image::open(to("pngs/000000.png")).unwrap();
    assert_eq!((first.width(), first.height()), (8, 8));

    sample_to("grid.png");
    let grid = image::open(to("grid.png")).unwrap().into_rgb8();
    // 3 x 2 images, magnified 8 times, with lines of 4 pixels: image 0 begins behind the first line.
    assert_eq!(grid.dimensions(), (3 * 68 + 4, 2 * 68 + 4));
    assert_eq!(grid.get_pixel(4, 4), first.into_rgb8().get_pixel(0, 0));

    assert!(sample_to("deep/er/samples.npz").contains("wrote 5 images"));
    assert_eq!(names(&to("deep/er")), ["samples.npz"]);
}

/// Planes of numbers, in batches that do not divide them, are what the bytes of the other outputs are rounded from.
#[test]
fn numbers_are_what_pictures_are_rounded_from() {
    let (folder, run) = trained();
    let out = folder.path().join("samples.safetensors");
    let (model, path) = (run.display(), out.display());
    succeed(&format!("sample {model} -n 5 --batch 2 --steps 4 --device {} -o {path}", device()));
    let file = fs::read(&out).unwrap();
    let file = safetensors::SafeTensors::deserialize(&file).unwrap();
    let samples = file.tensor("samples").unwrap();
    assert_eq!((samples.dtype(), samples.shape()), (safetensors::Dtype::F32, &[5, 3, SIDE, SIDE][..]));
    let numbers: Vec<f32> =
        samples.data().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
    for (planes, image) in numbers.chunks_exact(IMAGE).zip(sample(&run, "-n 5")) {
        for (place, byte) in image.into_iter().enumerate() {
            let number = planes[place % 3 * SIDE * SIDE + place / 3];
            let rounded = ((f64::from(number) + 1.0) * 127.5).clamp(0.0, 255.0);
            assert!((rounded - f64::from(byte)).abs() <= 0.5 + 1e-4, "{number} became {byte}");
        }
    }
}
