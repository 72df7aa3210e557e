//! A row a block: softmax and layer normalisation.

use crate::common::compare::{Expected, ROUNDING, assert_close};
use crate::common::random::Random;
use crate::fixtures;
use crate::program::{Foreign, Params, load_all};

fn modules() -> Vec<Foreign> {
    load_all(fixtures!["norms.nvrtc", "norms.clang", "norms.nvrtc_lineinfo"])
}

const SHAPES: [(usize, usize, u32); 3] = [(1, 1, 32), (5, 100, 64), (3, 300, 128)];

#[test]
fn softmax() {
    let mut random = Random::new(1);
    for module in modules() {
        for (rows, width, threads) in SHAPES {
            let x = random.uniforms(rows * width, -8.0, 8.0);
            let (at_x, y) = (module.upload(&x), module.output::<f32>(rows * width));
            let params = Params::new().pointer(&at_x).pointer(&y).value(width as i32);
            module.run("softmax", [rows as u32, 1, 1], [threads, 1, 1], params);
            let mut wanted = Vec::new();
            for row in x.chunks(width) {
                let largest = row.iter().fold(f64::NEG_INFINITY, |m, x| m.max(f64::from(*x)));
                let powers: Vec<f64> = row.iter().map(|x| (f64::from(*x) - largest).exp()).collect();
                let sum: f64 = powers.iter().sum();
                // The exponent is below 24 and rounded twice, ex2.approx errs by 2 ulp, the sum by its length.
                let roundings = 2.0 * 24.0 + 2.0 * (4.0 + width as f64);
                wanted.extend(powers.iter().map(|power| Expected::rounded(power / sum, roundings)));
            }
            assert_close(module.name, &[rows, width], &y.to_vec::<f32>().expect("readable"), &wanted);
        }
    }
}

#[test]
fn layer_norm() {
    let mut random = Random::new(2);
    for module in modules() {
        for (rows, width, threads) in SHAPES {
            let x = random.uniforms(rows * width, -3.0, 5.0);
            let (weight, bias) = (random.normals(width), random.normals(width));
            let (at_x, at_weight, at_bias) =
                (module.upload(&x), module.upload(&weight), module.upload(&bias));
            let y = module.output::<f32>(rows * width);
            let params = Params::new().pointer(&at_x).pointer(&at_weight).pointer(&at_bias).pointer(&y);
            module.run("layer_norm", [rows as u32, 1, 1], [threads, 1, 1], params.value(width as i32));
            let mut wanted = Vec::new();
            for row in x.chunks(width) {
                let n = width as f64;
                let mean = row.iter().map(|x| f64::from(*x)).sum::<f64>() / n;
                let variance = row.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / n;
                let scale = 1.0 / (variance + 1e-5).sqrt();
                // The mean errs by (n + 1) roundings of 5, and that enters a result times its scale.
                let off = (n + 4.0) * 5.0 * ROUNDING * scale;
                for (i, x) in row.iter().enumerate() {
                    let (weight, bias) = (f64::from(weight[i]), f64::from(bias[i]));
                    let value = (f64::from(*x) - mean) * scale * weight;
                    let allowed = off * weight.abs() + (value.abs() * (n + 8.0) + bias.abs()) * ROUNDING;
                    wanted.push(Expected { value: value + bias, allowed });
                }
            }
            assert_close(module.name, &[rows, width], &y.to_vec::<f32>().expect("readable"), &wanted);
        }
    }
}
