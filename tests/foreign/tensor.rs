//! Products of a warp on tensor cores: `wmma` and `mma.sync` as CUDA's headers and inline assembly write them.

use crate::common::compare::{Expected, Sum, assert_close};
use crate::common::random::Random;
use crate::fixtures;
use crate::program::{Foreign, Params, load_all};

fn modules() -> Vec<Foreign> {
    load_all(fixtures!["tensor.nvrtc"])
}

/// Halves and quarters up to 2: numbers that f16 and bf16 have.
fn numbers(random: &mut Random, len: usize) -> Vec<f32> {
    (0..len).map(|_| (random.between(0, 16) as f32 - 8.0) / 4.0).collect()
}

/// The bits of a number of [`numbers`] in f16.
fn f16(x: f32) -> u16 {
    let bits = x.to_bits();
    let half = (bits >> 23 & 0xFF).saturating_sub(112) << 10 | bits >> 13 & 0x3FF;
    (bits >> 16 & 0x8000 | if x == 0.0 { 0 } else { half }) as u16
}

fn bf16(x: f32) -> u16 {
    (x.to_bits() >> 16) as u16
}

/// `scale * (A B + old)`, A of `rows` x `k`, B of `k` x `columns`, both by rows.
fn product(a: &[f32], b: &[f32], old: &[f32], columns: usize, scale: f64) -> Vec<Expected> {
    let k = b.len() / columns;
    let element = |i: usize| {
        let mut sum = Sum::default();
        sum.add(f64::from(old[i]));
        (0..k).for_each(|j| sum.add_product(a[i / columns * k + j], b[j * columns + i % columns]));
        let Expected { value, allowed } = sum.expected();
        Expected { value: value * scale, allowed: allowed * scale }
    };
    (0..old.len()).map(element).collect()
}

fn bits(numbers: &[f32], encode: fn(f32) -> u16) -> Vec<u8> {
    numbers.iter().flat_map(|x| encode(*x).to_le_bytes()).collect()
}

#[test]
fn wmma_of_f16() {
    let mut random = Random::new(1);
    for (module, k) in modules().iter().flat_map(|module| [16usize, 48, 80].map(|k| (module, k))) {
        let (a, b) = (numbers(&mut random, 16 * k), numbers(&mut random, 16 * k));
        let (at_a, at_b) = (module.upload(&bits(&a, f16)), module.upload(&bits(&b, f16)));
        let c = module.output::<f32>(256);
        let params = Params::new().pointer(&at_a).pointer(&at_b).pointer(&c).value(k as i32);
        module.run("wmma_f16", [1; 3], [32, 1, 1], params);
        let wanted = product(&a, &b, &[0.0; 256], 16, 1.0);
        assert_close(module.name, &[16, 16], &c.to_vec::<f32>().expect("readable"), &wanted);
    }
}

/// C is read and written by columns, B is read by columns from shared memory, and the sum is doubled.
#[test]
fn wmma_of_bf16() {
    let mut random = Random::new(2);
    for (module, k) in modules().iter().flat_map(|module| [16usize, 64].map(|k| (module, k))) {
        let (a, b, old) = (numbers(&mut random, 16 * k), numbers(&mut random, 16 * k), random.normals(256));
        let turned = |x: &[f32]| (0..256).map(|i| x[i % 16 * 16 + i / 16]).collect::<Vec<f32>>();
        let (at_a, at_b) = (module.upload(&bits(&a, bf16)), module.upload(&bits(&b, bf16)));
        let c = module.upload(&turned(&old));
        let params = Params::new().pointer(&at_a).pointer(&at_b).pointer(&c).value(k as i32);
        module.run("wmma_bf16", [1; 3], [32, 1, 1], params);
        let wanted = product(&a, &b, &old, 16, 2.0);
        assert_close(module.name, &[16, 16], &turned(&c.to_vec::<f32>().expect("readable")), &wanted);
    }
}

#[test]
fn mma_in_inline_assembly() {
    let mut random = Random::new(3);
    for module in modules() {
        let (a, b, old) = (numbers(&mut random, 256), numbers(&mut random, 128), random.normals(128));
        let columns: Vec<f32> = (0..128).map(|i| b[i % 16 * 8 + i / 16]).collect();
        let (at_a, at_b, d) =
            (module.upload(&bits(&a, f16)), module.upload(&bits(&columns, f16)), module.upload(&old));
        module.run("mma_f16", [1; 3], [32, 1, 1], Params::new().pointer(&at_a).pointer(&at_b).pointer(&d));
        let wanted = product(&a, &b, &old, 8, 1.0);
        assert_close(module.name, &[16, 8], &d.to_vec::<f32>().expect("readable"), &wanted);
    }
}
