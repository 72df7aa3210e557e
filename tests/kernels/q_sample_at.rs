//! The forward process on images that are evaluated.

use crate::common::compare::{Expected, ROUNDING, assert_close, assert_same_bits};
use crate::common::device::device;
use crate::common::philox::normals;
use crate::common::random::Random;
use crate::common::recording::Recording;
use ddpm_ptx::device::DType;
use ddpm_ptx::ops::q_sample_at::q_sample_at;
use ddpm_ptx::random::Stream;
use std::sync::Arc;

fn run(shape: [usize; 4], images: &[u8], t: &[u32], numbers: &[u32], table: &[f32], seed: u64) -> Vec<f32> {
    let mut recording = Recording::inference();
    let bytes = recording.input(&shape, images);
    let t = recording.input(&[shape[0]], t);
    let samples = recording.input(&[shape[0]], numbers);
    let table = recording.input(&[table.len() / 2, 2], table);
    let x_t = Arc::new(device().alloc::<f32>(images.len()).unwrap());
    x_t.poison().unwrap();
    let noised = recording.tape.resident(&x_t, 0, &shape, DType::F32);
    q_sample_at(&mut recording.tape, &bytes, &t, &samples, &table, &noised, seed);
    recording.program(&[]).run().unwrap();
    x_t.to_vec().unwrap()
}

#[test]
fn forward_process() {
    let mut random = Random::new(61);
    for shape in [[1, 1, 1, 1], [3, 5, 7, 3], [2, 16, 16, 3], [4, 3, 3, 1]] {
        let (timesteps, seed) = (random.between(1, 9), random.bits());
        let len = shape.iter().product::<usize>();
        let elements = len / shape[0];
        let images: Vec<u8> = (0..len).map(|_| random.bits() as u8).collect();
        let table = random.uniforms(2 * timesteps, 0.0, 1.0);
        let t: Vec<u32> = (0..shape[0]).map(|_| random.between(0, timesteps - 1) as u32).collect();
        let numbers: Vec<u32> = (0..shape[0]).map(|_| random.bits() as u32).collect();
        let got = run(shape, &images, &t, &numbers, &table, seed);
        for n in 0..shape[0] {
            let [signal, noise] = [0, 1].map(|i| f64::from(table[2 * t[n] as usize + i]));
            let eps = normals(seed, Stream::EVALUATION.0, numbers[n], t[n], elements);
            let element = |(&byte, eps): (&u8, Expected)| {
                let x0 = f64::from(byte) / 127.5 - 1.0;
                let terms = (signal * x0).abs() + (noise * eps.value).abs();
                let allowed = noise * eps.allowed + 4.0 * ROUNDING * terms;
                Expected { value: signal * x0 + noise * eps.value, allowed }
            };
            let image = &images[n * elements..][..elements];
            let want: Vec<Expected> = image.iter().zip(eps).map(element).collect();
            assert_close("x_t", &shape[1..], &got[n * elements..][..elements], &want);
            let alone = [1, shape[1], shape[2], shape[3]];
            let alone = run(alone, image, &t[n..=n], &numbers[n..=n], &table, seed);
            assert_same_bits("alone", &shape[1..], &got[n * elements..][..elements], &alone);
        }
    }
}
