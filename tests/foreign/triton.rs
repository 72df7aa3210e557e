//! Kernels of Triton: four warps a block, tiles through `cp.async`, `ldmatrix` and `mma.sync`.

use crate::common::compare::{Expected, Sum, assert_close};
use crate::common::random::Random;
use crate::fixtures;
use crate::program::{Foreign, Params, load_all};
use ddpm_ptx::device::DeviceError;
use ddpm_ptx::device::soft::Soft;

const BLOCK: [u32; 3] = [128, 1, 1];

/// Shared memory for sums of warps, as the compiler said.
const SHARED: u32 = 16;

/// Triton passes two pointers behind a kernel's own parameters, to scratch memory that these do not use.
fn closed(params: Params) -> Params {
    params.value(0u64).value(0u64)
}

#[test]
fn softmax() {
    let mut random = Random::new(1);
    for module in load_all(fixtures!["softmax.triton"]) {
        for (rows, width) in [(1usize, 1usize), (3, 300), (2, 512)] {
            let x = random.uniforms(rows * width, -8.0, 8.0);
            let (at_x, y) = (module.upload(&x), module.output::<f32>(rows * width));
            let params = closed(Params::new().pointer(&at_x).pointer(&y).value(width as i32));
            module.launch("softmax", [rows as u32, 1, 1], BLOCK, SHARED, params).expect(module.name);
            let mut wanted = Vec::new();
            for row in x.chunks(width) {
                let largest = row.iter().fold(f64::NEG_INFINITY, |m, x| m.max(f64::from(*x)));
                let powers: Vec<f64> = row.iter().map(|x| (f64::from(*x) - largest).exp()).collect();
                let sum: f64 = powers.iter().sum();
                // The exponent is below 24 and rounded twice, ex2.approx and div.full err by 2 ulp, the sum by its length.
                let roundings = 2.0 * 24.0 + 2.0 * (6.0 + width as f64);
                wanted.extend(powers.iter().map(|power| Expected::rounded(power / sum, roundings)));
            }
            assert_close(module.name, &[rows, width], &y.to_vec::<f32>().expect("readable"), &wanted);
        }
    }
}

#[test]
fn layer_norm() {
    let mut random = Random::new(2);
    for module in load_all(fixtures!["layer_norm.triton"]) {
        for (rows, width) in [(1usize, 2usize), (3, 300), (2, 512)] {
            let x = random.uniforms(rows * width, -3.0, 5.0);
            let (weight, bias) = (random.normals(width), random.normals(width));
            let (at_x, at_weight, at_bias) =
                (module.upload(&x), module.upload(&weight), module.upload(&bias));
            let y = module.output::<f32>(rows * width);
            let params = Params::new().pointer(&at_x).pointer(&at_weight).pointer(&at_bias).pointer(&y);
            let params = closed(params.value(width as i32));
            module.launch("layer_norm", [rows as u32, 1, 1], BLOCK, SHARED, params).expect(module.name);
            let mut wanted = Vec::new();
            for row in x.chunks(width) {
                let n = width as f64;
                let mean = row.iter().map(|x| f64::from(*x)).sum::<f64>() / n;
                let variance = row.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / n;
                let scale = 1.0 / (variance + 1e-5).sqrt();
                for (i, x) in row.iter().enumerate() {
                    let (weight, bias) = (f64::from(weight[i]), f64::from(bias[i]));
                    let value = (f64::from(*x) - mean) * scale * weight;
                    // The mean and the variance err by about n roundings of numbers up to 5.
                    let roundings = (n + 16.0) * (value.abs() + 5.0 * scale * weight.abs()) + bias.abs();
                    let allowed = Expected::rounded(roundings, 1.0).allowed;
                    wanted.push(Expected { value: value + bias, allowed });
                }
            }
            assert_close(module.name, &[rows, width], &y.to_vec::<f32>().expect("readable"), &wanted);
        }
    }
}

#[test]
fn histogram() {
    let mut random = Random::new(3);
    let x: Vec<i32> = (0..1000).map(|_| random.between(0, 63) as i32).collect();
    let mut wanted = vec![0u32; 64];
    x.iter().for_each(|value| wanted[*value as usize] += 1);
    for module in load_all(fixtures!["histogram.triton"]) {
        let (at_x, bins) = (module.upload(&x), module.zeroed::<u32>(64));
        let params = closed(Params::new().pointer(&at_x).value(1000i32).pointer(&bins));
        module.run("histogram", [4, 1, 1], BLOCK, params);
        assert_eq!(bins.to_vec::<u32>().expect("readable"), wanted, "{}", module.name);
    }
}

/// C = A B in tiles of 64 x 64 x 32; `bytes` writes an element, which is `round`ed to the operands' type.
fn check_product(module: &Foreign, shared: u32, round: fn(f32) -> f32, bytes: fn(f32) -> Vec<u8>) {
    let mut random = Random::new(4);
    for [m, n, k] in [[64usize, 64, 32], [48, 80, 40], [130, 64, 96]] {
        let mut matrix = |len: usize| random.normals(len).into_iter().map(round).collect::<Vec<f32>>();
        let (a, b) = (matrix(m * k), matrix(k * n));
        let upload = |x: &[f32]| module.upload(&x.iter().flat_map(|x| bytes(*x)).collect::<Vec<u8>>());
        let (at_a, at_b, c) = (upload(&a), upload(&b), module.output::<f32>(m * n));
        let params = Params::new().pointer(&at_a).pointer(&at_b).pointer(&c);
        let params = closed(params.value(m as i32).value(n as i32).value(k as i32));
        let grid = [m.div_ceil(64) as u32, n.div_ceil(64) as u32, 1];
        module.launch("matmul", grid, BLOCK, shared, params).expect(module.name);
        let element = |i: usize| {
            let mut sum = Sum::default();
            (0..k).for_each(|j| sum.add_product(a[i / n * k + j], b[j * n + i % n]));
            sum.expected()
        };
        let wanted: Vec<_> = (0..m * n).map(element).collect();
        assert_close(module.name, &[m, n], &c.to_vec::<f32>().expect("readable"), &wanted);
    }
}

/// Keeps the highest `bits` bits of an f32, which is a number of the shorter formats too (these are near 1).
fn cut(x: f32, bits: u32) -> f32 {
    f32::from_bits(x.to_bits() & (u32::MAX << (32 - bits)))
}

#[test]
fn products_of_bf16() {
    for module in load_all(fixtures!["matmul.triton_bf16"]) {
        check_product(&module, 16384, |x| cut(x, 16), |x| x.to_le_bytes()[2..].to_vec());
    }
}

#[test]
fn products_of_f16() {
    // 10 bits of mantissa; an exponent that f16 has, or zero.
    let round = |x: f32| if x.abs() < 1e-4 { 0.0 } else { cut(x, 19) };
    let bytes = |x: f32| {
        let bits = x.to_bits();
        let exponent = (bits >> 23 & 0xFF).saturating_sub(112);
        let half = if x == 0.0 { 0 } else { bits >> 16 & 0x8000 | exponent << 10 | bits >> 13 & 0x3FF };
        (half as u16).to_le_bytes().to_vec()
    };
    for module in load_all(fixtures!["matmul.triton_fp16"]) {
        check_product(&module, 16384, round, bytes);
    }
}

/// f32 operands become tf32 by `cvt.rna` or by truncation; these have no more bits than that.
#[test]
fn products_of_tf32() {
    for module in load_all(fixtures!["matmul.triton_fp32"]) {
        check_product(&module, 32768, |x| cut(x, 19), |x| x.to_le_bytes().to_vec());
    }
}

/// For sm_90 Triton emits `wgmma`, which is refused with its line.
#[test]
fn wgmma_is_refused() {
    let text = include_str!("ptx/matmul.triton_sm90.ptx");
    let Err(DeviceError::Module { log, .. }) = Soft::new().load("matmul.triton_sm90", text) else {
        panic!("it loads");
    };
    let line = 1 + text.lines().position(|line| line.contains("wgmma")).expect("a product");
    assert!(log.contains(&format!("matmul.triton_sm90:{line}: wgmma.fence")), "{log}");
}
