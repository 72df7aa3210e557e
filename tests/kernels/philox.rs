//! Random numbers: known answers, the host's twin, and the normals of kernels.

use crate::common::compare::assert_close;
use crate::common::philox::{normals, philox};
use crate::common::random::Random;
use crate::common::recording::Recording;
use ddpm_ptx::device::DType;
use ddpm_ptx::ops::latent::latent;
use ddpm_ptx::random::{Philox, Stream};

/// Latents of the samples with the given numbers, of `shape` each.
fn latents(seed: u64, samples: &[u32], shape: [usize; 3]) -> Vec<f32> {
    let mut recording = Recording::inference();
    let numbers = recording.input(&[samples.len()], samples);
    let [height, width, channels] = shape;
    let x = recording.output(&[samples.len(), height, width, channels], DType::F32);
    latent(&mut recording.tape, &x, &numbers, seed);
    recording.run(&[&x]).remove(0)
}

/// The known answers that Random123 publishes hold for the reference of these tests, and the host agrees with
/// it.
#[test]
fn known_answers() {
    let all = u32::MAX;
    for (key, counter, answer) in [
        ([0; 2], [0; 4], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
        ([all; 2], [all; 4], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
        (
            [0xa409_3822, 0x299f_31d0],
            [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
        ),
    ] {
        assert_eq!(philox(key, counter), answer);
        let seed = u64::from(key[1]) << 32 | u64::from(key[0]);
        assert_eq!(Philox::new(seed).block(counter), answer);
    }
}

#[test]
fn normals_of_the_host() {
    let (seed, sample, step) = (0x0123_4567_89ab_cdef, 17, 5);
    let got: Vec<f32> = Philox::new(seed).normals(Stream::REVERSE, sample, step).take(1001).collect();
    assert_close("normals", &[1001], &got, &normals(seed, Stream::REVERSE.0, sample, step, 1001));
}

#[test]
fn normals_of_a_kernel() {
    let mut random = Random::new(1);
    for shape in [[1, 1, 1], [1, 1, 3], [5, 7, 3], [8, 8, 4], [3, 100, 3]] {
        let seed = random.bits();
        let samples: Vec<u32> = (0..3).map(|_| random.bits() as u32).collect();
        let elements = shape.iter().product();
        let got = latents(seed, &samples, shape);
        for (n, &sample) in samples.iter().enumerate() {
            let want = normals(seed, Stream::LATENT.0, sample, 0, elements);
            assert_close("latents", &shape, &got[n * elements..][..elements], &want);
        }
    }
}

/// An image is the same in any batch.
#[test]
fn a_latent_hangs_on_its_sample_number_alone() {
    let shape = [5, 5, 3];
    let many = latents(3, &[4, 17, 90, 2], shape);
    let one = latents(3, &[17], shape);
    assert_eq!(many[75..150], one);
}

/// Mean, variance, kurtosis, deciles and correlation of 2^17 normals. Every bound is 4.5 standard deviations
/// of its statistic (chi-square: 99.99 %), and the seed is fixed.
#[test]
fn latents_are_standard_normal() {
    let samples: Vec<u32> = (0..32).collect();
    let z: Vec<f64> = latents(2024, &samples, [32, 32, 4]).iter().map(|&z| f64::from(z)).collect();
    let n = z.len() as f64;
    let mean = |f: &dyn Fn(usize) -> f64| (0..z.len()).map(f).sum::<f64>() / n;
    let bound = |variance: f64| 4.5 * (variance / n).sqrt();
    assert!(mean(&|i| z[i]).abs() < bound(1.0));
    assert!((mean(&|i| z[i].powi(2)) - 1.0).abs() < bound(2.0));
    assert!(mean(&|i| z[i].powi(3)).abs() < bound(15.0));
    assert!((mean(&|i| z[i].powi(4)) - 3.0).abs() < bound(96.0));
    // Neighbours, halves of a quad, and images.
    for distance in [1, 2, 4, 4096] {
        assert!(mean(&|i| z[i] * z[(i + distance) % z.len()]).abs() < bound(1.0), "distance {distance}");
    }

    let deciles = [0.253_347_103, 0.524_400_513, 0.841_621_234, 1.281_551_566];
    let edges: Vec<f64> =
        deciles.iter().rev().map(|d| -d).chain([0.0]).chain(deciles.iter().copied()).collect();
    let mut counts = [0f64; 10];
    for z in &z {
        counts[edges.iter().filter(|&edge| z > edge).count()] += 1.0;
    }
    let chi_square: f64 = counts.iter().map(|count| (count - n / 10.0).powi(2) / (n / 10.0)).sum();
    assert!(chi_square < 33.7, "chi-square of the deciles is {chi_square}");
}
