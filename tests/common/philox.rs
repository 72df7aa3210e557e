//! The random numbers that kernels should make, from a plain reading of the Philox paper and of the
//! convention that `ddpm_ptx::random` documents.

use super::compare::{Expected, ROUNDING};

/// Philox4x32-10.
pub fn philox(key: [u32; 2], counter: [u32; 4]) -> [u32; 4] {
    let [mut x0, mut x1, mut x2, mut x3] = counter;
    for round in 0..10u32 {
        let k0 = key[0].wrapping_add(round.wrapping_mul(0x9E37_79B9));
        let k1 = key[1].wrapping_add(round.wrapping_mul(0xBB67_AE85));
        let a = u64::from(x0) * 0xD251_1F53;
        let b = u64::from(x2) * 0xCD9E_8D57;
        (x0, x1, x2, x3) = ((b >> 32) as u32 ^ x1 ^ k0, b as u32, (a >> 32) as u32 ^ x3 ^ k1, a as u32);
    }
    [x0, x1, x2, x3]
}

/// The four words of an element quad.
pub fn words(seed: u64, stream: u32, sample: u32, step: u32, quad: u32) -> [u32; 4] {
    philox([seed as u32, (seed >> 32) as u32], [quad, step, sample, stream])
}

/// The first `count` normals of a sample at a step.
pub fn normals(seed: u64, stream: u32, sample: u32, step: u32, count: usize) -> Vec<Expected> {
    let quads = (0..count.div_ceil(4) as u32).flat_map(|quad| {
        let [a, b, c, d] = words(seed, stream, sample, step, quad);
        [box_muller(a, b), box_muller(c, d)].concat()
    });
    quads.take(count).collect()
}

/// Two normals from two words, with the error that the approximate instructions may make.
///
/// By the PTX manual lg2 errs by 2^-22, relative to itself or, for arguments in (1/2, 1), absolutely; sqrt by
/// 2^-23 relatively; sin and cos by 2^-20.5 absolutely. So r² errs by 2 ln 2 · 2^-22 + r² 2^-21 with its
/// roundings.
fn box_muller(a: u32, b: u32) -> [Expected; 2] {
    let u = (f64::from(a as f32) * 2f64.powi(-32) + 2f64.powi(-33)) as f32;
    let angle = b as i32 as f32 * (std::f32::consts::PI / 2f32.powi(31));
    let square = -2.0 * f64::from(u).ln();
    let radius = square.sqrt();
    let radius_off = (square + 1.39 * 2f64.powi(-22) + square * 2f64.powi(-21)).sqrt() - radius;
    let allowed = radius_off + radius * (2f64.powf(-20.5) + 6.0 * ROUNDING) + 1e-12;
    [f64::from(angle).cos(), f64::from(angle).sin()].map(|trig| Expected { value: radius * trig, allowed })
}
