//! Samples to bytes.

use crate::common::random::Random;
use crate::common::recording::Recording;
use ddpm_ptx::device::DType;
use ddpm_ptx::ops::to_u8::to_u8;

fn bytes_of(x: &[f32]) -> Vec<u8> {
    let mut recording = Recording::inference();
    let samples = recording.input(&[x.len()], x);
    let bytes = recording.output(&[x.len()], DType::U8);
    to_u8(&mut recording.tape, &samples, &bytes);
    let program = recording.program(&[]);
    program.run().unwrap();
    program.read(&bytes).unwrap()
}

/// Where (x + 1) 127.5 is an f32, a tie included, and where it is out of range.
#[test]
fn known_bytes() {
    let inf = f32::INFINITY;
    let x = [-1.0, 1.0, 0.0, -1.5, 7.0, inf, -inf, f32::NAN, -0.5, 0.5];
    // 0 is 127.5 and goes to the even side; -0.5 is 63.75.
    assert_eq!(bytes_of(&x), [0, 255, 128, 0, 255, 255, 0, 0, 64, 191]);
}

/// Every byte survives the way to [-1, 1] and back.
#[test]
fn bytes_come_back() {
    let bytes: Vec<u8> = (0..=255).collect();
    let x: Vec<f32> = bytes.iter().map(|&byte| (2.0 * f32::from(byte) - 255.0) / 255.0).collect();
    assert_eq!(bytes_of(&x), bytes);
}

/// Rounding is to the nearest, but within a rounding error of a tie either side is right.
#[test]
fn random_samples_of_ragged_lengths() {
    let mut random = Random::new(9);
    for len in [1, 2, 3, 4, 5, 127, 512, 513, 1027] {
        let x = random.uniforms(len, -1.3, 1.3);
        for (x, byte) in x.iter().zip(bytes_of(&x)) {
            let exact = ((f64::from(*x) + 1.0) * 127.5).clamp(0.0, 255.0);
            assert!((exact - f64::from(byte)).abs() <= 0.5 + 2e-5, "{x} became {byte}");
        }
    }
}
