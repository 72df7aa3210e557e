//! Functions with parameters, switches, arrays in local memory.

use crate::common::random::Random;
use crate::fixtures;
use crate::program::{Foreign, Params, load_all};

fn modules() -> Vec<Foreign> {
    load_all(fixtures![
        "functions.nvrtc",
        "functions.clang",
        "functions.nvrtc_debug",
        "functions.clang_debug"
    ])
}

fn horner(x: f32, coefficients: &[f32]) -> f32 {
    coefficients.iter().fold(0.0, |sum: f32, c| sum.mul_add(x, *c))
}

fn horner_of_roundings(x: f32, coefficients: &[f32]) -> f32 {
    coefficients.iter().fold(0.0, |sum, c| sum * x + c)
}

/// What `calls` computes for one thread, with contracted or with separate multiplications.
fn called(i: usize, x: &[f32], a: &[i32], horner: impl Fn(f32, &[f32]) -> f32) -> (f32, i32) {
    let coefficients: Vec<f32> = (0..4).map(|k| x[(i + k) % x.len()]).collect();
    let (first, second) = match a[i] % 2 {
        0 => (x[i], i as f64),
        _ => (i as f32, f64::from(x[i])),
    };
    let mut value = horner(x[i], &coefficients[..1 + i % 4]);
    if i.is_multiple_of(3) {
        value += horner(first, &coefficients[..2]);
    }
    let divisor = (i % 5) as i32;
    let nested = if divisor == 0 { -1000 } else { a[i] / divisor * 1000 + a[i] % divisor };
    (value + second as f32, nested)
}

#[test]
fn calls() {
    let n = 203usize;
    let mut random = Random::new(1);
    let x = random.normals(n);
    let a: Vec<i32> = (0..n).map(|_| random.between(0, 20_000) as i32 - 10_000).collect();
    for module in modules() {
        let (at_x, at_a) = (module.upload(&x), module.upload(&a));
        let (y, z) = (module.output::<f32>(n), module.output::<i32>(n));
        let params = Params::new().pointer(&at_x).pointer(&at_a).pointer(&y).pointer(&z).value(n as i32);
        module.run("calls", [7, 1, 1], [32, 1, 1], params);
        let (y, z) = (y.to_vec::<f32>().expect("readable"), z.to_vec::<i32>().expect("readable"));
        for i in 0..n {
            let contracted = called(i, &x, &a, horner);
            let separate = called(i, &x, &a, horner_of_roundings);
            let found = (y[i], z[i]);
            assert!(
                [contracted, separate].contains(&found),
                "{}, {i}: {found:?}, not {contracted:?}",
                module.name
            );
        }
    }
}

#[test]
fn switches() {
    let n = 150usize;
    let mut random = Random::new(2);
    let a: Vec<i32> = (0..n).map(|_| random.between(0, 12) as i32 - 2).collect();
    let old: Vec<i32> = (0..n as i32).map(|i| 1000 + i).collect();
    for module in modules() {
        let (at_a, y) = (module.upload(&a), module.upload(&old));
        let params = Params::new().pointer(&at_a).pointer(&y).value(n as i32);
        module.run("switches", [n.div_ceil(64) as u32, 1, 1], [64, 1, 1], params);
        let wanted = |i: usize| {
            let z = i as i32;
            match a[i] {
                0 => z * z + 1,
                1 => z << 3,
                2 => (7 - z) ^ 0x55,
                3 => z ^ 0x55,
                4 => -1,
                5 => z % 11,
                6 => z / 2,
                7 => z & 7,
                _ => -z,
            }
        };
        assert_eq!(
            y.to_vec::<i32>().expect("readable"),
            (0..n).map(wanted).collect::<Vec<_>>(),
            "{}",
            module.name
        );
    }
}

#[test]
fn arrays_in_local_memory() {
    let rows = 77usize;
    let mut random = Random::new(3);
    let a: Vec<i32> = (0..rows * 12).map(|_| random.between(0, 30) as i32 - 15).collect();
    let mut wanted = a.clone();
    wanted.chunks_mut(12).for_each(<[i32]>::sort);
    for module in modules() {
        let (at_a, y) = (module.upload(&a), module.output::<i32>(a.len()));
        let params = Params::new().pointer(&at_a).pointer(&y).value(rows as i32);
        module.run("sorts", [3, 1, 1], [32, 1, 1], params);
        assert_eq!(y.to_vec::<i32>().expect("readable"), wanted, "{}", module.name);
    }
}
