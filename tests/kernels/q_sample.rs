//! The forward process on byte images.

use crate::common::compare::{Expected, ROUNDING, assert_close, assert_same_bits};
use crate::common::philox::{normals, words};
use crate::common::random::Random;
use crate::common::recording::{Recording, read, rounded, widened};
use ddpm_ptx::device::DType;
use ddpm_ptx::ops::q_sample::{NoiseSource, q_sample};
use ddpm_ptx::random::Stream;

struct Case {
    /// B, H, W, C
    shape: [usize; 4],
    timesteps: usize,
    seed: u64,
    step: u64,
    first_sample: u32,
    flip: bool,
    images: Vec<u8>,
    /// `[T,2]`
    table: Vec<f32>,
}

impl Case {
    fn random(random: &mut Random, shape: [usize; 4], flip: bool) -> Case {
        let timesteps = random.between(1, 20);
        Case {
            shape,
            timesteps,
            seed: random.bits(),
            step: random.bits(),
            first_sample: random.between(0, 1000) as u32,
            flip,
            images: (0..shape.iter().product()).map(|_| random.bits() as u8).collect(),
            table: random.uniforms(2 * timesteps, 0.0, 1.0),
        }
    }

    /// x_t and t from the device.
    fn run(&self) -> (Vec<f32>, Vec<u32>) {
        self.run_in(DType::F32)
    }

    /// The same with x_t of another type.
    fn run_in(&self, dtype: DType) -> (Vec<f32>, Vec<u32>) {
        let mut recording = Recording::inference();
        let images = recording.input(&self.shape, &self.images);
        let table = recording.input(&[self.timesteps, 2], &self.table);
        let step = recording.input(&[1], &[self.step]);
        let source = NoiseSource { seed: self.seed, first_sample: self.first_sample, step };
        let noised = q_sample(&mut recording.tape, &images, &table, &source, self.flip, dtype);
        let program = recording.program(&[&noised.x_t, &noised.t]);
        program.run().unwrap();
        (read(&program, &noised.x_t), program.read(&noised.t).unwrap())
    }

    /// The timestep of image n and whether it is mirrored.
    fn draw(&self, n: usize) -> (u32, bool) {
        let sample = self.first_sample + n as u32;
        let [w0, w1, ..] = words(self.seed, Stream::IMAGE.0, sample, self.step as u32, 0);
        let t = (u128::from(w0) * self.timesteps as u128 / (1 << 32)) as u32;
        (t, self.flip && w1 >= 1 << 31)
    }

    fn expected(&self, n: usize) -> Vec<Expected> {
        let [_, height, width, channels] = self.shape;
        let elements = height * width * channels;
        let (t, mirrored) = self.draw(n);
        let [signal, noise] = [0, 1].map(|i| f64::from(self.table[2 * t as usize + i]));
        let sample = self.first_sample + n as u32;
        let eps = normals(self.seed, Stream::NOISE.0, sample, self.step as u32, elements);
        let element = |e: usize| {
            let (h, w, c) = (e / (width * channels), e / channels % width, e % channels);
            let w = if mirrored { width - 1 - w } else { w };
            let byte = self.images[n * elements + (h * width + w) * channels + c];
            let x0 = f64::from(byte) / 127.5 - 1.0;
            // One rounding each of 1/255, of x_0, of the product with eps, and of the sum.
            let terms = (signal * x0).abs() + (noise * eps[e].value).abs();
            let allowed = noise * eps[e].allowed + 4.0 * ROUNDING * terms;
            Expected { value: signal * x0 + noise * eps[e].value, allowed }
        };
        (0..elements).map(element).collect()
    }
}

/// One block and several for an image, rows and images that are made of whole quads and such that are not.
const SHAPES: [[usize; 4]; 8] = [
    [1, 1, 1, 1],
    [3, 5, 7, 3],
    [2, 8, 8, 3],
    [2, 4, 4, 4],
    [5, 1, 13, 1],
    [2, 20, 30, 3],
    [2, 75, 21, 1],
    [1, 3, 500, 3],
];

/// In bf16 it is the same, rounded.
#[test]
fn forward_process_in_bf16() {
    let mut random = Random::new(6);
    for shape in SHAPES {
        let case = Case::random(&mut random, shape, true);
        let ((x_t, _), (in_bf16, _)) = (case.run(), case.run_in(DType::BF16));
        assert_same_bits("x_t", &shape, &in_bf16, &widened(&rounded(&x_t)));
    }
}

#[test]
fn forward_process() {
    let mut random = Random::new(2);
    for shape in SHAPES {
        for flip in [false, true] {
            let case = Case::random(&mut random, shape, flip);
            let (x_t, t) = case.run();
            for n in 0..shape[0] {
                assert_eq!(t[n], case.draw(n).0, "timestep of image {n} of {shape:?}");
                let want = case.expected(n);
                assert_close("x_t", &shape[1..], &x_t[n * want.len()..][..want.len()], &want);
            }
        }
    }
}

/// With alpha_bar = 1 the bytes come out as they are in [-1, 1]: both ends exactly.
#[test]
fn bytes_are_scaled_to_minus_one_and_one() {
    let case = Case {
        timesteps: 1,
        table: vec![1.0, 0.0],
        images: (0..=255).collect(),
        ..Case::random(&mut Random::new(3), [1, 16, 16, 1], false)
    };
    let (x_t, _) = case.run();
    assert_eq!((x_t[0], x_t[255]), (-1.0, 1.0));
    let want: Vec<Expected> =
        (0..=255u8).map(|byte| Expected::rounded((2.0 * f64::from(byte) - 255.0) / 255.0, 2.0)).collect();
    assert_close("x_0", &[256], &x_t, &want);
}

/// Image n of a batch has the same bits as sample first + n alone.
#[test]
fn an_image_hangs_on_its_place_alone() {
    let case = Case::random(&mut Random::new(4), [4, 6, 5, 3], true);
    let (together, t) = case.run();
    for n in 0..4 {
        let alone = Case {
            shape: [1, 6, 5, 3],
            images: case.images[n * 90..][..90].to_vec(),
            table: case.table.clone(),
            first_sample: case.first_sample + n as u32,
            ..case
        };
        let (x_t, t_alone) = alone.run();
        assert_eq!(t_alone, t[n..n + 1]);
        assert_same_bits("x_t", &[6, 5, 3], &together[n * 90..][..90], &x_t);
    }
}

/// Timesteps are uniform (chi-square of 9 degrees, 99.99 %), and half of the images are mirrored.
#[test]
fn draws_are_fair() {
    let batch = 4000;
    let case = Case {
        timesteps: 10,
        table: [1.0, 0.0].repeat(10),
        images: [0u8, 255].repeat(batch),
        ..Case::random(&mut Random::new(5), [batch, 1, 2, 1], true)
    };
    let (x_t, t) = case.run();
    let mut counts = [0f64; 10];
    for t in t {
        counts[t as usize] += 1.0;
    }
    let expected = batch as f64 / 10.0;
    let chi_square: f64 = counts.iter().map(|count| (count - expected).powi(2) / expected).sum();
    assert!(chi_square < 33.7, "chi-square of the timesteps is {chi_square}");
    let mirrored = x_t.chunks(2).filter(|image| image[0] == 1.0).count();
    assert!(mirrored.abs_diff(batch / 2) < 143, "{mirrored} of {batch} images were mirrored");
}
